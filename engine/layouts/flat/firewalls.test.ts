// Flat: packets look for firewalls only while there are some. The rules that lead them there come before the first
// element and go with the last, and are never missing in between.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  commitAll,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  type PlannedBatch,
  plan,
  put,
  remove,
  render,
} from "../../../fixtures/support/engine-tests.ts";

const test = suite("layouts: flat firewalls");

const JUMPS = [
  "add rule ip sluice filter-prerouting-pre-dnat ct state new jump firewall-check",
  "add rule ip sluice filter-output-pre-dnat ct state new jump firewall-check",
];
const FLUSHES = ["flush chain ip sluice filter-prerouting-pre-dnat", "flush chain ip sluice filter-output-pre-dnat"];

function limited(name: string, ip: string, range = "10.0.0.0/8") {
  const ingress = [{ ip: ip.replace("10.96", "192.0") }];
  return makeService(name, { ip, type: "LoadBalancer", ingress, loadBalancerSourceRanges: [range] });
}
const web = limited("shop/web", "10.96.0.12");
const db = limited("shop/db", "10.96.0.13", "172.16.0.0/12");
const endpoint = makeSlice("shop/web-1", "web", ["10.0.0.1"]);

/** IPv4's batches, those that wait for their time left out: the lines of each. */
function lines(batches: PlannedBatch[]): string[][] {
  const now = batches.filter(({ family, notBeforeMs }) => family === "ipv4" && notBeforeMs === 0);
  return now.map(({ text }) => text.split("\n"));
}

/** In which of the batches all of these lines are; -1: in none. */
function batchWith(batches: string[][], wanted: string[]): number {
  return batches.findIndex((batch) => wanted.every((line) => batch.includes(line)));
}

const batchWithElement = (batches: string[][], verb: string) =>
  batches.findIndex((batch) => batch.some((line) => line.startsWith(`${verb} element ip sluice firewall-ips`)));

test("the rules come before the first element, and go with the last", () => {
  const engine = makeEngine("flat");
  put(engine, makeService("shop/plain", { ip: "10.96.0.11" }));
  assert.is(batchWith(lines(plan(engine, 0)), [JUMPS[0] as string]), -1);
  assert.not.ok(render(engine).includes("jump firewall-check"));
  commitAll(engine, 0);

  put(engine, web, endpoint);
  const coming = plan(engine, 0);
  assert.is(batchWith(lines(coming), JUMPS), 0);
  assert.is(batchWithElement(lines(coming), "add"), 1);
  for (const jump of JUMPS) assert.ok(render(engine).includes(jump));
  commitAll(engine, 0);

  put(engine, db);
  const second = plan(engine, 0);
  assert.ok(batchWithElement(lines(second), "add") >= 0);
  assert.is(batchWith(lines(second), [JUMPS[0] as string]), -1, "they are there already");
  commitAll(engine, 0);

  remove(engine, web);
  const third = plan(engine, 0);
  assert.ok(batchWithElement(lines(third), "delete") >= 0);
  assert.is(batchWith(lines(third), [FLUSHES[0] as string]), -1, "shop/db needs them");
  commitAll(engine, 0);

  put(engine, makeService("shop/db", { ip: "10.96.0.13" }));
  const going = lines(plan(engine, 0));
  assert.ok(batchWith(going, FLUSHES) >= 0);
  assert.is(batchWith(going, FLUSHES), batchWithElement(going, "delete"));
  commitAll(engine, 0);
  assert.not.ok(render(engine).includes("jump firewall-check"));
  put(engine, web);
  assert.is(batchWith(lines(plan(engine, 0)), JUMPS), 0, "and again");
});

test("where the rest of the table is written anew, they are written in the same transaction", () => {
  const engine = makeEngine("flat");
  put(engine, makeNode("node-a", { ips: ["192.0.2.1"] }), web, endpoint);
  commitAll(engine, 0);
  put(engine, makeNode("node-a", { ips: ["192.0.2.2"] }));
  const [first = []] = lines(plan(engine, 0));
  assert.ok(first.indexOf(FLUSHES[0] as string) >= 0);
  for (const [index, jump] of JUMPS.entries()) {
    assert.ok(first.indexOf(jump) > first.indexOf(FLUSHES[index] as string));
    assert.is(first.filter((line) => line === jump).length, 1);
  }
});

test("what the kernel did not take is written again; what it took is not", () => {
  const engine = makeEngine("flat");
  put(engine, makeService("shop/plain", { ip: "10.96.0.11" }));
  commitAll(engine, 0);
  put(engine, web, endpoint);
  const [first] = plan(engine, 0).filter(({ family }) => family === "ipv4");
  engine.failed(first?.id ?? 0, 0);
  const again = plan(engine, 0).filter(({ family }) => family === "ipv4");
  assert.is(batchWith(lines(again), JUMPS), 0);
  engine.committed(again[0]?.id ?? 0, 0);
  engine.failed(again[1]?.id ?? 0, 0);
  const rest = lines(plan(engine, 0));
  assert.is(batchWith(rest, [JUMPS[0] as string]), -1);
  assert.ok(batchWithElement(rest, "add") >= 0);
});

test("as in nftables mode, where they are always there, if the layout is kube-proxy's", () => {
  assert.ok(render(makeEngine("nftables")).includes("filter-prerouting-pre-dnat ct state new jump firewall-check"));
});

test.run();
