// The contract: what goes in and out of an instance, and that instances share nothing and decide nothing by chance.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { families, modes } from "../../fixtures/support/engine.ts";
import {
  addresses,
  applyText,
  defaultOptions,
  describe,
  type Engine,
  encode,
  join,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  newEngine,
  plan,
  put,
  remove,
  render,
  renderAll,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("abi");

/** A history in which everything happens; returns all that the engine has said. */
function history(engine: Engine): string {
  const said: unknown[] = [];
  const say = (what: unknown) =>
    said.push(JSON.stringify(what, (_, value) => (value instanceof Uint8Array ? join([value]) : value)));
  say(engine.configure({ ...defaultOptions("iptables"), masqueradeBit: 77 }));
  for (const mode of modes) {
    say(
      engine.configure({
        ...defaultOptions(mode),
        nodePortAddresses: ["primary", "10.0.0.0/8"],
        interfaceAddresses: ["10.1.1.1", "10.0.0.1"],
      }),
    );
    for (let i = 0; i < 40; i++) {
      say(
        put(
          engine,
          makeService(`x/s${i % 7}`, {
            ip: `10.96.0.${i % 5}`,
            externalIPs: [`192.0.2.${i % 3}`],
            ports: [{ port: 80, nodePort: 30000 + (i % 4) }],
          }),
        ),
      );
      say(
        put(
          engine,
          makeSlice(
            `x/s${i % 7}-${i % 2}`,
            `s${i % 7}`,
            addresses(i % 4, "10.8").map((ip) => `${ip} node-a`),
            { addressType: "IPv4" },
          ),
        ),
      );
      if (i % 5 === 0) say(remove(engine, makeService(`x/s${i % 7}`)));
      if (i % 9 === 0) say(put(engine, makeNode("node-a", { ips: [`10.0.0.${i}`], zone: `z${i}` })));
      for (const { id, text } of plan(engine, i * 700)) {
        say([id, text]);
        if ((i + id) % 3 === 0) engine.failed(id, i * 700);
        else engine.committed(id, i * 700 + 10);
      }
      say([engine.problems(), engine.node(), engine.nodes(), describe(engine)]);
    }
    say(renderAll(engine));
    say(families.map((family) => join(engine.blame(family))));
    say(applyText(engine, '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a b"},"spec":{"clusterIP":"x"}}{'));
  }
  return said.join("\n");
}

test("two instances, the same calls: the same bytes, also while others work in between", () => {
  const alone = history(newEngine());
  assert.ok(alone.length > 100_000);
  const other = newEngine();
  history(other);
  assert.is(history(newEngine()), alone);
});

test("instances share nothing", () => {
  const [one, two] = [makeEngine(), makeEngine("iptables")];
  put(one, makeService("x/a"));
  put(two, makeService("x/b", { ip: "10.96.0.1" }), makeNode("n"));
  assert.equal([one.problems(), two.problems()], [[], []]);
  assert.equal([one.nodes(), two.nodes()], [[], ["n"]]);
  assert.not.match(renderAll(one), "x/b");
  assert.not.match(renderAll(two), "x/a");
});

test("before configure: kube-proxy's defaults in nftables mode, for a node without a name", () => {
  const engine = newEngine();
  put(engine, makeService("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1"]));
  const wanted = makeEngine("nftables", { nodeName: "" });
  put(wanted, makeService("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1"]));
  assert.is(renderAll(engine), renderAll(wanted));
  assert.is(engine.node().name, "");
});

test("what was returned belongs to the host: later calls do not change it", () => {
  const engine = makeEngine();
  put(engine, makeService("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1"]));
  const pieces = engine.render("ipv4");
  const copy = join(pieces);
  const batches = engine.plan(0);
  const texts = batches.map(({ data }) => join(data));
  put(engine, ...addresses(2000, "10.97").map((ip, i) => makeService(`x/s${i}`, { ip })));
  renderAll(engine);
  assert.is(join(pieces), copy);
  assert.equal(
    batches.map(({ data }) => join(data)),
    texts,
  );
});

test("the engine keeps nothing of the host's data", () => {
  const engine = makeEngine();
  const data = encode(JSON.stringify(makeService("x/aaa")));
  engine.apply(data);
  data.fill(0x20);
  assert.match(renderAll(engine), "x/aaa");
});

test("long texts come in pieces of about a megabyte that join at any byte", () => {
  const engine = makeEngine();
  put(engine, ...addresses(6000, "10.97").map((ip, i) => makeService(`x/${"s".repeat(200)}${i}`, { ip })));
  const pieces = engine.render("ipv4");
  assert.ok(pieces.length > 1);
  for (const piece of pieces) assert.ok(piece.length > 0 && piece.length <= 1_100_000, `${piece.length}`);
  assert.is(
    join(pieces)
      .split("\n")
      .filter((line) => line.includes("no-endpoint-services {")).length,
    6001,
  );
  const [batch] = engine.plan(0);
  assert.ok((batch?.data.length ?? 0) > 0);
});

test("strings of options in any length and any characters", () => {
  const nodeName = `${"n".repeat(100_000)}é😀"\\`;
  const engine = makeEngine("nftables", { nodeName, nodePortAddresses: addresses(2000).map((ip) => `${ip}/32`) });
  assert.is(engine.node().name, nodeName);
  assert.is(describe(engine).node.name, nodeName);
  put(engine, makeNode("node-b"));
  assert.is(engine.node().known, false);
});

test("a clock far away, and one that stands still", () => {
  const engine = makeEngine();
  const late = 2 ** 52;
  put(engine, makeService("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1"]));
  for (const { id } of plan(engine, late)) engine.committed(id, late);
  remove(engine, makeSlice("x/a-1", "a", []));
  const waits = plan(engine, late).map(({ id, notBeforeMs }) => {
    engine.committed(id, late);
    return notBeforeMs;
  });
  assert.equal(waits, [0, 1000]);
  assert.equal(plan(engine, late), []);
  assert.match(render(engine), "no-endpoint-services");
});

test.run();
