// sluice agent. What it needs is loaded when it runs: other commands must not pay for it.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { AgentConfig } from "../../agent/config/agent-config.ts";
import type { AgentSettings } from "../../agent/config/command.ts";
import { configurationText, placedText } from "../../agent/config/diagnostic-text.ts";
import type { Diagnostic } from "../../shared/diagnostics.ts";
import { type ExitCode, exitCode } from "../exit-codes.ts";
import { type Io, write } from "../io.ts";
import { Reporter } from "../output/diagnostics.ts";
import { version } from "../version.ts";
import { removeRules } from "./cleanup.ts";

/** What else is looked at does not wait longer for the API server's version. */
const ANSWER_MS = 5_000;

export async function agentHelp(): Promise<string> {
  return (await import("../../agent/config/help.ts")).agentHelp();
}

export async function agent(args: string[], io: Io): Promise<ExitCode> {
  const [{ parseAgentCommand }, { isUsageError }] = await Promise.all([
    import("../../agent/config/command.ts"),
    import("../../agent/config/command-line.ts"),
  ]);
  const { command, diagnostics, logFormat } = parseAgentCommand(args, {
    readFile: (path) => readFileSync(path),
    hostname: hostname(),
  });
  const code = diagnostics.some(isUsageError) ? exitCode.usage : exitCode.failure;
  if (command === undefined && logFormat === "json") {
    await logWhatIsWrong(diagnostics, io);
    return code;
  }
  const reporter = new Reporter(io, true);
  if (command === undefined || command.action !== "run") for (const each of diagnostics) reporter.report(each);
  if (command === undefined) return code;
  switch (command.action) {
    case "help":
      await write(io.stdout, await agentHelp());
      return exitCode.done;
    case "version":
      await write(io.stdout, `sluice ${version}\n`);
      return exitCode.done;
    case "write-config":
      return writeConfig(command, io);
    case "check":
      return check(command, diagnostics, io);
    case "cleanup":
      return removeRules({ ...command.cleanup, ...(await kubeProxyAddresses(command.config)) }, io);
    case "init-only":
      return initOnly(command, io);
    case "run":
      return run(command, diagnostics, io);
  }
}

/** Whoever reads the log of an agent that did not start reads JSON. */
async function logWhatIsWrong(diagnostics: readonly Diagnostic[], io: Io): Promise<void> {
  const { openLog } = await import("../../agent/log/log.ts");
  const { log } = openLog({ format: "json", verbosity: 0 }, { write: (line) => void io.stdout.write(line) });
  for (const found of diagnostics) {
    const { severity, hint, code } = found;
    if (severity === "error") log.error({ err: placedText(found), hint, code }, "the agent can't start");
    else log[severity === "warning" ? "warn" : "info"]({ hint }, configurationText(found));
  }
}

/** Where a kube-proxy with this configuration answers; a server that is off in it may be on in kube-proxy's own. */
async function kubeProxyAddresses({ healthzBindAddress, metricsBindAddress }: AgentConfig) {
  const { localAddresses } = await import("../../shared/config/addresses.ts");
  const health = localAddresses(healthzBindAddress);
  const metrics = localAddresses(metricsBindAddress);
  return { ...(health.length > 0 ? { health } : {}), ...(metrics.length > 0 ? { metrics } : {}) };
}

async function run(settings: AgentSettings, diagnostics: readonly Diagnostic[], io: Io): Promise<ExitCode> {
  const [{ openLog }, { DEFECT, runAgent }, { StartError }] = await Promise.all([
    import("../../agent/log/log.ts"),
    import("../../agent/running/lifecycle.ts"),
    import("../../agent/running/start-error.ts"),
  ]);
  const module = await io.loadEngine();
  let opened = openLog(settings.config.logging);
  process.once("exit", () => opened.flush()); // also after an error that nobody has expected
  const context = (config: AgentConfig) => {
    if (config.logging !== settings.config.logging) opened = openLog(config.logging);
    return { module, log: opened.log, version };
  };
  opened.log.info(
    { version, node: process.version, nodeName: settings.hostname, mode: settings.config.mode },
    "sluice agent",
  );
  for (const found of diagnostics) {
    opened.log[found.severity === "warning" ? "warn" : "info"]({ hint: found.hint }, configurationText(found));
  }
  const ending = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      opened.log.info({ signal }, "signal received");
      ending.abort();
    });
  }
  // What Node prints of an error that nobody has expected has all that the error holds, secrets as well.
  process.on("uncaughtException", (error) => {
    opened.log.fatal({ err: error }, "the agent ends for a defect of its own; the rules stay");
    process.exitCode = exitCode.failure;
    ending.abort(DEFECT);
  });
  try {
    await runAgent(settings, ending.signal, context);
    return exitCode.done;
  } catch (error) {
    if (error instanceof StartError) opened.log.fatal({}, error.message);
    else opened.log.fatal({ err: error }, "the agent can't start for a defect of its own; the rules stay");
    return exitCode.failure;
  } finally {
    opened.flush();
  }
}

async function initOnly({ config }: AgentSettings, io: Io): Promise<ExitCode> {
  const [{ applyNodeSettings }, { settingDiagnostics }, { NetlinkSocket }, { probeKernel }] = await Promise.all([
    import("../../agent/host/apply.ts"),
    import("../../agent/host/setting.ts"),
    import("../../agent/netlink/sockets/socket.ts"),
    import("../../agent/netlink/probe/probe.ts"),
  ]);
  // Conntrack's settings are there once its modules are, and being asked for our rules' features the kernel loads them.
  try {
    const socket = NetlinkSocket.open();
    await probeKernel(socket);
    await socket.close();
  } catch (error) {
    await write(io.stderr, `sluice: the kernel could not be asked to load conntrack: ${(error as Error).message}\n`);
  }
  const settings = await applyNodeSettings(config);
  for (const { name, wanted, found, action } of settings) {
    const values = found === undefined ? "" : ` (was ${found}, wanted ${wanted})`;
    await write(io.stdout, `${name}: ${action}${values}\n`);
  }
  const reporter = new Reporter(io, true);
  const problems = settingDiagnostics(settings);
  for (const each of problems) reporter.report(each);
  return problems.length === 0 ? exitCode.done : exitCode.failure;
}

async function writeConfig({ config, writeConfigTo }: AgentSettings, io: Io): Promise<ExitCode> {
  const [{ configurationFile }, { writeFile }] = await Promise.all([
    import("../../agent/config/write-config.ts"),
    import("node:fs/promises"),
  ]);
  const { text, lost } = configurationFile(config);
  for (const flag of lost)
    await write(io.stderr, `sluice: ${flag} can't be said in a file, where an empty address is the default\n`);
  try {
    await writeFile(writeConfigTo, text);
  } catch (error) {
    await write(io.stderr, `sluice: ${writeConfigTo} can't be written: ${(error as Error).message}\n`);
    return exitCode.failure;
  }
  return exitCode.done;
}

async function check(settings: AgentSettings, diagnostics: readonly Diagnostic[], io: Io): Promise<ExitCode> {
  const [
    { runCheck },
    { formatFindings },
    { findCluster },
    { ApiClient },
    { isServed },
    { userAgent },
    { readServerVersion },
  ] = await Promise.all([
    import("../../agent/check/check.ts"),
    import("../../agent/check/table.ts"),
    import("../../agent/kube/credentials/find-cluster.ts"),
    import("../../agent/kube/client/api-client.ts"),
    import("../../agent/kube/client/discovery.ts"),
    import("../../agent/kube/client/user-agent.ts"),
    import("../../agent/kube/client/server-version.ts"),
  ]);
  const { config, hostname: nodeName, master } = settings;
  let client: InstanceType<typeof ApiClient> | undefined;
  let reason = "";
  try {
    const access = await findCluster({ kubeconfig: config.kubeconfig, master });
    client = new ApiClient(access, { userAgent: userAgent(version) });
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  const opened = client;
  const reviews =
    opened === undefined
      ? undefined
      : {
          post: (path: string, body: unknown) => opened.json<unknown>({ method: "POST", path, body }),
          get: (path: string) => opened.json<unknown>({ method: "GET", path }),
          serves: (path: string) => isServed(opened, path),
        };
  const serverVersion = async () =>
    opened && readServerVersion(opened, AbortSignal.timeout(ANSWER_MS)).catch(() => undefined);
  const { findings, exitCode: code } = await runCheck({
    config,
    hostname: nodeName,
    diagnostics,
    reviews,
    reason,
    serverVersion,
  });
  await opened?.close();
  await write(io.stdout, formatFindings(findings));
  return code === 0 ? exitCode.done : exitCode.failure;
}
