// KubeProxyNFTablesLocalhostNodePorts: whether flat and nftables mode look after node ports on loopback addresses. Alpha and off
// in Kubernetes 1.37, beta and on from 1.38.
import { type Address, contains, parseCidr } from "../cidr.ts";
import type { Mode } from "../contract.ts";
import { isAtLeast, type KubeVersion } from "./kube-version.ts";

export const localhostNodePortsGate = "KubeProxyNFTablesLocalhostNodePorts";

/** What decides over it, each undefined where the configuration does not say. */
export interface LocalhostGates {
  readonly own: boolean | undefined;
  readonly allAlpha: boolean | undefined;
  readonly allBeta: boolean | undefined;
}

export function localhostGates(gates: Readonly<Record<string, boolean | null>>): LocalhostGates {
  const given = (name: string) => gates[name] ?? undefined;
  return { own: given(localhostNodePortsGate), allAlpha: given("AllAlpha"), allBeta: given("AllBeta") };
}

/** The version decides over what the configuration leaves open. */
export function looksAfterLocalhost({ own, allAlpha, allBeta }: LocalhostGates, version: KubeVersion): boolean {
  return own ?? (isAtLeast(version, 1, 38) ? (allBeta ?? true) : (allAlpha ?? false));
}

/** Undefined: the version of the API server decides. */
export function decidedLocalhost(gates: LocalhostGates, mode: Mode): boolean | undefined {
  if (mode === "iptables") return false;
  const before = looksAfterLocalhost(gates, { major: 1, minor: 37 });
  return before === looksAfterLocalhost(gates, { major: 1, minor: 38 }) ? before : undefined;
}

/** 127.0.0.1 and ::1 */
const LOOPBACK: readonly Address[] = [
  { family: "IPv4", value: 0x7f00_0001n },
  { family: "IPv6", value: 1n },
];

/** `nodePortAddresses` asks for node ports on loopback addresses by name: a CIDR of all addresses does not (kube-proxy 1.38). */
export function namesLoopback(addresses: readonly string[]): boolean {
  return addresses.some((text) => {
    const cidr = parseCidr(text);
    if (cidr === undefined) return text === "localhost";
    return cidr.prefix > 0 && LOOPBACK.some((each) => contains(cidr, each));
  });
}
