// featureGates: one of them changes what Sluice does, all others of Kubernetes are known and change nothing.

import { nearest } from "../nearest.ts";
import { knownGates } from "./known-gates.ts";
import type { RawConfig } from "./raw.ts";
import type { Say } from "./sections.ts";

/** false (Kubernetes 1.36 and newer): no external IP of any Service is programmed. */
export const allowServiceExternalIps = "AllowServiceExternalIPs";
/** Node ports on loopback addresses in flat and nftables mode; on by default in 1.38 (alpha, off in 1.37). */
export const localhostNodePortsGate = "KubeProxyNFTablesLocalhostNodePorts";

const always = "what it brings is always on";
const pages = "these pages and metrics are kube-proxy's own";
const client = "it is about kube-proxy's API client";

/** Gates that concern kube-proxy, and why they change nothing here. */
const reasons: Readonly<Record<string, string>> = {
  KubeProxyIPVS: "ipvs is not supported",
  KubeProxyNFTablesLocalhostNodePorts: "node ports on loopback addresses are decided by the mode and nodePortAddresses",
  NFTablesNetlink: "flat and nftables mode always write by netlink",
  NFTablesProxyMode: always,
  PreferSameTrafficDistribution: always,
  ServiceTrafficDistribution: always,
  TopologyAwareHints: always,
  MultiCIDRServiceAllocator: always,
  KubeProxyDrainingTerminatingNodes: always,
  LoadBalancerIPMode: always,
  ComponentFlagz: pages,
  ComponentStatusz: pages,
  NativeHistograms: pages,
  StrictIPCIDRValidation: "the API server does this",
  ContextualLogging: "log lines always carry their context",
  LoggingAlphaOptions: "there are no such logging options",
  LoggingBetaOptions: "there are no such logging options",
  WatchListClient: client,
  InOrderInformers: client,
  InformerResourceVersion: client,
  AtomicFIFO: client,
  UnlockWhileProcessingFIFO: client,
  ClientsAllowCARotation: client,
  ClientsPreferCBOR: client,
  AllAlpha: "there are no alpha gates to switch",
  AllBeta: "there are no beta gates to switch",
};

export function checkFeatureGates(raw: RawConfig, say: Say): void {
  for (const name of Object.keys(raw.featureGates ?? {})) {
    if (name === allowServiceExternalIps) continue;
    const field = `featureGates.${name}`;
    const shown = name.slice(0, longestShown);
    if (knownGates.has(name)) {
      const why = reasons[name] ?? "it is about another component of Kubernetes";
      say("warning", field, "no-effect", `${shown} has no effect: ${why}`);
    } else {
      const near = nearestGate(name);
      const hint = near === undefined ? "remove it" : `did you mean ${near}?`;
      say("warning", field, "unknown-feature-gate", `no release of Kubernetes has a feature gate ${shown}`, hint);
    }
  }
}

/** No gate has a longer name. */
const longestShown = 60;

/** One line for each gate that no release knows: what was meant to be switched is not. */
export function unknownGates(gates: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(gates).flatMap((name) => {
    if (knownGates.has(name)) return [];
    const near = nearestGate(name);
    return [
      `feature gate ${name.slice(0, longestShown)} is unknown and has no effect${near === undefined ? "" : `; did you mean ${near}?`}`,
    ];
  });
}

/** Half of a name may be wrong, as in AllowExternalIPs. */
function nearestGate(name: string): string | undefined {
  return nearest(name, knownGates, Math.max(2, Math.floor(name.length / 2)));
}
