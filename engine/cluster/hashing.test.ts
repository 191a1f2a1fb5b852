// No result depends on how tables hash, nor on the order in which a Service's slices have come.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../fixtures/random/random.ts";
import {
  defaultOptions,
  endpointsOf,
  type KubernetesObject,
  makeEngine,
  makeService,
  makeSlice,
  newEngine,
  plan,
  put,
  remove,
  render,
} from "../../fixtures/support/engine-tests.ts";

const seed = seedFromEnvironment();
console.log(`hashing: SEED=${seed}`);
const test = suite(`cluster: hashing, SEED=${seed}`);

function cluster(r: Random): KubernetesObject[] {
  return r
    .some(20, 40, (i) => i)
    .flatMap((i) => [
      makeService(`ns-${i % 3}/s${i}`, { ip: `10.96.0.${i + 1}`, externalIPs: [`192.0.2.${r.below(9)}`] }),
      ...r.some(0, 3, (n) =>
        makeSlice(
          `ns-${i % 3}/s${i}-${n}`,
          `s${i}`,
          r.some(1, 3, () => `10.0.${i}.${r.below(9)} node-${r.below(4)}`),
        ),
      ),
    ]);
}

for (const mode of ["flat", "nftables", "iptables"] as const) {
  test(`${mode}: instances with different seeds say and plan the same, byte for byte`, () => {
    const results = [1n, 0xfedc_ba98_7654_3210n].map((bucketSeed) => {
      const r = new Random(seed);
      const engine = newEngine();
      assert.ok(engine.setBucketSeed(bucketSeed));
      engine.configure(defaultOptions(mode));
      const objects = cluster(r);
      const texts: unknown[] = [];
      for (let round = 0; round < 6; round++) {
        put(engine, ...r.shuffled(objects).slice(0, objects.length >> 1));
        remove(engine, r.pick(objects));
        const batches = plan(engine, round * 10_000);
        for (const { id } of batches) engine.committed(id, round * 10_000);
        texts.push(batches, engine.problems(), render(engine), engine.count().stateHash);
      }
      return texts;
    });
    assert.equal(results[0], results[1]);
  });
}

test("a seed comes first or not at all", () => {
  const engine = makeEngine("flat");
  put(engine, makeService("shop/web"));
  assert.is(engine.setBucketSeed(1n), false);
});

test("slices come, change family and Service, and go in any order: endpoints count by slice name", () => {
  const r = new Random(seed);
  const engine = makeEngine("flat");
  put(engine, makeService("shop/web"), makeService("shop/db", { ip: "10.96.0.2" }));
  const known = new Map<number, { service: string; terminating: boolean }>();
  for (let change = 0; change < 300; change++) {
    const n = r.below(30);
    const service = r.chance(0.8) ? "web" : "db";
    const terminating = r.chance(0.5);
    // All slices have the same endpoint: the last by name that is not terminating counts, else the first.
    const slice = makeSlice(`shop/x-${String(n).padStart(2, "0")}`, service, [
      { ip: "10.0.0.1", terminating, node: `node-${n}` },
    ]);
    if (known.has(n) && r.chance(0.4)) {
      remove(engine, slice);
      known.delete(n);
    } else {
      put(engine, slice);
      known.set(n, { service, terminating });
    }
    if (!r.chance(0.3)) continue;
    for (const each of ["web", "db"]) {
      const own = [...known].filter(([, slice]) => slice.service === each).sort(([a], [b]) => a - b);
      assert.equal(endpointsOf(engine, `shop/${each}`), own.length === 0 ? [] : ["10.0.0.1:8080"]);
      const wanted = own.findLast(([, slice]) => !slice.terminating) ?? own[0];
      const blame = JSON.parse(Buffer.concat(engine.blame("ipv4")).toString()) as {
        owners: { kind: string; name: string }[];
      }[];
      const named = new Set(
        blame.flatMap(({ owners }) => owners.filter(({ kind }) => kind === "EndpointSlice").map(({ name }) => name)),
      );
      if (wanted !== undefined && (!wanted[1].terminating || own.every(([, slice]) => slice.terminating)))
        assert.ok(
          named.size === 0 || named.has(`x-${String(wanted[0]).padStart(2, "0")}`),
          `SEED=${seed}: ${[...named]} for ${wanted[0]}`,
        );
    }
  }
});

test.run();
