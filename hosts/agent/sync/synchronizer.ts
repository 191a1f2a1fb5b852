// Takes the kernel from what it holds to what it should hold: one run reads what is in doubt, plans, and writes.
import type { Batch, DriftReport, Extension, Family } from "../../shared/contract.ts";
import { type EngineInstance, EngineTrapError, lengthOf } from "../../shared/engine.ts";
import { FAMILIES } from "../../shared/families.ts";
import type { Clock } from "../clock.ts";
import type { KernelWriter, WriteResult } from "../kernel/writer.ts";
import type { ClusterState } from "./cluster-state.ts";
import { findCulprits } from "./culprits.ts";
import type { RunOutcome } from "./schedule.ts";

/** What one run has done for one family. */
export interface FamilyReport {
  readonly family: Family;
  /** Transactions that the kernel has taken. */
  readonly transactions: number;
  readonly bytes: number;
  /** Services whose rules were written, and the first of their names. */
  readonly services: number;
  readonly names: readonly string[];
  /** The stock rules were among it. */
  readonly full: boolean;
  readonly milliseconds: number;
  /** The table was read back; what differed. */
  readonly drift: DriftReport | undefined;
  /** Services that the kernel did not take: all else is written. */
  readonly leftOut: readonly LeftOut[];
  /** Why not everything is written; undefined: the kernel holds what it should, but for what is left out. */
  readonly failure: string | undefined;
}

/** A Service whose rules the kernel refuses. */
export interface LeftOut {
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
}

export interface SynchronizerEvents {
  /** The kernel has taken a batch. */
  written(batch: Batch): void;
  /** A run is over for a family. */
  finished(report: FamilyReport): void;
  /** The first wave of a cold start is in the kernel. */
  firstWave(milliseconds: number): void;
}

type Refusal = Extract<WriteResult, { outcome: "refused" }>;

/** Reconciliations in a row that the kernel may refuse before the table is made anew. */
const MAX_REFUSED = 2;
/** Between emptying a chain and deleting it, plus what a plan takes: nothing is due later than this. */
const MAX_PLANS = 8;

class FamilyState {
  readonly family: Family;
  /** It is not known what the kernel holds. */
  unread = true;
  /** Nothing has been written yet by this engine instance. */
  fresh = true;
  refusedReconciliations = 0;
  /** The kernel has contradicted what we thought it holds, and not taken a whole run since. */
  isContradicted = false;

  transactions = 0;
  bytes = 0;
  services = 0;
  names: string[] = [];
  full = false;
  milliseconds = 0;
  drift: DriftReport | undefined;
  leftOut: LeftOut[] = [];
  failure: string | undefined;

  constructor(family: Family) {
    this.family = family;
  }

  begin(): void {
    this.transactions = 0;
    this.bytes = 0;
    this.services = 0;
    this.names = [];
    this.full = false;
    this.milliseconds = 0;
    this.drift = undefined;
    this.leftOut = [];
    this.failure = undefined;
  }

  report(): FamilyReport {
    const { family, transactions, bytes, services, names, full, milliseconds, drift, leftOut, failure } = this;
    return { family, transactions, bytes, services, names, full, milliseconds, drift, leftOut, failure };
  }
}

/**
 * Runs must not overlap (`Schedule` sees to it). A family that fails does not stop the other one. The engine may take
 * objects while a batch is on its way: they are part of the next plan.
 */
export class Synchronizer {
  readonly #state: ClusterState;
  readonly #writer: KernelWriter;
  readonly #clock: Clock;
  readonly #events: SynchronizerEvents;
  readonly #families: FamilyState[];
  #generation = 0;
  /** Of the engine that knows what the node lacks. */
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
    this.#families = families.map((family) => new FamilyState(family));
    this.#generation = state.generation;
  }

  /** Families whose rules the next run reads before it plans. */
  get unread(): Family[] {
    const isLost = this.#isLost();
    return this.#families.filter(({ unread }) => unread || isLost).map(({ family }) => family);
  }

  /** The next run reads the kernel before it plans. */
  doubt(family?: Family): void {
    for (const each of this.#families) if (family === undefined || each.family === family) each.unread = true;
  }

  /** Asks the kernel whether somebody else has touched the rules; true if the next run has to read them. */
  async look(): Promise<boolean> {
    let doubtful = false;
    for (const each of this.#families) {
      if ((await this.#writer.intactness(each.family)) === "perhaps-touched") each.unread = true;
      doubtful ||= each.unread;
    }
    return doubtful;
  }

  /** Services that the kernel has refused are tried again in the next run. Returns how many there are. */
  retryLeftOut(): number {
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
   * Writes the first wave before the cluster is known: the engine has been given what belongs to it, and the kernel has
   * nothing of ours that would have to be compared with all the rest. The next run goes on from there. False: it is not
   * written, and the next run begins from nothing.
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

  async run(): Promise<RunOutcome> {
    this.#begin();
    try {
      for (const each of this.#families) if (each.unread) await this.#read(each);
      if (this.#families.every((each) => each.fresh && !each.unread)) await this.#writeFirstWave();
      const dueIn = await this.#writePlan();
      for (const each of this.#families) if (each.failure === undefined) each.isContradicted = false;
      return { failed: this.#families.some(({ failure }) => failure !== undefined), dueIn };
    } catch (error) {
      if (!(error instanceof EngineTrapError)) throw error;
      // The state has a fresh instance by now, and asks for a run when everything is listed again.
      for (const each of this.#families) each.failure = error.message;
      return { failed: false };
    } finally {
      for (const each of this.#families) this.#events.finished(each.report());
    }
  }

  #begin(): void {
    if (this.#state.generation !== this.#generation) {
      this.#generation = this.#state.generation;
      for (const each of this.#families) {
        each.unread = true;
        each.fresh = true;
      }
    }
    if (this.#toldGeneration !== this.#generation) {
      this.#toldGeneration = this.#generation;
      this.#tellMissing();
    }
    for (const each of this.#families) each.begin();
  }

  #tellMissing(): void {
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

  /** Reads what the kernel holds, and writes the difference. */
  async #read(each: FamilyState): Promise<void> {
    const start = this.#clock.now();
    const dump = await this.#writer.dump(each.family);
    each.milliseconds += this.#clock.now() - start;
    if (this.#isLost()) return;
    if (dump.outcome === "failed") {
      each.failure = dump.message;
      return;
    }
    if (dump.outcome === "unsupported" || each.refusedReconciliations > MAX_REFUSED) {
      if (dump.outcome === "unsupported") each.drift = dump.drift;
      // `forget` is for both families.
      await this.#state.ask((engine) => engine.forget());
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
    const batches = await this.#state.plan(
      (engine) => engine.beginReconcile(each.family, lengthOf(dump.pieces), this.#clock.now()),
      dump.pieces,
    );
    each.drift = this.#use((engine) => engine.drift());
    each.unread = false;
    each.fresh = false;
    await this.#write(batches);
    if (each.failure === undefined) {
      each.refusedReconciliations = 0;
      return;
    }
    // The engine counts what was refused as not written, but did it read the dump rightly?
    each.unread = true;
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
    for (let i = 0; i < MAX_PLANS; i++) {
      if (this.#isLost()) return undefined;
      const plan = await this.#state.plan((engine) => engine.beginPlan(this.#clock.now()));
      this.#noteLacking();
      const batches = plan.filter(({ family }) =>
        this.#families.some((each) => each.family === family && !each.unread),
      );
      if (batches.length === 0) return undefined;
      for (const each of this.#families) {
        if (each.names.length > 0 || !batches.some(({ family }) => family === each.family)) continue;
        each.names = this.#use((engine) => engine.plannedServices(each.family)).map(
          ({ namespace, name }) => `${namespace}/${name}`,
        );
      }
      const dueIn = await this.#write(batches);
      if (dueIn !== undefined) return dueIn;
      if (this.#families.some(({ failure }) => failure !== undefined)) return undefined;
    }
    return 0;
  }

  /** Writes batches in order until one of the family fails or is not due yet. */
  async #write(batches: readonly Batch[]): Promise<number | undefined> {
    const planned = this.#clock.now();
    const done = new Set<Family>();
    let dueIn: number | undefined;
    for (const batch of batches) {
      const each = this.#families.find(({ family }) => family === batch.family);
      if (each === undefined || done.has(batch.family)) continue;
      if (batch.notBeforeMs > 0) {
        dueIn = Math.min(dueIn ?? Number.POSITIVE_INFINITY, batch.notBeforeMs);
        done.add(batch.family);
        continue;
      }
      const start = this.#clock.now();
      const result = await this.#writer.write(batch);
      each.milliseconds += this.#clock.now() - start;
      if (this.#isLost()) return undefined;
      const isSettled = await this.#findCulprits(each, batch, result);
      if (this.#isLost()) return undefined;
      if (isSettled || !this.#close(each, batch, result)) done.add(batch.family);
    }
    return dueIn === undefined ? undefined : Math.max(0, planned + dueIn - this.#clock.now());
  }

  /** Tells the engine what became of a batch. False: the rest of the family's batches must not be sent. */
  #close(each: FamilyState, batch: Batch, result: WriteResult): boolean {
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
    if (result.outcome === "refused" && result.contradicted === true && !each.isContradicted) {
      // Before a Service is blamed for it, what the kernel really holds is read.
      each.isContradicted = true;
      each.unread = true;
      this.#use((engine) => engine.failed(batch.id, now));
    } else if (result.outcome === "refused" && !result.transient && result.sequences.length > 0) {
      if (this.#leaveOut(each, batch, result)) return false;
    } else {
      this.#use((engine) => engine.failed(batch.id, now));
    }
    each.failure = result.message;
    if (result.outcome === "unknown") each.unread = true;
    return false;
  }

  /**
   * Where the kernel has refused a batch and does not say which line, in a mode that can try, leaves the Services whose rules
   * it refuses out of the next plan. False: it is not that, or no Service is to blame, and the batch is still open.
   */
  async #findCulprits(each: FamilyState, batch: Batch, result: WriteResult): Promise<boolean> {
    if (result.outcome !== "refused" || result.transient || result.sequences.length > 0) return false;
    const count = this.#writer.attempt === undefined ? 0 : this.#use((engine) => engine.suspects(batch.id));
    if (count === 0) return false;
    const culprits = await findCulprits(count, async (first, size) => {
      if (this.#isLost()) return { outcome: "unclear" };
      const trial = this.#use((engine) => engine.trial(batch.id, first, size));
      const tried = await this.#writer.attempt?.(batch.family, trial);
      if (tried?.outcome === "written") return { outcome: "taken" };
      const isClear = tried?.outcome === "refused" && !tried.transient;
      return isClear ? { outcome: "refused", reason: tried.message } : { outcome: "unclear" };
    });
    if (culprits.length === 0 || this.#isLost()) return false;
    // One call for each, so that each has its own reason: the first closes the batch.
    for (const { number, reason } of culprits) {
      const names = this.#use((engine) => engine.refusedSuspects(batch.id, [number], this.#clock.now()));
      each.leftOut.push(...names.map(({ namespace, name }) => ({ namespace, name, reason })));
    }
    return true;
  }

  /** Leaves the Services that the kernel has refused out of the next plan. False: no Service is to blame. */
  #leaveOut(each: FamilyState, batch: Batch, { sequences, message }: Refusal): boolean {
    const names = this.#use((engine) => engine.refused(batch.id, sequences, this.#clock.now()));
    const services = names.filter(({ name }) => name !== "");
    each.leftOut.push(...services.map(({ namespace, name }) => ({ namespace, name, reason: message })));
    return services.length > 0 && services.length === names.length;
  }

  #use<T>(run: (engine: EngineInstance) => T): T {
    return this.#state.use(run);
  }

  /** The engine that planned is gone: whatever was planned belongs to nobody. */
  #isLost(): boolean {
    return this.#state.generation !== this.#generation;
  }
}
