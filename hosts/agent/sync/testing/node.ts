// What a test needs to synchronise a real kernel: engine, writer that fails on demand, and a clock that is set.
import * as assert from "uvu/assert";
import { applyJson, engineModule, newEngine } from "../../../../fixtures/support/engine.ts";
import { defaultOptions, listOf } from "../../../../fixtures/support/engine-tests.ts";
import type { KubernetesObject } from "../../../../fixtures/support/objects.ts";
import type { Batch, Family, Mode } from "../../../shared/contract.ts";
import { FAMILIES } from "../../../shared/families.ts";
import type { BatchLimits, Dump, Intactness, KernelWriter, WriteResult } from "../../kernel/writer.ts";
import { type NetlinkMode, openNetlinkWriter } from "../../kernel/writers/netlink-writer.ts";
import type { Libc } from "../../netlink/sockets/libc.ts";
import { ManualClock } from "../../time/testing/manual-clock.ts";
import { ClusterState } from "../cluster-state.ts";
import { KEPT_CHAINS } from "../engine-start.ts";
import type { FamilyReport } from "../family-run.ts";
import { Synchronizer } from "../synchronizer.ts";

/** Passes batches on, unless it is told what becomes of the next ones. */
export class FaultyWriter implements KernelWriter {
  readonly #inner: KernelWriter;
  next: (batch: Batch) => "write" | "refuse" | "lose" | "lose-written" = () => "write";
  dumpFails = false;
  readonly written: Batch[] = [];

  constructor(inner: KernelWriter) {
    this.#inner = inner;
  }
  get mode() {
    return this.#inner.mode;
  }
  async dump(family: Family, onPart?: () => void): Promise<Dump> {
    return this.dumpFails ? { outcome: "failed", message: "not now" } : this.#inner.dump(family, onPart);
  }
  async isEmpty(family: Family): Promise<boolean> {
    return (await this.#inner.isEmpty?.(family)) === true;
  }
  async write(batch: Batch): Promise<WriteResult> {
    const what = this.next(batch);
    if (what === "refuse") return { outcome: "refused", message: "told to", sequences: [], transient: true };
    if (what === "lose") return { outcome: "unknown", message: "told to" };
    const result = await this.#inner.write(batch);
    if (what === "lose-written") return { outcome: "unknown", message: "told to" };
    if (result.outcome === "written") this.written.push(batch);
    return result;
  }
  get batchLimits() {
    return this.#inner.batchLimits as BatchLimits;
  }
  messages(batch: Batch): readonly number[] {
    return this.#inner.messages?.(batch) ?? [];
  }
  async attemptPart(batch: Batch, wanted: (message: number, removes: boolean) => boolean): Promise<WriteResult> {
    return (await this.#inner.attemptPart?.(batch, wanted)) ?? { outcome: "unknown", message: "it can't be tried" };
  }
  intactness(family: Family): Promise<Intactness> {
    return this.#inner.intactness(family);
  }
  cleanup(): Promise<void> {
    return this.#inner.cleanup();
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}

/** A synchronizer with an engine and a kernel. */
export class Node {
  readonly clock = new ManualClock();
  readonly state: ClusterState;
  readonly writer: FaultyWriter;
  readonly synchronizer: Synchronizer;
  readonly waves: number[] = [];
  reports: FamilyReport[] = [];

  constructor(mode: Mode, writer: KernelWriter, families = FAMILIES) {
    this.writer = new FaultyWriter(writer);
    const ignore = () => {};
    this.state = new ClusterState(engineModule, defaultOptions(mode), writer.batchLimits, {
      changed: ignore,
      synced: ignore,
      progressed: () => {},
      problems: ignore,
      trapping: ignore,
      lost: ignore,
    });
    this.synchronizer = new Synchronizer(
      this.state,
      this.writer,
      this.clock,
      {
        written: ignore,
        readOn: ignore,
        finished: (report) => this.reports.push(report),
        firstWave: (time) => this.waves.push(time),
      },
      families,
    );
  }

  static async start(mode: NetlinkMode, families = FAMILIES, libc?: Libc): Promise<Node> {
    const opened = await openNetlinkWriter(mode, libc === undefined ? {} : { libc });
    if (opened.outcome !== "opened") throw new Error(opened.message);
    return new Node(mode, opened.writer, families);
  }

  put(...objects: KubernetesObject[]): void {
    this.state.use((engine) => applyJson(engine, listOf(objects)));
  }

  remove(...objects: KubernetesObject[]): void {
    this.state.use((engine) => {
      for (const object of objects) applyJson(engine, { type: "DELETED", object });
    });
  }

  async run(retries = true) {
    this.reports = [];
    return this.synchronizer.run(retries);
  }

  /** Runs until there is nothing left to write, deferred deletions too. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; ) {
      const { failed, dueIn, portionMs } = await this.run();
      assert.is(failed, false, JSON.stringify(this.reports));
      if (portionMs !== undefined) continue;
      if (dueIn === undefined) return;
      this.clock.spend(dueIn);
      i++;
    }
    throw new Error("there is always more to write");
  }

  /** What an engine that starts now would write into this kernel. */
  async difference(objects: KubernetesObject[]): Promise<string[]> {
    const engine = newEngine();
    engine.configure(this.state.options);
    engine.setEncoding("netlink");
    engine.keepChains(KEPT_CHAINS);
    applyJson(engine, listOf(objects));
    const names: string[] = [];
    for (const family of FAMILIES) {
      const dump = await this.writer.dump(family);
      if (dump.outcome !== "dumped") throw new Error(dump.outcome);
      if (engine.reconcile(family, dump.pieces, 0).length > 0) names.push(family, ...engine.drift().names);
    }
    return names;
  }
}
