// The service account of the pod that we run in.
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { Clock } from "../../time/clock.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { ClusterAccessError } from "./cluster-access-error.ts";
import { TokenFileCredentials } from "./credentials.ts";
import { environmentProxy } from "./environment-proxy.ts";
import { CERTIFICATE_FILE_MS, FileContents, TOKEN_FILE_MS } from "./file-contents.ts";
import { TlsMaterial } from "./tls-material.ts";

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The address in the environment is usually the cluster IP of the API server. It can't be reached before there are rules for
 * it, so a fresh node needs another address.
 *
 * @throws ClusterAccessError
 */
export function inCluster(
  environment: NodeJS.ProcessEnv,
  clock: Clock,
  serviceAccount: string = SERVICE_ACCOUNT,
): ClusterAccess {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "" } = environment;
  if (host === "" || port === "") {
    const field = host === "" ? "KUBERNETES_SERVICE_HOST" : "KUBERNETES_SERVICE_PORT";
    throw new ClusterAccessError("", field, "is not set, so this is no pod", "give --kubeconfig or --master");
  }
  const url = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(url)) {
    throw new ClusterAccessError(
      "",
      "KUBERNETES_SERVICE_HOST",
      "makes no address with KUBERNETES_SERVICE_PORT",
      "give --kubeconfig or --master",
    );
  }
  const server = new URL(url);
  const file = (name: string, everyMs: number) => new FileContents(join(serviceAccount, name), "", everyMs, clock);
  return {
    source: "the service account of this pod",
    server,
    tls: new TlsMaterial({ authority: file("ca.crt", CERTIFICATE_FILE_MS) }),
    credentials: new TokenFileCredentials(file("token", TOKEN_FILE_MS)),
    proxy: environmentProxy(server, environment),
  };
}
