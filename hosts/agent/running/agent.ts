// The agent at work: what the API server sends goes into the engine, and what the engine plans goes into the kernel.
import { isDeepStrictEqual } from "node:util";
import type { Family, Kind, NodeView, Options } from "../../shared/contract.ts";
import { type EngineModule, EngineTrapError } from "../../shared/engine.ts";
import type { HealthState, Resource as WatchedResource } from "../http/health-state.ts";
import type { KernelWriter } from "../kernel/writer.ts";
import { Decoder } from "../kube/decoding/decoder.ts";
import type { UrgentList } from "../kube/watching/urgent-lists.ts";
import type { Log } from "../log/log.ts";
import { ProblemLog } from "../log/problem-log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { ClusterState } from "../sync/cluster-state.ts";
import { FirstState } from "../sync/first-state.ts";
import type { LastNode } from "../sync/last-node.ts";
import { type RunOutcome, Schedule } from "../sync/schedule.ts";
import { Synchronizer } from "../sync/synchronizer.ts";
import type { Clock } from "../time/clock.ts";
import { type DebugPlan, debugPlanOf } from "./debug-plan.ts";
import { DriftTimer } from "./drift-timer.ts";
import { SyncReports } from "./sync-reports.ts";

/** How long the lists of everything wait for the few objects that a cluster can't start without. */
const AHEAD_MS = 2_000;

export interface AgentParts {
  readonly module: EngineModule;
  readonly options: Options;
  readonly writer: KernelWriter;
  readonly families: readonly Family[];
  readonly health: HealthState;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Why the API server is not even watched yet, for people; "" if it is. */
  readonly holdUp?: () => string;
  /** Kept from the agent that ran before this one in the same process. */
  readonly lastNode?: LastNode;
  /** What else has to be known before the first write, for people; "" if nothing. Call `known` when it is. */
  readonly lacks?: () => string;
  readonly minSyncPeriodMs: number;
  /** Milliseconds after which the agent tries again what the kernel has refused. */
  readonly syncPeriodMs: number;
  /** Milliseconds between two checks whether somebody else has touched the rules. */
  readonly driftCheckMs: number;
}

export interface AgentHooks {
  /** The engine is empty: list everything again. */
  relist(reason: string): void;
  /**
   * The kernel holds what it should: of all families if `isWhole`, else others can't be written. Errors are the agent's to
   * log.
   */
  synced(isWhole: boolean): Promise<void>;
  nodeChanged(node: NodeView): void;
}

/** How the kinds are called in metrics and health. */
export const RESOURCES: Readonly<Record<Kind, WatchedResource>> = {
  service: "services",
  "endpoint-slice": "endpointslices",
  node: "nodes",
  "service-cidr": "servicecidrs",
};

export class Agent {
  readonly state: ClusterState;
  readonly #parts: AgentParts;
  readonly #hooks: AgentHooks;
  readonly #first: FirstState;
  readonly #schedule: Schedule;
  readonly #synchronizer: Synchronizer;
  readonly #problems: ProblemLog;
  readonly #reports: SyncReports;
  readonly #driftTimer: DriftTimer;
  #hasStopped = false;
  #ahead: Promise<void> | undefined;
  readonly #aheadOver = new AbortController();
  #retryAt: number;
  /** When the oldest change came that no run has written yet. */
  readonly #waitingSince = new Map<Family, number>();

  /** @throws {InvalidOptionsError} */
  constructor(parts: AgentParts, hooks: AgentHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    const { clock, log, metrics } = parts;
    this.#retryAt = clock.now() + parts.syncPeriodMs;
    this.#problems = new ProblemLog(log);
    this.state = new ClusterState(
      parts.module,
      parts.options,
      parts.writer.batchLimits,
      {
        changed: (kind, count) => this.#changed(kind, count),
        synced: (kind) => {
          log.info({ resource: RESOURCES[kind] }, `all ${RESOURCES[kind]} are known`);
          this.#first.check();
        },
        progressed: () => parts.health.progressed(),
        problems: (problems, more) => this.#problems.log(problems, more),
        trapping: (found, all) => this.#reports.reportTrapping(found, all),
        lost: (error) => {
          log.error({ err: error }, "the engine stopped and is started anew; the rules in the kernel stay as they are");
          metrics.engineRestarted();
          this.#first.restart();
          this.#measureChanges();
          hooks.relist("the engine was started anew");
        },
      },
      parts.lastNode,
    );
    this.#reports = new SyncReports({ ...parts, state: this.state });
    this.#measureChanges();
    const ready = (missing: readonly string[]) => {
      if (missing.length > 0) log.warn({ missing }, `going on without ${missing.join(" and ")}`);
      // Health checks must notice a first write that never succeeds.
      this.#queued();
      this.#schedule.request();
    };
    this.#first = new FirstState(this.state, clock, ready, parts.lacks);
    this.#synchronizer = new Synchronizer(
      this.state,
      parts.writer,
      clock,
      {
        written: (batch) => this.#reports.written(batch),
        readOn: () => parts.health.progressed(),
        finished: (report) => this.#reports.finished(report),
        firstWave: () => this.#reports.firstWave(),
      },
      parts.families,
    );
    this.#schedule = new Schedule((retries) => this.#run(retries), { clock, minIntervalMs: parts.minSyncPeriodMs });
    this.#driftTimer = new DriftTimer({
      clock,
      periodMs: parts.driftCheckMs,
      longestMs: parts.syncPeriodMs,
      due: () => {
        if (this.#reports.hasSynced) this.#schedule.request();
        return this.#reports.hasSynced;
      },
    });
  }

  /** @throws {EngineTrapError} */
  debugPlan(): DebugPlan {
    return debugPlanOf({
      state: this.state,
      clock: this.#parts.clock,
      families: this.#parts.families,
      unread: this.#synchronizer.unread,
      waitingFor: this.#waitingFor(),
      nextRun: this.#schedule.next,
      failedRuns: this.#schedule.failures,
      waitingSince: this.#waitingSince.size === 0 ? undefined : Math.min(...this.#waitingSince.values()),
      driftCheckAt: this.#driftTimer.at,
      retryAt: this.#retryAt,
      lastRun: this.#reports.last,
    });
  }

  /** @throws {InvalidOptionsError} nothing was changed */
  configure(options: Options): void {
    const before = this.state.options;
    this.state.configure(options);
    // The engine may have forgotten what the kernel holds: chains and counters for loopback addresses come and go.
    if (
      before.nftablesLocalhostNodePorts !== options.nftablesLocalhostNodePorts ||
      (options.nftablesLocalhostNodePorts && !isDeepStrictEqual(before.nodePortAddresses, options.nodePortAddresses))
    ) {
      this.#synchronizer.doubt();
    }
    this.#changed(undefined, 0);
  }

  /** What `lacks` has said is known. */
  known(): void {
    this.#first.check();
  }

  /**
   * Writes what a cluster can't start without, if the kernel has no rules yet. `read` gets it from the API server. No list
   * may begin before this is over: an object that is in no list would stay for ever. Never rejects.
   */
  writeAhead(read: (signal: AbortSignal) => Promise<readonly UrgentList[]>): Promise<void> {
    this.#ahead = this.#writeAhead(read);
    return this.#ahead;
  }

  async #writeAhead(read: (signal: AbortSignal) => Promise<readonly UrgentList[]>): Promise<void> {
    // Without the Node's podCIDRs nobody knows which packets to masquerade.
    if (this.state.options.detectLocalMode === "node-cidr") return;
    const cancelTimer = this.#parts.clock.setTimer(AHEAD_MS, () =>
      this.#aheadOver.abort(new Error("it took too long")),
    );
    try {
      const { generation } = this.state;
      if (!(await this.#synchronizer.mayWriteAhead()) || this.#hasStopped) return;
      const lists = await read(this.#aheadOver.signal);
      for (const { kind, data } of lists) new Decoder(this.state.store(kind)).page(data);
      if (lists.length === 0 || this.#hasStopped || this.state.generation !== generation) return;
      await this.#synchronizer.writeAhead();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.log.info({ reason }, "the API server's Service and DNS are written when all else is known");
    } finally {
      cancelTimer();
      this.#aheadOver.abort(new Error("it is over"));
    }
  }

  /** No batch is sent after this; resolves when the one on its way is acknowledged. The rules stay. */
  async stop(): Promise<void> {
    this.#hasStopped = true;
    this.#aheadOver.abort(new Error("the agent ends"));
    await this.#ahead;
    this.#driftTimer.stop();
    this.#first.stop();
    await this.#schedule.stop();
    // With what the batch under way has written.
    this.#reports.close();
  }

  #waitingFor(): string[] {
    const holdUp = this.#parts.holdUp?.() ?? "";
    if (holdUp !== "") return [holdUp];
    return this.#first.isReady ? [] : this.#first.waitingFor();
  }

  #changed(kind: Kind | undefined, count: number): void {
    const now = this.#parts.clock.now();
    for (const family of this.#parts.families) if (!this.#waitingSince.has(family)) this.#waitingSince.set(family, now);
    if (kind === "service" || kind === "endpoint-slice") this.#parts.metrics.changes(kind, count);
    if (kind === "node") this.#hooks.nodeChanged(this.state.use((engine) => engine.node()));
    if (this.#first.isReady) {
      this.#queued();
      this.#schedule.request();
    } else {
      this.#first.check();
    }
  }

  /** Called only once the first write may begin. Before that a restart would not help: the API server can't be reached. */
  #queued(): void {
    for (const family of this.#parts.families) {
      this.#parts.health.queued(family);
      this.#parts.metrics.queued(family);
    }
  }

  /** Never rejects: a run that fails is followed by another one. */
  async #run(retries: boolean): Promise<RunOutcome> {
    const checks = this.#driftTimer.isDue;
    const start = this.#parts.clock.now();
    this.#reports.begin();
    try {
      const outcome = await this.#runOnce(retries);
      this.#retryLeftOut();
      return outcome;
    } catch (error) {
      // A lost engine has been reported already; the lists that come now ask for a run.
      if (error instanceof EngineTrapError) return { failed: false };
      this.#parts.log.error({ err: error }, "a run has failed");
      return { failed: true };
    } finally {
      if (checks) this.#driftTimer.done(this.#reports.foundNoDifference ? this.#parts.clock.now() - start : 0);
    }
  }

  async #runOnce(retries: boolean): Promise<RunOutcome> {
    if (!this.#first.isReady) return { failed: false };
    if (this.#driftTimer.isDue) {
      this.#driftTimer.begun();
      await this.#synchronizer.checkForDrift();
    }
    const since = new Map(this.#waitingSince);
    this.#waitingSince.clear();
    this.#reports.beginSync(since.size > 0);
    this.#parts.metrics.changesTaken();
    const outcome = await this.#synchronizer.run(retries);
    if (this.#first.isReady) this.#reports.reportLeftOut();
    const inSync = this.#first.isReady ? outcome.inSync : [];
    for (const [family, time] of since) if (!inSync.includes(family)) this.#waitingSince.set(family, time);
    // A family that can't be written does not hold up what follows from the other's rules.
    if (inSync.length === 0) return outcome;
    for (const family of inSync) {
      const waiting = since.get(family);
      if (waiting !== undefined) this.#parts.metrics.eventToKernel(family, (this.#parts.clock.now() - waiting) / 1000);
      const times = this.state.use((engine) => engine.programmed(family));
      this.#parts.metrics.programmed(family, times);
    }
    const isWhole = inSync.length === this.#parts.families.length;
    if (isWhole) this.#reports.synced(outcome.portionMs === undefined);
    try {
      await this.#hooks.synced(isWhole);
    } catch (error) {
      this.#parts.log.error({ err: error }, "what follows a write has failed");
    }
    return outcome;
  }

  /** Asks for a run of their own, so that a second refusal holds up nobody else. */
  #retryLeftOut(): void {
    if (this.#parts.clock.now() < this.#retryAt) return;
    this.#retryAt = this.#parts.clock.now() + this.#parts.syncPeriodMs;
    if (this.#synchronizer.retryLeftOut() > 0) this.#schedule.request();
  }

  #measureChanges(): void {
    this.state.use((engine) => engine.measureChanges(Date.now()));
  }
}
