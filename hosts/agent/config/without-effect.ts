// Fields that are accepted and change nothing, each with its reason. Values that are the default say nothing:
// kubeadm writes every field.
import type { Mode } from "../../shared/contract.ts";
import { parseDuration } from "./duration.ts";
import { featureGates } from "./feature-gates.ts";
import { type RawAgentConfig, valueAt } from "./raw-config.ts";
import type { Say } from "./validate.ts";

const protobuf = "application/vnd.kubernetes.protobuf";

/** Field, values besides empty, zero and false that say nothing, and why it has no effect. */
const fields: readonly [field: string, defaults: readonly unknown[], why: string][] = [
  ["clientConnection.acceptContentTypes", ["application/json"], "the API server is always asked for JSON"],
  ["clientConnection.contentType", [protobuf, "application/json"], "the API server is always asked for JSON"],
  ["enableProfiling", [], "there is no /debug/pprof; --debug-socket shows what the agent knows"],
  ["showHiddenMetricsForVersion", [], "no metric is hidden"],
  ["logging.vmodule", [], "verbosity is the same for all files"],
  ["logging.flushFrequency", ["5s", 5e9], "lines are written at once"],
  ["logging.options.text.splitStream", [], "all lines go to standard output"],
  ["logging.options.json.splitStream", [], "all lines go to standard output"],
  ["logging.options.text.infoBufferSize", [], "lines are written at once"],
  ["logging.options.json.infoBufferSize", [], "lines are written at once"],
  ["configSyncPeriod", ["15m"], "nothing is handed out twice; the kernel is checked every syncPeriod"],
  ["portRange", [], "no ports are opened for Services; kube-proxy ignores it too"],
  ["windowsRunAsService", [], "it is for Windows"],
];

const ipvsDefaults: Readonly<Record<string, readonly unknown[]>> = {
  syncPeriod: ["30s"],
  minSyncPeriod: ["1s"],
  scheduler: ["rr"],
};

export function sayWithoutEffect(raw: RawAgentConfig, mode: Mode, say: Say): void {
  const warn = (field: string, why: string, hint = "") =>
    say("warning", field, "no-effect", `has no effect: ${why}`, hint);
  for (const [field, defaults, why] of fields) {
    if (matters(valueAt(raw, field), defaults)) warn(field, why);
  }
  for (const [name, value] of Object.entries(raw.ipvs ?? {})) {
    if (matters(value, ipvsDefaults[name])) warn(`ipvs.${name}`, "ipvs is not supported");
  }
  for (const [name, value] of Object.entries(raw.winkernel ?? {})) {
    if (matters(value)) warn(`winkernel.${name}`, "it is for Windows");
  }
  for (const name of Object.keys(raw.featureGates ?? {})) {
    const why = featureGates[name];
    if (why !== undefined) warn(`featureGates.${name}`, why);
  }
  otherSection(raw, mode, warn);
  localDetection(raw, warn);
}

/** What is set for a mode that is not in use, unless the section in use says the same. */
function otherSection(raw: RawAgentConfig, mode: Mode, warn: (field: string, why: string, hint?: string) => void) {
  const [own, other] = mode === "iptables" ? ["iptables", "nftables"] : ["nftables", "iptables"];
  const shared: readonly [name: string, defaults: readonly unknown[]][] = [
    ["masqueradeAll", []],
    ["masqueradeBit", [14]],
    ["syncPeriod", ["30s"]],
    ["minSyncPeriod", ["1s"]],
  ];
  for (const [name, defaults] of shared) {
    const value = valueAt(raw, `${other}.${name}`);
    // A masqueradeBit of 0 is a bit.
    const isSet = name === "masqueradeBit" ? value !== undefined && value !== 14 : matters(value, defaults);
    if (!isSet || same(value, valueAt(raw, `${own}.${name}`))) continue;
    warn(`${other}.${name}`, `${mode} mode reads ${own}.${name}`, `set ${own}.${name} in the configuration file`);
  }
  if (mode !== "iptables" && valueAt(raw, "iptables.localhostNodePorts") === true) {
    warn("iptables.localhostNodePorts", "only iptables mode reads it");
  }
}

function localDetection(raw: RawAgentConfig, warn: (field: string, why: string) => void) {
  const mode = raw.detectLocalMode || "ClusterCIDR";
  const readers = {
    clusterCIDR: "ClusterCIDR",
    "detectLocal.bridgeInterface": "BridgeInterface",
    "detectLocal.interfaceNamePrefix": "InterfaceNamePrefix",
  };
  for (const [field, reader] of Object.entries(readers)) {
    if (reader !== mode && matters(valueAt(raw, field))) warn(field, `detectLocalMode ${mode} does not read it`);
  }
}

function matters(value: unknown, defaults: readonly unknown[] = []): boolean {
  if (value === undefined || value === null || value === "" || value === false || value === 0) return false;
  if (Array.isArray(value) && value.length === 0) return false;
  if (typeof value === "string" && parseDuration(value) === 0) return false;
  return !defaults.some((normal) => same(value, normal));
}

/** Also `900s` and `15m`. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "string" || typeof b !== "string") return false;
  const duration = parseDuration(a);
  return duration !== undefined && duration === parseDuration(b);
}
