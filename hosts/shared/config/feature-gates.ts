// featureGates: two of them change what Sluice does, all others of Kubernetes are known and change nothing.
import type { Mode } from "../contract.ts";
import { nearest } from "../nearest.ts";
import { knownGates } from "./known-gates.ts";
import { localhostNodePortsGate } from "./localhost-gate.ts";
import type { RawConfig } from "./raw.ts";
import type { Say } from "./sections.ts";

/** false (Kubernetes 1.36 and newer): no external IP of any Service is programmed. */
export const allowServiceExternalIps = "AllowServiceExternalIPs";

const always = "what it brings is always on";
const pages = "these pages and metrics are kube-proxy's own";
const client = "it is about kube-proxy's API client";

/** Gates that concern kube-proxy, and why they change nothing here. */
const reasons: Readonly<Record<string, string>> = {
  KubeProxyIPVS: "ipvs is not supported",
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
};

/** In flat and nftables mode; iptables mode has `iptables.localhostNodePorts` for it. */
const ofLocalhost: ReadonlySet<string> = new Set([localhostNodePortsGate, "AllAlpha", "AllBeta"]);

export function checkFeatureGates(raw: RawConfig, mode: Mode | undefined, say: Say): void {
  for (const name of Object.keys(raw.featureGates ?? {})) {
    if (name === allowServiceExternalIps || (ofLocalhost.has(name) && mode !== "iptables")) continue;
    const field = `featureGates.${name}`;
    const shown = name.slice(0, longestShown);
    if (knownGates.has(name)) {
      const why = ofLocalhost.has(name) ? withIptables : (reasons[name] ?? another);
      say("warning", field, "no-effect", `${shown} has no effect: ${why}`);
    } else {
      const near = nearestGate(name);
      const hint = near === undefined ? "remove it" : `did you mean ${near}?`;
      say("warning", field, "unknown-feature-gate", `no release of Kubernetes has a feature gate ${shown}`, hint);
    }
  }
}

const withIptables = "iptables mode has iptables.localhostNodePorts for node ports on 127.0.0.1";
const another = "it is about another component of Kubernetes";

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
