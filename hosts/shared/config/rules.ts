// What of a KubeProxyConfiguration changes rules, and how the engine is told.
import type { DetectLocalMode, Mode, Options } from "../contract.ts";
import { allowServiceExternalIps } from "./feature-gates.ts";
import type { KubeVersion } from "./kube-version.ts";
import { type LocalhostGates, localhostGates, looksAfterLocalhost } from "./localhost-gate.ts";
import type { RawConfig, RawSection } from "./raw.ts";
import { shown } from "./shown.ts";

/** The fields that change rules, with KubeProxyConfiguration's own defaults filled in. */
export interface ProxyConfig {
  /** Undefined: not given, `defaultMode` holds. */
  mode: Mode | undefined;
  /** Trimmed and in lower case, as kube-proxy takes it; empty: not given. */
  hostnameOverride: string;
  bindAddress: string;
  detectLocalMode: DetectLocalMode;
  clusterCidr: string;
  bridgeInterface: string;
  interfaceNamePrefix: string;
  nodePortAddresses: string[];
  /** `masqueradeAll` and `masqueradeBit` of each mode's section; flat reads that of nftables. */
  masquerade: Record<Mode, { all: boolean; bit: number }>;
  localhostNodePorts: boolean;
  /** The feature gate AllowServiceExternalIPs. */
  allowServiceExternalIps: boolean;
  /** The feature gates that decide over node ports on loopback addresses in flat and nftables mode. */
  localhostGates: LocalhostGates;
  /** kube-proxy sets the sysctl before it writes rules, so this changes them. */
  conntrackTcpBeLiberal: boolean;
}

/** Where neither the command line nor the configuration names a mode, or the configuration's is empty. */
export const defaultMode: Mode = "flat";

const defaultMasqueradeBit = 14;

export function defaultRules(): ProxyConfig {
  return rulesOf({}, () => {});
}

/** What the engine is to be told. `node`: this node's name. `kubeVersion`: for what the configuration leaves to it. */
export function engineOptions(
  config: ProxyConfig,
  { mode, node, nfacct, kubeVersion }: { mode: Mode; node: string; nfacct: boolean; kubeVersion: KubeVersion },
): Options {
  return {
    mode,
    nodeName: node,
    bindAddress: config.bindAddress,
    detectLocalMode: config.detectLocalMode,
    clusterCidr: config.clusterCidr,
    bridgeInterface: config.bridgeInterface,
    interfaceNamePrefix: config.interfaceNamePrefix,
    masqueradeAll: config.masquerade[mode].all,
    masqueradeBit: config.masquerade[mode].bit,
    nodePortAddresses: config.nodePortAddresses,
    localhostNodePorts: config.localhostNodePorts,
    allowServiceExternalIps: config.allowServiceExternalIps,
    nftablesLocalhostNodePorts: mode !== "iptables" && looksAfterLocalhost(config.localhostGates, kubeVersion),
    nfacctInvalidDropped: nfacct,
    nfacctLocalhostAccepted: nfacct,
    conntrackTcpBeLiberal: config.conntrackTcpBeLiberal,
    randomFully: true,
  };
}

/** Says what is wrong with a field. */
export type Report = (field: string, code: string, message: string, hint?: string) => void;

/** What of `raw` changes rules; what is wrong in it is reported, but for the sections of modes (sections.ts). */
export function rulesOf(raw: RawConfig, report: Report): ProxyConfig {
  const masquerade = (section: RawSection | null | undefined) => ({
    all: section?.masqueradeAll ?? false,
    bit: section?.masqueradeBit ?? defaultMasqueradeBit,
  });
  return {
    mode: modeOf(raw.mode ?? "", report),
    hostnameOverride: hostname(raw.hostnameOverride ?? "", report),
    bindAddress: raw.bindAddress ?? "",
    detectLocalMode: detectLocalModeOf(raw.detectLocalMode ?? "", report),
    clusterCidr: raw.clusterCIDR ?? "",
    bridgeInterface: raw.detectLocal?.bridgeInterface ?? "",
    interfaceNamePrefix: raw.detectLocal?.interfaceNamePrefix ?? "",
    nodePortAddresses: (raw.nodePortAddresses ?? []).map((address) => address ?? ""),
    masquerade: {
      iptables: masquerade(raw.iptables),
      nftables: masquerade(raw.nftables),
      flat: masquerade(raw.nftables),
    },
    localhostNodePorts: raw.iptables?.localhostNodePorts ?? true,
    allowServiceExternalIps: raw.featureGates?.[allowServiceExternalIps] ?? true,
    localhostGates: localhostGates(raw.featureGates ?? {}),
    conntrackTcpBeLiberal: raw.conntrack?.tcpBeLiberal ?? false,
  };
}

/** Also for `--mode`. Undefined: empty, or reported. */
export function modeOf(text: string, report: Report): Mode | undefined {
  switch (text) {
    case "":
      return undefined;
    case "iptables":
    case "nftables":
    case "flat":
      return text;
    case "ipvs": {
      const message =
        "Sluice writes no IPVS rules. kube-proxy's ipvs mode is deprecated, off by default from Kubernetes 1.40 on, and gone in 1.43";
      const hint =
        "write flat or nftables, which take its place; connections are spread at random, and `ipvs:` is not read";
      report("mode", "mode-ipvs", message, hint);
      return undefined;
    }
    case "kernelspace":
    case "userspace":
      report(
        "mode",
        "mode-windows",
        `${text} is for Windows or long gone, and rules here are for Linux`,
        "use flat, nftables or iptables",
      );
      return undefined;
    default:
      report("mode", "mode-unknown", `${shown(text)} is no mode`, "use flat, nftables or iptables");
      return undefined;
  }
}

function hostname(text: string, report: Report): string {
  const name = text.trim().toLowerCase();
  if (text !== "" && name === "") report("hostnameOverride", "hostname-blank", "a name of blanks only", "remove it");
  return name;
}

function detectLocalModeOf(text: string, report: Report): DetectLocalMode {
  switch (text) {
    case "NodeCIDR":
      return "node-cidr";
    case "BridgeInterface":
      return "bridge-interface";
    case "InterfaceNamePrefix":
      return "interface-name-prefix";
    default: {
      const hint = "use ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix";
      if (text !== "" && text !== "ClusterCIDR") {
        report("detectLocalMode", "detect-local-mode", `${shown(text)} is none of the modes`, hint);
      }
      return "cluster-cidr";
    }
  }
}
