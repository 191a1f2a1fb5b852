// An object that the engine can't stand is found by halves and left out, and all others go on.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode, engineModule, join } from "../../../fixtures/support/engine.ts";
import {
  addresses,
  defaultOptions,
  type KubernetesObject,
  listOf,
  makeService,
  makeSlice,
} from "../../../fixtures/support/engine-tests.ts";
import type { Kind } from "../../shared/contract.ts";
import { EngineTrapError } from "../../shared/engine.ts";
import { fakeEngine } from "../../shared/testing/fake-engine.ts";
import { ClusterState } from "./cluster-state.ts";
import { ObjectRecord, without } from "./object-record.ts";
import { findTrapping, TrappingObjects } from "./trapping-objects.ts";

const test = suite("sync: trapping objects");

/** A slice that no API server takes: each of 20,000 ports of one name feeds the Service's port. It traps once it is routed. */
function trappingSlice(name: string): KubernetesObject {
  const ports = Array.from({ length: 20_000 }, (_, i) => ({ name: "http", port: i + 1 }));
  return makeSlice(name, "big", addresses(1000), { ports });
}

/** A state, and a cluster that is listed again as often as the state asks for it. */
function started(module = engineModule) {
  const log: string[] = [];
  const objects = new Map<Kind, KubernetesObject[]>([
    ["service", []],
    ["endpoint-slice", []],
  ]);
  let lost = false;
  const state = new ClusterState(module, defaultOptions("flat"), undefined, {
    changed: () => {},
    synced: () => {},
    progressed: () => {},
    problems: () => {},
    trapping: (found, all) => log.push(`${found.map(({ kind, name }) => `${kind} ${name}`).join()} of ${all.length}`),
    lost: (error) => {
      log.push(`lost ${error.operation}`);
      lost = true;
    },
  });
  const ready = async (kind: Kind) => {
    for (let wait = state.store(kind).ready?.(); wait !== undefined; wait = state.store(kind).ready?.()) await wait;
  };
  /** Lists and plans until nothing is lost; how often it was. */
  const settle = async (): Promise<number> => {
    for (let losses = 0; losses < 10; losses++) {
      lost = false;
      try {
        for (const [kind, listed] of objects) {
          await ready(kind);
          const store = state.store(kind);
          store.beginList();
          store.apply(encode(JSON.stringify(listOf(listed))));
          store.endList();
        }
        await state.plan((engine) => engine.beginPlan(0));
        return losses;
      } catch (error) {
        if (!(error instanceof EngineTrapError) || !lost) throw error;
      }
    }
    return 10;
  };
  const watch = async (kind: Kind, type: string, object: KubernetesObject) => {
    await ready(kind);
    state.store(kind).apply(encode(`${JSON.stringify({ type, object })}\n`));
  };
  return { state, log, objects, settle, watch };
}

const big = makeService("rtp/big", { ip: "10.96.0.2", ports: [{ name: "http", port: 80 }] });

test("a real trap: after two losses the slice is left out, and the rules of all others are planned", async () => {
  const { state, log, objects, settle, watch } = started();
  objects.set("service", [makeService("shop/web"), big]);
  objects.set("endpoint-slice", [
    makeSlice("shop/web-1", "web", ["10.0.0.1"]),
    trappingSlice("rtp/big-1"),
    makeSlice("rtp/big-2", "big", ["10.0.0.9"], { ports: [{ name: "http", port: 8080 }] }),
  ]);
  assert.is(await settle(), 2);
  assert.equal(log, ["lost continue-plan", "lost continue-plan", "endpoint-slice big-1 of 1"]);
  const rules = () => state.use((engine) => join(engine.render("ipv4")));
  assert.match(rules(), "10.0.0.1");
  assert.match(rules(), "10.0.0.9");

  log.length = 0;
  await watch("endpoint-slice", "MODIFIED", trappingSlice("rtp/big-1"));
  await watch("endpoint-slice", "ADDED", makeSlice("shop/web-2", "web", ["10.0.0.2"]));
  await state.plan((engine) => engine.beginPlan(0));
  assert.match(rules(), "10.0.0.2", "what comes beside it is taken");
  assert.equal(log, []);
  await watch("endpoint-slice", "DELETED", trappingSlice("rtp/big-1"));
  assert.equal(log, [" of 0"]);
  await watch(
    "endpoint-slice",
    "ADDED",
    makeSlice("rtp/big-1", "big", ["10.0.0.8"], { ports: [{ name: "http", port: 8080 }] }),
  );
  assert.match(rules(), "10.0.0.8");
});

test("an object that can't even be read, and a second one that can't be planned", async () => {
  const fake = fakeEngine({
    apply(text) {
      if (text.includes("poison")) throw new WebAssembly.RuntimeError("unreachable");
    },
  });
  const { log, objects, settle } = started(fake.module);
  const names = Array.from({ length: 300 }, (_, i) => `shop/s${i}`);
  objects.set(
    "service",
    [...names, "shop/poison-a", "shop/t", "shop/poison-b"].map((name) => makeService(name)),
  );
  assert.is(await settle(), 2);
  assert.equal(log, ["lost apply", "lost apply", "service poison-a,service poison-b of 2"]);
  // Halves, not one by one: 303 objects are some nine steps for each of the two.
  assert.ok(fake.log.instances < 30, `${fake.log.instances} instances`);
});

test("an engine that can't stand anything is no object's fault: it gets nothing for a while, and then for twice as long", async () => {
  const fake = fakeEngine({
    continuePlan() {
      throw new WebAssembly.RuntimeError("unreachable");
    },
  });
  const { state, log, objects } = started(fake.module);
  objects.set("service", [makeService("shop/web")]);
  const lose = async () => {
    try {
      await state.plan((engine) => engine.beginPlan(0));
      assert.unreachable();
    } catch (error) {
      assert.instance(error, EngineTrapError);
    }
  };
  await lose();
  await lose();
  assert.equal(log, ["lost continue-plan", "lost continue-plan"]);
  const instances = fake.log.instances;
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(state.store("service").ready?.() instanceof Promise, "stores wait");
  assert.ok(fake.log.instances - instances <= 2, "there is no search without end");
});

test("found are the last objects of the shortest beginnings that trap", async () => {
  const record = new ObjectRecord();
  record.take("service", encode(JSON.stringify(listOf(Array.from({ length: 100 }, (_, i) => makeService(`a/s${i}`))))));
  const bad = new Set(["s0", "s41", "s99"]);
  const found = await findTrapping(record.objects, async (objects) => objects.some(({ name }) => bad.has(name)));
  assert.equal(
    found.map(({ name }) => name),
    ["s0", "s41", "s99"],
  );
  // Two that do it together: one of them is enough.
  const pair = await findTrapping(
    record.objects,
    async (objects) => objects.filter(({ name }) => name === "s3" || name === "s70").length === 2,
  );
  assert.equal(
    pair.map(({ name }) => name),
    ["s70"],
  );
});

const lists: [string, string, string][] = [
  [
    "the first",
    '{"kind":"ServiceList","items":[{"metadata":{"name":"x"}},{"metadata":{"name":"a"}}]}',
    '[{"metadata":{"name":"a"}}]',
  ],
  [
    "the last",
    '{"kind":"ServiceList","items":[{"metadata":{"name":"a"}} , {"metadata":{"name":"x"}}]}',
    '[{"metadata":{"name":"a"}} ]',
  ],
  ["the only one", '{"kind":"ServiceList","items":[{"metadata":{"name":"x"}}]}', "[]"],
  ["all of two", '{"kind":"ServiceList","items":[{"metadata":{"name":"x"}},{"metadata":{"name":"x"}}]}', "[]"],
  [
    "two at the end",
    '{"kind":"ServiceList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"x"}},{"metadata":{"name":"x"}}]}',
    '[{"metadata":{"name":"a"}}]',
  ],
];
for (const [what, given, items] of lists) {
  test(`a list without ${what}`, () => {
    const rest = without("service", encode(given), (_, name) => name === "x");
    assert.equal(JSON.parse(Buffer.from(rest).toString()), { kind: "ServiceList", items: JSON.parse(items) });
  });
}

test("on a watch the event becomes that of its deletion", () => {
  const line = (type: string, name: string) =>
    `${JSON.stringify({ type, object: { kind: "Service", apiVersion: "v1", metadata: { namespace: "a", name, resourceVersion: "7" }, spec: {} } })}\n`;
  const rest = without("service", encode(line("ADDED", "a") + line("MODIFIED", "x")), (_, name) => name === "x");
  const [first, second] = Buffer.from(rest)
    .toString()
    .trim()
    .split("\n")
    .map((each) => JSON.parse(each));
  assert.is(first.object.metadata.name, "a");
  assert.equal(second, {
    type: "DELETED",
    object: { kind: "Service", apiVersion: "v1", metadata: { namespace: "a", name: "x", resourceVersion: "7" } },
  });
});

test("what is left out is tried again after five minutes, then after ten", () => {
  let now = 0;
  const trapping = new TrappingObjects(() => now);
  const object = { kind: "service", namespace: "shop", name: "web" } as const;
  const data = encode(JSON.stringify(listOf([makeService("shop/web")])));
  const isLeftOut = () => trapping.filter("service", data).length < data.length;
  for (const minutes of [5, 10, 20]) {
    trapping.add(object);
    now += minutes * 60_000 - 1;
    assert.ok(isLeftOut(), `${minutes} minutes are not over`);
    now += 1;
    assert.not.ok(isLeftOut(), `${minutes} minutes are over`);
    assert.equal(trapping.list, []);
  }
});

test("the record is of what is there: lists and deletions take out", () => {
  const record = new ObjectRecord();
  const names = () => record.objects.map(({ name }) => name);
  record.beginList("service");
  record.take("service", encode(JSON.stringify(listOf([makeService("a/x"), makeService("a/y")]))));
  record.endList("service");
  record.take("service", encode(`${JSON.stringify({ type: "DELETED", object: makeService("a/x") })}\n`));
  record.take("service", encode(`${JSON.stringify({ type: "ADDED", object: makeService("a/z") })}\n`));
  assert.equal(names(), ["y", "z"]);
  record.beginList("service");
  record.take("service", encode(JSON.stringify(listOf([makeService("a/z")]))));
  record.endList("service");
  assert.equal(names(), ["z"]);
});

test.run();
