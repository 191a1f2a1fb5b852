// The proxy that the environment names, by the rules of Go's net/http, which client-go uses.
import { BlockList, isIP } from "node:net";
import { proxyUrl } from "./proxy-url.ts";

/**
 * Undefined: straight to the server.
 *
 * @throws ClusterAccessError
 */
export function environmentProxy(server: URL, environment: NodeJS.ProcessEnv): URL | undefined {
  const name = server.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const used = environment[name] ? name : name.toLowerCase();
  const value = environment[used] || "";
  if (value === "") return undefined;
  const host = server.hostname.replace(/^\[|\]$/g, "");
  if (isLocal(host)) return undefined;
  const port = server.port || (server.protocol === "https:" ? "443" : "80");
  const exceptions = (environment.NO_PROXY || environment.no_proxy || "").toLowerCase().split(",");
  if (exceptions.some((exception) => matches(exception.trim(), host.toLowerCase(), port))) return undefined;
  return proxyUrl(value.includes("://") ? value : `http://${value}`, "", used);
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function isLocal(host: string): boolean {
  return host === "localhost" || (isIP(host) !== 0 && loopback.check(host, familyOf(host)));
}

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

function matches(exception: string, host: string, port: string): boolean {
  if (exception === "") return false;
  if (exception === "*") return true;
  const [, network = "", prefix = ""] = /^(.+)\/(\d+)$/.exec(exception) ?? [];
  if (isIP(network) !== 0) return isIP(host) === isIP(network) && inSubnet(host, network, Number(prefix));
  const [, bracketed = "", name = "", wantedPort = ""] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(exception) ?? [];
  if (wantedPort !== "" && wantedPort !== port) return false;
  const wanted = wantedPort === "" ? exception.replace(/^\[|\]$/g, "") : bracketed || name;
  if (isIP(host) !== 0) return host === wanted;
  if (wanted.startsWith("*.")) return host.endsWith(wanted.slice(1));
  if (wanted.startsWith(".")) return host.endsWith(wanted);
  return host === wanted || host.endsWith(`.${wanted}`);
}

function inSubnet(host: string, network: string, prefix: number): boolean {
  if (prefix > (isIP(network) === 6 ? 128 : 32)) return false;
  const subnet = new BlockList();
  subnet.addSubnet(network, prefix, familyOf(network));
  return subnet.check(host, familyOf(host));
}
