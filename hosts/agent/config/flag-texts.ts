// What each flag is, given or not: for /flagz.
import { formatDuration, parseDuration } from "../../shared/config/duration.ts";
import type { Mode } from "../../shared/contract.ts";
import { redactText } from "../log/redact.ts";
import { type GivenFlag, isSwitch } from "./command-line.ts";
import { flagValue, parseBool, typeOf } from "./flag-values.ts";
import { type Flag, flags } from "./flags.ts";

/** Defaults that are not empty, false or zero. */
const defaults: Readonly<Record<string, string>> = {
  "bind-address": "0.0.0.0",
  "config-sync-period": "15m0s",
  "conntrack-max-per-core": "32768",
  "conntrack-min": "131072",
  "conntrack-tcp-timeout-close-wait": "1h0m0s",
  "conntrack-tcp-timeout-established": "24h0m0s",
  "healthz-bind-address": "0.0.0.0:10256",
  "healthz-port": "10256",
  "iptables-localhost-nodeports": "true",
  "iptables-masquerade-bit": "14",
  "iptables-sync-period": "30s",
  "ipvs-min-sync-period": "1s",
  "ipvs-sync-period": "30s",
  "kube-api-burst": "10",
  "kube-api-content-type": "application/json",
  "kube-api-qps": "5",
  "log-flush-frequency": "5s",
  "logging-format": "text",
  "metrics-bind-address": "127.0.0.1:10249",
  "metrics-port": "10249",
  "oom-score-adj": "-999",
  timeout: "5m0s",
};

/** Flags that kube-proxy on Linux no longer has, and flags of other systems. They are listed only if they are given. */
const former = (flag: Flag) =>
  (flag.group === "Accepted, without effect" && flag.fields === undefined) ||
  flag.name === "proxy-port-range" ||
  (flag.fields ?? []).some((field) => field.startsWith("winkernel.") || field === "windowsRunAsService");

/** By name: the text as Go's flag packages print values. */
export function flagTexts(given: readonly GivenFlag[], mode: Mode): Map<string, string> {
  const texts = new Map<string, string>();
  for (const flag of flags) {
    const ofFlag = given.filter(({ flag: { name } }) => name === flag.name);
    if (ofFlag.length === 0 && former(flag)) continue;
    const text = ofFlag.length === 0 ? defaultText(flag, mode) : givenText(flag, ofFlag);
    texts.set(flag.name, redactText(text));
  }
  return texts;
}

function defaultText(flag: Flag, mode: Mode): string {
  if (flag.name === "iptables-min-sync-period") return mode === "iptables" ? "1s" : "0s";
  const known = defaults[flag.name];
  if (known !== undefined) return known;
  if (isSwitch(flag)) return "false";
  switch (kindOf(flag)) {
    case "list":
      return "[]";
    case "duration":
      return "0s";
    case "number":
      return "0";
    default:
      return "";
  }
}

function givenText(flag: Flag, given: readonly GivenFlag[]): string {
  const last = given.at(-1)?.text ?? "";
  if (isSwitch(flag)) return String(parseBool(last) ?? last);
  const [field = ""] = flag.fields ?? [];
  switch (kindOf(flag)) {
    case "list":
      return `[${given.flatMap(({ text }) => text.split(",")).join(",")}]`;
    case "map": {
      let value: unknown;
      for (const { text } of given) value = flagValue(field, text, value);
      const entries = Object.entries(value as object).map(([name, on]) => `${name}=${on}`);
      return entries.sort().join(",");
    }
    case "duration":
      return formatDuration(parseDuration(last) ?? 0);
    default:
      return last;
  }
}

type Kind = "list" | "map" | "duration" | "number" | "text";

function kindOf(flag: Flag): Kind {
  if (flag.name === "timeout") return "duration";
  if (flag.name === "vmodule") return "text";
  const [field] = flag.fields ?? [];
  if (field === undefined) return "text";
  const type = typeOf(field);
  if (typeof type === "object") return "list" in type ? "list" : "map";
  if (type === "duration" || type === "durationOrNumber") return "duration";
  return type === "string" || type === "bool" ? "text" : "number";
}
