// The agent's engine: what the API server sends goes in. When an instance is lost, another one takes its place.
import type { ApplyResult, Batch, Kind, Options, Problem } from "../../shared/contract.ts";
import { type EngineInstance, type EngineModule, EngineTrapError } from "../../shared/engine.ts";
import type { BatchLimits } from "../kernel/writer.ts";
import type { ReflectorStore } from "../kube/decoding/reflector-store.ts";
import { step, yieldIfDue } from "../time/yield.ts";
import { type InTurn, SLICE, takeUp } from "./engine-slices.ts";
import { InvalidOptionsError, startEngine } from "./engine-start.ts";
import { type LastNode, noteNode } from "./last-node.ts";
import { ObjectRecord } from "./object-record.ts";
import { traps } from "./trap-trial.ts";
import { findTrapping, type TrappingObject, TrappingObjects } from "./trapping-objects.ts";

export interface ClusterStateEvents {
  /** So many objects that may change rules have been applied. */
  changed(kind: Kind, count: number): void;
  /** A list of that kind is complete for the first time since the instance was made. */
  synced(kind: Kind): void;
  /** A step of a plan is done. */
  progressed(): void;
  /** What was wrong with objects just applied. */
  problems(problems: readonly Problem[], more: number): void;
  /**
   * `found`: objects that have trapped two instances; they are left out from now on. `all`: everything that is left out now.
   */
  trapping(found: readonly TrappingObject[], all: readonly TrappingObject[]): void;
  /** The instance is lost and a fresh, empty one has taken its place: everything has to be listed again. */
  lost(error: EngineTrapError): void;
}

/** How often a caller who can't wait may end a plan early. After that the plan is made in one go. */
const ABANDONED_AT_MOST = 3;

/** For so long after a loss everything that comes is recorded: the same object may trap the next instance. */
const RECORDED_MS = 10 * 60_000;
/** If no object is to blame, the next instance gets nothing for so long; after each further loss twice as long. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/**
 * One engine instance after another. All calls go through `use`, so that a trap is noticed. After a trap there is a fresh
 * instance with the same options; it knows no objects until they have been listed again. The kernel's rules stay meanwhile.
 * If the fresh instance traps too, the objects that do it are found by bisection, in instances made for it, and left out.
 */
export class ClusterState {
  readonly #module: EngineModule;
  #limits: BatchLimits | undefined;
  readonly #events: ClusterStateEvents;
  #engine: EngineInstance;
  #options: Options;
  #synced = new Set<Kind>();
  #generation = 0;
  /** Why the last instance was lost. */
  #lost: EngineTrapError | undefined;
  #planning: Promise<void> | undefined;
  readonly #trapping = new TrappingObjects();
  /** What this instance has been given, if the last one was lost. */
  #record: ObjectRecord | undefined;
  #lostAt = 0;
  #searching: Promise<void> | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #held: Promise<void> | undefined;
  #revision = 0;
  readonly #lastNode: LastNode;

  /**
   * @param lastNode kept where this state is followed by another one
   * @throws {InvalidOptionsError}
   */
  constructor(
    module: EngineModule,
    options: Options,
    limits: BatchLimits | undefined,
    events: ClusterStateEvents,
    lastNode: LastNode = {},
  ) {
    this.#lastNode = lastNode;
    this.#module = module;
    this.#limits = limits;
    this.#events = events;
    this.#options = options;
    this.#engine = this.#start();
  }

  /** Goes up with everything that may change rules. */
  get revision(): number {
    return this.#revision;
  }

  /** How many instances were lost. */
  get generation(): number {
    return this.#generation;
  }

  get options(): Options {
    return this.#options;
  }

  get memoryBytes(): number {
    return this.#engine.memoryBytes;
  }

  /** A complete list of the kind has been read by this instance. */
  isSynced(kind: Kind): boolean {
    return this.#synced.has(kind);
  }

  /** Kinds that the API server doesn't offer count as synced. */
  markAbsent(kind: Kind): void {
    this.#sync(kind);
  }

  /** Of plans to come. @throws {EngineTrapError} the instance was lost, and has been replaced */
  limitBatches(limits: BatchLimits | undefined): void {
    this.#limits = limits;
    if (limits !== undefined) this.use((engine) => engine.setBatchLimits(limits.preferred, limits.largest));
  }

  /** @throws {InvalidOptionsError} nothing was changed */
  configure(options: Options): void {
    const problems = this.use((engine) => engine.configure(options));
    if (problems.length > 0) throw new InvalidOptionsError(problems);
    this.#options = options;
    this.#revision++;
  }

  /** @throws {EngineTrapError} the instance was lost, and has been replaced */
  use<T>(run: (engine: EngineInstance) => T): T {
    try {
      return run(this.#engine);
    } catch (error) {
      if (error instanceof EngineTrapError) this.#replace(error);
      throw error;
    }
  }

  /**
   * Makes the plan that `begin` begins; with `dump` it is a reconciliation. Other work on this thread runs in between, and
   * stores should wait (`ready`). Changes of heavy Services that wait for a portion are part of it only in a reconciliation,
   * or as far as the engine's `beginPortion` allows.
   *
   * @throws {EngineTrapError} the instance was lost, and has been replaced
   */
  async plan(begin: (engine: EngineInstance) => void, dump?: readonly Uint8Array[]): Promise<Batch[]> {
    for (let abandoned = 0; abandoned < ABANDONED_AT_MOST; abandoned++) {
      const batches = await this.#planInTurns(begin, dump);
      if (batches === undefined) continue;
      await yieldIfDue();
      return batches;
    }
    return this.use((engine) => {
      begin(engine);
      for (const messages of dump ?? []) engine.readDump(messages);
      return engine.completePlan();
    });
  }

  /**
   * Asks what can be answered only once the engine has taken up all changes. That is done first, after any plan under way.
   * Other work on this thread runs in between, and stores should wait (`ready`). `everything`: changes that wait for a portion
   * are taken up too, so the next plan has all of them.
   *
   * @throws {EngineTrapError} the instance was lost, and has been replaced
   */
  async ask<T>(run: (engine: EngineInstance) => T, everything = false): Promise<T> {
    return this.#inTurns(async (inTurn) => {
      await takeUp(inTurn, everything);
      return step(() => this.use(run));
    });
  }

  /** Undefined: a caller who couldn't wait has ended it early. */
  #planInTurns(
    begin: (engine: EngineInstance) => void,
    dump: readonly Uint8Array[] | undefined,
  ): Promise<Batch[] | undefined> {
    return this.#inTurns(async (turnOf) => {
      const inTurn: InTurn = async (run) => {
        const result = await turnOf(run);
        this.#events.progressed();
        return result;
      };
      await takeUp(inTurn, dump !== undefined);
      await inTurn(begin);
      for (const messages of dump ?? []) await inTurn((engine) => engine.readDump(messages));
      const batches: Batch[] = [];
      for (;;) {
        const progress = await inTurn((engine) => engine.continuePlan(SLICE));
        if (progress.tag === "some-batches" || progress.tag === "batches") batches.push(...progress.val);
        if (progress.tag === "batches") return batches;
        if (progress.tag === "abandoned") return undefined;
      }
    });
  }

  /** Runs work of several steps; each finds the engine as the step before has left it. One at a time, and stores wait. */
  async #inTurns<T>(work: (inTurn: InTurn) => Promise<T>): Promise<T> {
    for (let wait = this.#busy; wait !== undefined; wait = this.#busy) await wait;
    let done = (): void => {};
    this.#planning = new Promise((resolve) => {
      done = resolve;
    });
    const generation = this.#generation;
    try {
      return await work(async (run) => {
        await yieldIfDue();
        // A fresh instance knows nothing of what was begun, nor of the cluster.
        if (this.#lost !== undefined && this.#generation !== generation) throw this.#lost;
        return step(() => this.use(run));
      });
    } finally {
      this.#planning = undefined;
      done();
    }
  }

  /** Stores should wait until the result is called, also between two plans. */
  hold(): () => void {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#held = held;
    return () => {
      if (this.#held === held) this.#held = undefined;
      release();
    };
  }

  store(kind: Kind): ReflectorStore {
    return {
      ready: () => this.#held ?? this.#busy,
      beginList: () => {
        this.#record?.beginList(kind);
        this.use((engine) => engine.beginList(kind));
      },
      apply: (data) => this.#apply(kind, data),
      endList: () => {
        this.#record?.endList(kind);
        const gone = this.use((engine) => engine.endList(kind));
        if (gone > 0) this.#changed(kind, gone);
        this.#sync(kind);
      },
    };
  }

  #apply(kind: Kind, given: Uint8Array): ApplyResult {
    const data = this.#withoutTrapping(kind, given);
    if (performance.now() - this.#lostAt > RECORDED_MS) this.#record = undefined;
    this.#record?.take(kind, data);
    const result = this.use((engine) => engine.apply(data));
    if (result.problems.length > 0) this.#events.problems(result.problems, result.moreProblems);
    if (kind === "node" && result.changed > 0 && this.use((engine) => engine.node().known)) {
      noteNode(this.#lastNode, data.slice());
    }
    if (result.changed > 0) this.#changed(kind, result.changed);
    return result;
  }

  #changed(kind: Kind, count: number): void {
    this.#revision++;
    this.#events.changed(kind, count);
  }

  #sync(kind: Kind): void {
    if (this.#synced.has(kind)) return;
    this.#synced.add(kind);
    this.#events.synced(kind);
  }

  #start(): EngineInstance {
    return startEngine({
      module: this.#module,
      options: this.#options,
      limits: this.#limits,
      lastNode: this.#lastNode,
    });
  }

  #replace(error: EngineTrapError): void {
    const record = this.#record;
    this.#record = new ObjectRecord();
    this.#lostAt = performance.now();
    this.#engine = this.#start();
    this.#synced = new Set();
    this.#generation++;
    this.#lost = error;
    this.#events.lost(error);
    if (record === undefined || this.#searching !== undefined) return;
    this.#searching = this.#search(record).finally(() => {
      this.#searching = undefined;
    });
  }

  /** What a store or a plan has to wait for. */
  get #busy(): Promise<void> | undefined {
    return this.#planning ?? this.#searching;
  }

  /** Finds the objects that have trapped two instances. If there are none, it pauses. */
  async #search(record: ObjectRecord): Promise<void> {
    const found = await findTrapping(record.objects, (objects) => traps(() => this.#start(), objects));
    for (const object of found) this.#trapping.add(object);
    if (found.length > 0) {
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#events.trapping(found, this.#trapping.list);
      return;
    }
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(pause * 2, LONGEST_PAUSE_MS);
    await new Promise((resolve) => setTimeout(resolve, pause).unref());
  }

  #withoutTrapping(kind: Kind, data: Uint8Array): Uint8Array {
    const before = this.#trapping.list.length;
    if (before === 0) return data;
    const rest = this.#trapping.filter(kind, data);
    const all = this.#trapping.list;
    if (all.length < before) this.#events.trapping([], all);
    return rest;
  }
}
