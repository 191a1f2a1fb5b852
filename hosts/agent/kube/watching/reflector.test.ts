// Lists and watches as they should be: streaming lists and pages, bookmarks, going on from a resourceVersion, stopping.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ApiServer } from "../../../../fixtures/api-server/api-server.ts";
import { makeService, reflecting, until } from "../testing/reflecting.ts";
import { endpointSlices, nodeNamed, serviceCIDRs, services } from "./resources.ts";

const test = suite("reflector");

const prepare = (server: ApiServer) => {
  server.apply(makeService("a", "10.96.0.1"), makeService("b", "10.96.0.2"));
};

test("a streaming list, and then the events of the same stream", () =>
  reflecting({ prepare }, async ({ server, reflector, store, known }) => {
    assert.not(reflector.synced);
    await reflector.whenSynced;
    assert.ok(reflector.synced);
    assert.equal(known(), ["a", "b"]);
    server.apply(makeService("c", "10.96.0.3"));
    server.delete(makeService("a", ""));
    await until("events are there", () => known().join() === "b,c");
    assert.equal(
      server.requests.map(({ verb }) => verb),
      ["watch"],
    );
    assert.is(store.completeLists, 1);
    const state = reflector.state();
    assert.is(state.resourceVersion, String(server.store.resourceVersion));
    assert.ok(state.connected);
    assert.equal(state.relists, {});
  }));

test("the selectors are those of kube-proxy, and the server applies them", () =>
  reflecting({ prepare }, async ({ server, reflector, known }) => {
    await reflector.whenSynced;
    const { query, headers } = server.requests[0] as ApiServer["requests"][0];
    assert.is(query.get("labelSelector"), "!service.kubernetes.io/service-proxy-name");
    assert.is(query.get("fieldSelector"), "spec.clusterIP!=None");
    assert.is(query.get("resourceVersionMatch"), "NotOlderThan");
    assert.is(query.get("allowWatchBookmarks"), "true");
    assert.is(headers["user-agent"], "sluice/test");
    server.apply(makeService("a", "10.96.0.1", { "service.kubernetes.io/service-proxy-name": "other" }));
    await until("the labelled Service is gone", () => known().join() === "b");
  }));

test("without streaming lists: pages, then a watch from their resourceVersion", () =>
  reflecting(
    {
      server: { streamingLists: "refused" },
      prepare(server) {
        for (let n = 0; n < 1200; n++) server.apply(makeService(`s${n}`, `10.96.${n >> 8}.${n & 255}`));
      },
    },
    async ({ server, reflector, known, store, clock }) => {
      await reflector.whenSynced;
      assert.is(known().length, 1200);
      await until("the watch is open", () => server.watches.size === 1);
      assert.equal(
        server.requests.map(({ verb, query }) => `${verb} ${query.get("resourceVersion") ?? ""}`),
        ["watch ", "list 0", "watch 1300"],
      );
      assert.is(store.completeLists, 1);
      assert.equal(clock.waits, []);
      // Another list is as new as what is known; the cache answers it whole.
      server.apply(makeService("late", "10.97.0.1"));
      await until("the event is there", () => known().length === 1201);
      reflector.relist("test");
      await until("it has listed again", () => store.completeLists === 2);
      const lists = server.requests.filter(({ verb }) => verb === "list");
      assert.is(lists.at(-1)?.query.get("resourceVersion"), "1301");
      assert.is(lists.at(-1)?.query.get("limit"), null);
      assert.equal(reflector.state().relists, { test: 1 });
    },
  ));

test("the newest state is read in pages, which count as one list", () =>
  reflecting(
    {
      server: { streamingLists: "refused" },
      prepare(server) {
        for (let n = 0; n < 1200; n++) server.apply(makeService(`s${n}`, `10.96.${n >> 8}.${n & 255}`));
        server.misbehave({ fault: "status", code: 410 }, { verb: "list" });
      },
    },
    async ({ server, reflector, known, store }) => {
      await reflector.whenSynced;
      assert.is(known().length, 1200);
      assert.is(store.lists, 1);
      await until("the watch is open", () => server.watches.size === 1);
      assert.is(reflector.state().resourceVersion, "1300");
    },
  ));

test("a watch that ends in good order is opened again where it ended", () =>
  reflecting(
    { prepare, server: { timeoutSecondMs: 1_000_000 } },
    async ({ server, reflector, known, clock, store }) => {
      await reflector.whenSynced;
      server.bookmark();
      await until("the bookmark is there", () =>
        store.results.some(({ bookmark, initialEventsEnd }) => bookmark && !initialEventsEnd),
      );
      clock.pass(5_000);
      for (const watch of server.watches) watch.end();
      await until("it watches again", () => server.requests.length === 2 && server.watches.size === 1);
      const { verb, query } = server.requests[1] as ApiServer["requests"][0];
      assert.is(verb, "watch");
      assert.is(query.get("resourceVersion"), "102");
      assert.is(query.get("sendInitialEvents"), null);
      const seconds = Number(query.get("timeoutSeconds"));
      assert.ok(seconds >= 300 && seconds < 600);
      server.apply(makeService("c", "10.96.0.3"));
      await until("the event is there", () => known().join() === "a,b,c");
      assert.is(store.completeLists, 1);
      assert.equal(clock.waits, []);
    },
  ));

test("bookmarks alone move the resourceVersion", () =>
  reflecting({ prepare }, async ({ server, reflector }) => {
    await reflector.whenSynced;
    server.store.advance();
    server.store.advance();
    server.bookmark();
    await until("it has moved", () => reflector.state().resourceVersion === "104");
  }));

test("resourceVersions beyond 2^53 are kept to the digit", () =>
  reflecting({ prepare, server: { firstResourceVersion: 2n ** 64n } }, async ({ server, reflector, clock }) => {
    await reflector.whenSynced;
    assert.is(reflector.state().resourceVersion, String(2n ** 64n + 2n));
    clock.pass(5_000);
    for (const watch of server.watches) watch.end();
    await until("it watches again", () => server.requests.length === 2);
    assert.is(server.requests[1]?.query.get("resourceVersion"), "18446744073709551618");
  }));

test("all four resources", async () => {
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "a-1", namespace: "shop", labels: { "kubernetes.io/service-name": "a" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.1.0.1"], conditions: { ready: true } }],
    ports: [{ port: 8080, protocol: "TCP", name: "" }],
  };
  const node = (name: string) => ({ apiVersion: "v1", kind: "Node", metadata: { name } });
  const cidr = {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: "kubernetes" },
    spec: { cidrs: ["10.96.0.0/16"] },
  };
  for (const [resource, counted] of [
    [services, "services"],
    [endpointSlices, "endpointSlices"],
    [nodeNamed("node-a"), "nodes"],
    [serviceCIDRs, "serviceCidrs"],
  ] as const) {
    await reflecting(
      {
        resource,
        prepare: (server) => {
          prepare(server);
          server.apply(slice, { ...slice, metadata: { ...slice.metadata, name: "a-2" } });
          server.apply(node("node-a"), node("node-b"), cidr);
        },
      },
      async ({ reflector, store }) => {
        await reflector.whenSynced;
        const count = store.results.reduce((sum, result) => sum + result[counted], 0);
        assert.is(count, { services: 2, endpointSlices: 2, nodes: 1, serviceCidrs: 1 }[counted]);
      },
    );
  }
});

test("a server without ServiceCIDRs is one that has none, and is asked again after a while", () =>
  reflecting(
    {
      resource: serviceCIDRs,
      server: { absent: ["servicecidrs"] },
      prepare: (_server, _sink) => {},
    },
    async ({ reflector, clock, store }) => {
      clock.frozen = true;
      await reflector.whenSynced;
      await until("it waits", () => clock.waits.length === 1);
      assert.ok(reflector.state().absent);
      assert.is(store.completeLists, 1);
      assert.is(clock.waits[0], 600_000);
      reflector.relist("test");
      await until("it has asked again", () => clock.waits.length === 2);
      assert.is(store.completeLists, 2);
    },
  ));

test("an old server refuses the field selector, and then gets none", () =>
  reflecting(
    { prepare, server: { serviceFieldSelector: false, streamingLists: "ignored" } },
    async ({ server, reflector, known, clock }) => {
      await reflector.whenSynced;
      assert.equal(known(), ["a", "b"]);
      await until("the watch is open", () => server.watches.size === 1);
      const { query } = server.requests.at(-1) as ApiServer["requests"][0];
      assert.is(query.get("fieldSelector"), null);
      assert.is(query.get("labelSelector"), "!service.kubernetes.io/service-proxy-name");
      assert.equal(clock.waits, []);
    },
  ));

test("stopped while it reads, waits or is about to, it leaves nothing open", async () => {
  await reflecting({ prepare }, async ({ reflector, server }) => {
    await reflector.whenSynced;
    await reflector.stop();
    await until("the watch is closed", () => server.watches.size === 0);
    assert.not(reflector.state().connected);
  });
  await reflecting({ prepare: (server) => server.misbehave({ fault: "silence", afterBytes: 0 }) }, async ({ server }) =>
    until("it has asked", () => server.requests.length === 1),
  );
  await reflecting(
    { prepare: (server) => server.misbehave({ fault: "status", code: 503 }, { times: 100 }) },
    async ({ clock }) => {
      clock.frozen = true;
      await until("it waits", () => clock.waits.length > 0);
    },
  );
});

test.run();
