// The engine as hosts use it: one compiled module, any number of instances. Runs in Node and in browsers alike;
// engine-node.ts reads the files for Node.
import { BatchParts } from "./batch-parts.ts";
import type {
  ApplyResult,
  Batch,
  CheckedFlows,
  DriftReport,
  Encoding,
  EngineExports,
  Extension,
  Family,
  HealthCheck,
  Instantiate,
  InstantiateCore,
  Kind,
  LackingService,
  LocalhostChanges,
  NodeView,
  Options,
  PlanProgress,
  Problem,
  ServiceName,
  StaleFlow,
  Totals,
} from "./contract.ts";

/**
 * The instance trapped, ran out of memory or overflowed its stack. It must not be used again: make a new one and
 * apply the inputs again (`RestartingEngine` does).
 */
export class EngineTrapError extends Error {
  override readonly name = "EngineTrapError";
  /** The function of the contract that was called. */
  readonly operation: string;

  constructor(operation: string, cause: unknown) {
    super(`the engine stopped in ${operation}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.operation = operation;
  }
}

/** The compiled engine. Instances share the code, and nothing else. */
export class EngineModule {
  readonly #instantiate: Instantiate;
  readonly #getCoreModule: (name: string) => WebAssembly.Module;
  readonly #instantiateCore: InstantiateCore;

  /** `instantiateCore` is for tests and measurements: it may wrap the core instance's exports. */
  constructor(
    instantiate: Instantiate,
    getCoreModule: (name: string) => WebAssembly.Module,
    instantiateCore: InstantiateCore = (module, imports) => new WebAssembly.Instance(module, imports),
  ) {
    this.#instantiate = instantiate;
    this.#getCoreModule = getCoreModule;
    this.#instantiateCore = instantiateCore;
  }

  create(): EngineInstance {
    let memory: WebAssembly.Memory | undefined;
    try {
      const { engine } = this.#instantiate(this.#getCoreModule, {}, (module, imports) => {
        const instance = this.#instantiateCore(module, imports);
        if (instance.exports.memory instanceof WebAssembly.Memory) memory ??= instance.exports.memory;
        return instance;
      });
      return new EngineInstance(engine, () => memory?.buffer.byteLength ?? 0);
    } catch (error) {
      throw new EngineTrapError("instantiate", error);
    }
  }
}

/** One node's view of a cluster. The functions are those of engine/engine.wit; see there for what they promise. */
export class EngineInstance {
  #exports: EngineExports | undefined;
  readonly #memoryBytes: () => number;
  readonly #parts = new BatchParts();

  constructor(exports: EngineExports, memoryBytes: () => number = () => 0) {
    this.#exports = exports;
    this.#memoryBytes = memoryBytes;
  }

  /** False after a trap. */
  get usable(): boolean {
    return this.#exports !== undefined;
  }

  /** Size of the linear memory: it never shrinks. */
  get memoryBytes(): number {
    return this.#memoryBytes();
  }

  configure(options: Options): Problem[] {
    return this.#call("configure", (engine) => engine.configure(options));
  }
  apply(data: Uint8Array): ApplyResult {
    return this.#call("apply", (engine) => engine.apply(data));
  }
  beginList(kind: Kind): void {
    this.#call("begin-list", (engine) => engine.beginList(kind));
  }
  endList(kind: Kind): number {
    return this.#call("end-list", (engine) => engine.endList(kind));
  }
  nodes(): string[] {
    return this.#call("nodes", (engine) => engine.nodes());
  }
  node(): NodeView {
    return this.#call("node", (engine) => engine.node());
  }
  nodePortIps(family: Family): string[] | undefined {
    return this.#call("node-port-ips", (engine) => engine.nodePortIps(family));
  }
  /** False: something has been looked up already. */
  setBucketSeed(seed: bigint): boolean {
    return this.#call("set-bucket-seed", (engine) => engine.setBucketSeed(seed));
  }
  /** About `work` entry points and endpoints of what has changed; true: all of it is taken up. */
  takeUp(work: number): boolean {
    return this.#call("take-up", (engine) => engine.takeUp(work));
  }
  setPortion(work: number): void {
    this.#call("set-portion", (engine) => engine.setPortion(work));
  }
  /** False: no heavy Service waits for a portion. */
  beginPortion(): boolean {
    return this.#call("begin-portion", (engine) => engine.beginPortion());
  }
  healthChecksRevision(): number {
    return this.#call("health-checks-revision", (engine) => engine.healthChecksRevision());
  }
  healthChecks(): HealthCheck[] {
    return this.#call("health-checks", (engine) => engine.healthChecks());
  }
  /** Node ports for which the host listens itself, as far as they have changed; about `work` endpoints of them. */
  localhostListeners(work: number): LocalhostChanges {
    return this.#call("localhost-listeners", (engine) => engine.localhostListeners(work));
  }
  count(): Totals {
    return this.#call("count", (engine) => engine.count());
  }
  /** As `count`, of what has been taken up and routed so far. */
  counted(): Totals {
    return this.#call("counted", (engine) => engine.counted());
  }
  measureChanges(sinceMs: number): void {
    this.#call("measure-changes", (engine) => engine.measureChanges(milliseconds(sinceMs)));
  }
  /** Milliseconds since 1970. */
  programmed(family: Family): number[] {
    return this.#call("programmed", (engine) => Array.from(engine.programmed(family), Number));
  }
  problems(): Problem[] {
    return this.#call("problems", (engine) => engine.problems());
  }
  render(family: Family): Uint8Array[] {
    return this.#call("render", (engine) => engine.render(family));
  }
  blame(family: Family): Uint8Array[] {
    return this.#call("blame", (engine) => engine.blame(family));
  }
  describe(): Uint8Array[] {
    return this.#call("describe", (engine) => engine.describe());
  }
  setEncoding(encoding: Encoding): void {
    this.#call("setEncoding", (engine) => engine.setEncoding(encoding));
  }
  drift(): DriftReport {
    return this.#call("drift", (engine) => engine.drift());
  }
  setBatchLimits(preferred: number, largest: number): void {
    this.#call("setBatchLimits", (engine) => engine.setBatchLimits(preferred, largest));
  }
  refused(id: number, sequences: readonly number[], nowMs: number): ServiceName[] {
    return this.#call("refused", (engine) => engine.refused(id, new Uint32Array(sequences), milliseconds(nowMs)));
  }
  setMissingExtensions(family: Family, missing: readonly Extension[]): void {
    this.#call("set-missing-extensions", (engine) => engine.setMissingExtensions(family, [...missing]));
  }
  lacking(family: Family): LackingService[] {
    return this.#call("lacking", (engine) => engine.lacking(family));
  }
  chainsInUse(family: Family, names: readonly string[]): boolean[] {
    return this.#call("chains-in-use", (engine) => engine.chainsInUse(family, [...names]));
  }
  causes(sequences: readonly number[]): Uint32Array {
    return this.#call("causes", (engine) => engine.causes(new Uint32Array(sequences)));
  }
  suspects(id: number): number {
    return this.#call("suspects", (engine) => engine.suspects(id));
  }
  trial(id: number, first: number, count: number): Uint8Array[] {
    return this.#call("trial", (engine) => engine.trial(id, first, count));
  }
  refusedSuspects(id: number, numbers: readonly number[], nowMs: number): ServiceName[] {
    return this.#call("refused-suspects", (engine) =>
      engine.refusedSuspects(id, new Uint32Array(numbers), milliseconds(nowMs)),
    );
  }
  leftOut(): ServiceName[] {
    return this.#call("leftOut", (engine) => engine.leftOut());
  }
  leftOutCount(family: Family): number {
    return this.#call("leftOutCount", (engine) => engine.leftOutCount(family));
  }
  retry(): void {
    this.#call("retry", (engine) => engine.retry());
  }
  beginPlan(nowMs: number): void {
    this.#call("begin-plan", (engine) => engine.beginPlan(milliseconds(nowMs)));
  }
  beginFirstWave(nowMs: number): void {
    this.#call("begin-first-wave", (engine) => engine.beginFirstWave(milliseconds(nowMs)));
  }
  beginReconcile(family: Family, dumpBytes: number, nowMs: number): void {
    this.#call("begin-reconcile", (engine) => engine.beginReconcile(family, dumpBytes, milliseconds(nowMs)));
  }
  readDump(messages: Uint8Array): void {
    this.#call("read-dump", (engine) => engine.readDump(messages));
  }
  /** `work`: about how many endpoints are planned or compared before it returns. */
  continuePlan(work: number): PlanProgress {
    return this.#parts.add(this.#call("continue-plan", (engine) => engine.continuePlan(work)));
  }
  /** A whole plan in one go. */
  plan(nowMs: number): Batch[] {
    this.beginPlan(nowMs);
    return this.completePlan();
  }
  /** A whole first wave in one go. */
  planFirstWave(nowMs: number): Batch[] {
    this.beginFirstWave(nowMs);
    return this.completePlan();
  }
  /** A whole reconciliation in one go. */
  reconcile(family: Family, dump: readonly Uint8Array[], nowMs: number): Batch[] {
    this.beginReconcile(family, lengthOf(dump), nowMs);
    for (const messages of dump) this.readDump(messages);
    return this.completePlan();
  }
  plannedServices(family: Family): ServiceName[] {
    return this.#call("planned-services", (engine) => engine.plannedServices(family));
  }
  keepLastNode(): void {
    this.#call("keep-last-node", (engine) => engine.keepLastNode());
  }
  keepChains(count: number): void {
    this.#call("keep-chains", (engine) => engine.keepChains(count));
  }
  committed(id: number, nowMs: number): void {
    this.#call("committed", (engine) => engine.committed(id, milliseconds(nowMs)));
  }
  failed(id: number, nowMs: number): void {
    this.#call("failed", (engine) => engine.failed(id, milliseconds(nowMs)));
  }
  flowCheckDue(family: Family, flows: CheckedFlows): boolean {
    return this.#call("flow-check-due", (engine) => engine.flowCheckDue(family, flows));
  }
  beginFlowCheck(family: Family, flows: CheckedFlows): void {
    this.#call("begin-flow-check", (engine) => engine.beginFlowCheck(family, flows));
  }
  staleFlows(family: Family, dump: Uint8Array): StaleFlow[] {
    return this.#call("stale-flows", (engine) => engine.staleFlows(family, dump));
  }
  endFlowCheck(family: Family, flows: CheckedFlows, complete: boolean): void {
    this.#call("end-flow-check", (engine) => engine.endFlowCheck(family, flows, complete));
  }
  forget(): void {
    this.#call("forget", (engine) => engine.forget());
  }

  /** The rest of what was begun, in one go. */
  completePlan(): Batch[] {
    const batches: Batch[] = [];
    for (;;) {
      const progress = this.continuePlan(0xffff_ffff);
      if (progress.tag === "some-batches" || progress.tag === "batches") batches.push(...progress.val);
      if (progress.tag === "batches") return batches;
      if (progress.tag === "abandoned") throw new Error("a plan was abandoned in the middle of a call");
    }
  }

  #call<T>(operation: string, run: (engine: EngineExports) => T): T {
    if (this.#exports === undefined) {
      throw new EngineTrapError(operation, new Error("this instance has trapped before and must not be used again"));
    }
    try {
      return run(this.#exports);
    } catch (error) {
      // The contract has no `result` types, so whatever is thrown is a trap. jco itself would not notice a stack
      // overflow (a RangeError) and would go on with the broken instance.
      this.#exports = undefined;
      throw new EngineTrapError(operation, error);
    }
  }
}

function milliseconds(clock: number): bigint {
  return BigInt(Math.max(0, Math.floor(clock)));
}

export function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** Joins the pieces in which the engine hands out long texts. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1 && pieces[0] !== undefined) return pieces[0];
  const joined = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
