// What the agent listens on: health and metrics over TCP, and debug pages on a Unix socket.

import type { AgentConfig } from "../config/agent-config.ts";
import type { AgentSettings } from "../config/command.ts";
import { configz } from "../config/configz.ts";
import { DebugSocket } from "../http/debug-socket.ts";
import { healthServer } from "../http/health-server.ts";
import type { HealthState } from "../http/health-state.ts";
import type { HttpListener } from "../http/listener.ts";
import { metricsServer } from "../http/metrics-server.ts";
import { type EventRecorder, nodeReference } from "../kube/events.ts";
import type { Log } from "../log/log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { runtimeVersion } from "../metrics/process.ts";
import type { Agent } from "./agent.ts";
import type { DebugPlanPage } from "./debug-plan.ts";
import { StartError } from "./start-error.ts";

export interface ServerParts {
  readonly settings: AgentSettings;
  readonly version: string;
  /** The configuration that is in force when it is asked for. */
  readonly config: () => AgentConfig;
  readonly agent: Agent;
  /** Up to where each resource has been heard. */
  readonly resourceVersions: () => DebugPlanPage["resourceVersions"];
  readonly health: HealthState;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  readonly log: Log;
}

/** How long the process waits at its end until the event with the reason is sent. */
const LAST_EVENT_MS = 3_000;

export class Servers {
  readonly #parts: ServerParts;
  readonly #open: { close(): Promise<void> }[] = [];

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  /** @throws {StartError} an address can't be had, and `bindAddressHardFail` is set; or the debug socket can't */
  async open(): Promise<void> {
    const { settings, health, metrics, log } = this.#parts;
    const { mode, healthzBindAddress, metricsBindAddress, bindAddressHardFail } = settings.config;
    const options = {
      hardFail: bindAddressHardFail,
      onFailure: (message: string) => log.error({}, `${message}; it is tried again`),
      onDefect: (error: unknown) => log.error({ err: error }, "a request could not be answered"),
    };
    if (healthzBindAddress !== undefined) {
      const onProbe = (path: "healthz" | "livez", code: number) => metrics.probed(path, code);
      const server = healthServer(health, { ...options, address: healthzBindAddress, onProbe });
      await this.#listen(server, "FailedToStartProxierHealthcheck");
    }
    if (metricsBindAddress !== undefined) {
      const { version, config } = this.#parts;
      const startedMs = Date.now() - process.uptime() * 1000;
      const status = { startedMs, runtimeVersion, version };
      const pages = { mode, metrics, config: () => configz(config()), flags: settings.flags, status };
      const server = metricsServer(pages, { ...options, address: metricsBindAddress });
      await this.#listen(server, "FailedToStartMetricServer");
    }
    if (settings.debugSocket !== undefined) await this.#openDebugSocket(settings.debugSocket);
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((each) => each.close()));
  }

  /** @param reason of the event on the Node, as kube-proxy's */
  async #listen(listener: HttpListener, reason: string): Promise<void> {
    this.#open.push(listener);
    try {
      await listener.start();
    } catch (error) {
      const note = error instanceof Error ? error.message : String(error);
      const { events, settings } = this.#parts;
      const regarding = nodeReference(settings.hostname);
      events.event({ regarding, type: "Warning", reason, action: "StartKubeProxy", note });
      await events.drain(LAST_EVENT_MS);
      throw new StartError(note);
    }
  }

  async #openDebugSocket(path: string): Promise<void> {
    const { agent, log, resourceVersions } = this.#parts;
    const { state } = agent;
    const pages = {
      describe: () => state.ask((engine) => engine.describe(), true),
      rules: (family: "ipv4" | "ipv6") => state.ask((engine) => engine.render(family), true),
      plan: () =>
        state.ask(() => {
          const plan: DebugPlanPage = { ...agent.debugPlan(), resourceVersions: resourceVersions() };
          return [Buffer.from(`${JSON.stringify(plan, null, 2)}\n`)];
        }),
    };
    const onDefect = (error: unknown) => log.error({ err: error }, "a request could not be answered");
    try {
      this.#open.push(await DebugSocket.open(pages, { path, onDefect }));
    } catch (error) {
      throw new StartError(`the debug socket ${path} can't be opened: ${(error as Error).message}`);
    }
  }
}
