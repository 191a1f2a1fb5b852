// The agent at work: what the API server says goes into the engine, what the engine plans goes into the kernel, and
// everybody who asks is told how it stands.
import { isDeepStrictEqual } from "node:util";
import type { Batch, Family, Kind, NodeView, Options } from "../../shared/contract.ts";
import { type EngineModule, EngineTrapError } from "../../shared/engine.ts";
import { plural } from "../../shared/plural.ts";
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
import { type FamilyReport, Synchronizer } from "../sync/synchronizer.ts";
import type { TrappingObject } from "../sync/trapping-objects.ts";
import type { Clock } from "../time/clock.ts";
import { type DebugPlan, debugPlanOf } from "./debug-plan.ts";
import { WriteSummary } from "./write-summary.ts";

/**
 * Others' rules change as well, and each time ours have to be read back to know that it was not them. At most a twentieth
 * of the time is spent so.
 */
const LOOK_SHARE = 20;
/** So long the lists of everything wait for the few objects that a cluster can't start without. */
const AHEAD_MS = 2_000;

/** Services in a health endpoint's answer, which probes keep and print: /debug/plan has more of them. */
const NAMED_AT_MOST = 20;

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
  /** Of an agent that worked before in this process. */
  readonly lastNode?: LastNode;
  /** What else has to be known before the first write, for people; "" if nothing. Call `known` when it is. */
  readonly lacks?: () => string;
  readonly minSyncPeriodMs: number;
  /** Milliseconds after which what the kernel has refused is tried again. */
  readonly syncPeriodMs: number;
  /** Milliseconds between two looks whether somebody else has touched the rules. */
  readonly lookPeriodMs: number;
}

export interface AgentHooks {
  /** The engine is empty: list everything again. */
  relist(reason: string): void;
  /** The kernel holds what it should; for the first time if `first`. Errors are the agent's to log. */
  synced(first: boolean): Promise<void>;
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
  readonly #summary: WriteSummary;
  #cancelLook: (() => void) | undefined;
  #lookAt: number | undefined;
  #isLookDue = false;
  /** What the run at work has found where it read the kernel's rules back. */
  #readBack: "nothing" | "no difference" | "differences" = "nothing";
  #hasStopped = false;
  #ahead: Promise<void> | undefined;
  readonly #aheadOver = new AbortController();
  #retryAt: number;
  #hasSynced = false;
  /** Services are left out, or were when it was looked at last. */
  #hasLeftOut = true;
  /** During the cold start. */
  readonly #servicesWritten = new Map<Family, number>();
  readonly #reports = new Map<Family, FamilyReport>();
  /** When the oldest change came that no run has taken up. */
  #waitingSince: number | undefined;
  /** The run at work has taken up changes; else it only looks whether all is as it should be. */
  #hasChanges = false;
  #started: number;

  /** @throws {InvalidOptionsError} */
  constructor(parts: AgentParts, hooks: AgentHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    const { clock, log, metrics } = parts;
    this.#started = clock.now();
    this.#retryAt = this.#started + parts.syncPeriodMs;
    this.#problems = new ProblemLog(log);
    this.#summary = new WriteSummary(log, clock);
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
        trapping: (found, all) => this.#leftOutOfEngine(found, all),
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
    this.#measureChanges();
    const ready = (missing: readonly string[]) => {
      if (missing.length > 0) log.warn({ missing }, `going on without ${missing.join(" and ")}`);
      // A first write that never succeeds must be noticed.
      this.#queued();
      this.#schedule.request();
    };
    this.#first = new FirstState(this.state, clock, ready, parts.lacks);
    this.#synchronizer = new Synchronizer(
      this.state,
      parts.writer,
      clock,
      {
        written: (batch) => this.#written(batch),
        readOn: () => parts.health.progressed(),
        finished: (report) => this.#finished(report),
        firstWave: () => this.#firstWave(),
      },
      parts.families,
    );
    this.#schedule = new Schedule(() => this.#run(), { clock, minIntervalMs: parts.minSyncPeriodMs });
    this.#lookLater();
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
      waitingSince: this.#waitingSince,
      lookAt: this.#lookAt,
      retryAt: this.#retryAt,
      lastRun: [...this.#reports.values()],
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
   * Writes what a cluster can't start without, which `read` gets from the API server by itself, if the kernel has no rules
   * yet. No list may begin before this is over: what is in no list would stay for ever. Never rejects.
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
    this.#cancelLook?.();
    this.#first.stop();
    await this.#schedule.stop();
    // With what the batch under way has written.
    this.#summary.close();
  }

  #waitingFor(): string[] {
    const holdUp = this.#parts.holdUp?.() ?? "";
    if (holdUp !== "") return [holdUp];
    return this.#first.isReady ? [] : this.#first.waitingFor();
  }

  #changed(kind: Kind | undefined, count: number): void {
    this.#waitingSince ??= this.#parts.clock.now();
    if (kind === "service" || kind === "endpoint-slice") this.#parts.metrics.changes(kind, count);
    if (kind === "node") this.#hooks.nodeChanged(this.state.use((engine) => engine.node()));
    if (this.#first.isReady) {
      this.#queued();
      this.#schedule.request();
    } else {
      this.#first.check();
    }
  }

  /** Not before the first write may begin: as long as the API server can't be reached, a restart would not help. */
  #queued(): void {
    for (const family of this.#parts.families) {
      this.#parts.health.queued(family);
      this.#parts.metrics.queued(family);
    }
  }

  /** Never rejects: whatever a run meets, there is a next one. */
  async #run(): Promise<RunOutcome> {
    const looks = this.#isLookDue;
    const start = this.#parts.clock.now();
    this.#readBack = "nothing";
    try {
      const outcome = await this.#runOnce();
      this.#retryLeftOut();
      return outcome;
    } catch (error) {
      // A lost engine has been reported already; the lists that come now ask for a run.
      if (error instanceof EngineTrapError) return { failed: false };
      this.#parts.log.error({ err: error }, "a run has failed");
      return { failed: true };
    } finally {
      if (looks) this.#lookLater(this.#pauseAfterLook(start));
    }
  }

  async #runOnce(): Promise<RunOutcome> {
    if (!this.#first.isReady) return { failed: false };
    if (this.#isLookDue) {
      this.#isLookDue = false;
      await this.#synchronizer.checkForDrift();
    }
    const since = this.#waitingSince;
    this.#waitingSince = undefined;
    this.#hasChanges = since !== undefined;
    this.#parts.metrics.changesTaken();
    const outcome = await this.#synchronizer.run();
    if (this.#first.isReady) this.#reportLeftOut();
    if (outcome.failed || !this.#first.isReady) {
      this.#waitingSince = since ?? this.#waitingSince;
      return outcome;
    }
    if (since !== undefined) {
      const seconds = (this.#parts.clock.now() - since) / 1000;
      for (const family of this.#parts.families) this.#parts.metrics.eventToKernel(family, seconds);
    }
    const first = !this.#hasSynced;
    this.#hasSynced = true;
    if (first) {
      const text =
        outcome.portionMs === undefined
          ? "the kernel has all rules"
          : "the kernel has all rules but those of large Services, which follow";
      this.#parts.log.info(this.#sinceStart(), text);
      for (const family of this.#parts.families) this.#parts.metrics.waveProgress(family, 1, 1);
    }
    for (const family of this.#parts.families) {
      const times = this.state.use((engine) => engine.programmed(family));
      this.#parts.metrics.programmed(family, times);
    }
    try {
      await this.#hooks.synced(first);
    } catch (error) {
      this.#parts.log.error({ err: error }, "what follows a write has failed");
    }
    return outcome;
  }

  /** In a run of their own: if they are refused again, what others wait for has been written before. */
  #retryLeftOut(): void {
    if (this.#parts.clock.now() < this.#retryAt) return;
    this.#retryAt = this.#parts.clock.now() + this.#parts.syncPeriodMs;
    if (this.#synchronizer.retryLeftOut() > 0) this.#schedule.request();
  }

  #written(batch: Batch): void {
    this.#parts.health.progressed();
    this.#parts.metrics.written(batch);
    if (this.#hasSynced) return;
    const written = (this.#servicesWritten.get(batch.family) ?? 0) + batch.services;
    this.#servicesWritten.set(batch.family, written);
    const { services } = this.state.use((engine) => engine.counted());
    this.#parts.metrics.waveProgress(batch.family, written, services);
  }

  #finished(report: FamilyReport): void {
    const { family, transactions, bytes, services, names, full, milliseconds, drift, leftOut, failure } = report;
    const { health, log, metrics } = this.#parts;
    const seconds = milliseconds / 1000;
    if (transactions > 0 || failure !== undefined) this.#reports.set(family, report);
    this.#hasLeftOut ||= leftOut.length > 0;
    const line = { family, transactions, bytes, services, full, milliseconds: Math.round(milliseconds * 100) / 100 };
    const differs = drift !== undefined && (drift.missing + drift.changed + drift.extra > 0 || drift.rebuilt);
    if (drift !== undefined) this.#noteReadBack(differs);
    if (drift !== undefined && differs) {
      if (this.#hasSynced && !report.isForeign && !drift.rebuilt) {
        // Or a write had failed or got lost: nobody knows whose doing it is.
        log.verbose({ family, ...drift }, "the rules were read back while changes were on their way");
      } else if (this.#hasSynced) {
        metrics.drift(family, drift);
        log.warn({ family, ...drift }, "somebody else has changed our rules; they are as they should be again");
      } else {
        log.info({ family, ...drift }, "the kernel's rules were not up to date");
      }
    }
    if (failure !== undefined) {
      metrics.failed(family, seconds, full);
      health.failed(family, failure, report.mayRestartHelp);
      log.error({ ...line, failure }, "the rules could not be written; what was there stays");
      return;
    }
    if (transactions === 0 && drift === undefined && !this.#hasChanges) return;
    for (const { namespace, name, reason } of leftOut) {
      log.error(
        { family, namespace, name, reason },
        `Service ${namespace}/${name} is left out: the kernel refuses its rules`,
      );
    }
    metrics.synced(family, seconds, full || drift !== undefined, { bytes });
    health.updated(family);
    if (transactions === 0) return;
    // What a start writes is told; later on each change, and a sum of them.
    log[this.#hasSynced ? "verbose" : "info"](line, `rules written${of(names, services)}`);
    if (this.#hasSynced) this.#summary.add(report);
  }

  /** The engine looks through all Services for those left out: only where there are any, or were. */
  #reportLeftOut(): void {
    if (!this.#hasLeftOut) return;
    const left = this.state.use((engine) => engine.leftOut());
    this.#hasLeftOut = left.length > 0;
    this.#parts.metrics.refused("kernel", left.length);
    for (const family of this.#parts.families) {
      this.#parts.metrics.leftOut(
        family,
        this.state.use((engine) => engine.leftOutCount(family)),
      );
    }
    const names = left
      .slice(0, NAMED_AT_MOST)
      .map(({ namespace, name }) => `${namespace}/${name}`)
      .join(", ");
    const more = left.length > NAMED_AT_MOST ? ` and ${left.length - NAMED_AT_MOST} more` : "";
    this.#parts.health.warn(
      "left out",
      left.length === 0 ? undefined : `the kernel refuses rules of Services: ${names}${more}`,
    );
  }

  /** Objects that have stopped the engine twice. */
  #leftOutOfEngine(found: readonly TrappingObject[], all: readonly TrappingObject[]): void {
    const { health, log, metrics } = this.#parts;
    for (const { kind, namespace, name } of found) {
      log.error(
        { kind, namespace, name },
        `${kind} ${namespace}/${name} is left out: the engine has stopped twice because of it; please report this as a defect, with the object`,
      );
    }
    metrics.refused("trap", all.length);
    const names = all.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`).join(", ");
    health.warn("trapping", all.length === 0 ? undefined : `left out, because the engine stops at them: ${names}`);
  }

  #firstWave(): void {
    const seconds = (this.#parts.clock.now() - this.#started) / 1000;
    this.#parts.metrics.firstWave(seconds);
    this.#parts.log.info(this.#sinceStart(), "the API server's Service and DNS can be reached");
  }

  #sinceStart(): { seconds: number } {
    return { seconds: Math.round(this.#parts.clock.now() - this.#started) / 1000 };
  }

  #noteReadBack(differs: boolean): void {
    if (differs) this.#readBack = "differences";
    else if (this.#readBack === "nothing") this.#readBack = "no difference";
  }

  #pauseAfterLook(start: number): number {
    return this.#readBack === "no difference" ? LOOK_SHARE * (this.#parts.clock.now() - start) : 0;
  }

  /** In a period of looks, or in `pauseMs` where that is longer, but never later than after a sync period. */
  #lookLater(pauseMs = 0): void {
    this.#cancelLook?.();
    if (this.#hasStopped) return;
    const { clock, lookPeriodMs, syncPeriodMs } = this.#parts;
    const wait = Math.max(lookPeriodMs, Math.min(pauseMs, syncPeriodMs));
    this.#lookAt = clock.now() + wait;
    this.#cancelLook = clock.setTimer(wait, () => {
      this.#isLookDue = true;
      if (this.#hasSynced) this.#schedule.request();
      else this.#lookLater();
    });
  }

  #measureChanges(): void {
    this.state.use((engine) => engine.measureChanges(Date.now()));
  }
}

/** ` of shop/web, shop/db and 3 more Services` */
function of(names: readonly string[], services: number): string {
  if (names.length === 0) return "";
  const more = services - names.length;
  const rest = more > 0 ? ` and ${plural(more, "more Service")}` : "";
  return ` of ${names.join(", ")}${rest}`;
}
