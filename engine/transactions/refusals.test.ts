// What becomes of a Service that the kernel refuses: it is named and left out, and all others go in. The kernel here is a
// model that refuses messages with certain bytes; hosts/agent/kernel/writers/netlink-writer.test.ts asks a real one.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  messagesOf,
  put,
  remove,
} from "../../fixtures/support/engine-tests.ts";
import { type EngineInstance, joinPieces } from "../../hosts/shared/engine.ts";

const test = suite("transactions: refusals");

const web = makeService("shop/web", { ip: "10.96.0.1" });
const webEndpoints = (...ips: string[]) => makeSlice("shop/web-1", "web", ips);
const database = makeService("shop/database", { ip: "10.96.0.2", sessionAffinity: "ClientIP" });
const databaseEndpoints = (...ips: string[]) => makeSlice("shop/database-1", "database", ips);

const address = (ip: string): Buffer => Buffer.from(ip.split(".").map(Number));

/** Sends what is planned to a kernel that refuses each message with that address, or bytes; returns what was named, and sent. */
function send(engine: EngineInstance, now: number, refuse?: string | Buffer): { named: string[]; sent: Buffer } {
  const sent: Buffer[] = [];
  const named: string[] = [];
  let broken = false;
  for (const { id, family, data, notBeforeMs } of engine.plan(now)) {
    if (broken || family === "ipv6") continue;
    const bytes = Buffer.from(joinPieces(data));
    const refusedBytes = typeof refuse === "string" ? address(refuse) : refuse;
    const bad = messagesOf(bytes).filter((message) => refusedBytes !== undefined && message.includes(refusedBytes));
    if (bad.length === 0) {
      sent.push(bytes);
      engine.committed(id, now + notBeforeMs);
      continue;
    }
    broken = true;
    const sequences = bad.map((message) => message.readUInt32LE(8));
    named.push(...engine.refused(id, sequences, now).map(({ namespace, name }) => `${namespace}/${name}`));
  }
  return { named, sent: Buffer.concat(sent) };
}

const leftOut = (engine: EngineInstance) => engine.leftOut().map(({ namespace, name }) => `${namespace}/${name}`);

function started(mode: "flat" | "nftables"): EngineInstance {
  const engine = makeEngine(mode) as EngineInstance;
  engine.setEncoding("netlink");
  put(engine, web, webEndpoints("10.0.0.1", "10.0.0.2"), database, databaseEndpoints("10.0.0.3", "10.0.0.4"));
  return engine;
}

for (const mode of ["flat", "nftables"] as const) {
  test(`${mode}: the Service is named and left out, the rest goes in, and a change tries it again`, () => {
    const engine = started(mode);
    assert.equal(send(engine, 0, "10.0.0.2").named, ["shop/web"]);
    assert.equal(leftOut(engine), ["shop/web"]);
    const rest = send(engine, 1, "10.0.0.2");
    assert.equal(rest.named, []);
    assert.ok(rest.sent.includes(address("10.0.0.3")) && !rest.sent.includes(address("10.0.0.1")));
    assert.is(send(engine, 2).sent.length, 0, "nothing else is left to do");
    put(engine, webEndpoints("10.0.0.1"));
    assert.equal(leftOut(engine), []);
    assert.ok(send(engine, 3).sent.includes(address("10.0.0.1")));
  });

  test(`${mode}: what the kernel holds of it stays while others change`, () => {
    const engine = started(mode);
    for (let now = 0; now < 5000; now += 2000) send(engine, now);
    // Counts change: in flat mode the chains for two endpoints have nobody else who needs them.
    put(engine, webEndpoints("10.0.0.1", "10.0.0.2", "10.0.0.9"), databaseEndpoints("10.0.0.3"));
    assert.equal(send(engine, 10_000, "10.0.0.9").named, ["shop/web"]);
    const sent = [20_000, 30_000, 40_000].map((now) => send(engine, now, "10.0.0.9").sent);
    const gone = mode === "flat" ? "lb-2\0" : "shop/web/";
    const deletions = sent.flatMap(messagesOf).filter((message) => [0xa05, 0xa08].includes(message.readUInt16LE(4)));
    assert.ok(deletions.length > 0, "chains of the other Service went");
    assert.ok(!deletions.some((message) => message.toString("latin1").includes(gone)), `${gone} stays`);
    engine.retry();
    assert.equal(leftOut(engine), []);
    assert.ok(send(engine, 50_000).sent.includes(address("10.0.0.9")));
  });

  test(`${mode}: an address that another Service has had does not lead to its chains any more`, () => {
    const engine = started(mode);
    put(
      engine,
      makeService("shop/database", { ip: "10.96.0.2", externalIPs: ["192.0.2.7"], created: "2024-01-01T00:00:00Z" }),
    );
    for (let now = 0; now < 5000; now += 2000) send(engine, now);
    // An older Service takes the address over, and is refused.
    put(
      engine,
      makeService("shop/old", { ip: "10.96.0.3", externalIPs: ["192.0.2.7"], created: "2020-01-01T00:00:00Z" }),
      makeSlice("shop/old-1", "old", ["10.0.0.8"]),
    );
    assert.equal(send(engine, 10_000, "10.0.0.8").named, ["shop/old"]);
    const { named, sent } = send(engine, 20_000, "10.0.0.8");
    assert.equal(named, []);
    const deleted = messagesOf(sent).filter((message) => message.readUInt16LE(4) === 0xa0e);
    assert.ok(deleted.some((message) => message.includes(address("192.0.2.7"))));
    assert.is(send(engine, 30_000, "10.0.0.8").sent.includes(address("192.0.2.7")), false);
    remove(engine, makeService("shop/old", {}));
    const back = messagesOf(send(engine, 40_000).sent).filter((message) => message.readUInt16LE(4) === 0xa0c);
    assert.ok(
      back.some((message) => message.includes(address("192.0.2.7"))),
      "and it comes back",
    );
  });

  test(`${mode}: elements of sets that all share are written for the Service that needs them, or not at all`, () => {
    for (const refused of ["10.96.0.1", "10.0.0.2"]) {
      const engine = started(mode);
      put(engine, makeNode("node-a"), webEndpoints("10.0.0.1", "10.0.0.2 node-a"));
      assert.equal(send(engine, 0, refused).named, ["shop/web"], refused);
      const rest = send(engine, 1, refused);
      assert.equal(rest.named, []);
      assert.ok(rest.sent.includes(address("10.0.0.3")) && !rest.sent.includes(address(refused)));
      engine.retry();
      assert.ok(send(engine, 2).sent.includes(address(refused)));
    }
  });

  test(`${mode}: source ranges are refused to the Services that have them`, () => {
    const engine = started(mode);
    const limited = (name: string, ip: string, range: string) =>
      makeService(name, {
        ip,
        type: "LoadBalancer",
        ingress: [{ ip: ip.replace("10.96", "203.0") }],
        loadBalancerSourceRanges: [range],
      });
    const range = "172.20.0.7/32";
    put(engine, limited("shop/a", "10.96.0.7", range), makeSlice("shop/a-1", "a", ["10.0.0.7"]));
    put(engine, limited("shop/b", "10.96.0.8", range), makeSlice("shop/b-1", "b", ["10.0.0.8"]));
    put(engine, limited("shop/c", "10.96.0.9", "172.20.1.0/24"), makeSlice("shop/c-1", "c", ["10.0.0.9"]));
    const named: string[] = [];
    for (let now = 0; now < 10; now++) named.push(...send(engine, now, "172.20.0.7").named);
    assert.equal(named.sort(), ["shop/a", "shop/b"]);
    assert.equal(leftOut(engine), ["shop/a", "shop/b"]);
    engine.forget();
    const { sent } = send(engine, 20, "172.20.0.7");
    assert.ok(sent.includes(address("10.0.0.3")) && sent.includes(address("10.0.0.9")));
    assert.ok(!sent.includes(address("10.0.0.7")) && !sent.includes(address("203.0.0.7")));
    engine.retry();
    assert.ok(send(engine, 30).sent.includes(address("172.20.0.7")));
  });

  test(`${mode}: rules of no Service are named by nothing, and leave nothing out`, () => {
    const engine = started(mode);
    const [batch] = engine.plan(0);
    if (batch === undefined) throw new Error("no plan");
    const [, table] = messagesOf(Buffer.from(joinPieces(batch.data)));
    const sequence = table?.readUInt32LE(8) ?? 0;
    assert.equal(engine.refused(batch.id, [sequence, sequence], 0), [{ namespace: "", name: "" }]);
    assert.equal(engine.leftOut(), []);
    assert.equal(engine.refused(4711, [1], 0).length, 0, "a batch that is not open");
    assert.ok(send(engine, 1).sent.includes(address("10.0.0.1")));
  });

  test(`${mode}: after forget and reconcile it stays left out, until it is tried again`, () => {
    for (const lift of ["forget", "reconcile"] as const) {
      const engine = started(mode);
      send(engine, 0, "10.0.0.2");
      const again = () => (lift === "forget" ? engine.forget() : engine.reconcile("ipv4", [], 1));
      again();
      assert.equal(leftOut(engine), ["shop/web"]);
      assert.not(send(engine, 2).sent.includes(address("10.0.0.2")));
      engine.retry();
      again();
      assert.ok(send(engine, 3).sent.includes(address("10.0.0.2")));
    }
  });
}

test("flat: a chain that Services share is refused to all that need it, at once; the others go in", () => {
  for (const refused of ["\0lb-2\0", "\0masquerade-lb-2\0"].map((name) => Buffer.from(name))) {
    const engine = started("flat");
    put(
      engine,
      makeService("shop/mail", { ip: "10.96.0.3", externalIPs: ["192.0.2.7"] }),
      makeSlice("shop/mail-1", "mail", ["10.0.0.5", "10.0.0.6"]),
      makeService("shop/single", { ip: "10.96.0.4" }),
      makeSlice("shop/single-1", "single", ["10.0.0.7"]),
    );
    const needing = refused.includes("masquerade") ? ["shop/mail"] : ["shop/mail", "shop/web"];
    assert.equal(new Set(send(engine, 0, refused).named), new Set(needing));
    assert.equal(leftOut(engine), needing);
    const { named, sent } = send(engine, 1, refused);
    assert.equal(named, []);
    assert.ok(sent.includes(address("10.0.0.7")) && !sent.includes(address("10.0.0.5")));
    engine.retry();
    assert.ok(send(engine, 2).sent.includes(address("10.0.0.5")));
  }
});

test("flat: a chain that is kept ready and that the kernel does not take is done without", () => {
  const engine = started("flat");
  engine.keepChains(4);
  const refused = Buffer.from("\0lb-4\0");
  assert.equal(new Set(send(engine, 0, refused).named), new Set(["/"]));
  const { named, sent } = send(engine, 1, refused);
  assert.equal(named, []);
  assert.ok(sent.includes(address("10.0.0.1")) && sent.includes(Buffer.from("\0lb-3\0")));
  assert.equal(leftOut(engine), []);
});

test.run();
