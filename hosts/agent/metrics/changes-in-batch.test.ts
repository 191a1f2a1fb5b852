// How much batches change, told from what the engine writes.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeEngine, makeService, makeSlice, put } from "../../../engine/test-support.ts";
import type { Batch, Family } from "../../shared/contract.ts";
import type { Dump, Intactness, KernelWriter, WriteResult } from "../kernel/writer.ts";
import { changesInNetlink, rulesInIptables } from "./changes-in-batch.ts";
import { measuredWriter } from "./measured-writer.ts";
import { Metrics } from "./metrics.ts";

const test = suite("agent: changes in a batch");

function flat() {
  const engine = makeEngine("flat");
  engine.setEncoding("netlink");
  let now = 0;
  const sync = () => {
    now += 5000;
    const batches = engine.plan(now).filter(({ family }) => family === "ipv4");
    for (const { id } of batches) engine.committed(id, now);
    return batches.reduce((sum, { data }) => sum + changesInNetlink(data), 0);
  };
  return { engine, sync };
}

test("netlink: elements are counted one by one, whatever the messages that hold them", () => {
  const { engine, sync } = flat();
  sync();
  put(engine, makeService("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
  const made = sync();
  assert.ok(made >= 6, `${made}: a verdict, three endpoints, a chain and its rules`);
  put(engine, makeSlice("x/a-1", "a", ["10.0.0.1", "10.0.0.2", "10.0.0.4"]));
  const replaced = sync();
  assert.ok(replaced > 0 && replaced < made, `${replaced}`);
  assert.is(sync(), 0);
});

test("netlink: broken bytes end the count", () => {
  assert.is(changesInNetlink([]), 0);
  assert.is(changesInNetlink([new Uint8Array(15)]), 0);
  assert.is(changesInNetlink([new Uint8Array(64)]), 0);
  const cut =
    flat()
      .engine.plan(0)[0]
      ?.data.map((piece) => piece.slice(0, piece.length - 7)) ?? [];
  assert.ok(changesInNetlink(cut) > 0);
});

test("iptables: rules by table, equal to what the engine says of a full sync", () => {
  const engine = makeEngine("iptables");
  put(engine, makeService("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1", "10.0.0.2"]));
  const rules = rulesInIptables(engine.plan(0).find(({ family }) => family === "ipv4")?.data ?? []);
  const { iptablesFilterRules, iptablesNatRules } = engine.count().ipv4;
  assert.equal(Object.fromEntries(rules), { filter: iptablesFilterRules, nat: iptablesNatRules });
  assert.ok(iptablesNatRules > 5);
});

test("a measured writer counts what the kernel has taken, and passes everything on", async () => {
  const metrics = new Metrics({ mode: "iptables", version: "1.2.3" });
  const called: string[] = [];
  class Writer implements KernelWriter {
    readonly mode = "iptables";
    readonly #called = called; // out of reach for anything but the object itself
    result: WriteResult = { outcome: "written" };
    async dump(family: Family): Promise<Dump> {
      this.#called.push(`dump ${family}`);
      return { outcome: "unsupported" };
    }
    async write(batch: Batch): Promise<WriteResult> {
      this.#called.push(`write ${batch.id}`);
      return this.result;
    }
    async intactness(family: Family): Promise<Intactness> {
      this.#called.push(`intactness ${family}`);
      return "untouched";
    }
    async cleanup(): Promise<void> {
      this.#called.push("cleanup");
    }
    async close(): Promise<void> {
      this.#called.push("close");
    }
  }
  const inner = new Writer();
  const writer = measuredWriter(inner, metrics);
  const data = [new TextEncoder().encode("*nat\n-A X -j Y\nCOMMIT\n")];
  const batch: Batch = { id: 1, family: "ipv4", notBeforeMs: 0, data, services: 1, full: false };
  assert.is(await writer.write(batch), inner.result);
  inner.result = { outcome: "unknown", message: "gone" };
  assert.is(await writer.write({ ...batch, id: 2 }), inner.result);
  assert.match(await metrics.text(), 'sluice_changed_elements_total{ip_family="IPv4"} 1\n');
  assert.is(writer.mode, "iptables");
  assert.equal(await writer.dump("ipv6"), { outcome: "unsupported" });
  assert.is(await writer.intactness("ipv4"), "untouched");
  await writer.cleanup();
  await writer.close();
  assert.equal(called, ["write 1", "write 2", "dump ipv6", "intactness ipv4", "cleanup", "close"]);
});

test.run();
