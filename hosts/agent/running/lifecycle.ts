// The agent's lifecycle: it starts, starts anew when its configuration asks for it, and ends by a signal.

import type { AgentConfig } from "../config/agent-config.ts";
import type { AgentSettings } from "../config/command.ts";
import { configurationText } from "../config/diagnostic-text.ts";
import { ConfigWatch } from "../config/watch.ts";
import { whatChanged } from "../config/what-changed.ts";
import { readOpenFilesLimit } from "../localhost/descriptors.ts";
import { LocalhostNodePorts } from "../localhost/node-ports.ts";
import type { Log } from "../log/log.ts";
import { systemClock } from "../time/clock.ts";
import { NodeLock } from "./lock/node-lock.ts";
import { type AgentContext, type ApiServerMemory, RunningAgent } from "./running-agent.ts";
import { StartError } from "./start-error.ts";

/** kubelet and systemd kill what takes longer. The kernel then has the transaction under way whole or not at all. */
const STOP_MS = 4_500;
/** Parts of the configuration that the running agent can take in place. */
const IN_PLACE: ReadonlySet<string> = new Set(["rules", "machine", "nothing"]);

/** The signal's reason if the agent ends because of a defect: it then waits for nobody. */
export const DEFECT = Symbol("defect");

/**
 * Runs until `signal` is aborted. Then it resolves once the connections that it forwards are over; the rules stay in the
 * kernel. If it can't start with a new configuration, it says so and goes on with the one before.
 *
 * @throws {StartError} it could not start
 */
export async function runAgent(
  settings: AgentSettings,
  signal: AbortSignal,
  openContext: (
    config: AgentConfig,
  ) => Omit<AgentContext, "lock" | "settingsReported" | "lastNode" | "api" | "localhost">,
): Promise<void> {
  // The lock stays taken while the agent starts anew with another configuration.
  const { log } = openContext(settings.config);
  const settingsReported = new Set<string>();
  const lastNode = {};
  const api: ApiServerMemory = { version: undefined };
  const localhost = new LocalhostNodePorts({ log, clock: systemClock, openFiles: readOpenFilesLimit() });
  signal.addEventListener("abort", () => localhost.stop(), { once: true });
  const lock = new NodeLock({ mode: settings.config.mode, log, clock: systemClock });
  try {
    await runWithLock(settings, signal, (config) => {
      void lock.setMode(config.mode);
      return { ...openContext(config), lock, settingsReported, lastNode, api, localhost };
    });
  } finally {
    localhost.stop();
    await lock.close();
  }
  // The next agent programs the kernel already, but nobody else can take over these connections.
  if (signal.reason !== DEFECT) await localhost.drained();
}

async function runWithLock(
  settings: AgentSettings,
  signal: AbortSignal,
  openContext: (config: AgentConfig) => AgentContext,
): Promise<void> {
  let current = settings;
  let before: AgentSettings | undefined;
  let rejected: string | undefined;
  while (!signal.aborted) {
    try {
      const next = await runOnce(current, openContext(current.config), signal, rejected);
      rejected = undefined;
      before = current;
      current = next;
    } catch (error) {
      if (!(error instanceof StartError) || before === undefined) throw error;
      openContext(before.config).log.error({}, `the new configuration is not taken: ${error.message}`);
      rejected = error.message;
      // This content is known to fail: wait for another one.
      current = { ...before, configContent: current.configContent };
      before = undefined;
    }
  }
}

/**
 * Runs with one configuration. Returns the settings to go on with.
 *
 * @param rejected why the file's configuration is not in force; undefined: it is
 */
async function runOnce(
  settings: AgentSettings,
  context: AgentContext,
  signal: AbortSignal,
  rejected: string | undefined,
): Promise<AgentSettings> {
  const { log } = context;
  const agent = await RunningAgent.start(settings, context);
  if (rejected !== undefined) agent.configurationRejected(rejected);
  let next = settings;
  await new Promise<void>((resolve) => {
    const watch = watchConfig(settings, context, agent, (config, configContent) => {
      next = { ...settings, config, configContent };
      end();
    });
    const end = () => {
      watch?.close();
      signal.removeEventListener("abort", end);
      resolve();
    };
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
  log.info({}, signal.aborted ? "ending; the rules stay" : "starting anew with the new configuration; the rules stay");
  await stopInTime(agent, log);
  return next;
}

/** Returns after `STOP_MS` at the latest. */
async function stopInTime(agent: RunningAgent, log: Log): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.error({}, "something did not end in time and is left behind");
      resolve();
    }, STOP_MS);
  });
  try {
    await Promise.race([agent.stop(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function watchConfig(
  { configFile, configContent, flagsBesideFile, config }: AgentSettings,
  { log }: AgentContext,
  agent: RunningAgent,
  restart: (config: AgentConfig, content: Uint8Array) => void,
): ConfigWatch | undefined {
  if (configFile === undefined) return undefined;
  let inForce = config;
  return new ConfigWatch({
    path: configFile,
    flags: flagsBesideFile,
    ...(configContent === undefined ? {} : { content: configContent }),
    changed: (found, { diagnostics }, content) => {
      agent.configurationRejected(undefined);
      const change = whatChanged(inForce, found);
      for (const each of diagnostics) log.warn({ hint: each.hint }, configurationText(each));
      const fields = change.fields.map(({ field }) => field);
      if (fields.length === 0) return;
      const anew = change.restart.size > 0 || [...change.inPlace].some((part) => !IN_PLACE.has(part));
      log.info({ fields, anew }, "the configuration changed");
      inForce = found;
      if (anew) restart(found, content);
      else void agent.reconfigureRules(found);
    },
    broken: (diagnostics) => {
      for (const each of diagnostics) {
        const text = configurationText(each);
        if (each.severity === "error") log.error({ hint: each.hint }, `the new configuration is not taken: ${text}`);
        else log.warn({ hint: each.hint }, text);
      }
      const errors = diagnostics.filter(({ severity }) => severity === "error");
      agent.configurationRejected(errors.map(configurationText).join("; "));
    },
  });
}
