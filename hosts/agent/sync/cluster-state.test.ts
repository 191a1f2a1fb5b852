import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode, engineModule } from "../../../fixtures/support/engine.ts";
import { defaultOptions, listOf, makeNode, makeService, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import type { Kind } from "../../shared/contract.ts";
import { EngineTrapError } from "../../shared/engine.ts";
import { fakeEngine } from "../../shared/testing/fake-engine.ts";
import { ClusterState, type ClusterStateEvents } from "./cluster-state.ts";
import { InvalidOptionsError } from "./engine-start.ts";

const test = suite("sync: cluster state");

function recorded(): { log: string[]; events: ClusterStateEvents } {
  const log: string[] = [];
  return {
    log,
    events: {
      changed: (kind, count) => log.push(`changed ${kind} ${count}`),
      synced: (kind) => log.push(`synced ${kind}`),
      progressed: () => {},
      problems: (problems) => log.push(...problems.map(({ code, name }) => `problem ${code} ${name}`)),
      trapping: (found, all) =>
        log.push(`left out: ${found.map(({ kind, name }) => `${kind} ${name}`).join()} of ${all.length}`),
      lost: (error) => log.push(`lost ${error.operation}`),
    },
  };
}

function list(state: ClusterState, kind: Kind, ...objects: object[]): void {
  const store = state.store(kind);
  store.beginList();
  store.apply(encode(JSON.stringify(listOf(objects as never[]))));
  store.endList();
}

test("lists: what changed is said, what is gone too, and a kind is synced once", () => {
  const { log, events } = recorded();
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, events);
  assert.is(state.isSynced("service"), false);
  list(state, "service", makeService("shop/web"));
  assert.equal(log.splice(0), ["changed service 1", "synced service"]);
  assert.is(state.isSynced("service"), true);
  list(state, "service", makeService("shop/web"));
  assert.equal(log.splice(0), [], "the same again is no change");
  list(state, "service");
  assert.equal(log.splice(0), ["changed service 1"]);
});

test("a bad object is said, and costs only itself", () => {
  const { log, events } = recorded();
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, events);
  const bad = makeService("shop/bad", { ports: [{ port: 70000 }] });
  list(state, "service", bad, makeService("shop/web"));
  list(state, "endpoint-slice", makeSlice("shop/web-1", "web", ["10.0.0.1"]));
  assert.equal(log, [
    "problem invalid-port bad",
    "changed service 1",
    "synced service",
    "changed endpoint-slice 1",
    "synced endpoint-slice",
  ]);
  assert.match(
    state.use((engine) => engine.render("ipv4").map((piece) => Buffer.from(piece).toString())).join(""),
    "10.0.0.1",
  );
});

test("options that the engine refuses change nothing, and say which field it is", () => {
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, recorded().events);
  const options = { ...defaultOptions("flat"), clusterCidr: "10.0.0.0/99" };
  assert.throws(
    () => state.configure(options),
    (error: unknown) => error instanceof InvalidOptionsError && /clusterCIDR/.test(error.message),
  );
  assert.is(state.options.clusterCidr, defaultOptions("flat").clusterCidr);
});

test("what the node's object said last outlives it, also for an instance and a state to come", () => {
  const lastNode = {};
  const options = { ...defaultOptions("flat"), nodeName: "node-a" };
  const state = new ClusterState(engineModule, options, undefined, recorded().events, lastNode);
  list(state, "node", makeNode("node-a", { ips: ["192.0.2.1"] }));
  list(state, "node");
  // As a kubelet makes it anew: addresses come a moment later.
  list(state, "node", makeNode("node-a", { ips: [], zone: "z1" }));
  list(state, "node", makeNode("node-a", { ips: [], zone: "z2" }));
  list(state, "node");
  const next = new ClusterState(engineModule, options, undefined, recorded().events, lastNode);
  for (const each of [state, next]) {
    const { known, ipv4 } = each.use((engine) => engine.node());
    assert.equal([known, ipv4], [false, "192.0.2.1"]);
  }
  const other = { ...options, nodeName: "node-b" };
  const renamed = new ClusterState(engineModule, other, undefined, recorded().events, lastNode);
  assert.is(
    renamed.use((engine) => engine.node().ipv4),
    "127.0.0.1",
  );
});

test("an instance that traps is replaced: everything has to be listed again", () => {
  const { log, events } = recorded();
  let traps = true;
  const fake = fakeEngine({
    apply() {
      if (traps) throw new WebAssembly.RuntimeError("unreachable");
    },
  });
  const options = defaultOptions("flat");
  const state = new ClusterState(fake.module, options, undefined, events);
  state.markAbsent("service-cidr");
  log.length = 0;
  const store = state.store("service");
  store.beginList();
  assert.throws(
    () => store.apply(encode("{}")),
    (error: unknown) => error instanceof EngineTrapError,
  );
  assert.equal(log, ["lost apply"]);
  assert.is(state.generation, 1);
  assert.is(state.isSynced("service-cidr"), false);
  assert.equal(fake.log.configured, [options, options]);
  traps = false;
  store.beginList();
  store.apply(encode("{}"));
  store.endList();
  assert.is(state.isSynced("service"), true, "the store goes on with the fresh instance");
});

/** Longer than others may be made to wait. */
function holdTheEventLoop(): void {
  const end = performance.now() + 10;
  while (performance.now() < end);
}

test("a plan that takes long gives others their turns, and objects wait until it is made", async () => {
  const log: string[] = [];
  let slices = 0;
  const fake = fakeEngine({
    continuePlan() {
      holdTheEventLoop();
      log.push("slice");
      return ++slices < 3 ? { tag: "more" } : { tag: "batches", val: [] };
    },
  });
  const state = new ClusterState(fake.module, defaultOptions("flat"), undefined, recorded().events);
  const store = state.store("service");
  assert.is(store.ready?.(), undefined);
  const planned = state.plan((engine) => engine.beginPlan(0)).then(() => log.push("planned"));
  const waited = store.ready?.()?.then(() => log.push("an object"));
  const asked = state.ask((engine) => engine.describe()).then(() => log.push("a question"));
  setImmediate(() => log.push("something else"));
  await Promise.all([planned, waited, asked]);
  const between = log.indexOf("something else");
  assert.ok(log.indexOf("slice") < between && between < log.lastIndexOf("slice"), log.join());
  for (const late of ["an object", "a question"]) assert.ok(log.indexOf(late) > log.lastIndexOf("slice"), log.join());
  assert.is(store.ready?.(), undefined);
});

test("a hundred thousand entry points are taken up in turns with others, before a reconciliation and before a question", async () => {
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, recorded().events);
  const ports = Array.from({ length: 200 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
  const externalIPs = Array.from({ length: 500 }, (_, i) => `192.0.${i >> 8}.${i & 255}`);
  for (const ask of [
    () => state.ask((engine) => engine.healthChecksRevision(), true),
    () => state.plan((engine) => engine.beginReconcile("ipv4", 0, 0), []),
  ]) {
    list(state, "service", makeService("shop/big", { ports, externalIPs: externalIPs.splice(0, 250) }));
    let turns = 0;
    const count = () => {
      turns++;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    await ask();
    clearImmediate(immediate);
    // 200 × 251 entry points, 4,000 in a step, and steps of some 8 ms in a turn; in one go there would be none.
    assert.ok(turns >= 2, `${turns} turns`);
    assert.is(state.store("service").ready?.(), undefined);
  }
});

test("what can't wait for a plan is in it: it is begun again, and in the end made in one go", async () => {
  const { events } = recorded();
  const services = Array.from({ length: 15_000 }, (_, index) =>
    makeService(`shop/web-${index}`, { ip: `10.96.${index >> 8}.${index & 255}` }),
  );
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, events);
  list(state, "service", ...services);
  let late = 0;
  let isPlanned = false;
  const store = state.store("service");
  const put = (): void => {
    isPlanned ||= store.ready?.() === undefined;
    if (isPlanned) return;
    late++;
    store.apply(encode(JSON.stringify(makeService(`shop/late-${late}`, { ip: `10.97.0.${late}` }))));
    setImmediate(put);
  };
  setImmediate(put);
  const batches = await state.plan((engine) => engine.beginPlan(0));
  isPlanned = true;
  assert.ok(late >= 1, "nobody had a turn");
  const bytes = Buffer.concat(batches.flatMap(({ data }) => data.map((piece) => Buffer.from(piece))));
  for (let each = 1; each <= late; each++)
    assert.ok(bytes.includes(Buffer.from([10, 97, 0, each])), `shop/late-${each}`);
  for (const { id } of batches) state.use((engine) => engine.committed(id, 0));
  assert.equal(await state.plan((engine) => engine.beginPlan(0)), []);
});

test("an instance that is lost takes its plan with it", async () => {
  const { log, events } = recorded();
  const fake = fakeEngine({
    apply() {
      throw new WebAssembly.RuntimeError("unreachable");
    },
    continuePlan() {
      holdTheEventLoop();
      return { tag: "more" };
    },
  });
  const state = new ClusterState(fake.module, defaultOptions("flat"), undefined, events);
  const planned = state.plan((engine) => engine.beginPlan(0));
  assert.throws(() => state.store("service").apply(encode("{}")));
  try {
    await planned;
    assert.unreachable();
  } catch (error) {
    assert.instance(error, EngineTrapError);
  }
  assert.equal(log, ["lost apply"]);
  assert.is(state.store("service").ready?.(), undefined);
});

test.run();
