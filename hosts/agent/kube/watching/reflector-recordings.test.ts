// The recorded shop through HTTP, four reflectors and the real engine: list and watch end where the last lists are.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer, type ApiServerOptions } from "../../../../fixtures/api-server/api-server.ts";
import { loadShop, replayShop, replayShopEvent, shopEvents } from "../../../../fixtures/api-server/shop.ts";
import { recording } from "../../../../fixtures/recordings/recordings.ts";
import { type Engine, encode, type Kind } from "../../../../fixtures/support/engine.ts";
import { ApiClient } from "../client/api-client.ts";
import { EngineStore, engineOf, plainAccess, stateOf, until } from "../testing/reflecting.ts";
import { Reflector } from "./reflector.ts";
import { endpointSlices, nodeNamed, type Resource, serviceCIDRs, services } from "./resources.ts";

const test = suite("recordings through a reflector");

const resources: readonly Resource[] = [services, endpointSlices, nodeNamed("node-a"), serviceCIDRs];

/** An engine fed with the recorded lists themselves. */
function recordedState(prefix: string): string {
  const engine = engineOf();
  const lists: [Kind, string][] = [
    ["service", "services"],
    ["endpoint-slice", "endpointslices"],
    ["node", "nodes.node-a"],
    ["service-cidr", "servicecidrs"],
  ];
  for (const [kind, name] of lists) {
    engine.beginList(kind);
    assert.equal(engine.apply(encode(recording(`${prefix}list.${name}.body`))).problems, []);
    engine.endList(kind);
  }
  return stateOf(engine);
}

async function shop(
  options: ApiServerOptions,
  run: (server: ApiServer, engine: Engine, reflectors: Reflector[], stores: EngineStore[]) => Promise<void>,
): Promise<void> {
  const server = await ApiServer.start(options);
  loadShop(server);
  const client = new ApiClient(plainAccess(server.url), { userAgent: "sluice/test" });
  const engine = engineOf();
  const stores = resources.map((resource) => new EngineStore(engine, resource));
  const reflectors = resources.map(
    (resource, index) => new Reflector({ client, resource, store: stores[index] as EngineStore }),
  );
  try {
    for (const reflector of reflectors) reflector.start();
    await Promise.all(reflectors.map(({ whenSynced }) => whenSynced));
    await until("all watch", () => server.watches.size === 4);
    await run(server, engine, reflectors, stores);
  } finally {
    await Promise.all(reflectors.map((reflector) => reflector.stop()));
    await client.close();
    await server.close();
  }
}

for (const [name, options] of Object.entries<ApiServerOptions>({
  "streaming lists": {},
  "ordinary lists": { streamingLists: "refused" },
  "compressed lists and watches": { gzipWatches: true, gzipFrom: 0 },
})) {
  test(`${name}, then the recorded events`, () =>
    shop(options, async (server, engine, _, stores) => {
      assert.fixture(stateOf(engine), recordedState(""));
      await replayShop(server);
      const wanted = recordedState("after.");
      await until("the last state is reached", () => stateOf(engine) === wanted);
      assert.equal(
        stores.map(({ completeLists }) => completeLists),
        [1, 1, 1, 1],
      );
      assert.equal(
        stores.flatMap(({ results }) => results.flatMap(({ problems }) => problems)),
        [],
      );
    }));
}

test("with new lists all the time", () =>
  shop({}, async (server, engine, reflectors, stores) => {
    for (const [index, event] of shopEvents().entries()) {
      replayShopEvent(server, event);
      if (index % 10 === 5) {
        const before = stores.map(({ completeLists }) => completeLists);
        for (const reflector of reflectors) reflector.relist(`list ${index}`);
        await until("all have listed", () => stores.every((store, n) => store.completeLists > (before[n] as number)));
      }
    }
    const wanted = recordedState("after.");
    await until("the last state is reached", () => stateOf(engine) === wanted);
  }));

test.run();
