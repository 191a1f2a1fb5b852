// Plans in slices: the same bytes however much a call does, whatever is asked in between, and nothing half done when
// somebody changes what the plan is made of.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Batch, families, type Mode } from "../../fixtures/support/engine.ts";
import {
  addresses,
  applyJson,
  defaultOptions,
  makeEngine,
  makeService,
  makeSlice,
  messagesOf,
  put,
  remove,
} from "../../fixtures/support/engine-tests.ts";
import { type EngineInstance, joinPieces } from "../../hosts/shared/engine.ts";

const test = suite("planning: slices");
const modes: Mode[] = ["flat", "nftables", "iptables"];
const SERVICES = 40;

function service(index: number) {
  return makeService(`shop/web-${index}`, {
    ip: `10.96.0.${index + 1},fd00::${index + 1}`,
    ...(index % 3 === 0 ? { type: "LoadBalancer", ingress: [{ ip: `192.0.2.${index + 1}` }] } : {}),
    ...(index % 6 === 0 ? { loadBalancerSourceRanges: ["10.0.0.0/8", "172.16.0.0/12"] } : {}),
    ...(index % 5 === 0 ? { sessionAffinity: "ClientIP" } : {}),
  });
}

function slice(index: number, endpoints: number) {
  return makeSlice(`shop/web-${index}-1`, `web-${index}`, addresses(endpoints, `10.${index}`));
}

/** The cluster that the kernel has rules of, and what has changed since. */
const before = Array.from({ length: SERVICES }, (_, index) => [service(index), slice(index, 1 + (index % 7))]).flat();
const after = Array.from({ length: SERVICES - 2 }, (_, index) => [
  service(index + 1),
  slice(index + 1, 1 + ((index + (index % 4 === 0 ? 2 : 1)) % 7)),
]).flat();

function started(mode: Mode, objects = before): EngineInstance {
  const engine = makeEngine(mode);
  put(engine, ...objects);
  if (mode !== "iptables") engine.setEncoding("netlink");
  engine.setBatchLimits(8000, 0);
  return engine;
}

/** Everything that a host would see of the batches. */
function shown(batches: readonly Batch[]): string[] {
  return batches.map(({ data, ...rest }) => JSON.stringify([rest, Buffer.from(joinPieces(data)).toString("base64")]));
}

/** The rest of the plan that has begun, in slices of `work`; `between` is called after each. */
function completed(
  engine: EngineInstance,
  work: number,
  between: () => void = () => {},
): { calls: number; batches: Batch[] } {
  const batches: Batch[] = [];
  for (let calls = 1; ; calls++) {
    const progress = engine.continuePlan(work);
    if (progress.tag === "some-batches" || progress.tag === "batches") batches.push(...progress.val);
    if (progress.tag === "batches") return { calls, batches };
    assert.is.not(progress.tag, "abandoned");
    between();
  }
}

const ask = (engine: EngineInstance) => () => {
  engine.count();
  engine.problems();
  engine.node();
  engine.healthChecks();
  engine.healthChecksRevision();
  engine.leftOut();
  engine.drift();
  for (const family of families) engine.programmed(family);
};

for (const mode of modes) {
  test(`${mode}: a plan in slices is the plan in one go`, () => {
    const whole = shown(started(mode).plan(0));
    for (const work of [1, 7, 100]) {
      const engine = started(mode);
      engine.beginPlan(0);
      const { calls, batches } = completed(engine, work, ask(engine));
      assert.equal(shown(batches), whole);
      assert.ok(calls > 60 / work, `${calls} calls`);
    }
  });

  test(`${mode}: the many endpoints of one port likewise, whatever is asked or changed between two slices`, () => {
    const slices = Array.from({ length: 20 }, (_, i) =>
      makeSlice(`shop/big-${i}`, "big", addresses(500, `10.${90 - i}`)),
    );
    const big = [makeService("shop/big", { ip: "10.96.2.1" }), ...slices];
    const whole = shown(started(mode, big).plan(0));
    for (const between of [false, true]) {
      const engine = started(mode, big);
      engine.beginPlan(0);
      const { calls, batches } = completed(engine, 300, between ? ask(engine) : undefined);
      // Whoever asks for routes between two slices makes the next one longer.
      assert.ok(between || calls > 6, `${calls} calls`);
      assert.equal(shown(batches), whole);
    }
    // While its endpoints are being sorted, some of them go.
    const other = started(mode, big);
    other.beginPlan(0);
    for (let i = 0; i < 4; i++) other.continuePlan(300);
    remove(other, slices[19] as never, slices[0] as never);
    other.beginPlan(0);
    const rest = big.filter((object) => object !== slices[19] && object !== slices[0]);
    const texts = completed(other, 1000).batches.map(({ data }) => joinPieces(data).length);
    assert.equal(
      texts,
      started(mode, rest)
        .plan(0)
        .map(({ data }) => joinPieces(data).length),
    );
  });

  test(`${mode}: a first wave likewise`, () => {
    const objects = [makeService("default/kubernetes", { ip: "10.96.1.1" }), service(1), slice(1, 2)];
    const whole = started(mode, objects).planFirstWave(0);
    assert.is(whole.length > 0, mode !== "iptables");
    const engine = started(mode, objects);
    engine.beginFirstWave(0);
    assert.equal(shown(completed(engine, 1).batches), shown(whole));
  });

  test(`${mode}: what changes the cluster, or writes, ends a plan before its time, and the next one is as if there had been none`, () => {
    const web = service(99);
    const interruptions: Record<string, (engine: EngineInstance) => unknown> = {
      apply: (engine) => applyJson(engine, web),
      "apply what is known already": (engine) => applyJson(engine, service(1)),
      "begin-list": (engine) => engine.beginList("node"),
      configure: (engine) => engine.configure(defaultOptions(mode, "node-b")),
      render: (engine) => engine.render("ipv4"),
      blame: (engine) => engine.blame("ipv6"),
      describe: (engine) => engine.describe(),
      forget: (engine) => engine.forget(),
      "chains-in-use": (engine) => engine.chainsInUse("ipv4", ["KUBE-SVC-ABCDEFGHIJKLMNOP"]),
      "another plan": (engine) => shapes(engine.plan(0)),
    };
    for (const [name, interrupt] of Object.entries(interruptions)) {
      const plain = started(mode);
      const engine = started(mode);
      engine.beginPlan(0);
      if (mode !== "iptables") for (let i = 0; i < 5; i++) assert.is(engine.continuePlan(3).tag, "more");
      assert.equal(interrupt(engine), interrupt(plain), name);
      assert.is(engine.continuePlan(1).tag, "abandoned", name);
      assert.equal(shapes(engine.plan(0)), shapes(plain.plan(0)), name);
    }
  });
}

/** Without numbers that count on from plan to plan. */
function shapes(batches: readonly Batch[]): unknown[] {
  return batches.map(({ id: _, data, ...rest }) => {
    const bytes = Buffer.from(joinPieces(data));
    if (bytes[0] === 0x2a) return [rest, bytes.toString()]; // iptables' text
    return [rest, messagesOf(bytes).map((message) => `${message.readUInt16LE(4).toString(16)} ${message.length}`)];
  });
}

for (const mode of ["flat", "nftables"] as const) {
  /** What the kernel would answer for IPv4 if it had got what is planned for `before`. */
  const dump = Buffer.concat(
    started(mode)
      .plan(0)
      .filter(({ family }) => family === "ipv4")
      .map(({ data }) => joinPieces(data)),
  );

  test(`${mode}: a reconciliation in slices, its dump in pieces, is that in one go`, () => {
    for (const objects of [before, after]) {
      const whole = started(mode, objects);
      const expected = shown(whole.reconcile("ipv4", [dump], 0));
      assert.is(expected.length > 0, objects === after);
      for (const work of [1, 7, 100]) {
        const engine = started(mode, objects);
        engine.beginReconcile("ipv4", dump.length, 0);
        for (const message of messagesOf(dump)) {
          engine.readDump(message);
          ask(engine)();
        }
        const { calls, batches } = completed(engine, work, ask(engine));
        assert.equal(shown(batches), expected);
        assert.equal(engine.drift(), { ...whole.drift() });
        assert.ok(calls > 100 / work, `${calls} calls`);
      }
    }
  });

  test(`${mode}: a reconciliation that is ended before its time can be begun again`, () => {
    const engine = started(mode, before);
    const changed = slice(3, 6);
    engine.beginReconcile("ipv4", dump.length, 0);
    applyJson(engine, slice(3, 5)); // before the dump has come
    assert.is(engine.continuePlan(1).tag, "abandoned");
    engine.beginReconcile("ipv4", dump.length, 0);
    engine.readDump(dump);
    for (let i = 0; i < 20; i++) assert.is(engine.continuePlan(9).tag, "more");
    applyJson(engine, changed);
    assert.is(engine.continuePlan(9).tag, "abandoned");

    const plain = started(mode, before);
    applyJson(plain, changed);
    assert.equal(shapes(engine.reconcile("ipv4", [dump], 0)), shapes(plain.reconcile("ipv4", [dump], 0)));
    assert.equal(engine.drift(), plain.drift());
  });
}

/** A Service with 40 ports and so many addresses, beside others, and what the kernel would answer if it had got it. */
function dumpedEntryPoints(mode: Mode, addressCount: number) {
  const ports = Array.from({ length: 40 }, (_, index) => ({ name: `p${index}`, port: 1 + index }));
  const externalIPs = Array.from({ length: addressCount }, (_, index) => `198.18.0.${index}`);
  const objects = [makeService("shop/big", { ports, externalIPs }), ...before];
  const plan = started(mode, objects).plan(0);
  const dump = Buffer.concat(plan.filter(({ family }) => family === "ipv4").map(({ data }) => joinPieces(data)));
  const begun = () => {
    const engine = started(mode, objects);
    engine.beginReconcile("ipv4", dump.length, 0);
    engine.readDump(dump);
    return engine;
  };
  return { objects, dump, begun };
}

for (const mode of ["nftables", "flat"] as const) {
  test(`${mode}: that a table of many entry points is as it should be is found in slices throughout`, () => {
    const [fewer = 0, more = 0] = [40, 80].map((addressCount) => {
      const { calls, batches } = completed(dumpedEntryPoints(mode, addressCount).begun(), 1);
      assert.equal(batches, []);
      return calls;
    });
    // Each is compared; and by sixteens all are forgotten, listed, settled and committed, which no single call does.
    const added = 40 * 40;
    assert.ok(more - fewer > added * 1.25, `${more - fewer} calls for ${added} entry points`);
  });

  test(`${mode}: such a reconciliation can be ended between any two slices`, () => {
    const { objects, dump, begun } = dumpedEntryPoints(mode, 20);
    const changed = slice(3, 6);
    const plain = started(mode, objects);
    applyJson(plain, changed);
    const expected = shapes(plain.reconcile("ipv4", [dump], 0));
    const { calls } = completed(begun(), 100);
    for (let done = 1; done < calls; done += 2) {
      const engine = begun();
      for (let i = 0; i < done; i++) assert.is(engine.continuePlan(100).tag, "more");
      applyJson(engine, changed);
      assert.is(engine.continuePlan(100).tag, "abandoned");
      assert.equal(shapes(engine.reconcile("ipv4", [dump], 0)), expected, `after ${done} of ${calls} slices`);
    }
  });
}

test("flat: batches come in parts of some megabytes, each once; a plan that is ended between two parts counts as never sent", () => {
  const ports = Array.from({ length: 250 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
  const externalIPs = Array.from({ length: 200 }, (_, i) => `192.0.2.${i + 1}`);
  const large = makeService("shop/large", { ports, externalIPs });
  const make = () => {
    const engine = makeEngine("flat");
    engine.setEncoding("netlink");
    engine.setBatchLimits(64 << 10, 0);
    put(engine, large);
    engine.beginPlan(0);
    return engine;
  };
  const engine = make();
  const parts: number[][] = [];
  for (let isComplete = false; !isComplete; ) {
    const progress = engine.continuePlan(4000);
    isComplete = progress.tag === "batches";
    if (progress.tag !== "some-batches" && progress.tag !== "batches") continue;
    const bytes = progress.val.reduce((sum, { data }) => sum + joinPieces(data).length, 0);
    assert.ok(bytes < 5 << 20, `${bytes} bytes`);
    parts.push(progress.val.map(({ id }) => id));
  }
  assert.ok(parts.length >= 2, `${parts.length} parts`);
  const ids = parts.flat();
  const first = ids[0] ?? 0;
  assert.equal(
    ids,
    Array.from(ids.keys(), (i) => i + first),
  );

  const ended = make();
  let progress = ended.continuePlan(4000);
  while (progress.tag === "more") progress = ended.continuePlan(4000);
  assert.is(progress.tag, "some-batches");
  ended.failed(first, 0);
  assert.is(ended.continuePlan(4000).tag, "abandoned");
  assert.is(ended.plan(1).length, ids.length);
  assert.equal(shapes(ended.plan(2)), shapes(make().completePlan()));
});

/** So many entry points that a batch of iptables mode is about more keys than one call closes. */
function manyEntryPoints(addressCount = 180): typeof before {
  const ports = Array.from({ length: 180 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
  const externalIPs = Array.from({ length: addressCount }, (_, i) => `198.18.${i >> 7}.${(i & 127) + 1}`);
  return [
    makeService("shop/large", { ports, externalIPs }),
    makeService("shop/web", { ip: "10.96.0.9" }),
    makeSlice("shop/web-1", "web", addresses(3, "10.8")),
  ];
}

test("iptables: a batch of many megabytes comes in parts, and all of it", () => {
  const engine = started("iptables", manyEntryPoints(280));
  const whole = shown(started("iptables", manyEntryPoints(280)).plan(0));
  engine.beginPlan(0);
  let parts = 0;
  let progress = engine.continuePlan(0xffff_ffff);
  for (; progress.tag !== "batches"; progress = engine.continuePlan(0xffff_ffff)) {
    if (progress.tag === "some-batches") parts++;
  }
  assert.equal(shown(progress.val), whole);
  const bytes = progress.val.reduce((sum, { data }) => sum + joinPieces(data).length, 0);
  assert.ok(bytes > 5 << 20, `${bytes} bytes`);
  assert.ok(parts >= Math.floor(bytes / (5 << 20)), `${parts} parts`);
});

test("iptables: chains are sorted in slices, also where others' endpoints are asked for meanwhile", () => {
  const slices = ["left", "right"].flatMap((name, n) =>
    Array.from({ length: 10 }, (_, i) => makeSlice(`shop/${name}-${i}`, name, addresses(900, `10.${100 * n + i}`))),
  );
  const objects = [
    makeService("shop/left", { ip: "10.96.2.1" }),
    makeService("shop/right", { ip: "10.96.2.2" }),
    ...slices,
  ];
  const texts = (between: boolean) => {
    const engine = started("iptables", objects);
    const plan = () => {
      engine.beginPlan(0);
      const { batches } = completed(engine, between ? 300 : 0xffff_ffff, between ? () => engine.count() : undefined);
      for (const { id } of batches) engine.committed(id, 0);
      return shown(batches);
    };
    const first = plan();
    remove(engine, ...(slices.filter((_, i) => i % 2 === 0) as never[]));
    return [...first, ...plan()];
  };
  assert.equal(texts(true), texts(false));
});

test("iptables: what a batch was about is closed in slices; whatever comes in between finds it closed", () => {
  const web = makeSlice("shop/web-1", "web", addresses(4, "10.8"));
  const meanwhile: Record<string, (engine: EngineInstance) => void> = {
    "take-up": (engine) => assert.not(engine.takeUp(1)),
    "an object": (engine) => void applyJson(engine, web),
    "a Service that goes": (engine) => remove(engine, makeService("shop/large") as never),
    forget: (engine) => engine.forget(),
    "a plan that is given up": (engine) => {
      engine.beginPlan(5);
      engine.continuePlan(1);
    },
  };
  for (const closed of ["committed", "failed"] as const) {
    for (const [what, interrupt] of Object.entries(meanwhile)) {
      if (closed === "failed" && what !== "take-up" && what !== "an object") continue;
      const [plain, engine] = [0, 1].map(() => {
        const made = started("iptables", manyEntryPoints());
        const batches = made.plan(0).filter(({ family }) => family === "ipv4");
        made[closed](batches[0]?.id ?? 0, 0);
        return made;
      }) as [EngineInstance, EngineInstance];
      while (!plain.takeUp(0xffff_ffff)) {}
      if (what !== "take-up") interrupt(plain);
      interrupt(engine);
      const expected = shapes(plain.plan(10).filter(({ family }) => family === "ipv4"));
      assert.equal(shapes(engine.plan(10).filter(({ family }) => family === "ipv4")), expected, `${closed}, ${what}`);
      const isWritten = closed === "committed" && ["take-up", "a plan that is given up"].includes(what);
      assert.is(expected.length, isWritten ? 0 : 1, `${closed}, ${what}`);
    }
  }
});

for (const mode of modes) {
  test(`${mode}: what the kernel holds is forgotten in slices; nobody meets half of it`, () => {
    const written = () => {
      const engine = started(mode);
      for (const { id } of engine.plan(0)) engine.committed(id, 0);
      engine.forget();
      return engine;
    };
    const whole = shapes(written().plan(10));
    assert.ok(whole.length > 1);
    for (const work of [1, 7]) {
      const engine = written();
      let calls = 1;
      while (!engine.takeUp(work)) {
        calls++;
        if (calls % 5 === 0) assert.equal(engine.chainsInUse("ipv4", ["KUBE-SVC-ABCDEFGHIJKLMNOP"]), [false]);
        if (calls % 7 === 0) for (const family of families) engine.flowCheckDue(family, "udp");
      }
      assert.ok(calls > 1);
      assert.equal(shapes(engine.plan(10)), whole);
    }
    const plain = written();
    applyJson(plain, slice(4, 6));
    const other = written();
    other.takeUp(1);
    applyJson(other, slice(4, 6));
    other.takeUp(3);
    assert.equal(shapes(other.plan(10)), shapes(plain.plan(10)));
  });
}

test("iptables: of what is forgotten no chain is in use, however far that has come", () => {
  const engine = started("iptables");
  const [batch] = engine.plan(0).filter(({ family }) => family === "ipv4");
  const chains = [
    ...new Set(
      Buffer.from(joinPieces(batch?.data ?? []))
        .toString()
        .match(/KUBE-SVC-[A-Z0-9]+/g),
    ),
  ];
  engine.committed(batch?.id ?? 0, 0);
  assert.ok(chains.length > 10);
  assert.ok(engine.chainsInUse("ipv4", chains).every((isUsed) => isUsed));
  engine.forget();
  engine.takeUp(1);
  assert.not(engine.chainsInUse("ipv4", chains).some((isUsed) => isUsed));
});

test("without a plan that has begun there is none to go on with", () => {
  const engine = started("flat");
  assert.is(engine.continuePlan(1).tag, "abandoned");
  engine.readDump(new Uint8Array(100));
  assert.is(engine.continuePlan(1).tag, "abandoned");
});

test.run();
