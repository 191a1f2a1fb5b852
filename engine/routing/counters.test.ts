// Sums over Services and service ports, and the hash of what is desired.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  commitAll,
  defaultOptions,
  type EngineInstance,
  FakeIptables,
  type KubernetesObject,
  type Mode,
  makeEngine,
  makeNode,
  makeService,
  makeServiceCIDR,
  makeSlice,
  plan,
  put,
  remove,
} from "../../fixtures/support/engine-tests.ts";
import { noTotals } from "../../hosts/shared/testing/fake-engine.ts";

const test = suite("routing: counters");
const modes: Mode[] = ["iptables", "nftables", "flat"];

const local = { internalTrafficPolicy: "Local" };
const external = { type: "NodePort", externalTrafficPolicy: "Local", ports: [{ port: 80, nodePort: 30080 }] };

test("Services, slices, service ports and endpoints", () => {
  const engine = makeEngine();
  assert.equal(
    { ...engine.count(), stateHash: 0n },
    { services: 0, endpointSlices: 0, ipv4: noTotals, ipv6: noTotals, stateHash: 0n },
  );
  const ports = [
    { name: "a", port: 1 },
    { name: "b", port: 2 },
  ];
  const web = makeService("shop/web", { ip: "10.96.0.1,fd00::1", ports });
  const slice = makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"], { ports });
  put(engine, web, slice, makeSlice("shop/orphan-1", "orphan", ["10.0.0.3"]));
  const counts = engine.count();
  assert.is(counts.services, 1);
  assert.is(counts.endpointSlices, 2);
  assert.equal(counts.ipv4, { ...noTotals, servicePorts: 2, endpoints: 4 });
  assert.equal(counts.ipv6, { ...noTotals, servicePorts: 2 });
  remove(engine, web);
  assert.equal(engine.count().ipv4, noTotals);
  assert.is(engine.count().services, 0);
});

for (const mode of modes) {
  test(`${mode}: Local policies without endpoints here, before and after they are committed`, () => {
    const engine = makeEngine(mode);
    const counts = () => {
      const { noLocalEndpointsInternal, noLocalEndpointsExternal } = engine.count().ipv4;
      return [noLocalEndpointsInternal, noLocalEndpointsExternal];
    };
    put(
      engine,
      makeService("x/internal", local),
      makeService("x/external", { ...external, ip: "10.96.0.2" }),
      makeService("x/cluster", { ip: "10.96.0.3" }),
    );
    assert.equal(counts(), [0, 0], "no endpoints at all is another matter");
    put(
      engine,
      makeSlice("x/internal-1", "internal", ["10.0.0.1 node-b"]),
      makeSlice("x/external-1", "external", ["10.0.0.2 node-b"]),
      makeSlice("x/cluster-1", "cluster", ["10.0.0.3 node-b"]),
    );
    assert.equal(counts(), [1, 1]);
    commitAll(engine, 0);
    assert.equal(counts(), [1, 1]);
    put(engine, makeSlice("x/external-1", "external", ["10.0.0.2 node-b", "10.0.0.4 node-a"]));
    assert.equal(counts(), [1, 0]);
    remove(engine, makeService("x/internal", local));
    assert.equal(counts(), [0, 0]);
  });

  test(`${mode}: the state's hash knows no history`, () => {
    const objects: KubernetesObject[] = [
      makeNode("node-a", { ips: ["192.0.2.1"], zone: "z1" }),
      makeServiceCIDR("k", ["10.96.0.0/16"]),
      makeService("x/a", { ...external }),
      makeService("x/b", { ip: "10.96.0.2", ports: [{ name: "p", port: 80 }], sessionAffinity: "ClientIP" }),
      makeSlice("x/a-1", "a", ["10.0.0.1 node-a", "10.0.0.2"]),
      makeSlice("x/b-1", "b", ["10.0.0.3"], { ports: [{ name: "p", port: 80 }] }),
    ];
    const fresh = makeEngine(mode);
    put(fresh, ...objects);
    const wanted = fresh.count().stateHash;

    const old = makeEngine(mode);
    const passing = makeService("x/c", { ip: "10.96.0.3" });
    put(old, passing, makeSlice("x/a-1", "a", ["10.0.0.9", "10.0.0.2"]));
    commitAll(old, 0);
    put(old, ...[...objects].reverse());
    commitAll(old, 0);
    assert.is.not(old.count().stateHash, wanted, "there is a Service more");
    remove(old, passing);
    assert.is(old.count().stateHash, wanted, "before it is planned");
    commitAll(old, 0);
    assert.is(old.count().stateHash, wanted, "and afterwards");
    old.forget();
    assert.is(old.count().stateHash, wanted, "what the kernel holds does not matter");
  });
}

test("whatever changes rules changes the hash", () => {
  const hash = (engine: EngineInstance) => engine.count().stateHash;
  const a = makeService("x/a");
  const slice = makeSlice("x/a-1", "a", ["10.0.0.1"]);
  const base = makeEngine();
  put(base, a, slice);
  const seen = new Map<bigint, string>([[hash(base), "base"]]);
  const differs = (what: string, ...objects: KubernetesObject[]) => {
    const engine = makeEngine();
    put(engine, ...objects);
    assert.is(seen.get(hash(engine)), undefined, what);
    seen.set(hash(engine), what);
  };
  differs("another name", makeService("x/b"), makeSlice("x/b-1", "b", ["10.0.0.1"]));
  differs("another address", makeService("x/a", { ip: "10.96.0.2" }), slice);
  differs("another endpoint", a, makeSlice("x/a-1", "a", ["10.0.0.2"]));
  differs("no endpoint", a);
  differs("a ServiceCIDR", a, slice, makeServiceCIDR("k", ["10.96.0.0/16"]));
  differs("a node IP", a, slice, makeNode("node-a", { ips: ["192.0.2.1"] }));
  const masquerading = makeEngine("nftables", { masqueradeAll: true });
  put(masquerading, a, slice);
  assert.is(seen.get(hash(masquerading)), undefined, "an option");
  const flat = makeEngine("flat", { ...defaultOptions("flat") });
  put(flat, a, slice);
  assert.is(seen.get(hash(flat)), undefined, "a mode");
});

test("iptables: rules in each table are those that the kernel then holds", () => {
  const engine = makeEngine("iptables");
  const kernel = new FakeIptables();
  let now = 0;
  const sync = (lose = false) => {
    for (const { id, family, text } of plan(engine, now++)) {
      if (lose) engine.failed(id, now);
      else engine.committed(id, now);
      if (family === "ipv4" && !lose) kernel.restore(text);
    }
  };
  const held = (table: string) =>
    Object.entries(kernel.state()).reduce((sum, [name, rules]) => sum + (name.startsWith(table) ? rules.length : 0), 0);
  const check = (what: string) => {
    const { iptablesFilterRules, iptablesNatRules } = engine.count().ipv4;
    assert.equal([iptablesFilterRules, iptablesNatRules], [held("*filter"), held("*nat")], what);
  };
  sync();
  check("nothing");
  const a = makeService("x/a", { ...external });
  const b = makeService("x/b", { ip: "10.96.0.2", sessionAffinity: "ClientIP" });
  put(engine, a, b, makeSlice("x/a-1", "a", ["10.0.0.1", "10.0.0.2 node-a"]), makeSlice("x/b-1", "b", ["10.0.0.3"]));
  sync();
  check("two Services");
  put(engine, makeSlice("x/b-1", "b", ["10.0.0.3", "10.0.0.4"]));
  sync();
  check("an endpoint more in one of them");
  put(engine, makeService("x/c", { ip: "10.96.0.3" }), makeSlice("x/c-1", "c", ["10.0.0.5"]));
  sync(true);
  remove(engine, makeService("x/c", { ip: "10.96.0.3" }), a);
  sync();
  check("one that never got there is gone again, and one more");
  engine.forget();
  sync();
  check("all written anew");
});

test.run();
