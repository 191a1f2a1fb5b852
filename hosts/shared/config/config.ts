// The one reader of KubeProxyConfiguration: all of it, in final units, with all defaults filled in, for every command.
import type { Mode } from "../contract.ts";
import { type Diagnostic, diagnostic } from "../diagnostics.ts";
import type { Source } from "../manifests/input.ts";
import { type ListenAddress, parseListenAddress } from "./addresses.ts";
import { type ConfigDocument, readConfigDocument } from "./document.ts";
import { parseDuration } from "./duration.ts";
import { periods } from "./periods.ts";
import { type RawConfig, withValue } from "./raw.ts";
import { defaultMode, type ProxyConfig, rulesOf } from "./rules.ts";
import { checkSections, matters, type Say, sayUnread, sectionOf } from "./sections.ts";
import { shown } from "./shown.ts";
import { checkValues } from "./values.ts";

export interface KubeProxyConfig {
  readonly mode: Mode;
  /** What changes rules; its `mode` is the one above. For `engineOptions` of rules.ts. */
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

export interface ConfigResult {
  /** Undefined if there is an error. */
  readonly config: KubeProxyConfig | undefined;
  readonly diagnostics: Diagnostic[];
  /** How to log what is wrong; undefined: the file could not be read so far. */
  readonly logging: LoggingConfig | undefined;
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

/** What a command has to say about a configuration beyond what is right and wrong. `raw`: as written, flags included. */
export type Remarks = (raw: RawConfig, mode: Mode, say: Say) => void;

export const healthzPort = 10256;
const metricsPort = 10249;

/** A configuration file. `flags` win over it. */
export function readConfig(source: Source, flags: readonly FlagField[] = [], remarks?: Remarks): ConfigResult {
  const document = readConfigDocument(source);
  const { value, diagnostics, place } = document;
  if (value === undefined) return { config: undefined, diagnostics, logging: undefined, place };
  return interpret(value, flags, document, true, remarks);
}

/** Flags without a configuration file. */
export function configFromFlags(flags: readonly FlagField[], remarks?: Remarks): ConfigResult {
  const diagnostics: Diagnostic[] = [];
  const report: Say = (severity, field, code, message, hint = "") => {
    diagnostics.push(diagnostic(severity, code, message, { field, hint }));
  };
  // kube-proxy's flags have these defaults whatever --bind-address is; in a file they follow bindAddress.
  const defaults = { healthzBindAddress: `0.0.0.0:${healthzPort}`, metricsBindAddress: `127.0.0.1:${metricsPort}` };
  const document = { diagnostics, place: () => ({}), isLeftOut: () => false, report };
  return interpret(defaults, flags, document, false, remarks);
}

type Document = Pick<ConfigDocument, "diagnostics" | "place" | "isLeftOut" | "report">;

/** `isFile`: an empty address and a period of 0 are the default there; a flag that says so means it. */
function interpret(
  given: RawConfig,
  flags: readonly FlagField[],
  document: Document,
  isFile: boolean,
  remarks: Remarks | undefined,
): ConfigResult {
  const { diagnostics, place, isLeftOut } = document;
  let raw = given;
  for (const { field, value } of flags) raw = withValue(raw, field, value);
  const say = sayer(document, flags);
  const flagFields = new Set(flags.map(({ field }) => field));

  let modeIsWrong = isLeftOut("mode");
  const modeIsGiven = (raw.mode ?? "") !== "";
  const { mode = defaultMode } = rulesOf(raw, (field, code, message, hint) => {
    modeIsWrong ||= field === "mode";
    say("error", field, code, message, hint);
  });
  const knownMode = modeIsWrong ? undefined : mode;
  raw = checkSections(
    raw,
    {
      mode: knownMode,
      modeIsGiven,
      zeroIsDefault: isFile,
      isFlag: (field) => flagFields.has(field),
      isLeftOut,
    },
    say,
  );
  checkValues(raw, knownMode, isFile, say);
  const rules = rulesOf(raw, () => {});
  const section = sectionOf(mode);
  const config: KubeProxyConfig = {
    mode,
    rules: { ...rules, mode, bindAddress: rules.bindAddress || "0.0.0.0" },
    kubeconfig: raw.clientConnection?.kubeconfig ?? "",
    qps: raw.clientConnection?.qps || 5,
    burst: raw.clientConnection?.burst || 10,
    ...addresses(raw, !isFile, say),
    bindAddressHardFail: raw.bindAddressHardFail ?? false,
    enableProfiling: raw.enableProfiling ?? false,
    ...periods(section, raw[section] ?? {}, isFile),
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
  // What one field's value means for another's is said once the value is known.
  if (knownMode !== undefined && !isLeftOut("detectLocalMode")) {
    const warn = (field: string, why: string, hint = "") =>
      say("warning", field, "no-effect", `has no effect: ${why}`, hint);
    sayUnread(raw, mode, warn);
    localDetection(raw, warn);
    remarks?.(raw, mode, say);
  }
  const failed = diagnostics.some(({ severity }) => severity === "error");
  return { config: failed ? undefined : config, diagnostics, logging: config.logging, place };
}

/** Says things of fields in the file at their places, and of fields that a flag gives by the flag's name. */
function sayer(document: Document, flags: readonly FlagField[]): Say {
  const flagOf = new Map(flags.map(({ field, flag }) => [field, flag]));
  const said = new Set<string>();
  return (severity, field, code, message, hint = "") => {
    const flag = flagOf.get(field) ?? flagOf.get(field.replace(/\[\d+\]$|\.[^.]*$/, ""));
    if (flag === undefined) return document.report(severity, field, code, message, hint);
    // One flag may give several fields.
    if (said.has(`${flag} ${code} ${message}`)) return;
    said.add(`${flag} ${code} ${message}`);
    document.diagnostics.push(diagnostic(severity, code, message, { field: flag, hint }));
  };
}

function localDetection(raw: RawConfig, warn: (field: string, why: string) => void): void {
  const mode = raw.detectLocalMode || "ClusterCIDR";
  const readers: Readonly<Record<string, [value: unknown, reader: string]>> = {
    clusterCIDR: [raw.clusterCIDR, "ClusterCIDR"],
    "detectLocal.bridgeInterface": [raw.detectLocal?.bridgeInterface, "BridgeInterface"],
    "detectLocal.interfaceNamePrefix": [raw.detectLocal?.interfaceNamePrefix, "InterfaceNamePrefix"],
  };
  for (const [field, [value, reader]] of Object.entries(readers)) {
    if (reader !== mode && matters(value)) warn(field, `detectLocalMode ${mode} does not read it`);
  }
}

/** 0 where nothing is given. */
function milliseconds(value: string | number | null | undefined): number {
  return parseDuration(value ?? 0) ?? 0;
}

function addresses(raw: RawConfig, blankDisables: boolean, say: Say) {
  const isIpv6 = (raw.bindAddress ?? "").includes(":");
  const address = (field: "healthzBindAddress" | "metricsBindAddress", host: string, port: number) => {
    const text = raw[field] ?? "";
    if (text === "") return blankDisables ? undefined : { host, port };
    const found = parseListenAddress(text, port);
    if (typeof found !== "string") return found;
    const hint = `write an IP address and a port from 1 to 65535, such as ${host.includes(":") ? `[${host}]` : host}:${port}`;
    say("error", field, "listen-address", `${shown(text)} is no address to listen on: ${found}`, hint);
    return undefined;
  };
  return {
    healthzBindAddress: address("healthzBindAddress", isIpv6 ? "::" : "0.0.0.0", healthzPort),
    metricsBindAddress: address("metricsBindAddress", isIpv6 ? "::1" : "127.0.0.1", metricsPort),
  };
}

const dayInSeconds = 24 * 3600;
const hourInSeconds = 3600;

function conntrack(raw: RawConfig, say: Say): ConntrackConfig {
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
