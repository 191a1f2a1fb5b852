// How much batches change, told from what the engine writes.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeEngine, makeService, makeSlice, put } from "../../../fixtures/support/engine-tests.ts";
import { changesInNetlink, rulesInIptables } from "./changes-in-batch.ts";

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

test.run();
