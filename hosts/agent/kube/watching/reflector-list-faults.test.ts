// What can go wrong before a list is complete: no part of a list counts as a complete state, and nothing spins.
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Access } from "../../../../fixtures/api-server/options.ts";
import { follows, kinds, prepare, withFault } from "../testing/faults.ts";
import { makeService, reflecting, until } from "../testing/reflecting.ts";
import { serviceCIDRs } from "./resources.ts";

const test = suite("reflector and faults of lists");

test("streaming lists that are refused: an ordinary list at once, and they are not tried again soon", () =>
  reflecting({ prepare, server: { streamingLists: "refused" } }, async (setting) => {
    await setting.reflector.whenSynced;
    await follows(setting);
    setting.reflector.relist("test");
    const kindsAfter = "stream list watch list watch";
    await until("it has listed again, and watches", () => kinds(setting).length >= kindsAfter.length);
    assert.is(setting.store.completeLists, 2);
    assert.is(kinds(setting), kindsAfter);
    assert.equal(setting.clock.waits, []);
    setting.clock.pass(3_700_000);
    setting.reflector.relist("later");
    await until(
      "it has tried again",
      () =>
        kinds(setting)
          .split(" ")
          .filter((kind) => kind === "stream").length === 2,
    );
  }));

test("an old server ignores the parameter and never marks the end: after ten silent seconds it is listed", () =>
  reflecting({ prepare, server: { streamingLists: "ignored" } }, async (setting) => {
    const { clock, store, reflector, known } = setting;
    await until("the events are there", () => store.results.length > 0 && known().length === 2);
    await sleep(20);
    assert.not(reflector.synced);
    clock.pass(9_000);
    await sleep(20);
    assert.not(reflector.synced);
    clock.pass(2_000);
    await reflector.whenSynced;
    assert.equal(setting.failures(), ["silent streaming list"]);
    await follows(setting);
  }));

test("initial events that never end, though something comes all the time, are given up after a minute", () =>
  reflecting({ prepare, server: { streamingLists: "ignored" } }, async (setting) => {
    const { clock, store, reflector, server } = setting;
    for (let second = 0; second < 60; second += 5) {
      const before = store.results.length;
      server.apply(makeService("busy", `10.96.1.${second}`));
      await until("the event is there", () => store.results.length > before);
      assert.not(reflector.synced);
      clock.pass(5_000);
    }
    await reflector.whenSynced;
    await follows(setting);
  }));

test("410 in the middle of a streaming list: from the newest state, at once", () =>
  reflecting(
    { prepare: withFault({ fault: "error-line", code: 410, reason: "Expired", afterInitialEvents: 1 }) },
    async (setting) => {
      await setting.reflector.whenSynced;
      assert.equal(setting.known(), ["a", "b"]);
      assert.equal(setting.failures(), ["expired list"]);
      assert.equal(setting.clock.waits, []);
      await follows(setting);
    },
  ));

test("a streaming list that breaks off is no complete state; an ordinary list follows", async () => {
  for (const fault of [
    { fault: "reset", afterBytes: 300 },
    { fault: "truncate", afterBytes: 300 },
    { fault: "garbage", text: "<html>\n" },
    { fault: "status", code: 503 },
  ] as const) {
    await reflecting({ prepare: withFault(fault) }, async (setting) => {
      await setting.reflector.whenSynced;
      assert.equal(setting.known(), ["a", "b"], fault.fault);
      assert.is(setting.store.completeLists, 1);
      assert.is(kinds(setting).split(" ").slice(0, 2).join(" "), "stream list", fault.fault);
      assert.is(setting.clock.waits.length, 1);
      await follows(setting);
    });
  }
});

test("429 waits as long as the server asks, and at least as long as the back-off", () =>
  reflecting(
    { prepare: withFault({ fault: "status", code: 429, retryAfterSeconds: 7 }, "watch", 2) },
    async (setting) => {
      await setting.reflector.whenSynced;
      assert.equal(setting.clock.waits, [7000, 7000]);
      assert.is(kinds(setting), "stream stream stream");
    },
  ));

test("a list that ends in the middle, is of another kind or no JSON is no complete state", async () => {
  for (const fault of [
    { fault: "truncate", afterBytes: 400 },
    { fault: "reset", afterBytes: 400 },
    { fault: "garbage", text: "{" },
    {
      fault: "status",
      code: 200,
      body: '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"x"}}]}\n',
    },
    { fault: "status", code: 200, body: "{}\n" },
    { fault: "status", code: 200, body: "<html>log in</html>\n", contentType: "text/html" },
    { fault: "status", code: 200, body: "\n" },
  ] as const) {
    await reflecting({ prepare: withFault(fault, "list"), server: { streamingLists: "refused" } }, async (setting) => {
      await setting.reflector.whenSynced;
      assert.equal(setting.known(), ["a", "b"], JSON.stringify(fault));
      assert.is(setting.store.completeLists, 1, JSON.stringify(fault));
      await follows(setting);
    });
  }
});

test("a token of pages that expires in the middle: the whole list in one", () =>
  reflecting(
    {
      server: { streamingLists: "refused" },
      prepare(server, store) {
        for (let n = 0; n < 1200; n++) server.apply(makeService(`s${n}`, `10.96.${n >> 8}.${n & 255}`));
        server.misbehave({ fault: "status", code: 410 }, { verb: "list" });
        const apply = store.apply.bind(store);
        // Between the first page and the second.
        store.apply = (data) => {
          store.apply = apply;
          server.compact();
          return apply(data);
        };
      },
    },
    async (setting) => {
      setting.server.behave();
      await setting.reflector.whenSynced;
      assert.is(setting.known().length, 1200);
      assert.is(setting.store.completeLists, 1);
      await follows(setting);
    },
  ));

test("404s of a resource that was there are not believed at once", () =>
  reflecting(
    {
      resource: serviceCIDRs,
      prepare: (server) =>
        server.apply({
          apiVersion: "networking.k8s.io/v1",
          kind: "ServiceCIDR",
          metadata: { name: "kubernetes" },
          spec: { cidrs: ["10.96.0.0/16"] },
        }),
    },
    async ({ reflector, server, store, clock }) => {
      await reflector.whenSynced;
      server.misbehave({ fault: "status", code: 404 }, { times: 3 });
      server.resetConnections();
      await until("it watches again", () => store.completeLists === 2 && server.watches.size === 1);
      assert.not(reflector.state().absent);
      assert.ok(clock.waits.length >= 3);
    },
  ));

const withoutServiceCIDRs = { absent: ["servicecidrs"], allow: ({ resource }: Access) => resource !== "servicecidrs" };

test("403 of a resource that the server does not have: it has none, at once", () =>
  reflecting({ resource: serviceCIDRs, server: withoutServiceCIDRs }, async (setting) => {
    const { reflector, store, clock } = setting;
    clock.frozen = true;
    await reflector.whenSynced;
    assert.ok(reflector.state().absent);
    assert.is(store.completeLists, 1);
    assert.equal(setting.failures(), ["not found"]);
    assert.match(reflector.state().lastError, /403 .*none of them/);
    assert.ok((clock.waits[0] ?? 0) >= 600_000, "it is not asked for every minute");
  }));

test("403 of a resource that the server has is waited out", () =>
  reflecting({ resource: serviceCIDRs, server: { allow: withoutServiceCIDRs.allow } }, async (setting) => {
    await until("it has tried for a while", () => setting.clock.waits.length >= 4);
    assert.not(setting.reflector.synced);
    assert.not(setting.reflector.state().absent);
    assert.equal([...new Set(setting.failures())], ["status 403"]);
  }));

test.run();
