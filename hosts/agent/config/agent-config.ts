// KubeProxyConfiguration as the agent takes it: everything that it needs, in final units, with all defaults filled in.
import { configOf, type ProxyConfig } from "../../shared/config.ts";
import { type ConfigDocument, readConfigDocument } from "../../shared/config-document.ts";
import type { Mode } from "../../shared/contract.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import type { Source } from "../../shared/manifests/input.ts";
import { type ListenAddress, parseListenAddress } from "./addresses.ts";
import { milliseconds, periods } from "./periods.ts";
import { type RawAgentConfig, withValue } from "./raw-config.ts";
import { checkValues, type Say } from "./validate.ts";
import { sayWithoutEffect } from "./without-effect.ts";

export interface AgentConfig {
  readonly mode: Mode;
  /** What changes rules; its `mode` is the one above. For `engineOptions` of hosts/shared/config.ts. */
  readonly rules: ProxyConfig;
  /** Path; empty: in-cluster, unless --master is given. */
  readonly kubeconfig: string;
  /** Ordinary API requests a second; negative: no limit. */
  readonly qps: number;
  /** How many of them at once. */
  readonly burst: number;
  /** Undefined: no health server. An unspecified host (0.0.0.0) means both families. */
  readonly healthzBindAddress: ListenAddress | undefined;
  /** Undefined: no metrics server. */
  readonly metricsBindAddress: ListenAddress | undefined;
  /** A server that cannot listen ends the process, instead of trying again every 5 s. */
  readonly bindAddressHardFail: boolean;
  readonly enableProfiling: boolean;
  /** Time between full checks, and before a failed write is tried again. */
  readonly syncPeriodMs: number;
  /** Least time between two writes; 0: no floor. */
  readonly minSyncPeriodMs: number;
  readonly configSyncPeriodMs: number;
  readonly oomScoreAdj: number;
  readonly conntrack: ConntrackConfig;
  readonly logging: LoggingConfig;
  readonly featureGates: Readonly<Record<string, boolean>>;
}

/** `tcpBeLiberal` is in `rules`, because rules depend on it. */
export interface ConntrackConfig {
  /** 0: leave nf_conntrack_max alone. */
  readonly maxPerCore: number;
  readonly min: number;
  /** Whole seconds, as the kernel counts; 0: leave it alone. */
  readonly tcpEstablishedTimeoutSeconds: number;
  readonly tcpCloseWaitTimeoutSeconds: number;
  readonly udpTimeoutSeconds: number;
  readonly udpStreamTimeoutSeconds: number;
}

export interface LoggingConfig {
  readonly format: "text" | "json";
  /** klog's: 0 says what matters, 4 is for debugging. */
  readonly verbosity: number;
  readonly flushFrequencyMs: number;
}

export interface AgentConfigResult {
  /** Undefined if there is an error. */
  readonly config: AgentConfig | undefined;
  readonly diagnostics: Diagnostic[];
  /** Where a field stands, for what the engine says about it. */
  place(field: string): Partial<Diagnostic>;
}

/** A field that is given by a flag. */
export interface FlagField {
  /** Path in KubeProxyConfiguration. */
  readonly field: string;
  /** Its type is the field's. */
  readonly value: unknown;
  /** `--hostname-override` */
  readonly flag: string;
}

const defaultAgentMode: Mode = "flat";
export const healthzPort = 10256;
const metricsPort = 10249;

/** A configuration file. `flags` win over it. */
export function parseAgentConfig(source: Source, flags: readonly FlagField[] = []): AgentConfigResult {
  const document = readConfigDocument(source);
  const { value, diagnostics, place } = document;
  if (value === undefined) return { config: undefined, diagnostics, place };
  return interpret(value as RawAgentConfig, flags, document, false);
}

/** Flags without a configuration file. */
export function agentConfigFromFlags(flags: readonly FlagField[]): AgentConfigResult {
  const diagnostics: Diagnostic[] = [];
  const report: Say = (severity, field, code, message, hint = "") => {
    diagnostics.push(diagnostic(severity, code, message, { field, hint }));
  };
  // kube-proxy's flags have these defaults whatever --bind-address is; in a file they follow bindAddress.
  const defaults = { healthzBindAddress: `0.0.0.0:${healthzPort}`, metricsBindAddress: `127.0.0.1:${metricsPort}` };
  return interpret(defaults, flags, { diagnostics, place: () => ({}), isLeftOut: () => false, report }, true);
}

type Document = Pick<ConfigDocument, "diagnostics" | "place" | "isLeftOut" | "report">;

/** `blankDisables`: an empty address switches the server off; in a file it is the default. */
function interpret(
  given: RawAgentConfig,
  flags: readonly FlagField[],
  document: Document,
  blankDisables: boolean,
): AgentConfigResult {
  const { diagnostics, place } = document;
  let raw = given;
  for (const { field, value } of flags) raw = withValue(raw, field, value);
  const flagOf = new Map(flags.map(({ field, flag }) => [field, flag]));
  const said = new Set<string>();
  const say: Say = (severity, field, code, message, hint = "") => {
    const flag = flagOf.get(field) ?? flagOf.get(field.replace(/\[\d+\]$|\.[^.]*$/, ""));
    if (flag === undefined) return document.report(severity, field, code, message, hint);
    // One flag may give several fields.
    if (said.has(`${flag} ${code} ${message}`)) return;
    said.add(`${flag} ${code} ${message}`);
    diagnostics.push(diagnostic(severity, code, message, { field: flag, hint }));
  };

  const rules = configOf(raw, (field, code, message, hint) => say("error", field, code, message, hint));
  const mode = rules.mode ?? defaultAgentMode;
  checkValues(raw, mode, say, document.isLeftOut);
  const config: AgentConfig = {
    mode,
    rules: { ...rules, mode, bindAddress: rules.bindAddress || "0.0.0.0" },
    kubeconfig: raw.clientConnection?.kubeconfig ?? "",
    qps: raw.clientConnection?.qps || 5,
    burst: raw.clientConnection?.burst || 10,
    ...addresses(raw, blankDisables, say),
    bindAddressHardFail: raw.bindAddressHardFail ?? false,
    enableProfiling: raw.enableProfiling ?? false,
    ...periods(raw, mode),
    configSyncPeriodMs: milliseconds(raw.configSyncPeriod) || 15 * 60_000,
    oomScoreAdj: raw.oomScoreAdj ?? -999,
    conntrack: conntrack(raw, say),
    logging: {
      format: raw.logging?.format === "json" ? "json" : "text",
      verbosity: raw.logging?.verbosity ?? 0,
      flushFrequencyMs: milliseconds(raw.logging?.flushFrequency) || 5000,
    },
    featureGates: Object.fromEntries(
      Object.entries(raw.featureGates ?? {}).map(([name, enabled]) => [name, enabled ?? false]),
    ),
  };
  if ((raw.mode ?? "") === "") {
    const hint = "write `mode: iptables` (--proxy-mode=iptables) for what kube-proxy does without one";
    say("note", "mode", "mode-default", `no mode is given, so it is ${defaultAgentMode}`, hint);
  }
  // What one field's value means for another's is said once the value is known.
  if (!["mode", "detectLocalMode"].some(document.isLeftOut)) sayWithoutEffect(raw, mode, say);
  const failed = diagnostics.some(({ severity }) => severity === "error");
  return { config: failed ? undefined : config, diagnostics, place };
}

function addresses(raw: RawAgentConfig, blankDisables: boolean, say: Say) {
  const isIpv6 = (raw.bindAddress ?? "").includes(":");
  const address = (field: "healthzBindAddress" | "metricsBindAddress", host: string, port: number) => {
    const text = raw[field] ?? "";
    if (text === "") return blankDisables ? undefined : { host, port };
    const found = parseListenAddress(text, port);
    if (typeof found !== "string") return found;
    const hint = `write an IP address and a port from 1 to 65535, such as ${host.includes(":") ? `[${host}]` : host}:${port}`;
    say("error", field, "listen-address", `${JSON.stringify(text)} is no address to listen on: ${found}`, hint);
    return undefined;
  };
  return {
    healthzBindAddress: address("healthzBindAddress", isIpv6 ? "::" : "0.0.0.0", healthzPort),
    metricsBindAddress: address("metricsBindAddress", isIpv6 ? "::1" : "127.0.0.1", metricsPort),
  };
}

const dayInSeconds = 24 * 3600;
const hourInSeconds = 3600;

function conntrack(raw: RawAgentConfig, say: Say): ConntrackConfig {
  const given = raw.conntrack ?? {};
  const seconds = (
    name: "tcpEstablishedTimeout" | "tcpCloseWaitTimeout" | "udpTimeout" | "udpStreamTimeout",
    otherwise: number,
  ) => {
    const value = given[name];
    if (value === undefined || value === null) return otherwise;
    const found = milliseconds(value);
    if (found > 0 && found < 1000) {
      const message = "the kernel counts whole seconds, and this is less than one";
      say("warning", `conntrack.${name}`, "no-effect", `${message}: its own value stays`);
    }
    return Math.floor(found / 1000);
  };
  return {
    maxPerCore: given.maxPerCore ?? 32_768,
    min: given.min ?? 131_072,
    tcpEstablishedTimeoutSeconds: seconds("tcpEstablishedTimeout", dayInSeconds),
    tcpCloseWaitTimeoutSeconds: seconds("tcpCloseWaitTimeout", hourInSeconds),
    udpTimeoutSeconds: seconds("udpTimeout", 0),
    udpStreamTimeoutSeconds: seconds("udpStreamTimeout", 0),
  };
}
