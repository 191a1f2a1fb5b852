// KubeProxyConfiguration: what of it changes rules.
import { misfits } from "./config-check.ts";
import { configFields } from "./config-fields.ts";
import type { DetectLocalMode, Mode, Options } from "./contract.ts";
import { type Diagnostic, diagnostic } from "./diagnostics.ts";
import type { Input, Source } from "./manifests/input.ts";
import { parseYaml } from "./manifests/parse.ts";
import { fieldAt, parsePath } from "./manifests/scan.ts";
import { skipBlanks, toUtf8 } from "./manifests/text.ts";

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
  diagnostics: Diagnostic[];
  /** Where a field stands, for what the engine says about it. */
  place(field: string): Partial<Diagnostic>;
}

/** Where neither the command line nor the configuration names a mode, or the configuration's is empty. */
export const defaultMode: Mode = "nftables";

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
  const diagnostics: Diagnostic[] = [];
  const file = source.name;
  const nowhere = () => ({ file });
  const bytes = toUtf8(source.bytes);
  if (skipBlanks(bytes) === bytes.length) {
    diagnostics.push(diagnostic("error", "empty-file", "the configuration is empty", { file }));
    return { config: undefined, diagnostics, place: nowhere };
  }
  const inputs: Input[] = [];
  for (const parsed of parseYaml(file, bytes)) {
    if ("input" in parsed) inputs.push(parsed.input);
    else diagnostics.push({ ...parsed.diagnostic, severity: "error" });
  }
  const input = inputs[0];
  if (diagnostics.length > 0 || input === undefined) return { config: undefined, diagnostics, place: nowhere };

  const documents = new TextDecoder().decode(input.json).trimEnd().split("\n");
  if (documents.length > 1 || inputs.length > 1) {
    const message = `one document is wanted, and this file has ${documents.length}`;
    diagnostics.push(diagnostic("error", "config-documents", message, { file }));
    return { config: undefined, diagnostics, place: nowhere };
  }

  const place = (path: readonly (string | number)[], wanted: "key" | "value" = "value") => {
    const at = fieldAt(input.json, 0, path);
    return { file, ...input.position(wanted === "key" ? at.key : at.value) };
  };
  const reportAt = (field: string, code: string, message: string, hint = "") => {
    diagnostics.push(diagnostic("error", code, message, { ...place(parsePath(field)), field, hint }));
  };
  const value = JSON.parse(documents[0] ?? "{}") as Record<string, unknown>;
  let config: ProxyConfig | undefined;
  if (checkType(value, reportAt)) {
    for (const { code, path, message, hint } of misfits(value, configFields)) {
      const at = place(path, code === "unknown-field" ? "key" : "value");
      const more = { ...at, field: showPath(path), hint: input.hint(fieldAt(input.json, 0, path).value) || hint };
      diagnostics.push(diagnostic("error", code, message, more));
    }
    if (diagnostics.length === 0) config = configOf(value as RawConfig, reportAt);
  }
  return {
    config: diagnostics.length === 0 ? config : undefined,
    diagnostics,
    place: (field) => place(parsePath(field)),
  };
}

type Report = (field: string, code: string, message: string, hint?: string) => void;

function checkType(value: Record<string, unknown>, report: Report): boolean {
  if (value.kind !== "KubeProxyConfiguration") {
    const hint =
      value.kind === "ConfigMap"
        ? "give its content: kubectl -n kube-system get configmap kube-proxy -o jsonpath='{.data.config\\.conf}'"
        : "it starts with `apiVersion: kubeproxy.config.k8s.io/v1alpha1` and `kind: KubeProxyConfiguration`";
    const found = typeof value.kind === "string" ? `this is a ${value.kind}` : "`kind` is missing";
    report("kind", "config-kind", `a KubeProxyConfiguration is wanted, and ${found}`, hint);
    return false;
  }
  if (value.apiVersion !== "kubeproxy.config.k8s.io/v1alpha1") {
    const found = value.apiVersion === undefined ? "it is missing" : `this is ${JSON.stringify(value.apiVersion)}`;
    report("apiVersion", "config-version", `only kubeproxy.config.k8s.io/v1alpha1 is known, and ${found}`);
    return false;
  }
  return true;
}

/** A value whose types have been checked. */
interface RawConfig {
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

function configOf(raw: RawConfig, report: Report): ProxyConfig {
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

function showPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
}
