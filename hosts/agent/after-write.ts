// What follows a write: the rest of the node is brought in step with the rules that the kernel has now.
import type { Clock } from "./clock.ts";
import type { AgentSettings } from "./config/command.ts";
import { checkSanity } from "./config/sanity.ts";
import { ConntrackReconciler } from "./conntrack/reconciler.ts";
import { applySettings } from "./host/apply.ts";
import type { HealthState } from "./http/health-state.ts";
import { ServiceHealth } from "./http/service-health.ts";
import { findLiveKubeProxy, liveKubeProxyMessage } from "./kernel/live-kube-proxy.ts";
import { TakeOver } from "./kernel/take-over.ts";
import type { EventRecorder } from "./kube/events.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { OpenedWriter } from "./open-writer.ts";
import type { ClusterState } from "./sync/cluster-state.ts";

export interface AfterWriteParts {
  readonly settings: AgentSettings;
  readonly state: ClusterState;
  readonly opened: OpenedWriter;
  readonly health: HealthState;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  readonly log: Log;
  readonly clock: Clock;
}

/** Times the duration of a run over UDP flows, until the next. */
const CONNTRACK_PAUSE = 2;

/** Health-check node ports, counts, UDP flows in conntrack, and what kube-proxy or another mode has left. */
export class AfterWrite {
  readonly #parts: AfterWriteParts;
  readonly #conntrack: ConntrackReconciler;
  readonly #serviceHealth: ServiceHealth;
  readonly #takeOver: TakeOver;
  #healthChecksRevision: number | undefined;
  #leftoverTimer: NodeJS.Timeout | undefined;
  /** Signs of a kube-proxy that is alive, as of the last look. */
  #liveKubeProxy: readonly string[] = [];
  #standing: ReadonlySet<string> = new Set();
  #looking: Promise<void> | undefined;
  #cancelConntrack: (() => void) | undefined;
  #conntrackNotBefore = 0;
  /** Something was written since the last run began. */
  #isConntrackAsked = false;
  #isClosed = false;

  constructor(parts: AfterWriteParts) {
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
      log: (removal) => log.info({ ...removal }, removal.dryRun ? "a UDP flow would be removed" : "UDP flow removed"),
    });
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

  /** The kernel holds what it should; for the first time if `first`. Does not wait for what takes long. */
  async synced(first: boolean): Promise<void> {
    if (first) {
      this.#checkSanity();
      // Those of conntrack are there only once rules use it.
      await applySettings(this.#parts.settings.config);
      void this.#lookForLeftovers();
      this.#leftoverTimer = setInterval(() => void this.#lookForLeftovers(), this.#parts.settings.config.syncPeriodMs);
    }
    this.#reconcileConntrackSoon();
    await this.#updateServiceHealth();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#leftoverTimer);
    this.#cancelConntrack?.();
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

  /** All UDP flows are read for it: under churn that takes a third of the time at most. */
  #reconcileConntrackSoon(): void {
    this.#isConntrackAsked = true;
    if (this.#cancelConntrack !== undefined || this.#isClosed) return;
    const wait = Math.max(0, this.#conntrackNotBefore - this.#parts.clock.now());
    this.#cancelConntrack = this.#parts.clock.setTimer(wait, () => {
      this.#isConntrackAsked = false;
      const start = this.#parts.clock.now();
      void this.#reconcileConntrack().then(() => {
        const end = this.#parts.clock.now();
        this.#conntrackNotBefore = end + CONNTRACK_PAUSE * (end - start);
        this.#cancelConntrack = undefined;
        if (this.#isConntrackAsked) this.#reconcileConntrackSoon();
      });
    });
  }

  async #reconcileConntrack(): Promise<void> {
    const { log, metrics } = this.#parts;
    for (const { family, flows, removed, durationMs, dryRun, errors } of await this.#conntrack.runDue()) {
      metrics.conntrack(family, durationMs / 1000, dryRun ? 0 : removed);
      for (const error of errors) log.error({ family }, `conntrack: ${error}`);
      log.debug({ family, flows, removed, durationMs: Math.round(durationMs) }, "UDP flows looked at");
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

  /** What kube-proxy or another mode has left goes now that our rules are in place; whatever comes back is said. */
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
    const { removed, standing } = await this.#takeOver.look();
    health.warn("kube-proxy", live.length === 0 ? undefined : liveKubeProxyMessage(settings.config.mode, live));
    for (const text of removed) log.info({}, `removed: ${text}`);
    for (const text of standing) if (!this.#standing.has(text)) log.warn({}, text);
    this.#standing = new Set(standing);
    health.warn("leftovers", standing.length === 0 ? undefined : standing.join("; "));
  }
}
