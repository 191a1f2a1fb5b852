// Where a traced packet comes from and goes to, and which endpoint is asked for: from words to addresses, with the objects' help.
import { parseAddress } from "../../shared/cidr.ts";
import type { Packet } from "../../shared/witness.ts";
import { UsageError } from "../exit-codes.ts";
import type { AskedRules } from "./node-rules.ts";
import type { Endpoint, From, To, TraceOptions } from "./trace-options.ts";

/** Addresses that stand for anywhere outside (RFC 5737, RFC 3849). */
const OUTSIDE = { ipv4: "198.51.100.9", ipv6: "2001:db8::9" };
export const numbers = { tcp: 6, udp: 17, sctp: 132 };

export interface Target {
  readonly address: string;
  readonly port: number;
  readonly protocol: keyof typeof numbers;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return parseAddress(address)?.family === "IPv6" ? "ipv6" : "ipv4";
}

/** Throws a UsageError where the objects have no such entry point. */
export function targetOf(to: To, asked: AskedRules | undefined, local: readonly string[]): Target {
  if (to.kind === "address") return { address: to.address, port: to.port, protocol: "tcp" };
  if (to.kind === "NodePort") {
    const address = local.find((each) => each !== "127.0.0.1" && each !== "::1");
    if (address !== undefined) return { address, port: to.port, protocol: "tcp" };
    throw new UsageError(
      "--to nodeport: the node's addresses are not known",
      "give --addresses FILE, or -f with its Node",
    );
  }
  const found = asked?.entryPoints.of(to.service, to.kind, to.port) ?? [];
  const [first] = found;
  if (first === undefined) {
    const what = to.kind === "ClusterIP" ? "cluster IP" : "load balancer's address";
    throw new UsageError(`--to: Service ${to.service} has no ${what} with that port`, "see `sluice render --describe`");
  }
  const ports = new Set(found.map(({ port, protocol }) => `${port}/${protocol}`));
  if (ports.size > 1)
    throw new UsageError(`--to: which port of Service ${to.service}? ${[...ports].join(", ")}`, "add :PORT");
  return { address: first.address, port: first.port, protocol: first.protocol.toLowerCase() as Target["protocol"] };
}

/** An address of the pod, of that family if it matters. Throws a UsageError where no object has it. */
function podAddress(name: string, asked: AskedRules | undefined, family?: "ipv4" | "ipv6"): string {
  const all = asked?.podAddresses(name) ?? [];
  const found = all.find((address) => family === undefined || familyOf(address) === family);
  if (found !== undefined) return found;
  const hint = "write its address, or give its EndpointSlice (-f) or the Pod with its status";
  throw new UsageError(`pod:${name}: no object has its ${family === "ipv6" ? "IPv6 address" : "address"}`, hint);
}

function sourceOf(
  from: From,
  family: "ipv4" | "ipv6",
  asked: AskedRules | undefined,
  local: readonly string[],
): string | undefined {
  if (from.kind === "address") return from.address;
  if (from.kind === "pod") return podAddress(from.name, asked, family);
  return from.kind === "outside" ? OUTSIDE[family] : local.find((address) => familyOf(address) === family);
}

/** The packet that is asked about. */
export function packetOf(
  { from, protocol, inInterface }: TraceOptions,
  target: Target,
  asked: AskedRules | undefined,
  local: readonly string[],
): Packet {
  const family = familyOf(target.address);
  const source = sourceOf(from, family, asked, local) ?? (family === "ipv6" ? "::1" : "127.0.0.1");
  const isOfNode = from.kind === "node" || (from.kind !== "outside" && local.includes(source));
  return {
    origin: isOfNode ? "node" : "network",
    state: "new",
    translated: false,
    protocol: numbers[protocol ?? target.protocol],
    source,
    sourcePort: from.kind === "address" ? from.port : 40_000,
    destination: target.address,
    destinationPort: target.port,
    inInterface,
    outInterface: "",
    sticksTo: "",
    sticksToPort: 0,
  };
}

export function endpointOf(endpoint: Endpoint, asked: AskedRules | undefined): { address: string; port: number } {
  if (endpoint.kind === "address") return endpoint;
  return { address: podAddress(endpoint.name, asked), port: endpoint.port };
}
