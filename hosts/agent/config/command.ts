// Reads the agent's command line and configuration file: what to do, and with which configuration.
import { familyOf, formatListenAddress } from "../../shared/config/addresses.ts";
import type { FlagField } from "../../shared/config/config.ts";
import { configFields } from "../../shared/config/fields.ts";
import { withValue } from "../../shared/config/raw.ts";
import { defaultMode } from "../../shared/config/rules.ts";
import { misfits } from "../../shared/config/types.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { fileError } from "../../shared/manifests/files.ts";
import { type AgentConfig, type AgentConfigResult, agentConfigFromFlags, parseAgentConfig } from "./agent-config.ts";
import { parseTimeout } from "./cleanup-timeout.ts";
import { type GivenFlag, readCommandLine } from "./command-line.ts";
import { flagTexts } from "./flag-texts.ts";
import { flagValue, parseBool } from "./flag-values.ts";
import { spelled } from "./flags.ts";

export type AgentCommand =
  | { readonly action: "help" }
  | { readonly action: "version" }
  | ({ readonly action: "run" | "cleanup" | "init-only" | "write-config" | "check" } & AgentSettings);

export interface AgentSettings {
  readonly config: AgentConfig;
  /** Path of the configuration file; undefined: flags only, so there is nothing to watch. */
  readonly configFile: string | undefined;
  /** What was read there, for the watch. */
  readonly configContent: Uint8Array | undefined;
  /** The flags that win over the file, also when it is read again. */
  readonly flagsBesideFile: readonly FlagField[];
  /** All of them with their values, by name. */
  readonly flags: ReadonlyMap<string, string>;
  /** This node's name: --hostname-override, hostnameOverride or the host's name; trimmed and in lower case. */
  readonly hostname: string;
  /** URL of the API server; empty: the kubeconfig's. */
  readonly master: string;
  readonly cleanup: CleanupSettings;
  /** For "write-config". */
  readonly writeConfigTo: string;
  readonly conntrackDryRun: boolean;
  readonly debugSocket: string | undefined;
  /** Where a field of the configuration stands, for what the engine says about it. */
  place(field: string): Partial<Diagnostic>;
}

export interface CleanupSettings {
  /** How long to wait for a kube-proxy that takes over. */
  readonly timeoutMs: number;
  /** Nobody is waited for. */
  readonly evenIfNothingTakesOver: boolean;
}

export interface AgentCommandResult {
  /** Undefined if there is an error. */
  readonly command: AgentCommand | undefined;
  readonly diagnostics: Diagnostic[];
  /** Also where the rest of the configuration is wrong, as far as it could be read. */
  readonly logFormat: "text" | "json";
}

export interface Surroundings {
  /** @throws what node:fs throws */
  readFile(path: string): Uint8Array;
  /** The host's name, as os.hostname() has it. */
  readonly hostname: string;
}

/** `argv`: what follows `sluice agent`. */
export function parseAgentCommand(argv: readonly string[], { readFile, hostname }: Surroundings): AgentCommandResult {
  const diagnostics: Diagnostic[] = [];
  const given = readCommandLine(argv, diagnostics);
  const text = (name: string) => given.findLast(({ flag }) => flag.name === name)?.text ?? "";
  const isOn = (name: string) => {
    const value = text(name);
    // --version=raw
    const on = value === "" ? false : name === "version" ? parseBool(value) !== false : parseBool(value);
    if (on === undefined) {
      const message = `true or false is wanted, and this is ${JSON.stringify(value)}`;
      diagnostics.push(diagnostic("error", "wrong-type", message, { field: spelled(name) }));
    }
    return on ?? false;
  };
  let logFormat: "text" | "json" = text("logging-format") === "json" ? "json" : "text";
  if (isOn("help")) return { command: { action: "help" }, diagnostics, logFormat };
  if (isOn("version")) return { command: { action: "version" }, diagnostics, logFormat };

  const configFile = text("config") || undefined;
  const fromFlags = flagFields(given, diagnostics);
  const flagsBesideFile = fromFlags.filter(({ besideFile }) => besideFile).map(({ field }) => field);
  let configContent: Uint8Array | undefined;
  let result: AgentConfigResult;
  if (configFile === undefined) {
    result = agentConfigFromFlags(fromFlags.map(({ field }) => field));
  } else {
    diagnostics.push(...ignored(given));
    try {
      configContent = readFile(configFile);
      result = parseAgentConfig({ name: configFile, bytes: configContent }, flagsBesideFile);
    } catch (error) {
      diagnostics.push(fileError(configFile, error));
      return { command: undefined, diagnostics, logFormat };
    }
  }
  logFormat = result.logging?.format ?? logFormat;
  diagnostics.push(...result.diagnostics, ...withoutEffect(given));

  const settings = {
    configFile,
    configContent,
    flagsBesideFile,
    flags: flagTexts(given, result.config?.mode ?? defaultMode),
    hostname: nodeName(result.config, hostname, diagnostics),
    master: text("master"),
    cleanup: {
      timeoutMs: timeoutOf(text("timeout"), diagnostics),
      evenIfNothingTakesOver: isOn("even-if-nothing-takes-over"),
    },
    writeConfigTo: text("write-config-to"),
    conntrackDryRun: isOn("conntrack-dry-run"),
    debugSocket: text("debug-socket") || undefined,
    place: result.place,
  };
  const action =
    settings.writeConfigTo !== ""
      ? "write-config"
      : isOn("cleanup")
        ? "cleanup"
        : isOn("check")
          ? "check"
          : isOn("init-only")
            ? "init-only"
            : "run";
  const failed = result.config === undefined || diagnostics.some(({ severity }) => severity === "error");
  if (failed || result.config === undefined) return { command: undefined, diagnostics, logFormat };
  return { command: { action, config: result.config, ...settings }, diagnostics, logFormat };
}

function timeoutOf(text: string, diagnostics: Diagnostic[]): number {
  const timeout = parseTimeout(text);
  if (timeout !== undefined) return timeout;
  const hint = "write it as 90s, 5m or 1h30m";
  diagnostics.push(
    diagnostic("error", "wrong-type", `a duration is wanted, and this is ${JSON.stringify(text)}`, {
      field: "--timeout",
      hint,
    }),
  );
  return 0;
}

function nodeName(config: AgentConfig | undefined, hostname: string, diagnostics: Diagnostic[]): string {
  const name = config?.rules.hostnameOverride || hostname.trim().toLowerCase();
  if (name === "") {
    const hint = "give --hostname-override=NAME, the name of the Node object";
    diagnostics.push(diagnostic("error", "hostname-empty", "the host has no name", { hint }));
  }
  return name;
}

interface GivenField {
  field: FlagField;
  besideFile: boolean;
}

/** The fields that flags set. Those of the wrong type are reported and left out. */
function flagFields(given: readonly GivenFlag[], diagnostics: Diagnostic[]): GivenField[] {
  const fields = new Map<string, GivenField>();
  for (const { flag, text } of given) {
    for (const field of flag.fields ?? []) {
      const value = flagValue(field, text, fields.get(field)?.field.value);
      fields.set(field, { field: { field, value, flag: spelled(flag.name) }, besideFile: flag.besideFile ?? false });
    }
  }
  deprecatedPort("healthz", given, fields, diagnostics);
  deprecatedPort("metrics", given, fields, diagnostics);
  const said = new Set<string>();
  for (const [name, { field }] of fields) {
    const [misfit] = misfits(withValue({}, name, field.value), configFields);
    if (misfit === undefined) continue;
    fields.delete(name);
    if (said.has(field.flag)) continue;
    said.add(field.flag);
    diagnostics.push(diagnostic("error", misfit.code, misfit.message, { field: field.flag }));
  }
  return [...fields.values()];
}

/** --healthz-port and --metrics-port: the port of an address that has none; 0 switches the server off. */
function deprecatedPort(
  server: "healthz" | "metrics",
  given: readonly GivenFlag[],
  fields: Map<string, GivenField>,
  diagnostics: Diagnostic[],
): void {
  const name = `${server}-port`;
  const text = given.findLast(({ flag }) => flag.name === name)?.text;
  if (text === undefined) return;
  const say = (severity: Diagnostic["severity"], code: string, message: string, hint = "") =>
    diagnostics.push(diagnostic(severity, code, message, { field: spelled(name), hint }));
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65535) {
    say("error", "out-of-range", `${JSON.stringify(text)} is no port`, "use 0 to 65535");
    return;
  }
  const field = `${server}BindAddress`;
  const address = fields.get(field)?.field.value;
  const set = (value: string) => fields.set(field, { field: { field, value, flag: spelled(name) }, besideFile: false });
  if (port === 0) set("");
  else if (typeof address === "string" && familyOf(address) !== undefined) {
    set(formatListenAddress({ host: address, port }));
  } else {
    const why = `has no effect, as in kube-proxy: the port is part of --${server}-bind-address`;
    say("warning", "no-effect", why, `write --${server}-bind-address=ADDRESS:${port}`);
  }
}

/** Flags that the configuration file makes void. */
function ignored(given: readonly GivenFlag[]): Diagnostic[] {
  const names = new Set(given.filter(({ flag }) => !flag.besideFile).map(({ flag }) => flag.name));
  const hint = "set it in the file";
  return [...names].map((name) =>
    diagnostic("warning", "ignored-flag", "is ignored beside --config, as in kube-proxy", {
      field: spelled(name),
      hint,
    }),
  );
}

/** Flags that are only there so that kube-proxy's command line is accepted; the others' fields say it themselves. */
function withoutEffect(given: readonly GivenFlag[]): Diagnostic[] {
  const found = new Map(
    given
      .filter(({ flag }) => flag.group === "Accepted, without effect" && flag.fields === undefined)
      .map(({ flag }) => [flag.name, flag.help]),
  );
  return [...found].map(([name, why]) =>
    diagnostic("warning", "no-effect", `has no effect: ${why}`, { field: spelled(name) }),
  );
}
