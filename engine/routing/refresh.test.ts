// Changes are taken up in slices of any size, with others coming in between, and come to the same.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../fixtures/random/random.ts";
import {
  addresses,
  commitAll,
  describe,
  type Engine,
  type EngineInstance,
  type KubernetesObject,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  put,
  remove,
  render,
} from "../../fixtures/support/engine-tests.ts";
import type { Port } from "../../fixtures/support/shorthand.ts";

const seed = seedFromEnvironment();
console.log(`refresh: SEED=${seed}`);
const test = suite(`routing: refresh, SEED=${seed}`);

const shared = addresses(6, "192.0");

/** One of a few Services that claim each other's addresses and node ports, or one of their slices. */
function randomObject(r: Random): KubernetesObject {
  const number = r.below(8);
  const ports: Port[] = r.shuffled(
    r.some(1, 6, (i): Port => ({ name: `p${i}`, port: 80 + i, protocol: r.chance(0.3) ? "UDP" : "TCP" })),
  );
  if (r.chance(0.4)) {
    const endpoints = r.some(0, 5, (i) => `10.${number}.0.${i + 1}${r.chance(0.5) ? " node-a" : ""}`);
    return makeSlice(`shop/s${number}-${r.below(3)}`, `s${number}`, endpoints, { ports });
  }
  const isBalanced = r.chance(0.5);
  return makeService(`shop/s${number}`, {
    ip: r.chance(0.1) ? "10.96.0.99" : `10.96.0.${number + 1}`,
    created: `202${r.below(3)}-01-01T00:00:00Z`,
    externalIPs: r.some(0, 4, () => r.pick(shared)),
    ports: ports.map((port) => (r.chance(0.3) ? { ...port, nodePort: 30_000 + r.below(4) } : port)),
    ...(isBalanced
      ? {
          type: "LoadBalancer",
          ingress: [{ ip: r.pick(shared) }],
          externalTrafficPolicy: r.pick(["Local", "Cluster"]),
          healthCheckNodePort: 32_000 + number,
        }
      : {}),
  });
}

function everything(engine: EngineInstance): unknown {
  return {
    hash: engine.count().stateHash,
    description: describe(engine),
    problems: engine.problems(),
    healthChecks: engine.healthChecks(),
    text: render(engine),
  };
}

for (const mode of ["flat", "nftables", "iptables"] as const) {
  test(`${mode}: slices of any size, changes in between, come to what one go comes to`, () => {
    for (let round = 0; round < 25; round++) {
      const own = seed + round;
      const r = new Random(own);
      const engine = makeEngine(mode);
      // In half of the rounds nearly all Services are heavy.
      if (r.chance(0.5)) engine.setPortion(1 + r.below(12));
      const known = new Map<string, KubernetesObject>();
      let now = 0;
      for (let change = 0; change < 40; change++) {
        const object = randomObject(r);
        const key = `${object.kind} ${object.metadata.name}`;
        if (r.chance(0.2) && known.delete(key)) {
          remove(engine, object);
        } else {
          known.set(key, object);
          put(engine, object);
        }
        if (r.chance(0.1)) put(engine, makeNode("node-a", { ips: [`10.9.9.${r.below(9)}`] }));
        if (r.chance(0.5)) engine.beginPortion();
        for (let i = r.below(4); i > 0; i--) engine.takeUp(1 + r.below(6));
        if (r.chance(0.1)) now = commitAll(engine, now);
      }
      put(engine, makeNode("node-a", { ips: ["10.9.9.1"] }));
      while (!engine.takeUp(1 + r.below(9))) {}
      const fresh = makeEngine(mode);
      put(fresh, makeNode("node-a", { ips: ["10.9.9.1"] }), ...known.values());
      assert.equal(everything(engine), everything(fresh), `SEED=${own}`);
    }
  });
}

test("a Service with a million claims is taken up in slices, and its deletion too", () => {
  const engine = makeEngine("flat");
  const ports: Port[] = Array.from({ length: 500 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
  const big = makeService("shop/big", { ports, externalIPs: addresses(400, "20.0") });
  for (const change of [() => put(engine, big), () => remove(engine, big)]) {
    change();
    let slices = 1;
    while (!engine.takeUp(4000)) slices++;
    // 500 ports × 401 addresses, some of which apply may have taken up.
    assert.ok(slices >= 45 && slices <= 60, `${slices} slices`);
    assert.ok(engine.takeUp(1), "nothing is left");
  }
  assert.is(engine.count().services, 0);
});

test("of hundreds of claims of one address the first by rank owns it, whoever comes and goes", () => {
  const engine = makeEngine("flat");
  const r = new Random(seed);
  const years = new Map<string, number>();
  const claimant = (name: string): KubernetesObject =>
    makeService(`shop/${name}`, {
      ip: `10.96.${name.slice(1).padStart(3, "0").slice(0, 1)}.${Number(name.slice(1)) % 200}`,
      externalIPs: ["192.0.2.1"],
      created: `${years.get(name)}-01-01T00:00:00Z`,
    });
  for (let change = 0; change < 400; change++) {
    const name = `s${r.below(200)}`;
    if (years.has(name) && r.chance(0.5)) {
      remove(engine, claimant(name));
      years.delete(name);
    } else {
      years.set(name, 2000 + r.below(20));
      put(engine, claimant(name));
    }
    if (change % 20 !== 0 || years.size === 0) continue;
    const [first] = [...years].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    assert.equal(ownersOf(engine, "192.0.2.1"), [first?.[0]]);
    const losers = engine
      .problems()
      .filter(({ code, field }) => code === "address-taken" && field.includes("external"));
    assert.equal(
      losers.map(({ name }) => name),
      [...years.keys()].filter((each) => each !== first?.[0]).sort(),
    );
  }
});

function ownersOf(engine: Engine, address: string): string[] {
  return describe(engine).servicePorts.flatMap(({ service, entryPoints }) =>
    entryPoints.some((point) => point.address === address && point.owner) ? [service] : [],
  );
}

test.run();
