// Services that are taken up in portions: how much a plan has of them, and what takes everything up.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { families } from "../../fixtures/support/engine.ts";
import { addresses, applyJson, makeEngine, makeService, makeSlice, put } from "../../fixtures/support/engine-tests.ts";
import { type EngineInstance, joinPieces } from "../../hosts/shared/engine.ts";

const test = suite("routing: portions");
const PORTION = 500;
const ports = Array.from({ length: 60 }, (_, i) => ({ name: `p${i}`, port: 1 + i }));
const externalIPs = Array.from({ length: 30 }, (_, i) => `198.18.0.${i}`);
const heavy = makeService("evil/heavy", { ports, externalIPs });
const web = (last: number) => [
  makeService("shop/web", { ip: "10.96.0.12" }),
  makeSlice("shop/web-1", "web", [`10.0.1.${last}`]),
];

function started(): EngineInstance {
  const engine = makeEngine("flat");
  engine.setPortion(PORTION);
  send(engine, 0);
  return engine;
}

/** All batches of the next plan as text, acknowledged unless they are for later. */
function send(engine: EngineInstance, now: number): string {
  let text = "";
  for (const { id, data, notBeforeMs } of engine.plan(now)) {
    text += Buffer.from(joinPieces(data)).toString();
    if (notBeforeMs === 0) engine.committed(id, now);
  }
  return text;
}

const count = (text: string, what: RegExp) => [...text.matchAll(what)].length;
const ENTRY = / no-endpoint-services \{ 198\.18\./g;

test("a plan has what others have changed, and a portion only if it is allowed", () => {
  const engine = started();
  put(engine, heavy, ...web(1));
  const first = send(engine, 1);
  assert.match(first, "10.0.1.1");
  assert.is(count(first, ENTRY), 0);
  let portions = 0;
  for (; engine.beginPortion(); portions++) {
    put(engine, ...web(2 + portions));
    const text = send(engine, 2);
    assert.match(text, `10.0.1.${2 + portions}`);
    // With the port that it ends with.
    assert.ok(count(text, ENTRY) <= PORTION + 33, `${count(text, ENTRY)} entry points`);
  }
  assert.ok(portions >= (60 * 30) / PORTION, `${portions} portions`);
  assert.is(send(engine, 3), "");
});

test("what changes again in between is taken up anew, and Services take turns", () => {
  const engine = started();
  const other = makeService("evil/other", {
    ports,
    externalIPs: externalIPs.map((ip) => ip.replace("18.0", "19.0")),
    ip: "10.96.7.7",
  });
  put(engine, heavy, other);
  send(engine, 1);
  for (let i = 0; i < 2; i++) {
    engine.beginPortion();
    const text = send(engine, 1);
    assert.is(count(text, ENTRY) > 0, i === 0);
    assert.is(count(text, / \{ 198\.19\./g) > 0, i === 1);
    put(engine, makeService("evil/heavy", { ports, externalIPs: externalIPs.slice(i) }));
  }
  while (engine.beginPortion()) send(engine, 1);
  const fresh = makeEngine("flat");
  put(fresh, makeService("evil/heavy", { ports, externalIPs: externalIPs.slice(1) }), other);
  const rendered = (each: EngineInstance) =>
    families.map((family) => Buffer.from(joinPieces(each.render(family))).toString());
  assert.equal(rendered(engine), rendered(fresh));
  assert.is(send(engine, 1), "");
});

test("questions about everything take everything up", () => {
  for (const ask of [
    (engine: EngineInstance) => engine.render("ipv4"),
    (engine: EngineInstance) => engine.describe(),
    (engine: EngineInstance) => engine.count(),
    (engine: EngineInstance) => engine.problems(),
  ]) {
    const engine = started();
    put(engine, heavy);
    send(engine, 1);
    ask(engine);
    assert.is(engine.beginPortion(), false);
    assert.is(count(send(engine, 1), ENTRY), 60 * 30);
  }
});

test("a plan deletes a thousand chains at most, and says no time for the rest before all that is due is gone", () => {
  const engine = started();
  const affinity = makeService("evil/heavy", { ports: ports.slice(0, 30), sessionAffinity: "ClientIP" });
  const slice = makeSlice("evil/heavy-1", "heavy", addresses(50, "10.9"), { ports: ports.slice(0, 30) });
  put(engine, affinity, slice);
  do send(engine, 1);
  while (engine.beginPortion());
  for (const object of [affinity, slice]) applyJson(engine, { type: "DELETED", object });
  do send(engine, 1000);
  while (engine.beginPortion());
  const deleted = [1, 2].map(() => {
    const batches = engine.plan(5000);
    for (const { id } of batches) engine.committed(id, 5000);
    assert.equal(new Set(batches.map(({ notBeforeMs }) => notBeforeMs)), new Set([0]));
    return count(batches.map(({ data }) => Buffer.from(joinPieces(data)).toString()).join(""), /^delete chain /gm);
  });
  assert.equal(deleted, [1000, 30 * 51 - 1000]);
  assert.is(send(engine, 5000), "");
});

test.run();
