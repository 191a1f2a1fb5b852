// What `reconcile` makes of dumps that are not as they should be. That it mends what differs and nothing else is shown
// against the kernel (fixtures/netlink).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { families, type Mode, newEngine } from "../../fixtures/support/engine.ts";
import {
  applyJson,
  defaultOptions,
  type Family,
  listOf,
  makeService,
  makeSlice,
  messagesOf,
} from "../../fixtures/support/engine-tests.ts";
import { type EngineInstance, joinPieces } from "../../hosts/shared/engine.ts";

const test = suite("reconcile");
const NEW_CHAIN = 0xa03;

const objects = listOf([
  makeService("shop/web", {
    ip: "10.96.0.12,fd00::12",
    type: "LoadBalancer",
    ingress: [{ ip: "192.0.2.1" }],
    loadBalancerSourceRanges: ["10.0.0.0/8"],
  }),
  makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2 node-a"]),
  makeSlice("shop/web-2", "web", ["fd00:1::1"]),
  makeService("shop/db", {
    ip: "10.96.0.13",
    sessionAffinity: "ClientIP",
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
  }),
  makeSlice("shop/db-1", "db", ["10.0.0.3", "10.0.0.4"]),
]);

function started(mode: Mode, known = objects): EngineInstance {
  const engine = newEngine();
  assert.equal(engine.configure(defaultOptions(mode)), []);
  assert.equal(applyJson(engine, known).problems, []);
  engine.setEncoding("netlink");
  return engine;
}

/** What a fresh engine sends for one family, in one piece. */
function sent(mode: Mode, family: Family): Buffer {
  const batches = started(mode)
    .plan(0)
    .filter((batch) => batch.family === family);
  return Buffer.concat(batches.map(({ data }) => joinPieces(data)));
}

/** Type and length of each message: numbers of sets and messages count on from plan to plan. */
function shapes(bytes: Buffer): string[] {
  return messagesOf(bytes)
    .filter((message) => message.readUInt16LE(4) >= 0xa00) // without begin and end of batches
    .map((message) => `${message.readUInt16LE(4).toString(16)} ${message.length}`);
}

const DELETE_TABLE = "a02";

for (const mode of ["flat", "nftables"] as const) {
  test(`${mode}: where the table is gone, all is written as for a kernel that may hold anything, and nothing deleted`, () => {
    for (const family of families) {
      const engine = started(mode);
      for (const { id } of engine.plan(0)) engine.committed(id, 0);
      const made = engine.reconcile(family, [], 1000);
      // There is no table that packets could miss, so in flat mode chains can go ahead of the elements.
      assert.is(made.length, mode === "flat" ? 2 : 1);
      assert.ok(made[0]?.full);
      const bytes = Buffer.concat(made.map(({ data }) => joinPieces(data)));

      const other = started(mode);
      for (const { id } of other.plan(0)) other.committed(id, 0);
      other.forget();
      const forgotten = other.plan(1000).filter((batch) => batch.family === family);
      const replaced = shapes(Buffer.concat(forgotten.map(({ data }) => joinPieces(data))));
      assert.ok(replaced[1]?.startsWith(DELETE_TABLE));
      assert.equal(shapes(bytes), replaced.slice(2));

      for (const { id } of made) engine.committed(id, 1000);
      assert.equal(engine.plan(2000), [], "the other family's table is as it was");
    }
  });

  test(`${mode}: a dump without one of its messages, or cut off after it, is compared all the same`, () => {
    const messages = messagesOf(sent(mode, "ipv4"));
    assert.ok(messages.filter((message) => message.readUInt16LE(4) === NEW_CHAIN).length > 10);
    // It wants none of these Services: what is there of them has to go, however little the dump says of it.
    const engine = started(mode, listOf([]));
    for (let i = 0; i < messages.length; i++) {
      for (const dump of [messages.toSpliced(i, 1), messages.slice(0, i + 1)]) {
        const batches = engine.reconcile("ipv4", dump, 0);
        for (const { data } of batches) {
          const types = messagesOf(Buffer.from(joinPieces(data))).map((message) => message.readUInt16LE(4));
          assert.ok(types[0] === 0x10 && types.at(-1) === 0x11, "whole batches");
        }
      }
    }
  });
}

// ---- what is cut into transactions

const NEW_RULE = 0xa06;
const NEW_ELEMENT = 0xa0c;
const SERVICES = 60;
const withPorts = [
  { name: "http", port: 80, nodePort: 0 },
  { name: "https", port: 443, nodePort: 0 },
];

/** Each has a cluster IP and two ports with node ports; its endpoints are other ones in each `version`, `count` of them. */
function shops(version: number, count: (index: number) => number): ReturnType<typeof listOf> {
  return listOf(
    Array.from({ length: SERVICES }, (_, i) => {
      const ports = withPorts.map((port, at) => ({ ...port, nodePort: 30_000 + i * 2 + at }));
      const endpoints = Array.from({ length: count(i) }, (_, slot) => `10.${version}.${i}.${slot + 1}`);
      return [
        makeService(`shop/s${i}`, { ip: `10.96.1.${i}`, type: "NodePort", ports }),
        makeSlice(`shop/s${i}-1`, `s${i}`, endpoints, {
          ports: [
            { name: "http", port: 8080 },
            { name: "https", port: 8443 },
          ],
        }),
      ];
    }).flat(),
  );
}

/** Keys of a Service's entry points, and how its chains are called, as they stand in messages. */
function tracesOf(index: number): Buffer[] {
  const nodePorts = [0, 1].map((at) => {
    const key = Buffer.from([6, 0, 0, 0, 0, 0]);
    key.writeUInt16BE(30_000 + index * 2 + at, 4);
    return key;
  });
  return [Buffer.from([10, 96, 1, index, 6]), Buffer.from(`-shop/s${index}/`), ...nodePorts];
}

/** How many transactions mend something of a Service. */
function differing(batches: readonly Buffer[], index: number): number {
  const traces = tracesOf(index);
  const those = batches.filter((bytes) =>
    messagesOf(bytes).some((message) => {
      const type = message.readUInt16LE(4);
      // Slots that are missing come before anything leads to them.
      if (type === NEW_ELEMENT && message.includes("backends\0") && index % 5 === 4) return false;
      return (type === NEW_RULE || type === NEW_ELEMENT) && traces.some((trace) => message.includes(trace));
    }),
  );
  return those.length;
}

for (const mode of ["flat", "nftables"] as const) {
  // Some get fewer endpoints than they had, some none, and some that had none get some.
  const before = shops(1, (i) => (i % 5 === 4 ? 0 : 3));
  const after = shops(2, (i) => (i % 5 === 3 ? 0 : 2 + (i % 2)));

  function difference(limits?: [number, number]): Buffer[] {
    const held = started(mode, before)
      .plan(0)
      .filter(({ family }) => family === "ipv4");
    const engine = started(mode, after);
    if (limits !== undefined) engine.setBatchLimits(...limits);
    const made = engine.reconcile("ipv4", [Buffer.concat(held.map(({ data }) => joinPieces(data)))], 0);
    const bytes = made.map(({ data }) => Buffer.from(joinPieces(data)));
    for (const { id } of made) engine.committed(id, 0);
    assert.equal(
      engine.plan(1).filter(({ family }) => family === "ipv4"),
      [],
    );
    return bytes;
  }

  test(`${mode}: what differs of one Service is mended by one transaction, however many there are`, () => {
    const batches = difference([4000, 0]);
    assert.ok(batches.length > 8, `${batches.length} transactions`);
    for (let i = 0; i < SERVICES; i++) assert.is(differing(batches, i), 1, `shop/s${i}`);
  });

  test(`${mode}: one that no transaction holds is mended by several`, () => {
    assert.ok(differing(difference([400, 600]), 0) > 1);
  });
}

test.run();
