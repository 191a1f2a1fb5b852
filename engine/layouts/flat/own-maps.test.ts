// Flat: a service port with many entry points has its endpoints once, in a map of its own.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  commitAll,
  makeEngine,
  makeService,
  makeSlice,
  type PlannedBatch,
  plan,
  put,
  render,
} from "../../../fixtures/support/engine-tests.ts";

const test = suite("layouts: flat, own maps");

/** A Service with a cluster IP and so many external IPs. */
function wide(addresses: number, more: object = {}) {
  const externalIPs = Array.from({ length: addresses }, (_, i) => `198.18.${i >> 8}.${i & 255}`);
  return makeService("shop/web", { ip: "10.96.0.12", externalIPs, ...more });
}
const endpoints = (...ips: string[]) => makeSlice("shop/web-1", "web", ips);
const many = (count: number) => Array.from({ length: count }, (_, i) => `10.1.${i >> 8}.${i & 255}`);

const ipv4 = (batches: PlannedBatch[]) => batches.filter(({ family }) => family === "ipv4");
/** What is written at once; nothing is expected to wait unless `later` is asked for. */
const now = (batches: PlannedBatch[]) =>
  ipv4(batches)
    .filter(({ notBeforeMs }) => notBeforeMs === 0)
    .map(({ text }) => text.trimEnd().split("\n"));

const X = /[A-Z2-7]{8}-shop\/web\/tcp\//g;
const named = (lines: string[]) => lines.map((line) => line.replaceAll("ip sluice ", "").replaceAll(X, "X"));

test("an endpoint is written once, however many addresses lead to it", () => {
  for (const addresses of [5, 6, 1000]) {
    const engine = makeEngine("flat");
    put(engine, wide(addresses), endpoints("10.1.0.1", "10.1.0.2"));
    const text = render(engine, "ipv4");
    assert.is(text.match(/10\.1\.0\.2/g)?.length, 1, `${addresses} addresses`);
    assert.is(text.match(/add element ip sluice service-ips/g)?.length, addresses + 1);
    assert.not.match(text, /element ip sluice backends /);
  }
});

test("up to five entry points share maps and chains with other Services, as ever", () => {
  const engine = makeEngine("flat");
  put(engine, wide(4), endpoints("10.1.0.1", "10.1.0.2"));
  const text = render(engine, "ipv4");
  assert.is(text.match(/10\.1\.0\.2/g)?.length, 5);
  assert.not.match(text, /shop\/web/);
});

test("its chains, word for word", () => {
  const engine = makeEngine("flat");
  put(engine, wide(5), endpoints("10.1.0.1", "10.1.0.2"));
  const lines = named(render(engine, "ipv4").split("\n")).filter((line) => line.includes("X"));
  assert.equal(lines, [
    "add map backends-X { typeof numgen random mod 65536 : ip daddr . th dport ; }",
    "add element backends-X { 0 : 10.1.0.1 . 8080 }",
    "add element backends-X { 1 : 10.1.0.2 . 8080 }",
    "add chain service-X",
    "flush chain service-X",
    "add chain external-X",
    "flush chain external-X",
    'add rule external-X mark set mark or 0x00004000 comment "masquerade"',
    "add rule external-X goto service-X",
    "add rule service-X meta l4proto tcp dnat ip to numgen random mod 2 map @backends-X",
    "add rule service-X meta l4proto tcp dnat ip to numgen random mod 1 map @backends-X",
    "add element service-ips { 10.96.0.12 . tcp . 80 : goto service-X }",
    ...[0, 1, 2, 3, 4].map((i) => `add element service-ips { 198.18.0.${i} . tcp . 80 : goto external-X }`),
  ]);
});

test("a changed endpoint is a changed slot, for any number of addresses", () => {
  for (const addresses of [5, 1000]) {
    const engine = makeEngine("flat");
    put(engine, wide(addresses), endpoints("10.1.0.1", "10.1.0.2", "10.1.0.3"));
    commitAll(engine, 0);
    put(engine, endpoints("10.1.0.1", "10.1.0.3", "10.1.0.9"));
    const replaced = now(plan(engine, 0));
    assert.equal(
      replaced.map(named),
      [["delete element backends-X { 1 }", "add element backends-X { 1 : 10.1.0.9 . 8080 }"]],
      `${addresses} addresses`,
    );
    commitAll(engine, 0);
    put(engine, endpoints("10.1.0.1", "10.1.0.3"));
    assert.equal(now(plan(engine, 0)).map(named), [
      [
        "delete element backends-X { 1 }",
        "add element backends-X { 1 : 10.1.0.3 . 8080 }",
        "add chain service-X",
        "flush chain service-X",
        "add rule service-X meta l4proto tcp dnat ip to numgen random mod 2 map @backends-X",
        "add rule service-X meta l4proto tcp dnat ip to numgen random mod 1 map @backends-X",
        "delete element backends-X { 2 }",
      ],
    ]);
  }
});

test("one address more: chains and maps are there a transaction before anything points to them, old slots stay for one", () => {
  const engine = makeEngine("flat");
  put(engine, wide(4), endpoints("10.1.0.1", "10.1.0.2"));
  commitAll(engine, 0);
  put(engine, wide(5));
  const [first = [], second = [], third = [], ...rest] = now(plan(engine, 0)).map(named);
  assert.ok(first.includes("add element backends-X { 1 : 10.1.0.2 . 8080 }"), first.join("\n"));
  assert.ok(first.every((line) => !line.includes("service-ips")));
  assert.is(second.filter((line) => line.startsWith("add element service-ips")).length, 6);
  assert.ok(second.every((line) => !line.includes("backends")));
  assert.is(third.filter((line) => line.startsWith("delete element backends {")).length, 10);
  assert.equal(rest, []);
  commitAll(engine, 0);
  assert.equal(plan(engine, 20_000), []);
});

test("one address less: the map keeps its slots until it is deleted with the chains, a second later", () => {
  const engine = makeEngine("flat");
  put(engine, wide(5), endpoints("10.1.0.1", "10.1.0.2"));
  commitAll(engine, 0);
  put(engine, wide(4));
  const batches = plan(engine, 0);
  assert.not.match(now(batches).flat().join("\n"), /(?:delete|flush) (?:map|element) ip sluice (?:local-)?backends-/);
  const later = ipv4(batches).filter(({ notBeforeMs }) => notBeforeMs >= 1000);
  assert.equal(
    later.flatMap(({ text }) => named(text.trimEnd().split("\n"))),
    ["delete map backends-X", "delete chain external-X", "delete chain service-X"],
  );
});

test("wanted again before it is deleted, the map is filled anew", () => {
  const engine = makeEngine("flat");
  put(engine, wide(5), endpoints("10.1.0.1", "10.1.0.2"));
  commitAll(engine, 0);
  put(engine, wide(4));
  for (const { id } of plan(engine, 0).filter(({ notBeforeMs }) => notBeforeMs === 0)) engine.committed(id, 0);
  put(engine, wide(5), endpoints("10.1.0.7"));
  const first = named(now(plan(engine, 100))[0] ?? []);
  assert.equal(first.slice(0, 3), [
    "add map backends-X { typeof numgen random mod 65536 : ip daddr . th dport ; }",
    "flush map backends-X",
    "add element backends-X { 0 : 10.1.0.7 . 8080 }",
  ]);
  commitAll(engine, 100);
  assert.equal(plan(engine, 5000), []);
});

test("ten ports at a thousand addresses with two hundred endpoints take less than a megabyte", () => {
  const engine = makeEngine("flat");
  engine.setEncoding("netlink");
  const ports = Array.from({ length: 10 }, (_, i) => ({ name: `p${i}`, port: 1000 + i }));
  const slicePorts = ports.map(({ name, port }) => ({ name, port: 8000 + port }));
  put(engine, wide(1000, { ports }), makeSlice("shop/web-1", "web", many(200), { ports: slicePorts }));
  const bytes = () =>
    engine.plan(0).reduce((sum, { data }) => sum + data.reduce((length, piece) => length + piece.length, 0), 0);
  assert.ok(bytes() < 1e6, `${bytes()} bytes`);
  commitAll(engine, 0);
  put(engine, makeSlice("shop/web-1", "web", [...many(199), "10.2.0.1"], { ports: slicePorts }));
  assert.ok(bytes() < 10_000, `${bytes()} bytes for one endpoint of each port`);
});

test.run();
