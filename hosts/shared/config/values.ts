// Checks the values of a KubeProxyConfiguration whose types are right, all of them, as kube-proxy does before it starts.
import type { Mode } from "../contract.ts";
import { familyOf, familyOfCidr } from "./addresses.ts";
import { parseDuration } from "./duration.ts";
import { checkFeatureGates } from "./feature-gates.ts";
import { checkInterfaceName } from "./interface-names.ts";
import { type RawConfig, valueAt } from "./raw.ts";
import type { Say } from "./sections.ts";
import { shown } from "./shown.ts";

/** All but the addresses to listen on, the mode and the sections of modes, which are checked where they are read. */
export function checkValues(raw: RawConfig, mode: Mode | undefined, zeroIsDefault: boolean, say: Say): void {
  checkNumbers(raw, say);
  checkDurations(raw, zeroIsDefault, say);
  checkAddresses(raw, say);
  checkDetectLocal(raw, mode, say);
  checkWords(raw, say);
  checkFeatureGates(raw, mode, say);
}

const ranges: readonly [field: string, least: number, most: number][] = [
  ["clientConnection.burst", 0, 0x7fffffff],
  ["oomScoreAdj", -1000, 1000],
  ["conntrack.maxPerCore", 0, 0x7fffffff],
  ["conntrack.min", 0, 0x7fffffff],
];

function checkNumbers(raw: RawConfig, say: Say): void {
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
  "configSyncPeriod",
  "logging.flushFrequency",
];

function checkDurations(raw: RawConfig, zeroIsDefault: boolean, say: Say): void {
  for (const field of notNegative) {
    const value = (valueAt(raw, field) as string | number | undefined) ?? "";
    const period = parseDuration(value);
    if (period === undefined || period > 0) continue;
    if (period < 0) say("error", field, "negative-duration", `${value} is negative`, "use 0s for the default, or more");
    else if (field === "configSyncPeriod" && !zeroIsDefault) {
      say("error", field, "sync-period", "as a flag 0s is no default, and a period is more", "leave the flag out");
    }
  }
}

function checkAddresses(raw: RawConfig, say: Say): void {
  const bindAddress = raw.bindAddress ?? "";
  if (bindAddress !== "" && familyOf(bindAddress) === undefined) {
    say(
      "error",
      "bindAddress",
      "invalid-address",
      `${shown(bindAddress)} is no IP address`,
      "write one such as 10.0.0.1",
    );
  }
  for (const [index, address] of (raw.nodePortAddresses ?? []).entries()) {
    const text = address ?? "";
    if (["primary", "localhost", "all"].includes(text) || familyOfCidr(text) !== undefined) continue;
    const hint = "write a CIDR such as 10.0.0.0/8, or one of: primary, localhost, all";
    say("error", `nodePortAddresses[${index}]`, "invalid-cidr", `${shown(text)} is no CIDR`, hint);
  }
}

function checkDetectLocal(raw: RawConfig, mode: Mode | undefined, say: Say): void {
  const detect = raw.detectLocalMode ?? "";
  if (detect === "" || detect === "ClusterCIDR") checkClusterCidr(raw.clusterCIDR ?? "", say);
  const name =
    detect === "BridgeInterface"
      ? "bridgeInterface"
      : detect === "InterfaceNamePrefix"
        ? "interfaceNamePrefix"
        : undefined;
  if (name === undefined) return;
  const field = `detectLocal.${name}`;
  const text = raw.detectLocal?.[name] ?? "";
  if (text === "") {
    say("error", field, "detect-local", `detectLocalMode ${detect} needs it`, "name the interfaces of pods");
  } else
    checkInterfaceName(text, { isPrefix: name === "interfaceNamePrefix", mode }, (severity, code, message, hint) =>
      say(severity, field, code, message, hint),
    );
}

function checkClusterCidr(text: string, say: Say): void {
  if (text === "") return;
  const cidrs = text.split(",").map((cidr) => cidr.trim());
  const hint = "write one CIDR, or one of each family separated by a comma: 10.244.0.0/16,fd00:10:244::/56";
  const families = cidrs.map(familyOfCidr);
  for (const [index, family] of families.entries()) {
    if (family !== undefined) continue;
    say("error", "clusterCIDR", "invalid-cidr", `${shown(cidrs[index] ?? "")} is no CIDR`, hint);
  }
  if (cidrs.length > 2) {
    say("error", "clusterCIDR", "cluster-cidrs", `${cidrs.length} CIDRs are more than one for each family`, hint);
  } else if (cidrs.length === 2 && families[0] !== undefined && families[0] === families[1]) {
    say("error", "clusterCIDR", "cluster-cidrs", "both CIDRs are of the same family", hint);
  }
}

function checkWords(raw: RawConfig, say: Say): void {
  const format = raw.logging?.format ?? "";
  if (format !== "" && format !== "text" && format !== "json") {
    say("error", "logging.format", "logging-format", `${shown(format)} is no format of logs`, "use text or json");
  }
  const portRange = raw.portRange ?? "";
  if (portRange !== "" && !isPortRange(portRange)) {
    say("error", "portRange", "port-range", `${shown(portRange)} is no range of ports`, "it has no effect: remove it");
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
