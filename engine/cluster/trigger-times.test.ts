// When changes of endpoints happened that are part of the kernel now.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  defaultOptions,
  type EngineInstance,
  type KubernetesObject,
  type Mode,
  makeEngine,
  makeService,
  makeSlice,
  put,
  remove,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("cluster: trigger times");
const modes: Mode[] = ["iptables", "nftables", "flat"];
const start = Date.UTC(2026, 10, 1);

function slice(endpoints: string[], time: string | undefined, addressType?: string): KubernetesObject {
  const name = addressType === undefined ? "x/a-1" : "x/a-6";
  const made = makeSlice(name, "a", endpoints, addressType === undefined ? {} : { addressType });
  const annotations = time === undefined ? {} : { "endpoints.kubernetes.io/last-change-trigger-time": time };
  return { ...made, metadata: { ...made.metadata, annotations } };
}

function measuring(mode: Mode = "flat"): EngineInstance {
  const engine = makeEngine(mode);
  engine.measureChanges(start);
  put(engine, makeService("x/a", { ip: "10.96.0.1,fd00::1" }));
  return engine;
}

/** Plans and commits all. */
function sync(engine: EngineInstance): void {
  for (const { id } of engine.plan(0)) engine.committed(id, 0);
}

const times = (engine: EngineInstance, family: "ipv4" | "ipv6" = "ipv4") =>
  engine.programmed(family).map((time) => new Date(time).toISOString());

for (const mode of modes) {
  test(`${mode}: a change counts once its batch is committed, and once only`, () => {
    const engine = measuring(mode);
    put(engine, slice(["10.0.0.1"], "2026-11-01T10:00:00.123456789Z"));
    assert.equal(times(engine), [], "not planned");
    const batches = engine.plan(0);
    assert.ok(batches.length > 0);
    assert.equal(times(engine), [], "not committed");
    for (const { id } of batches) engine.committed(id, 0);
    assert.equal(times(engine), ["2026-11-01T10:00:00.123Z"]);
    assert.equal(times(engine), []);
  });

  test(`${mode}: after a failure the change waits for the next plan`, () => {
    const engine = measuring(mode);
    put(engine, slice(["10.0.0.1"], "2026-11-01T10:00:00Z"));
    for (const { id } of engine.plan(0)) engine.failed(id, 0);
    assert.equal(times(engine), []);
    sync(engine);
    assert.equal(times(engine), ["2026-11-01T10:00:00.000Z"]);
  });
}

test("a plan that was never sent does not count", () => {
  const engine = measuring();
  put(engine, slice(["10.0.0.1"], "2026-11-01T10:00:00Z"));
  const lost = engine.plan(0).map(({ id }) => id);
  sync(engine);
  assert.is(times(engine).length, 1);
  for (const id of lost) engine.committed(id, 0);
  assert.is(times(engine).length, 0);
});

test("reconcile brings changes into the kernel as well, of its family", () => {
  const engine = measuring();
  engine.setEncoding("netlink");
  put(engine, slice(["10.0.0.1"], "2026-11-01T10:00:00Z"), slice(["fd00::2"], "2026-11-01T10:00:01Z", "IPv6"));
  for (const { id } of engine.reconcile("ipv4", [], 0)) engine.committed(id, 0);
  assert.equal(times(engine, "ipv4"), ["2026-11-01T10:00:00.000Z"]);
  assert.equal(times(engine, "ipv6"), []);
  sync(engine);
  assert.equal(times(engine, "ipv6"), ["2026-11-01T10:00:01.000Z"]);
});

test("a change of a Service that is written in portions counts with the last of them, another's at once", () => {
  const engine = measuring();
  engine.setPortion(100);
  sync(engine);
  const ports = Array.from({ length: 40 }, (_, i) => ({ name: `p${i}`, port: 1 + i }));
  const heavy = (last: number) => ({
    ...makeSlice("x/heavy-1", "heavy", [`10.0.1.${last}`, "10.0.2.1", "10.0.2.2"], { ports }),
  });
  put(engine, makeService("x/heavy", { ports, ip: "10.96.0.7" }), heavy(1));
  do sync(engine);
  while (engine.beginPortion());
  const changed = heavy(2);
  const annotations = { "endpoints.kubernetes.io/last-change-trigger-time": "2026-11-01T11:00:00Z" };
  put(engine, { ...changed, metadata: { ...changed.metadata, annotations } });
  put(engine, slice(["10.0.0.1"], "2026-11-01T10:00:00Z"));
  sync(engine);
  assert.equal(times(engine), ["2026-11-01T10:00:00.000Z"]);
  sync(engine);
  assert.equal(times(engine), [], "a plan without any batch");
  let portions = 0;
  for (; engine.beginPortion(); portions++) {
    put(engine, slice([`10.0.0.${2 + portions}`], "2026-11-01T10:00:01Z"));
    assert.equal(times(engine), [], `portion ${portions}`);
    const batches = engine.plan(0);
    assert.equal(times(engine), [], `portion ${portions} is planned`);
    for (const { id } of batches) engine.committed(id, 0);
    const found = times(engine);
    assert.is(found.filter((time) => time === "2026-11-01T10:00:01.000Z").length, 1);
    if (found.includes("2026-11-01T11:00:00.000Z")) break;
  }
  assert.ok(portions > 1, `${portions} portions`);
  assert.is(engine.beginPortion(), false, "it was the last");
});

test("the time of a Service that is gone before its next portion counts once", () => {
  const engine = measuring();
  engine.setPortion(100);
  sync(engine);
  const ports = Array.from({ length: 80 }, (_, i) => ({ name: `p${i}`, port: 1 + i }));
  const service = makeService("x/heavy", { ports, ip: "10.96.0.7" });
  const made = makeSlice("x/heavy-1", "heavy", ["10.0.1.1", "10.0.1.2"], { ports });
  const annotations = { "endpoints.kubernetes.io/last-change-trigger-time": "2026-11-01T11:00:00Z" };
  const heavy = { ...made, metadata: { ...made.metadata, annotations } };
  put(engine, service, heavy);
  sync(engine);
  engine.beginPortion();
  sync(engine);
  assert.equal(times(engine), []);
  remove(engine, service, heavy);
  // Whatever takes the freed Service's place says nothing about it.
  const others = Array.from({ length: 8 }, (_, i) => makeService(`x/other-${i}`, { ports, ip: `10.96.1.${i}` }));
  const rest: string[] = [];
  do {
    sync(engine);
    rest.push(...times(engine));
  } while (engine.beginPortion());
  put(engine, ...others);
  sync(engine);
  rest.push(...times(engine));
  assert.equal(rest, ["2026-11-01T11:00:00.000Z"]);
});

test("what needs no write is part of the kernel with the plan that finds this out", () => {
  const engine = measuring();
  put(engine, slice(["10.0.0.1"], "2026-11-01T10:00:00Z"));
  sync(engine);
  assert.is(times(engine).length, 1);
  const port = {
    ...slice(["10.0.0.1"], "2026-11-01T10:00:05Z"),
    ports: [
      { name: "", port: 8080 },
      { name: "x", port: 1 },
    ],
  };
  put(engine, port);
  assert.equal(engine.plan(0), []);
  assert.equal(times(engine), ["2026-11-01T10:00:05.000Z"]);
});

test("removed and unchanged slices, times before the start, absent and broken times do not count", () => {
  const engine = measuring();
  sync(engine);
  put(engine, slice(["10.0.0.1"], "2026-10-31T23:59:59.999Z"));
  put(engine, slice(["10.0.0.2"], undefined));
  put(engine, slice(["10.0.0.3"], "yesterday"));
  put(engine, slice(["10.0.0.3"], "2026-11-01T10:00:00Z"));
  remove(engine, slice(["10.0.0.3"], "2026-11-01T10:00:00Z"));
  sync(engine);
  assert.equal(times(engine), []);
});

test("nothing is kept until somebody measures, and not more than the bound afterwards", () => {
  const idle = makeEngine("flat", defaultOptions("flat"));
  put(idle, makeService("x/a"), slice(["10.0.0.1"], "2026-11-01T10:00:00Z"));
  idle.measureChanges(0);
  sync(idle);
  assert.equal(times(idle), []);
  const busy = measuring();
  for (let i = 0; i < 5000; i++) put(busy, slice([`10.0.${i >> 8}.${i & 255}`], "2026-11-01T10:00:00Z"));
  sync(busy);
  assert.is(times(busy).length, 4096);
  put(busy, slice(["10.1.0.1"], "2026-11-01T10:00:01Z"));
  sync(busy);
  assert.equal(times(busy), ["2026-11-01T10:00:01.000Z"]);
});

test.run();
