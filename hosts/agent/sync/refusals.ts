// What follows when the kernel refuses a batch. Either the Services that cause it are left out, and all others go on; or the
// batch is sent in smaller parts; or no Service is to blame, and it is tried again later.
import type { Batch, Family } from "../../shared/contract.ts";
import { type EngineInstance, lengthOf } from "../../shared/engine.ts";
import type { KernelWriter, WriteResult } from "../kernel/writer.ts";
import type { Clock } from "../time/clock.ts";
import { findCulprits, type TrialResult } from "./bisection.ts";
import type { ClusterState } from "./cluster-state.ts";
import { type Suspects, suspectsOf } from "./suspects.ts";

/** A Service whose rules the kernel refuses. */
export interface LeftOut {
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
}

export type Refusal = Extract<WriteResult, { outcome: "refused" }>;

/** What became of a refused batch. It is closed in any case. */
export type Judgement =
  /** Plan again: these Services are left out. */
  | { readonly kind: "left out"; readonly services: readonly LeftOut[] }
  /** Plan again: batches are smaller. */
  | { readonly kind: "smaller" }
  /** It is no Service's fault, as far as anybody can tell. */
  | { readonly kind: "failed" };

const FAILED: Judgement = { kind: "failed" };
/** Refusals that may pass (memory, a lock) are retried so often before Services are suspected. */
const PATIENCE = 3;
/** Batches are not made smaller than this. */
const SMALLEST_BATCH = 4096;

/**
 * The kernel mostly names the messages that it refuses. It names none when it refuses the batch as a whole: too long, no
 * memory, too many jumps in the table. Then parts of the batch are tried by bisection, in dry runs. If the kernel takes all
 * parts but not the whole, batches become smaller. If even that does not help, all Services of that small batch are left out
 * until they are tried again.
 */
export class Refusals {
  readonly #state: ClusterState;
  readonly #writer: KernelWriter;
  readonly #clock: Clock;
  /** Passing refusals in a row. */
  readonly #waits = new Map<Family, number>();
  /** Largest batch in bytes, if the kernel takes less than the socket allows. */
  #preferred: number | undefined;

  constructor(state: ClusterState, writer: KernelWriter, clock: Clock) {
    this.#state = state;
    this.#writer = writer;
    this.#clock = clock;
  }

  /** The family is written as it should be. */
  settled(family: Family): void {
    this.#waits.delete(family);
  }

  /** All that was refused is about to be tried again, at full length. */
  retried(): void {
    if (this.#preferred === undefined) return;
    this.#preferred = undefined;
    this.#state.limitBatches(this.#writer.batchLimits);
  }

  /** @throws {EngineTrapError} */
  async judge(batch: Batch, refusal: Refusal): Promise<Judgement> {
    const { generation } = this.#state;
    const isLost = () => this.#state.generation !== generation;
    if (refusal.forbidden === true) return this.#fail(batch);
    // In iptables mode somebody holds the lock. That is no Service's fault, however long it takes.
    const waits = refusal.transient && (this.#writer.attemptPart === undefined || this.#isPatient(batch.family));
    if (waits) return this.#fail(batch);
    if (this.#namesServices(refusal.sequences)) return this.#leaveOutNamed(batch, refusal);
    const suspects = suspectsOf(batch, this.#writer, (run) => this.#use(run));
    if (suspects.count === 0) return this.#fail(batch);
    const attempt = (first: number, count: number): Promise<TrialResult> =>
      isLost() ? Promise.resolve({ outcome: "unclear" }) : this.#attempt(suspects, first, count, refusal.transient);
    const culprits = await findCulprits(suspects.count, attempt);
    if (isLost()) return FAILED;
    // One call for each, so that each has its own reason: the first closes the batch.
    const found = culprits.flatMap(({ number, reason }) => this.#leaveOut(suspects, number, reason));
    if (found.length > 0) return { kind: "left out", services: found };
    if (this.#writer.attemptPart === undefined) return this.#fail(batch);

    // If the rules that belong to no Service are refused by themselves, no Service is to blame.
    const alone = await attempt(0, 0);
    if (isLost()) return FAILED;
    if (alone.outcome !== "taken") return this.#fail(batch);
    // The reason may have passed during the trials. But some refusals come only with a real commit, so this is bounded.
    if (refusal.transient && (this.#waits.get(batch.family) ?? 0) < 2 * PATIENCE) {
      const whole = await attempt(0, suspects.count);
      if (isLost()) return FAILED;
      if (whole.outcome === "taken") return this.#fail(batch);
    }
    if (suspects.count > 1 && this.#makeSmaller(batch)) return { kind: "smaller" };
    const all = Array.from({ length: suspects.count }, (_, number) => number);
    return {
      kind: "left out",
      services: all.flatMap((number) => this.#leaveOut(suspects, number, refusal.message)),
    };
  }

  #isPatient(family: Family): boolean {
    const waits = (this.#waits.get(family) ?? 0) + 1;
    this.#waits.set(family, waits);
    return waits < PATIENCE;
  }

  /** In iptables mode, which has numbers of lines, the engine says so when they are left out. */
  #namesServices(sequences: readonly number[]): boolean {
    if (sequences.length === 0 || this.#writer.messages === undefined) return sequences.length > 0;
    return this.#use((engine) => engine.causes(sequences)).some((cause) => cause !== 0);
  }

  /** What belongs to nobody is planned again without them: it may have been made for them. */
  #leaveOutNamed(batch: Batch, { sequences, message }: Refusal): Judgement {
    const names = this.#use((engine) => engine.refused(batch.id, sequences, this.#clock.now()));
    const services = names.filter(({ name }) => name !== "").map((service) => ({ ...service, reason: message }));
    return services.length === 0 ? FAILED : { kind: "left out", services };
  }

  #leaveOut(suspects: Suspects, number: number, reason: string): LeftOut[] {
    return suspects.leaveOut(number, this.#clock.now()).map(({ namespace, name }) => ({ namespace, name, reason }));
  }

  /** `passing`: the reason may pass, and has not so far. */
  async #attempt(suspects: Suspects, first: number, count: number, passing: boolean): Promise<TrialResult> {
    const tried = await suspects.attempt(first, count);
    if (tried.outcome === "written") return { outcome: "taken" };
    // A part may lack what another Service's part of the batch makes, or deletes before.
    const isClear = tried.outcome === "refused" && tried.contradicted !== true && (passing || !tried.transient);
    return isClear ? { outcome: "refused", reason: tried.message } : { outcome: "unclear" };
  }

  /** False: they can't be. */
  #makeSmaller(batch: Batch): boolean {
    const limits = this.#writer.batchLimits;
    if (limits === undefined) return false;
    const preferred = Math.min(this.#preferred ?? limits.preferred, lengthOf(batch.data)) >> 1;
    if (preferred < SMALLEST_BATCH) return false;
    this.#preferred = preferred;
    this.#state.limitBatches({ preferred, largest: Math.min(limits.largest, 2 * preferred) });
    this.#fail(batch);
    return true;
  }

  #fail(batch: Batch): Judgement {
    this.#use((engine) => engine.failed(batch.id, this.#clock.now()));
    return FAILED;
  }

  #use<T>(run: (engine: EngineInstance) => T): T {
    return this.#state.use(run);
  }
}
