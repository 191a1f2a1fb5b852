// Takes the kernel from what it holds to what it should hold: one run reads what is in doubt, plans, and writes.
import type { Batch, Extension, Family } from "../../shared/contract.ts";
import { type EngineInstance, EngineTrapError, lengthOf } from "../../shared/engine.ts";
import { FAMILIES } from "../../shared/families.ts";
import type { KernelWriter, WriteResult } from "../kernel/writer.ts";
import type { Clock } from "../time/clock.ts";
import type { ClusterState } from "./cluster-state.ts";
import { type FamilyReport, FamilyRun } from "./family-run.ts";
import { Refusals } from "./refusals.ts";
import type { RunOutcome } from "./schedule.ts";

export interface SynchronizerEvents {
  /** The kernel has taken a batch. */
  written(batch: Batch): void;
  /** The kernel has told another part of what it holds. */
  readOn(): void;
  /** A run is over for a family. */
  finished(report: FamilyReport): void;
  /** The first wave of a cold start is in the kernel. */
  firstWave(milliseconds: number): void;
}

/** What a run has come to. */
export interface SyncOutcome extends RunOutcome {
  /** Families whose rules in the kernel are now as they should be, but for what waits for its turn. */
  readonly inSync: readonly Family[];
}

/** Reconciliations in a row that the kernel may refuse before the table is made anew. */
const MAX_REFUSED = 2;
/** Between emptying a chain and deleting it, plus what a plan takes: nothing is due later than this. */
const MAX_PLANS = 8;
/** Plans and reconciliations of one run that leave Services out, or are sent in smaller parts. */
const MAX_REFUSALS = 64;

/**
 * Runs must not overlap (`Schedule` ensures it). A family that fails does not stop the other one. The engine may take
 * objects while a batch is under way; they become part of the next plan.
 */
export class Synchronizer {
  readonly #state: ClusterState;
  readonly #writer: KernelWriter;
  readonly #clock: Clock;
  readonly #events: SynchronizerEvents;
  readonly #families: FamilyRun[];
  readonly #refusals: Refusals;
  #generation = 0;
  /** Generation of the engine that was told what the node lacks. */
  #toldGeneration: number | undefined;

  constructor(
    state: ClusterState,
    writer: KernelWriter,
    clock: Clock,
    events: SynchronizerEvents,
    families: readonly Family[] = FAMILIES,
  ) {
    this.#state = state;
    this.#writer = writer;
    this.#clock = clock;
    this.#events = events;
    this.#refusals = new Refusals(state, writer, clock);
    this.#families = families.map((family) => new FamilyRun(family));
    this.#generation = state.generation;
  }

  /** Families whose rules the next run reads before it plans. */
  get unread(): Family[] {
    const isLost = this.#isLost();
    return this.#families.filter(({ unread }) => unread || isLost).map(({ family }) => family);
  }

  /** The next run reads the kernel before it plans. */
  doubt(family?: Family): void {
    for (const each of this.#families) {
      if (family !== undefined && each.family !== family) continue;
      each.unread = true;
      each.isExact = false;
    }
  }

  /** Asks the kernel whether somebody else has touched the rules; true if the next run has to read them. */
  async checkForDrift(): Promise<boolean> {
    let doubtful = false;
    for (const each of this.#families) {
      if ((await this.#writer.intactness(each.family)) === "perhaps-touched") each.unread = true;
      doubtful ||= each.unread;
    }
    return doubtful;
  }

  /** Services that the kernel has refused are tried again in the next run. Returns how many there are. */
  retryLeftOut(): number {
    this.#refusals.retried();
    const { length } = this.#use((engine) => engine.leftOut());
    if (length > 0) this.#use((engine) => engine.retry());
    return length;
  }

  /** The kernel has nothing of ours, in a mode that may begin with a part. */
  async mayWriteAhead(): Promise<boolean> {
    for (const { family } of this.#families) if ((await this.#writer.isEmpty?.(family)) !== true) return false;
    return true;
  }

  /**
   * Writes the first wave before the cluster is known. The engine has been given the objects of the wave, and the kernel has
   * nothing of ours that would have to be compared. The next run goes on from there. False: nothing is written, and the next
   * run begins from nothing.
   */
  async writeAhead(): Promise<boolean> {
    this.#begin();
    try {
      for (const { family } of this.#families) {
        const dump = await this.#writer.dump(family);
        if (dump.outcome !== "dumped" || dump.pieces.length > 0) return false;
      }
      for (const each of this.#families) each.unread = false;
      await this.#writeFirstWave();
      // Whatever the kernel has refused is tried again, and reported, by the next run.
      return this.retryLeftOut() === 0 && this.#families.every(({ transactions }) => transactions > 0);
    } catch (error) {
      if (error instanceof EngineTrapError) return false;
      throw error;
    }
  }

  /** `retries`: families that have failed are tried again; else only the others are written. */
  async run(retries = true): Promise<SyncOutcome> {
    this.#begin(retries);
    try {
      await this.#readUnread();
      if (this.#families.every((each) => each.fresh && !each.unread)) await this.#writeFirstWave();
      let dueIn = await this.#writePlan();
      const portionMs = await this.#writePortion((then) => {
        dueIn = Math.min(dueIn ?? Number.POSITIVE_INFINITY, then);
      });
      for (const each of this.#families) {
        if (each.waits) continue;
        each.hasFailed = each.failure !== undefined;
        each.isExact = each.failure === undefined && !each.unread;
        if (each.failure !== undefined) continue;
        each.isContradicted = false;
        if (each.leftOut.length === 0) this.#refusals.settled(each.family);
      }
      const inSync = this.#families.filter(({ goesOn }) => goesOn).map(({ family }) => family);
      const failed = inSync.length < this.#families.length;
      return {
        failed,
        inSync,
        ...(failed && inSync.length > 0 ? { othersGoOn: true } : {}),
        dueIn,
        ...(portionMs === undefined ? {} : { portionMs }),
      };
    } catch (error) {
      if (!(error instanceof EngineTrapError)) throw error;
      // The state has a fresh instance by now, and asks for a run when everything is listed again.
      for (const each of this.#families) {
        each.waits = false;
        each.failure = error.message;
        each.mayRestartHelp = true;
      }
      return { failed: false, inSync: [] };
    } finally {
      for (const each of this.#families) if (!each.waits) this.#events.finished(each.report());
    }
  }

  #begin(retries = true): void {
    if (this.#state.generation !== this.#generation) {
      this.#generation = this.#state.generation;
      for (const each of this.#families) {
        each.unread = true;
        each.fresh = true;
        each.isExact = false;
      }
    }
    for (const each of this.#families) each.waits = !retries && each.hasFailed;
    if (this.#toldGeneration !== this.#generation) {
      this.#toldGeneration = this.#generation;
      this.#reportMissing();
    }
    for (const each of this.#families) each.begin();
  }

  #reportMissing(): void {
    if (this.#writer.missing === undefined) return;
    for (const [family, missing] of Object.entries(this.#writer.missing) as [
      Family,
      ReadonlyMap<Extension, string>,
    ][]) {
      this.#use((engine) => engine.setMissingExtensions(family, [...missing.keys()]));
    }
  }

  /** Services that the plan has left out because the node lacks something. */
  #noteLacking(): void {
    if (this.#writer.missing === undefined) return;
    for (const { family, leftOut } of this.#families) {
      for (const { namespace, name, extension } of this.#use((engine) => engine.lacking(family))) {
        leftOut.push({ namespace, name, reason: this.#writer.missing[family].get(extension) ?? extension });
      }
    }
  }

  /**
   * Reads families that are in doubt. If the only reason is a commit of somebody else, pending changes of the cluster are
   * written first, and no new ones are taken until the kernel has been read. So whatever differs then is somebody else's
   * doing.
   */
  async #readUnread(): Promise<void> {
    const unread = this.#families.filter((each) => each.unread && !each.waits);
    const touched = unread.filter((each) => each.isExact && !each.fresh);
    const release = touched.length === 0 ? undefined : this.#state.hold();
    const { revision } = this.#state;
    try {
      if (touched.length > 0) {
        for (const each of touched) each.unread = false;
        await this.#writePlan();
        if (this.#isLost()) return;
        for (const each of touched) {
          each.unread = true;
          // A batch that contradicts what the kernel holds proves it, too.
          each.isForeign = each.leftOut.length === 0 && (each.failure === undefined || each.isContradicted);
          if (each.isContradicted) each.failure = undefined;
        }
      }
      for (const each of unread) if (each.failure === undefined) await this.#read(each, revision);
    } finally {
      release?.();
    }
  }

  /** Reads what the kernel holds, and writes the difference. `revision`: of the state that has been written. */
  async #read(each: FamilyRun, revision: number): Promise<void> {
    for (let round = 0; round < MAX_REFUSALS; round++) {
      const start = this.#clock.now();
      const dump = await this.#writer.dump(each.family, () => this.#events.readOn());
      each.milliseconds += this.#clock.now() - start;
      if (this.#isLost()) return;
      if (dump.outcome === "failed") {
        each.failure = dump.message;
        each.mayRestartHelp = true;
        return;
      }
      if (dump.outcome === "unsupported" || each.refusedReconciliations > MAX_REFUSED) {
        if (dump.outcome === "unsupported") each.drift = dump.drift;
        if (dump.outcome === "unsupported") each.isForeign = dump.drift !== undefined;
        // `forget` is for both families.
        await this.#state.ask((engine) => engine.forget(), true);
        for (const other of this.#families) {
          other.unread = false;
          other.refusedReconciliations = 0;
        }
        return;
      }
      if (each.fresh && dump.pieces.length === 0) {
        each.unread = false;
        return;
      }
      // What heavy Services have changed is in the difference.
      each.isForeign &&= !this.#use((engine) => engine.beginPortion());
      const batches = await this.#state.plan((engine) => {
        // Options may change all the same.
        each.isForeign &&= this.#state.revision === revision;
        engine.beginReconcile(each.family, lengthOf(dump.pieces), this.#clock.now());
      }, dump.pieces);
      // A second look finds what the first has left out.
      each.drift ??= this.#use((engine) => engine.drift());
      each.unread = false;
      each.fresh = false;
      each.plansAgain = false;
      await this.#write(batches);
      if (this.#isLost()) return;
      if (each.failure !== undefined) break;
      if (!each.plansAgain) {
        each.refusedReconciliations = 0;
        return;
      }
    }
    // The engine counts what was refused as not written. But perhaps it has misread the dump.
    each.unread = true;
    each.failure ??= "the kernel refuses ever more";
    each.refusedReconciliations++;
  }

  async #writeFirstWave(): Promise<void> {
    const start = this.#clock.now();
    await this.#write(await this.#state.plan((engine) => engine.beginFirstWave(this.#clock.now())));
    if (this.#families.every(({ transactions }) => transactions > 0)) {
      this.#events.firstWave(this.#clock.now() - start);
    }
  }

  /** Writes plans until there is nothing left that may go now. Returns in how many milliseconds the rest may. */
  async #writePlan(): Promise<number | undefined> {
    for (let plans = 0, refusals = 0; plans < MAX_PLANS && refusals < MAX_REFUSALS; ) {
      if (this.#isLost()) return undefined;
      for (const each of this.#families) each.plansAgain = false;
      const plan = await this.#state.plan((engine) => engine.beginPlan(this.#clock.now()));
      this.#noteLacking();
      const batches = plan.filter(({ family }) =>
        this.#families.some((each) => each.family === family && !each.unread && each.goesOn),
      );
      if (batches.length === 0) return undefined;
      for (const each of this.#families) {
        if (each.names.length > 0 || !batches.some(({ family }) => family === each.family)) continue;
        each.names = this.#use((engine) => engine.plannedServices(each.family)).map(
          ({ namespace, name }) => `${namespace}/${name}`,
        );
      }
      const dueIn = await this.#write(batches);
      if (this.#families.some(({ plansAgain, failure }) => plansAgain && failure === undefined)) {
        refusals++;
        continue;
      }
      if (dueIn !== undefined) return dueIn;
      plans++;
    }
    return 0;
  }

  /**
   * Writes a portion of the changes of heavy Services, if there are any. Changes of others have been written before. Returns
   * how many milliseconds that took. `due` gets in how many milliseconds there is more to delete.
   */
  async #writePortion(due: (inMs: number) => void): Promise<number | undefined> {
    if (this.#isLost() || !this.#families.some(({ goesOn }) => goesOn)) return undefined;
    if (!this.#use((engine) => engine.beginPortion())) return undefined;
    const start = this.#clock.now();
    const dueIn = await this.#writePlan();
    if (dueIn !== undefined) due(dueIn);
    return this.#clock.now() - start;
  }

  /** Writes batches in order until one of the family fails or is not due yet. */
  async #write(batches: readonly Batch[]): Promise<number | undefined> {
    const planned = this.#clock.now();
    const done = new Set<Family>();
    let dueIn: number | undefined;
    for (const batch of batches) {
      const each = this.#families.find(({ family }) => family === batch.family);
      if (each === undefined || each.waits || done.has(batch.family)) continue;
      if (batch.notBeforeMs > 0) {
        dueIn = Math.min(dueIn ?? Number.POSITIVE_INFINITY, batch.notBeforeMs);
        done.add(batch.family);
        continue;
      }
      const start = this.#clock.now();
      const result = await this.#writer.write(batch);
      each.milliseconds += this.#clock.now() - start;
      if (this.#isLost()) return undefined;
      if (!(await this.#close(each, batch, result))) done.add(batch.family);
      if (this.#isLost()) return undefined;
    }
    return dueIn === undefined ? undefined : Math.max(0, planned + dueIn - this.#clock.now());
  }

  /** Tells the engine what became of a batch. False: the rest of the family's batches must not be sent. */
  async #close(each: FamilyRun, batch: Batch, result: WriteResult): Promise<boolean> {
    const now = this.#clock.now();
    if (result.outcome === "written") {
      this.#use((engine) => engine.committed(batch.id, now));
      this.#events.written(batch);
      each.fresh = false;
      each.transactions++;
      each.bytes += batch.data.reduce((sum, piece) => sum + piece.length, 0);
      each.services += batch.services;
      each.full ||= batch.full;
      return true;
    }
    if (result.outcome === "unknown" || (result.contradicted === true && !each.isContradicted)) {
      // The kernel is read first. Before that no Service is blamed.
      if (result.outcome === "refused") each.isContradicted = true;
      each.unread = true;
      this.#use((engine) => engine.failed(batch.id, now));
      each.failure = result.message;
      each.mayRestartHelp = result.outcome === "unknown";
      return false;
    }
    const judgement = await this.#refusals.judge(batch, result);
    if (judgement.kind === "failed") each.failure = result.message;
    else each.plansAgain = true;
    if (judgement.kind === "left out") each.leftOut.push(...judgement.services);
    return false;
  }

  #use<T>(run: (engine: EngineInstance) => T): T {
    return this.#state.use(run);
  }

  /** The engine that planned is gone: whatever was planned belongs to nobody. */
  #isLost(): boolean {
    return this.#state.generation !== this.#generation;
  }
}
