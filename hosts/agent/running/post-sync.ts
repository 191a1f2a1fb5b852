// What follows a sync: conntrack, health-check node ports, listeners on localhost and others' leftovers are brought in line
// with the rules that the kernel has now.
import type { CheckedFlows } from "../../shared/contract.ts";
import type { AgentSettings } from "../config/command.ts";
import { checkSanity } from "../config/sanity.ts";
import { PacedRuns } from "../conntrack/paced-runs.ts";
import { ConntrackReconciler } from "../conntrack/reconciler.ts";
import { applySettings } from "../host/apply.ts";
import type { HealthState } from "../http/health-state.ts";
import { ServiceHealth } from "../http/service-health.ts";
import { findLiveKubeProxy, liveKubeProxyMessage } from "../kernel/leftovers/live-kube-proxy.ts";
import { TakeOver } from "../kernel/leftovers/take-over.ts";
import type { EventRecorder } from "../kube/events.ts";
import type { LocalhostNodePorts } from "../localhost/node-ports.ts";
import type { Log } from "../log/log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { ClusterState } from "../sync/cluster-state.ts";
import type { Clock } from "../time/clock.ts";
import type { OpenedWriter } from "./open-writer.ts";

export interface PostSyncParts {
  readonly settings: AgentSettings;
  readonly state: ClusterState;
  readonly opened: OpenedWriter;
  readonly localhost: Pick<LocalhostNodePorts, "update">;
  readonly health: HealthState;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  readonly log: Log;
  readonly clock: Clock;
}

/** Endpoints of listeners on localhost that are handed over at once: some milliseconds. */
const ENDPOINTS_AT_ONCE = 4_000;
/** Pause after a run over all UDP flows, in milliseconds: under churn these runs take a third of the time at most. */
const udpPause = (durationMs: number): number => 2 * durationMs;
/**
 * Pause after a run over unanswered TCP, in milliseconds: at most a quarter of the time and three runs a second. Endpoints
 * of TCP Services go often. Clients send a SYN again 1, 3 and 7 s after the first, and have mostly given up after 5 s.
 */
const tcpPause = (durationMs: number): number => Math.max(300, 3 * durationMs);

const FLOWS: Readonly<Record<CheckedFlows, string>> = {
  udp: "UDP flow",
  "unanswered-tcp": "unanswered TCP connection",
};

/** Health-check node ports, listeners on localhost, counts, flows in conntrack, and what kube-proxy or another mode has left. */
export class PostSync {
  readonly #parts: PostSyncParts;
  readonly #conntrack: ConntrackReconciler;
  readonly #serviceHealth: ServiceHealth;
  readonly #takeOver: TakeOver;
  #healthChecksRevision: number | undefined;
  #leftoverTimer: NodeJS.Timeout | undefined;
  /** Signs of a kube-proxy that is alive, as of the last check. */
  #liveKubeProxy: readonly string[] = [];
  #remaining: ReadonlySet<string> = new Set();
  #looking: Promise<void> | undefined;
  readonly #udpChecks: PacedRuns;
  readonly #tcpChecks: PacedRuns;
  #isClosed = false;

  constructor(parts: PostSyncParts) {
    this.#parts = parts;
    const { settings, state, opened, health, events, log } = parts;
    this.#takeOver = new TakeOver(settings.config.mode, {
      ...(opened.tools === undefined ? {} : { tools: opened.tools }),
      live: async () => this.#liveKubeProxy,
      chainsInUse: (family, names) => state.use((engine) => engine.chainsInUse(family, names)),
    });
    this.#conntrack = new ConntrackReconciler({
      engine: (run) => state.use(run),
      dryRun: settings.conntrackDryRun,
      log: (removal) => {
        const { kind, dryRun, ...flow } = removal;
        log[dryRun ? "info" : "verbose"](
          flow,
          dryRun ? `a stale ${FLOWS[kind]} would be removed` : `stale ${FLOWS[kind]} removed`,
        );
      },
    });
    this.#udpChecks = new PacedRuns(parts.clock, () => this.#checkFlows("udp"), udpPause);
    this.#tcpChecks = new PacedRuns(parts.clock, () => this.#checkFlows("unanswered-tcp"), tcpPause);
    this.#serviceHealth = new ServiceHealth({
      nodeName: settings.hostname,
      healthy: () => health.healthy,
      onFailure: ({ namespace, name, note }) => {
        log.error({ namespace, name }, note);
        events.event({
          regarding: { kind: "Service", namespace, name, uid: `${namespace}/${name}` },
          type: "Warning",
          reason: "FailedToStartServiceHealthcheck",
          action: "Listen",
          note,
        });
      },
      onDefect: (error) => log.error({ err: error }, "a health check could not be answered"),
    });
  }

  /** Node ports may answer on other addresses. */
  addressesChanged(): void {
    this.#healthChecksRevision = undefined;
  }

  /** The kernel has rules of ours for the first time. */
  async begin(): Promise<void> {
    this.#checkSanity();
    // Those of conntrack are there only once rules use it.
    await applySettings(this.#parts.settings.config);
  }

  /**
   * The kernel holds what it should: of all families if `isWhole`, else others can't be written, and what kube-proxy has left
   * stays, since it may be all that such a family has. Does not wait for what takes long.
   */
  async synced(isWhole: boolean): Promise<void> {
    if (isWhole && this.#leftoverTimer === undefined) {
      void this.#lookForLeftovers();
      this.#leftoverTimer = setInterval(() => void this.#lookForLeftovers(), this.#parts.settings.config.syncPeriodMs);
    }
    this.#udpChecks.ask();
    this.#tcpChecks.ask();
    await this.#updateServiceHealth();
    await this.#updateLocalhost();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#leftoverTimer);
    this.#udpChecks.close();
    this.#tcpChecks.close();
    await Promise.all([this.#conntrack.close(), this.#serviceHealth.close(), this.#looking]);
  }

  async #updateServiceHealth(): Promise<void> {
    const known = this.#healthChecksRevision;
    const news = await this.#parts.state.ask((engine) => {
      const revision = engine.healthChecksRevision();
      if (revision === known) return undefined;
      const addresses = { ipv4: engine.nodePortIps("ipv4"), ipv6: engine.nodePortIps("ipv6") };
      return { revision, checks: engine.healthChecks(), addresses };
    });
    if (news === undefined || this.#isClosed) return;
    this.#healthChecksRevision = news.revision;
    void this.#serviceHealth.update(news.checks, news.addresses);
  }

  /** Ports on which the agent listens itself, in slices: after a start it is all of them. */
  async #updateLocalhost(): Promise<void> {
    for (let more = true; more && !this.#isClosed; ) {
      const changes = await this.#parts.state.ask((engine) => engine.localhostListeners(ENDPOINTS_AT_ONCE));
      if (this.#isClosed) return;
      this.#parts.localhost.update(changes);
      more = changes.more;
    }
  }

  async #checkFlows(kind: CheckedFlows): Promise<void> {
    const { log, metrics } = this.#parts;
    for (const { family, flows, removed, durationMs, dryRun, errors } of await this.#conntrack.runDue(kind)) {
      metrics.conntrack(family, durationMs / 1000, dryRun ? 0 : removed);
      for (const error of errors) log.error({ family }, `conntrack: ${error}`);
      log.debug({ family, flows, removed, durationMs: Math.round(durationMs) }, `${FLOWS[kind]}s looked at`);
    }
  }

  #checkSanity(): void {
    const { settings, state, opened, log } = this.#parts;
    const node = state.use((engine) => engine.node());
    const facts = {
      primaryFamily: node.primaryFamily,
      families: opened.families,
      nodeIps: [node.ipv4, node.ipv6],
      podCidrs: [],
    };
    for (const { message, field, hint } of checkSanity(settings.config, facts)) {
      log.warn({ field, hint }, `the configuration may be incomplete or incorrect: ${field}: ${message}`);
    }
  }

  /** Removes what kube-proxy or another mode has left, now that our rules are in place, and reports what comes back. */
  #lookForLeftovers(): Promise<void> {
    this.#looking ??= this.#takeOverOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #takeOverOnce(): Promise<void> {
    const { settings, health, log } = this.#parts;
    const live = await findLiveKubeProxy();
    this.#liveKubeProxy = live;
    const { removed, remaining } = await this.#takeOver.check();
    health.warn("kube-proxy", live.length === 0 ? undefined : liveKubeProxyMessage(settings.config.mode, live));
    for (const text of removed) log.info({}, `removed: ${text}`);
    for (const text of remaining) if (!this.#remaining.has(text)) log.warn({}, text);
    this.#remaining = new Set(remaining);
    health.warn("leftovers", remaining.length === 0 ? undefined : remaining.join("; "));
  }
}
