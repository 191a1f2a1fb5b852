// Checks the values of a KubeProxyConfiguration whose types are right, all of them, as kube-proxy does before it starts.
import type { Mode } from "../../shared/contract.ts";
import type { Diagnostic } from "../../shared/diagnostics.ts";
import { familyOf, familyOfCidr } from "./addresses.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { featureGates } from "./feature-gates.ts";
import { periods } from "./periods.ts";
import { type RawAgentConfig, valueAt } from "./raw-config.ts";

/** Says something about a field, at its place in the file or by the name of its flag. */
export type Say = (
  severity: Diagnostic["severity"],
  field: string,
  code: string,
  message: string,
  hint?: string,
) => void;

/** The addresses to listen on, the mode and masqueradeBit are checked where they are read. */
export function checkValues(raw: RawAgentConfig, mode: Mode, say: Say, isLeftOut: (field: string) => boolean): void {
  checkNumbers(raw, say);
  checkDurations(raw, say);
  checkPeriods(raw, mode, say, isLeftOut);
  checkAddresses(raw, say);
  checkDetectLocal(raw, say);
  checkWords(raw, say);
}

const ranges: readonly [field: string, least: number, most: number][] = [
  ["clientConnection.burst", 0, 0x7fffffff],
  ["oomScoreAdj", -1000, 1000],
  ["conntrack.maxPerCore", 0, 0x7fffffff],
  ["conntrack.min", 0, 0x7fffffff],
];

function checkNumbers(raw: RawAgentConfig, say: Say): void {
  for (const [field, least, most] of ranges) {
    const value = valueAt(raw, field) as number | undefined;
    if (value === undefined || (value >= least && value <= most)) continue;
    say("error", field, "out-of-range", `${value} is out of range`, `use ${least} to ${most}`);
  }
}

/** 0 and absent are the default in all of these. */
const notNegative = [
  "conntrack.tcpEstablishedTimeout",
  "conntrack.tcpCloseWaitTimeout",
  "conntrack.udpTimeout",
  "conntrack.udpStreamTimeout",
  "iptables.syncPeriod",
  "iptables.minSyncPeriod",
  "nftables.syncPeriod",
  "nftables.minSyncPeriod",
  "configSyncPeriod",
  "logging.flushFrequency",
];

function checkDurations(raw: RawAgentConfig, say: Say): void {
  for (const field of notNegative) {
    const value = (valueAt(raw, field) as string | number | undefined) ?? 0;
    if ((parseDuration(value) ?? 0) < 0) {
      say("error", field, "negative-duration", `${value} is negative`, "use 0s for the default, or more");
    }
  }
}

function checkPeriods(raw: RawAgentConfig, mode: Mode, say: Say, isLeftOut: (field: string) => boolean): void {
  const section = mode === "iptables" ? "iptables" : "nftables";
  // A default in place of one would be blamed on the other.
  if (["mode", `${section}.syncPeriod`, `${section}.minSyncPeriod`].some(isLeftOut)) return;
  const { syncPeriodMs, minSyncPeriodMs } = periods(raw, mode);
  if (syncPeriodMs < 0 || minSyncPeriodMs <= syncPeriodMs) return;
  const found = `${formatDuration(minSyncPeriodMs)} is longer than syncPeriod, ${formatDuration(syncPeriodMs)}`;
  const field = valueAt(raw, `${section}.minSyncPeriod`) === undefined ? "syncPeriod" : "minSyncPeriod";
  say("error", `${section}.${field}`, "min-sync-period", found, "make syncPeriod the longer one");
}

function checkAddresses(raw: RawAgentConfig, say: Say): void {
  const bindAddress = raw.bindAddress ?? "";
  if (bindAddress !== "" && familyOf(bindAddress) === undefined) {
    say(
      "error",
      "bindAddress",
      "invalid-address",
      `${quote(bindAddress)} is no IP address`,
      "write one such as 10.0.0.1",
    );
  }
  for (const [index, address] of (raw.nodePortAddresses ?? []).entries()) {
    const text = address ?? "";
    if (["primary", "localhost", "all"].includes(text) || familyOfCidr(text) !== undefined) continue;
    const hint = "write a CIDR such as 10.0.0.0/8, or one of: primary, localhost, all";
    say("error", `nodePortAddresses[${index}]`, "invalid-cidr", `${quote(text)} is no CIDR`, hint);
  }
}

function checkDetectLocal(raw: RawAgentConfig, say: Say): void {
  const mode = raw.detectLocalMode ?? "";
  if (mode === "" || mode === "ClusterCIDR") checkClusterCidr(raw.clusterCIDR ?? "", say);
  if (mode === "BridgeInterface") checkInterface("bridgeInterface", raw, say);
  if (mode === "InterfaceNamePrefix") checkInterface("interfaceNamePrefix", raw, say);
}

function checkClusterCidr(text: string, say: Say): void {
  if (text === "") return;
  const cidrs = text.split(",").map((cidr) => cidr.trim());
  const hint = "write one CIDR, or one of each family separated by a comma: 10.244.0.0/16,fd00:10:244::/56";
  const families = cidrs.map(familyOfCidr);
  for (const [index, family] of families.entries()) {
    if (family !== undefined) continue;
    say("error", "clusterCIDR", "invalid-cidr", `${quote(cidrs[index] ?? "")} is no CIDR`, hint);
  }
  if (cidrs.length > 2) {
    say("error", "clusterCIDR", "cluster-cidrs", `${cidrs.length} CIDRs are more than one for each family`, hint);
  } else if (cidrs.length === 2 && families[0] !== undefined && families[0] === families[1]) {
    say("error", "clusterCIDR", "cluster-cidrs", "both CIDRs are of the same family", hint);
  }
}

function checkInterface(name: "bridgeInterface" | "interfaceNamePrefix", raw: RawAgentConfig, say: Say): void {
  const text = raw.detectLocal?.[name] ?? "";
  const field = `detectLocal.${name}`;
  if (text === "") {
    say(
      "error",
      field,
      "detect-local",
      `detectLocalMode ${raw.detectLocalMode} needs it`,
      "name the interfaces of pods",
    );
  } else if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,14}$/.test(text)) {
    const hint = "write a network interface name of 1 to 15 letters, digits, . _ - or @";
    say("error", field, "invalid-interface", `${quote(text)} is no name of an interface`, hint);
  }
}

function checkWords(raw: RawAgentConfig, say: Say): void {
  const format = raw.logging?.format ?? "";
  if (format !== "" && format !== "text" && format !== "json") {
    say("error", "logging.format", "logging-format", `${quote(format)} is no format of logs`, "use text or json");
  }
  const portRange = raw.portRange ?? "";
  if (portRange !== "" && !isPortRange(portRange)) {
    say("error", "portRange", "port-range", `${quote(portRange)} is no range of ports`, "it has no effect: remove it");
  }
  for (const name of Object.keys(raw.featureGates ?? {})) {
    if (Object.hasOwn(featureGates, name)) continue;
    const hint = "remove it: no gate changes what the agent does";
    say("error", `featureGates.${name}`, "unknown-feature-gate", "kube-proxy has no such feature gate", hint);
  }
}

/** `N`, `N-M` or `N+COUNT`, as Go's ParsePortRange. */
function isPortRange(text: string): boolean {
  const [, first, sign, second] = /^\s*(\d{1,5})(?:\s*([-+])\s*(\d{1,5}))?\s*$/.exec(text) ?? [];
  if (first === undefined) return false;
  const low = Number(first);
  const high = second === undefined ? low : sign === "+" ? low + Number(second) : Number(second);
  return high <= 65535 && low <= high;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
