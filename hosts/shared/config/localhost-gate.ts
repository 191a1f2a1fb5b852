// KubeProxyNFTablesLocalhostNodePorts: whether flat and nftables mode look after node ports on loopback addresses. Alpha and off
// in Kubernetes 1.37, beta and on from 1.38.
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

/** `nodePortAddresses` asks for node ports on loopback addresses by name. */
export function namesLoopback(addresses: readonly string[]): boolean {
  return addresses.some((address) => /^(localhost|127(\.\d+){3}\/\d+|::1\/128)$/.test(address));
}
