// KubeProxyConfiguration: what of it changes rules.
import { readConfigDocument } from "./config-document.ts";
import type { DetectLocalMode, Mode, Options } from "./contract.ts";
import type { Diagnostic } from "./diagnostics.ts";
import type { Source } from "./manifests/input.ts";

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
  /** kube-proxy sets the sysctl before it writes rules, so this changes them. */
  conntrackTcpBeLiberal: boolean;
}

export interface ConfigResult {
  /** Undefined if there is an error. */
  config: ProxyConfig | undefined;
  /** The same, where need be with defaults in place of what is wrong: so that the rest can be checked too. */
  tolerant: ProxyConfig | undefined;
  diagnostics: Diagnostic[];
  /** Where a field stands, for what the engine says about it. */
  place(field: string): Partial<Diagnostic>;
}

/** Where neither the command line nor the configuration names a mode, or the configuration's is empty. */
export const defaultMode: Mode = "flat";

const defaultMasqueradeBit = 14;

export function defaultConfig(): ProxyConfig {
  return configOf({}, () => {});
}

/** What the engine is to be told. `node`: this node's name. */
export function engineOptions(
  config: ProxyConfig,
  { mode, node, nfacct }: { mode: Mode; node: string; nfacct: boolean },
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
    nfacctInvalidDropped: nfacct,
    nfacctLocalhostAccepted: nfacct,
    conntrackTcpBeLiberal: config.conntrackTcpBeLiberal,
    randomFully: true,
  };
}

export function parseConfig(source: Source): ConfigResult {
  const document = readConfigDocument(source);
  const { value, diagnostics, place } = document;
  const config =
    value === undefined
      ? undefined
      : configOf(value, (field, code, message, hint) => document.report("error", field, code, message, hint));
  return { config: diagnostics.length === 0 ? config : undefined, tolerant: config, diagnostics, place };
}

/** Says what is wrong with a field. */
export type Report = (field: string, code: string, message: string, hint?: string) => void;

/** A value whose types have been checked. */
export interface RawConfig {
  mode?: string | null;
  hostnameOverride?: string | null;
  bindAddress?: string | null;
  clusterCIDR?: string | null;
  detectLocalMode?: string | null;
  detectLocal?: { bridgeInterface?: string | null; interfaceNamePrefix?: string | null } | null;
  nodePortAddresses?: (string | null)[] | null;
  iptables?: (RawMasquerade & { localhostNodePorts?: boolean | null }) | null;
  nftables?: RawMasquerade | null;
  conntrack?: { tcpBeLiberal?: boolean | null } | null;
}

interface RawMasquerade {
  masqueradeAll?: boolean | null;
  masqueradeBit?: number | null;
}

/** What of `raw` changes rules; what is wrong in it is reported. */
export function configOf(raw: RawConfig, report: Report): ProxyConfig {
  const masquerade = (section: RawMasquerade | null | undefined, name: Mode) => {
    const bit = section?.masqueradeBit ?? defaultMasqueradeBit;
    if (bit < 0 || bit > 31)
      report(`${name}.masqueradeBit`, "masquerade-bit", `${bit} is no bit of a mark`, "use 0 to 31");
    return { all: section?.masqueradeAll ?? false, bit };
  };
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
      iptables: masquerade(raw.iptables, "iptables"),
      nftables: masquerade(raw.nftables, "nftables"),
      flat: masquerade(raw.nftables, "nftables"),
    },
    localhostNodePorts: raw.iptables?.localhostNodePorts ?? true,
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
      const hint = "use nftables, which has taken its place";
      report(
        "mode",
        "mode-ipvs",
        "ipvs is not supported: Kubernetes deprecates it and 1.37 hides it behind a gate",
        hint,
      );
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
      report(
        "mode",
        "mode-unknown",
        `${JSON.stringify(text.slice(0, 40))} is no mode`,
        "use flat, nftables or iptables",
      );
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
        report(
          "detectLocalMode",
          "detect-local-mode",
          `${JSON.stringify(text.slice(0, 40))} is none of the modes`,
          hint,
        );
      }
      return "cluster-cidr";
    }
  }
}
