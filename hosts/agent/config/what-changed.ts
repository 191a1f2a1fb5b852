// Which parts of the agent a new configuration concerns.
import { isDeepStrictEqual } from "node:util";
import type { AgentConfig } from "./agent-config.ts";
import { kubeProxyConfiguration } from "./write-config.ts";

/** What can take a new configuration while it runs. */
export type PartInPlace =
  /** Options of the engine: `configure` it, and plan. */
  | "rules"
  /** syncPeriod, minSyncPeriod: the schedule of writes, and when health is given up. */
  | "periods"
  | "logging"
  /** nf_conntrack_* and oom_score_adj: set them again. */
  | "machine"
  /** Nothing depends on it: feature gates, and fields without effect. */
  | "nothing";

/** What has to be made anew. */
export type PartToRestart =
  /** Another mode's writer, after whose first write the old mode's rules go. */
  | "mode"
  /** This node's name: another Node to watch, other endpoints are local. */
  | "node-name"
  /** Who looks after node ports on loopback addresses. */
  | "localhost-gate"
  | "api-client"
  | "healthz-server"
  | "metrics-server";

export interface ConfigChange {
  readonly inPlace: ReadonlySet<PartInPlace>;
  readonly restart: ReadonlySet<PartToRestart>;
  /** Fields of KubeProxyConfiguration that differ, with old and new value, for the log. */
  readonly fields: readonly { readonly field: string; readonly before: unknown; readonly after: unknown }[];
}

/** By the beginning of a field's path. */
const parts: readonly [path: string, part: PartInPlace | PartToRestart][] = [
  ["mode", "mode"],
  ["hostnameOverride", "node-name"],
  ["clientConnection", "api-client"],
  ["healthzBindAddress", "healthz-server"],
  ["metricsBindAddress", "metrics-server"],
  ["bindAddressHardFail", "nothing"],
  ["enableProfiling", "nothing"],
  ["featureGates.AllowServiceExternalIPs", "rules"],
  ["featureGates.KubeProxyNFTablesLocalhostNodePorts", "localhost-gate"],
  ["featureGates.AllAlpha", "localhost-gate"],
  ["featureGates.AllBeta", "localhost-gate"],
  ["featureGates", "nothing"],
  ["configSyncPeriod", "nothing"],
  ["logging", "logging"],
  ["iptables.syncPeriod", "periods"],
  ["iptables.minSyncPeriod", "periods"],
  ["nftables.syncPeriod", "periods"],
  ["nftables.minSyncPeriod", "periods"],
  ["iptables", "rules"],
  ["nftables", "rules"],
  ["bindAddress", "rules"],
  ["detectLocalMode", "rules"],
  ["detectLocal", "rules"],
  ["clusterCIDR", "rules"],
  ["nodePortAddresses", "rules"],
  ["oomScoreAdj", "machine"],
  ["conntrack", "machine"],
];

export function whatChanged(before: AgentConfig, after: AgentConfig): ConfigChange {
  const old = new Map(leaves(kubeProxyConfiguration(before), ""));
  const now = new Map(leaves(kubeProxyConfiguration(after), ""));
  const fields = [...new Set([...old.keys(), ...now.keys()])]
    .filter((field) => !isDeepStrictEqual(old.get(field), now.get(field)))
    .map((field) => ({ field, before: old.get(field), after: now.get(field) }));
  const inPlace = new Set<PartInPlace>();
  const restart = new Set<PartToRestart>();
  for (const { field } of fields) {
    const part = partOf(field);
    if (isInPlace(part)) inPlace.add(part);
    else restart.add(part);
    // kube-proxy's sysctl, which rules depend on.
    if (field === "conntrack.tcpBeLiberal") inPlace.add("rules");
  }
  return { inPlace, restart, fields };
}

/** Exported for its test: every field belongs to a part. */
export function partOf(field: string): PartInPlace | PartToRestart {
  const found = parts.find(([path]) => field === path || field.startsWith(`${path}.`));
  if (found === undefined) throw new Error(`${field} belongs to no part of the agent`);
  return found[1];
}

function isInPlace(part: PartInPlace | PartToRestart): part is PartInPlace {
  return part === "rules" || part === "periods" || part === "logging" || part === "machine" || part === "nothing";
}

/** Paths and values, as deep as objects go. */
export function* leaves(object: Record<string, unknown>, prefix: string): Generator<[field: string, value: unknown]> {
  for (const [name, value] of Object.entries(object)) {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      yield* leaves(value as Record<string, unknown>, path);
    } else yield [path, value];
  }
}
