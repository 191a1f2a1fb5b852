// Changes and faults at random for a few seconds: in the end the engine knows exactly what the server has.
// SEED=N repeats a run's choices, SECONDS=N makes it longer.
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer, type Fault } from "../../../../fixtures/api-server/api-server.ts";
import { Random, seedFromEnvironment } from "../../../../fixtures/random/random.ts";
import type { Engine } from "../../../../fixtures/support/engine.ts";
import type { KubernetesObject } from "../../../../fixtures/support/objects.ts";
import type { Clock } from "../../time/clock.ts";
import { ApiClient } from "../client/api-client.ts";
import { EngineStore, engineOf, makeService, plainAccess, stateOf, until } from "../testing/reflecting.ts";
import { Reflector } from "./reflector.ts";
import { endpointSlices, type Resource, services } from "./resources.ts";

const test = suite("random faults");

/** A hundred times as fast as the real one: a wait of 30 s takes 0.3 s. */
const SPEED = 100;
const fastClock: Clock = {
  now: () => performance.now() * SPEED,
  sleep: (ms, signal) => sleep(ms / SPEED, undefined, { signal }).catch(() => {}),
  setTimer(ms, run) {
    const timer = setTimeout(run, ms / SPEED);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

const NAMES = 12;

function randomService(random: Random): KubernetesObject {
  const n = random.below(NAMES);
  const hidden: Record<string, string> = random.chance(0.2)
    ? { "service.kubernetes.io/service-proxy-name": "other" }
    : {};
  return makeService(`s${n}`, random.chance(0.1) ? "None" : `10.96.${random.below(4)}.${n}`, hidden);
}

function randomSlice(random: Random): KubernetesObject {
  const n = random.below(NAMES);
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `s${n}-${random.below(2)}`,
      namespace: "shop",
      labels: {
        "kubernetes.io/service-name": `s${n}`,
        ...(random.chance(0.1) ? { "service.kubernetes.io/headless": "" } : {}),
      },
    },
    addressType: "IPv4",
    endpoints: random.some(0, 4, () => ({
      addresses: [`10.244.${n}.${random.below(250)}`],
      conditions: { ready: random.chance(0.8) },
    })),
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
  };
}

function randomFault(random: Random): Fault {
  return random.pick<() => Fault>([
    () => ({
      fault: "status",
      code: random.pick([401, 403, 410, 429, 500, 503, 504]),
      retryAfterSeconds: random.below(3),
    }),
    () => ({ fault: "status", code: 200, body: "<html>\n", contentType: "text/html" }),
    () => ({ fault: "reset", afterBytes: random.below(4000) }),
    () => ({ fault: "silence", afterBytes: random.below(4000) }),
    () => ({ fault: "truncate", afterBytes: random.below(4000) }),
    () => ({ fault: "drip", bytes: 1 + random.below(300), everyMs: 1 }),
    () => ({ fault: "garbage", text: random.pick(["{", "\n\n", "[]\n", '{"type":"ADDED"}\n']) }),
    () => ({ fault: "content-type", value: "text/plain" }),
    () => ({ fault: "duplicate", count: 1 + random.below(4) }),
    () => ({ fault: "cut-lines", every: 1 + random.below(5) }),
    () => ({ fault: "late", ms: random.below(20) }),
    () => ({
      fault: "error-line",
      code: random.pick([410, 500, 504]),
      reason: "Test",
      afterInitialEvents: random.below(8),
    }),
  ])();
}

async function disturb(server: ApiServer, random: Random): Promise<void> {
  const act = random.pick<() => void | Promise<void>>([
    () => server.misbehave(randomFault(random), { resource: random.pick(["services", "endpointslices"]) }),
    () => server.misbehave(randomFault(random), { times: 1 + random.below(3) }),
    () => server.resetConnections(),
    () => random.pick([...server.watches, undefined])?.end(),
    () => random.pick([...server.watches, undefined])?.silence(),
    () => server.compact(),
    () => server.bookmark(),
    async () => {
      await server.refuse();
      await sleep(random.below(60));
      await server.listen();
    },
  ]);
  await act();
}

test("final state exact", async () => {
  const seed = seedFromEnvironment();
  const seconds = Number(process.env.SECONDS ?? 4);
  console.error(`random faults: SEED=${seed}`);
  const random = new Random(seed);
  const server = await ApiServer.start({
    streamingLists: random.pick(["offered", "offered", "refused", "ignored"]),
    expired: random.pick(["status", "line"]),
    gzipWatches: random.chance(0.5),
    gzipFrom: random.pick([0, 128 * 1024]),
    bookmarkEveryMs: 60_000 / SPEED,
    timeoutSecondMs: 1000 / SPEED,
  });
  const client = new ApiClient(plainAccess(server.url), { userAgent: "sluice/test" });
  const engine = engineOf();
  const stores: EngineStore[] = [];
  const reflectors = [services, endpointSlices].map((resource: Resource) => {
    const store = new EngineStore(engine, resource);
    stores.push(store);
    return new Reflector({ client, resource, store, clock: fastClock });
  });
  for (const reflector of reflectors) reflector.start();
  try {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      for (let n = random.below(5); n > 0; n--) {
        const object = random.chance(0.4) ? randomService(random) : randomSlice(random);
        if (random.chance(0.3)) server.delete(object);
        else server.apply(object);
      }
      if (random.chance(0.3)) await disturb(server, random);
      if (random.chance(0.05)) (random.pick(stores) as EngineStore).throwsOnce = true;
      if (random.chance(0.02)) random.pick(reflectors).relist("chance");
      await sleep(random.below(20));
    }
    server.behave();
    for (const watch of server.watches) watch.reset(); // some have faults of their own, and some are silent
    await until("both are synced", () => reflectors.every(({ synced }) => synced));
    const wanted = stateOf(exact(server));
    await until(`the state is exact (SEED=${seed})`, () => stateOf(engine) === wanted);
    // No busy loop: however many faults there were, requests are bounded by what was done.
    assert.ok(server.requests.length < seconds * 400, `${server.requests.length} requests in ${seconds} s`);
  } finally {
    await Promise.all(reflectors.map((reflector) => reflector.stop()));
    await client.close();
    await server.close();
  }
});

/** An engine that has been given what the server has, as the selectors see it. */
function exact(server: ApiServer): Engine {
  const engine = engineOf();
  for (const kind of ["Service", "EndpointSlice"]) {
    for (const object of server.objects(kind)) {
      const labels = object.metadata.labels as Record<string, string>;
      if (kind === "EndpointSlice" && labels["service.kubernetes.io/headless"] !== undefined) continue;
      engine.apply(Buffer.from(JSON.stringify(object)));
    }
  }
  return engine;
}

test.run();
