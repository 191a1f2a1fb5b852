// Runs against the kernel of a network namespace, also with writes that fail, get lost, or are undone by somebody else.
import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { defaultOptions, listOf, makeService, makeServiceCIDR, makeSlice } from "../../../engine/test-support.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { World } from "../../../fixtures/random/world.ts";
import { applyJson, engineModule, newEngine } from "../../../fixtures/support/engine.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import type { Batch, Family } from "../../shared/contract.ts";
import { FAMILIES } from "../../shared/families.ts";
import { type NetlinkMode, openNetlinkWriter } from "../kernel/netlink-writer.ts";
import type { Dump, Intactness, KernelWriter, WriteResult } from "../kernel/writer.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { ClusterState, KEPT_CHAINS } from "./cluster-state.ts";
import { type FamilyReport, Synchronizer } from "./synchronizer.ts";

/** Passes batches on, unless it is told what becomes of the next ones. */
class FaultyWriter implements KernelWriter {
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
  async dump(family: Family): Promise<Dump> {
    return this.dumpFails ? { outcome: "failed", message: "not now" } : this.#inner.dump(family);
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

class Node {
  readonly clock = new ManualClock();
  readonly state: ClusterState;
  readonly writer: FaultyWriter;
  readonly synchronizer: Synchronizer;
  readonly waves: number[] = [];
  reports: FamilyReport[] = [];

  constructor(mode: NetlinkMode, writer: KernelWriter, families = FAMILIES) {
    this.writer = new FaultyWriter(writer);
    const ignore = () => {};
    this.state = new ClusterState(engineModule, defaultOptions(mode), writer.batchLimits, {
      changed: ignore,
      synced: ignore,
      problems: ignore,
      lost: ignore,
    });
    this.synchronizer = new Synchronizer(
      this.state,
      this.writer,
      this.clock,
      { written: ignore, finished: (report) => this.reports.push(report), firstWave: (time) => this.waves.push(time) },
      families,
    );
  }

  static async start(mode: NetlinkMode, families = FAMILIES): Promise<Node> {
    const opened = await openNetlinkWriter(mode);
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

  async run() {
    this.reports = [];
    return this.synchronizer.run();
  }

  /** Runs until there is nothing left to write, deferred deletions too. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) {
      const { failed, dueIn } = await this.run();
      assert.is(failed, false, JSON.stringify(this.reports));
      if (dueIn === undefined) return;
      this.clock.spend(dueIn);
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

const kubernetes = makeService("default/kubernetes", { ip: "10.96.0.1" });
const kubernetesSlice = makeSlice("default/kubernetes", "kubernetes", ["192.0.2.1"]);
const web = makeService("shop/web", { ip: "10.96.0.12,fd00::12" });
const webSlice = makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]);
const cidr = makeServiceCIDR("kubernetes", ["10.96.0.0/16"]);
const all = [kubernetes, kubernetesSlice, web, webSlice, cidr];
const listing = () => spawnSync("nft", ["-s", "list", "ruleset"], { encoding: "utf8" }).stdout;

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before.each(() => nft("flush ruleset"));

  for (const mode of ["flat", "nftables"] as const) {
    test(`${mode}: a cold start has a first wave; a change is written alone; a restart writes nothing`, async () => {
      const node = await Node.start(mode);
      node.put(...all);
      await node.settle();
      assert.is(node.waves.length, 1);
      const [first] = node.writer.written;
      assert.is(first?.full, true);
      assert.equal(await node.difference(all), []);

      const replaced = makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.9"]);
      node.put(replaced);
      const before = node.writer.written.length;
      await node.settle();
      assert.ok(node.writer.written.length > before);
      assert.ok(node.writer.written.slice(before).every(({ full, services }) => !full && services <= 1));
      assert.match(listing(), "10.0.0.9");

      const again = await Node.start(mode);
      again.put(...all.slice(0, 3), replaced, cidr);
      await again.settle();
      assert.equal(again.writer.written, [], "a restart into an unchanged world writes nothing");
      assert.equal(again.waves, []);
      for (const { drift } of again.reports) assert.is(drift?.missing ?? 0, 0);
      await node.writer.close();
      await again.writer.close();
    });

    test(`${mode}: the first wave may go ahead of the lists; what is in them adds to it, and takes out what is not`, async () => {
      const node = await Node.start(mode);
      assert.is(await node.synchronizer.mayWriteAhead(), true);
      const dns = makeService("kube-system/kube-dns", { ip: "10.96.0.10" });
      node.put(kubernetes, kubernetesSlice, dns, makeSlice("kube-system/kube-dns-1", "kube-dns", ["10.0.0.53"]));
      assert.is(await node.synchronizer.writeAhead(), true);
      assert.is(node.waves.length, 1);
      assert.match(listing(), /10\.0\.0\.53/);
      const ahead = node.writer.written.length;
      assert.is(await node.synchronizer.mayWriteAhead(), false, "only once");

      // DNS went while it was being listed.
      for (const [kind, objects] of [
        ["service", [kubernetes, web]],
        ["endpoint-slice", [kubernetesSlice, webSlice]],
        ["service-cidr", [cidr]],
      ] as const) {
        const sink = node.state.sink(kind);
        sink.beginList();
        node.put(...objects);
        sink.endList();
      }
      await node.settle();
      assert.equal(await node.difference(all), []);
      assert.not.match(listing(), /10\.0\.0\.53/);
      assert.ok(node.writer.written.length > ahead);
      assert.is(node.waves.length, 1);
      await node.writer.close();
    });

    test(`${mode}: nothing goes ahead where the kernel has rules already, nor where they come meanwhile`, async () => {
      const before = await Node.start(mode);
      before.put(...all);
      await before.settle();
      const node = await Node.start(mode);
      assert.is(await node.synchronizer.mayWriteAhead(), false);
      const there = listing();
      node.put(kubernetes, kubernetesSlice);
      assert.is(await node.synchronizer.writeAhead(), false);
      assert.is(listing(), there);
      assert.equal(node.writer.written, []);
      node.put(...all);
      await node.settle();
      assert.equal(node.writer.written, []);
      await before.writer.close();
      await node.writer.close();
    });

    test(`${mode}: a first wave ahead of the lists that is refused costs nothing but time`, async () => {
      const node = await Node.start(mode);
      node.writer.next = ({ family }) => (family === "ipv6" ? "refuse" : "write");
      node.put(kubernetes, kubernetesSlice);
      assert.is(await node.synchronizer.writeAhead(), false);
      node.writer.next = () => "write";
      node.put(...all);
      await node.settle();
      assert.equal(await node.difference(all), []);
      await node.writer.close();
    });

    test(`${mode}: what somebody else does to the table is found, said and undone`, async () => {
      const node = await Node.start(mode);
      node.put(...all);
      await node.settle();
      assert.is(await node.synchronizer.look(), false);
      const table = mode === "flat" ? "sluice" : "kube-proxy";
      nft(`delete element ip ${table} cluster-ips { 10.96.0.12 }`);
      assert.is(await node.synchronizer.look(), true);
      const { failed } = await node.run();
      assert.is(failed, false);
      const drift = node.reports.find(({ family }) => family === "ipv4")?.drift;
      assert.is(drift?.missing, 1);
      assert.equal(drift?.names, ["cluster-ips"]);
      nft(`delete table ip ${table}`);
      assert.is(await node.synchronizer.look(), true);
      node.reports.length = 0;
      await node.settle();
      assert.is(node.reports.find(({ family }) => family === "ipv4")?.drift?.rebuilt, true);
      assert.equal(await node.difference(all), []);
      await node.writer.close();
    });
  }

  test("no Service is blamed for what somebody else has deleted: the table is read, and all is written", async () => {
    const node = await Node.start("flat");
    node.put(...all);
    await node.settle();
    nft("delete element ip sluice backends { 10.96.0.12 . tcp . 80 . 1 }");
    // The change deletes that very element; nobody has looked at the kernel before.
    const fewer = makeSlice("shop/web-1", "web", ["10.0.0.1"]);
    node.put(fewer);
    assert.is((await node.run()).failed, true);
    const report = node.reports.find(({ family }) => family === "ipv4");
    assert.match(report?.failure ?? "", "ENOENT");
    assert.equal(report?.leftOut, []);
    assert.is((await node.run()).failed, false);
    assert.equal(node.reports.find(({ family }) => family === "ipv4")?.leftOut, []);
    await node.settle();
    assert.equal(await node.difference([kubernetes, kubernetesSlice, web, fewer, cidr]), []);
    await node.writer.close();
  });

  test("a family that fails does not stop the other, and is written when it can be", async () => {
    const node = await Node.start("flat");
    node.put(...all);
    node.writer.next = ({ family }) => (family === "ipv4" ? "refuse" : "write");
    const { failed } = await node.run();
    assert.is(failed, true);
    assert.equal(
      node.reports.map(({ family, failure }) => [family, failure]),
      [
        ["ipv4", "told to"],
        ["ipv6", undefined],
      ],
    );
    assert.match(listing(), "table ip6 sluice");
    assert.not.match(listing(), "table ip sluice");
    node.writer.next = () => "write";
    await node.settle();
    assert.equal(await node.difference(all), []);
    await node.writer.close();
  });

  test("a family that is not programmed here is left alone", async () => {
    const node = await Node.start("flat", ["ipv4"]);
    node.put(...all);
    await node.settle();
    assert.match(listing(), "table ip sluice");
    assert.not.match(listing(), "table ip6 sluice");
    await node.writer.close();
  });

  test("a kernel that can't be read is not written", async () => {
    const node = await Node.start("flat");
    node.writer.dumpFails = true;
    node.put(...all);
    assert.equal(await node.run(), { failed: true, dueIn: undefined });
    assert.equal(node.writer.written, []);
    await node.writer.close();
  });

  test("a table that reconciliation can't mend is made anew", async () => {
    const node = await Node.start("flat");
    node.put(...all);
    await node.settle();
    nft("delete element ip sluice cluster-ips { 10.96.0.12 }");
    node.synchronizer.doubt();
    const small = node.writer;
    small.next = (batch) => (batch.family === "ipv4" && !batch.full ? "refuse" : "write");
    for (let i = 0; i < 3; i++) assert.is((await node.run()).failed, true);
    await node.run();
    assert.ok(small.written.some(({ family, full }) => family === "ipv4" && full));
    small.next = () => "write";
    await node.settle();
    assert.equal(await node.difference(all), []);
    await node.writer.close();
  });

  const seed = seedFromEnvironment();
  test(`whatever fails or gets lost on the way, the kernel ends where it should be (SEED=${seed})`, async () => {
    for (let round = 0; round < 12; round++) {
      nft("flush ruleset");
      const random = new Random(seed + round);
      const mode = random.pick(["flat", "flat", "nftables"] as const);
      const node = await Node.start(mode);
      const world = new World(random);
      node.put(...world.list());
      const change = () => {
        const { type, object } = world.change();
        if (type === "DELETED") node.remove(object);
        else node.put(object);
      };
      node.writer.next = () => {
        // Objects also change while a batch is on its way.
        if (random.chance(0.2)) change();
        const dice = random.below(10);
        return dice === 0 ? "refuse" : dice === 1 ? "lose" : dice === 2 ? "lose-written" : "write";
      };
      for (let step = 0; step < 15; step++) {
        change();
        const { dueIn } = await node.run();
        if (random.chance(0.2)) node.synchronizer.doubt();
        node.clock.spend(random.chance(0.5) ? 10 : (dueIn ?? 1000));
      }
      node.writer.next = () => "write";
      await node.settle();
      assert.equal(await node.difference(world.list()), [], `round ${round} (${mode})`);
      await node.writer.close();
    }
  });
});
