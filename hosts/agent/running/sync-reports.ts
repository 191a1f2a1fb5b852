// What is logged, measured and shown in health checks of each sync: what was written, what failed, what is left out.
import type { Batch, Family } from "../../shared/contract.ts";
import { plural } from "../../shared/plural.ts";
import type { HealthState } from "../http/health-state.ts";
import type { Log } from "../log/log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { ClusterState } from "../sync/cluster-state.ts";
import type { FamilyReport } from "../sync/family-run.ts";
import type { TrappingObject } from "../sync/trapping-objects.ts";
import type { Clock } from "../time/clock.ts";
import { WriteSummary } from "./write-summary.ts";

/** Services in a health endpoint's answer, which probes keep and print: /debug/plan has more of them. */
const NAMED_AT_MOST = 20;

export interface SyncReportsParts {
  readonly state: ClusterState;
  readonly families: readonly Family[];
  readonly health: HealthState;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
}

export class SyncReports {
  readonly #parts: SyncReportsParts;
  readonly #summary: WriteSummary;
  readonly #started: number;
  #hasSynced = false;
  /** The run at work has taken up changes; else it only checks whether all is as it should be. */
  #hasChanges = false;
  #readBack: "nothing" | "no difference" | "differences" = "nothing";
  /** Services are left out, or were when it was checked last. */
  #hasLeftOut = true;
  /** During the cold start. */
  readonly #servicesWritten = new Map<Family, number>();
  readonly #last = new Map<Family, FamilyReport>();

  constructor(parts: SyncReportsParts) {
    this.#parts = parts;
    this.#summary = new WriteSummary(parts.log, parts.clock);
    this.#started = parts.clock.now();
  }

  /** The kernel has had all rules once. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Of each family, its last run that has written anything, or failed. */
  get last(): FamilyReport[] {
    return [...this.#last.values()];
  }

  /** The kernel's rules were read back in the run, and were as they should be. */
  get foundNoDifference(): boolean {
    return this.#readBack === "no difference";
  }

  /** A run begins. */
  begin(): void {
    this.#readBack = "nothing";
  }

  /** The run plans and writes. `hasChanges`: the cluster has changed since the last one. */
  beginSync(hasChanges: boolean): void {
    this.#hasChanges = hasChanges;
  }

  /** The kernel has a batch. */
  written(batch: Batch): void {
    const { health, metrics, state } = this.#parts;
    health.progressed();
    metrics.written(batch);
    if (this.#hasSynced) return;
    const written = (this.#servicesWritten.get(batch.family) ?? 0) + batch.services;
    this.#servicesWritten.set(batch.family, written);
    const { services } = state.use((engine) => engine.counted());
    metrics.waveProgress(batch.family, written, services);
  }

  /** A run is over for a family. */
  finished(report: FamilyReport): void {
    const { family, transactions, bytes, services, names, full, milliseconds, drift, leftOut, failure } = report;
    const { health, log, metrics } = this.#parts;
    const seconds = milliseconds / 1000;
    if (transactions > 0 || failure !== undefined) this.#last.set(family, report);
    this.#hasLeftOut ||= leftOut.length > 0;
    const line = { family, transactions, bytes, services, full, milliseconds: Math.round(milliseconds * 100) / 100 };
    this.#reportDrift(report);
    // Whatever else has become of the run: nobody would be told of them later.
    for (const { namespace, name, reason } of leftOut) {
      log.error(
        { family, namespace, name, reason },
        `Service ${namespace}/${name} is left out: the kernel refuses its rules`,
      );
    }
    if (failure !== undefined) {
      metrics.failed(family, seconds, full);
      health.failed(family, failure, report.mayRestartHelp);
      log.error({ ...line, failure }, "the rules could not be written; what was there stays");
      return;
    }
    if (transactions === 0 && drift === undefined && !this.#hasChanges) return;
    metrics.synced(family, seconds, full || drift !== undefined, { bytes });
    health.updated(family);
    if (transactions === 0) return;
    // What a start writes is logged in any case; later on each change only for those who want to see it, and a sum of them.
    log[this.#hasSynced ? "verbose" : "info"](line, `rules written${of(names, services)}`);
    if (this.#hasSynced) this.#summary.add(report);
  }

  #reportDrift({ family, drift, isForeign }: FamilyReport): void {
    if (drift === undefined) return;
    const { log, metrics } = this.#parts;
    const differs = drift.missing + drift.changed + drift.extra > 0 || drift.rebuilt;
    if (!differs) {
      if (this.#readBack === "nothing") this.#readBack = "no difference";
      return;
    }
    this.#readBack = "differences";
    if (this.#hasSynced && !isForeign && !drift.rebuilt) {
      // Or a write had failed or got lost: nobody knows whose doing it is.
      log.verbose({ family, ...drift }, "the rules were read back while changes were on their way");
    } else if (this.#hasSynced) {
      metrics.drift(family, drift);
      log.warn({ family, ...drift }, "somebody else has changed our rules; they are as they should be again");
    } else {
      log.info({ family, ...drift }, "the kernel's rules were not up to date");
    }
  }

  /** All families are in sync. `isWhole`: no portions of large Services are still to come. */
  synced(isWhole: boolean): void {
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    const text = isWhole
      ? "the kernel has all rules"
      : "the kernel has all rules but those of large Services, which follow";
    this.#parts.log.info(this.#sinceStart(), text);
    for (const family of this.#parts.families) this.#parts.metrics.waveProgress(family, 1, 1);
  }

  /** The first wave of a cold start is in the kernel. */
  firstWave(): void {
    const seconds = (this.#parts.clock.now() - this.#started) / 1000;
    this.#parts.metrics.firstWave(seconds);
    this.#parts.log.info(this.#sinceStart(), "the API server's Service and DNS can be reached");
  }

  /** Services whose rules the kernel refuses. The engine goes through all Services for it: only where there are any, or were. */
  reportLeftOut(): void {
    if (!this.#hasLeftOut) return;
    const { state, metrics, families, health } = this.#parts;
    const left = state.use((engine) => engine.leftOut());
    this.#hasLeftOut = left.length > 0;
    metrics.refused("kernel", left.length);
    for (const family of families) {
      metrics.leftOut(
        family,
        state.use((engine) => engine.leftOutCount(family)),
      );
    }
    const names = left
      .slice(0, NAMED_AT_MOST)
      .map(({ namespace, name }) => `${namespace}/${name}`)
      .join(", ");
    const more = left.length > NAMED_AT_MOST ? ` and ${left.length - NAMED_AT_MOST} more` : "";
    health.warn("left out", left.length === 0 ? undefined : `the kernel refuses rules of Services: ${names}${more}`);
  }

  /** Objects that the engine has trapped on twice: those found now, and all that are left out. */
  reportTrapping(found: readonly TrappingObject[], all: readonly TrappingObject[]): void {
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

  /** Logs what has not been summed up yet. */
  close(): void {
    this.#summary.close();
  }

  #sinceStart(): { seconds: number } {
    return { seconds: Math.round(this.#parts.clock.now() - this.#started) / 1000 };
  }
}

/** ` of shop/web, shop/db and 3 more Services` */
function of(names: readonly string[], services: number): string {
  if (names.length === 0) return "";
  const more = services - names.length;
  const rest = more > 0 ? ` and ${plural(more, "more Service")}` : "";
  return ` of ${names.join(", ")}${rest}`;
}
