// A cold start in waves: what `plan-first-wave` writes and what it leaves to the next plan.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { outcomes } from "../../fixtures/kernel/flat-model.ts";
import { NftModel } from "../../fixtures/kernel/nft-model.ts";
import {
  type Engine,
  join,
  type Mode,
  makeEngine,
  makeService,
  makeServiceCIDR,
  makeSlice,
  put,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("planning: waves");

const urgent = [
  makeService("default/kubernetes", { ip: "10.96.0.1" }),
  makeSlice("default/kubernetes", "kubernetes", ["192.0.2.10"]),
  makeService("kube-system/kube-dns", { ip: "10.96.0.10" }),
  makeSlice("kube-system/kube-dns-1", "kube-dns", ["10.0.0.1", "10.0.0.2"]),
  makeService("infra/resolver", { ip: "10.96.0.11", labels: { "k8s-app": "kube-dns" } }),
  makeSlice("infra/resolver-1", "resolver", ["10.0.0.3"]),
];
const others = [
  makeService("shop/kubernetes", { ip: "10.96.0.20" }),
  makeSlice("shop/kubernetes-1", "kubernetes", ["10.0.1.1"]),
  makeService("shop/web", { ip: "10.96.0.21", labels: { "k8s-app": "web" }, sessionAffinity: "ClientIP" }),
  makeSlice("shop/web-1", "web", ["10.0.1.2", "10.0.1.3", "10.0.1.4"]),
  makeService("shop/empty", { ip: "10.96.0.22" }),
];

function load(model: NftModel, engine: Engine, wave: "first" | "rest"): number {
  const batches = wave === "first" ? engine.planFirstWave(0) : engine.plan(0);
  for (const { id, data } of batches) {
    model.apply(join(data));
    engine.committed(id, 0);
  }
  return batches.length;
}

function whole(engine: Engine): NftModel {
  const model = new NftModel();
  for (const family of ["ipv4", "ipv6"] as const) model.apply(join(engine.render(family)));
  return model;
}

test("flat: chains that are only kept ready wait for the rest", () => {
  const engine = makeEngine("flat");
  engine.keepChains(8);
  put(engine, ...others, ...urgent);
  const model = new NftModel();
  const balancing = () =>
    [...(model.tables.get("ip sluice")?.chains.keys() ?? [])].filter((name) => name.startsWith("lb-")).sort();
  load(model, engine, "first");
  assert.equal(balancing(), ["lb-1", "lb-2"]);
  load(model, engine, "rest");
  assert.equal(
    balancing(),
    [1, 2, 3, 4, 5, 6, 7, 8].map((count) => `lb-${count}`),
  );
  // In an empty kernel there is nothing to lose, but what is there stays.
  load(model, engine, "first");
  assert.is(balancing().length, 8);
});

for (const mode of ["nftables", "flat"] as Mode[]) {
  test(`${mode}: the API server and DNS are reachable after the first wave, and the rest after the next plan`, () => {
    const engine = makeEngine(mode);
    put(engine, ...others, ...urgent, makeServiceCIDR("kubernetes", ["10.96.0.0/16"]));
    const model = new NftModel();
    load(model, engine, "first");
    const table = model.tables.get(mode === "flat" ? "ip sluice" : "ip kube-proxy");
    assert.equal([...(table?.sets.get("service-ips")?.keys() ?? [])].sort(), [
      "10.96.0.1 . tcp . 80",
      "10.96.0.10 . tcp . 80",
      "10.96.0.11 . tcp . 80",
    ]);
    assert.equal([...(table?.sets.get("no-endpoint-services")?.keys() ?? [])], []);
    // Packets to what is not loaded yet are dropped, as to addresses of no Service, and not refused: they come again.
    assert.equal([...(table?.sets.get("cluster-ips")?.keys() ?? [])].sort(), ["10.96.0.1", "10.96.0.10", "10.96.0.11"]);
    const check = table?.chains.get("cluster-ips-check") ?? [];
    assert.ok(check.some((rule) => rule.startsWith("ip daddr { 10.96.0.0/16 } drop")));

    load(model, engine, "rest");
    assert.equal([...outcomes(model)].sort(), [...outcomes(whole(engine))].sort());
    assert.is(load(model, engine, "rest"), 0);
  });

  test(`${mode}: a first wave without anything urgent has the rules that belong to no Service`, () => {
    const engine = makeEngine(mode);
    put(engine, ...others);
    const model = new NftModel();
    load(model, engine, "first");
    assert.ok(model.tables.get(mode === "flat" ? "ip sluice" : "ip kube-proxy")?.chains.has("services"));
    assert.is([...outcomes(model)].length, 0);
    load(model, engine, "rest");
    assert.equal([...outcomes(model)].sort(), [...outcomes(whole(engine))].sort());
  });
}

test("a first wave that fails is planned again with all the rest", () => {
  const engine = makeEngine("flat");
  put(engine, ...urgent, ...others);
  for (const { id } of engine.planFirstWave(0)) engine.failed(id, 0);
  const model = new NftModel();
  load(model, engine, "rest");
  assert.equal([...outcomes(model)].sort(), [...outcomes(whole(engine))].sort());
});

test("iptables mode has no first wave", () => {
  const engine = makeEngine("iptables");
  put(engine, ...urgent);
  assert.equal(engine.planFirstWave(0), []);
  assert.is(engine.plan(0).length, 2);
});

test.run();
