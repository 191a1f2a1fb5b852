// The URL of a proxy, from a kubeconfig or the environment. It may have a user and a password, so it is never shown.
import { keepSecretsOf } from "../../log/secrets.ts";
import { ClusterAccessError } from "./cluster-access-error.ts";

/**
 * @param file that it stands in; "" for the environment
 * @throws ClusterAccessError
 */
export function proxyUrl(text: string, file: string, field: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined) keepSecretsOf(url);
  if (url === undefined || !/^(https?|socks5):$/.test(url.protocol) || !isDecodable(url.username + url.password)) {
    const hint = "write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT";
    throw new ClusterAccessError(file, field, "is no URL of a proxy", hint);
  }
  return url;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
