// What can go wrong with a watch: nothing is lost, nothing spins, and nothing is removed that the server has not said is gone.
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ApiServer } from "../../../../fixtures/api-server/api-server.ts";
import type { Watch } from "../../../../fixtures/api-server/watches.ts";
import { interrupted, kinds, prepare } from "../testing/faults.ts";
import { type EngineStore, makeService, reflecting, type Setting, until } from "../testing/reflecting.ts";

const test = suite("reflector and faults of watches");

/** Resolves with the one watch that is open, when the reflector has seen that it is, and it is not `before`. */
async function watchAfter({ server, reflector }: Setting, before: Watch | undefined): Promise<Watch> {
  await until("another watch is open", () => {
    const [watch] = server.watches;
    return server.watches.size === 1 && watch !== before && reflector.state().connected;
  });
  return [...server.watches][0] as Watch;
}

test("a reset is followed by a watch from where it was, and nothing is missed", () =>
  interrupted(async (setting) => {
    const { server, store } = setting;
    server.resetConnections();
    server.apply(makeService("c", "10.96.0.3"));
    await until("it is there", () => setting.known().join() === "a,b,c");
    assert.is(kinds(setting), "stream confirm watch");
    assert.is(server.requests[1]?.query.get("limit"), "1");
    for (const { query } of server.requests.slice(1)) assert.is(query.get("resourceVersion"), "102");
    assert.is(store.completeLists, 1);
    assert.equal(setting.clock.waits, [800]);
  }));

test("while connections are refused it waits longer and longer, lists nothing and keeps what it knows", () =>
  interrupted(async (setting) => {
    const { server, reflector } = setting;
    await server.refuse();
    await until("it has tried for a while", () => setting.clock.waits.length >= 8);
    assert.equal(setting.clock.waits.slice(0, 8), [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    assert.equal(setting.known(), ["a", "b"]);
    assert.not(reflector.state().connected);
    assert.ok(reflector.synced);
    assert.match(reflector.state().lastError, /ECONNREFUSED/);
    await server.listen();
    await until("it watches again", () => server.watches.size === 1);
    assert.is(kinds(setting), "stream confirm watch");
  }));

test("410 when a watch is opened, by status or by line: a new list, in which what is gone is gone", async () => {
  for (const expired of ["status", "line"] as const) {
    await interrupted(
      async (setting) => {
        const { server } = setting;
        await server.refuse();
        server.apply(makeService("c", "10.96.0.3"));
        server.delete(makeService("a", ""));
        server.compact();
        await server.listen();
        await until("it is as it should be", () => setting.known().join() === "b,c");
        assert.equal(setting.reflector.state().relists, { expired: 1 });
        const relist = server.requests.find(
          ({ query }, index) => index > 0 && query.get("sendInitialEvents") === "true",
        );
        assert.is(relist?.query.get("resourceVersion"), "102", "as new as what is known");
      },
      { server: { expired } },
    );
  }
});

test("while it lists again, nothing is taken away before the list is complete", () =>
  interrupted(async (setting) => {
    const { server, store } = setting;
    server.misbehave({ fault: "silence", afterBytes: 100 }, { verb: "watch" });
    setting.reflector.relist("test");
    await until("the second list has begun", () => store.lists === 2);
    await sleep(20);
    assert.equal(setting.known(), ["a", "b"]);
    setting.clock.pass(11_000);
    await until("it has listed", () => store.completeLists === 2);
    assert.equal(setting.known(), ["a", "b"]);
  }));

test("an ERROR 410 in an open watch", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    const status = {
      kind: "Status",
      metadata: {},
      status: "Failure",
      reason: "Expired",
      code: 410,
      message: "too old",
    };
    for (const watch of server.watches) watch.send(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
    await until("it has listed again", () => setting.store.completeLists === 2);
    assert.equal(setting.clock.waits, []);
  }));

test("410s again and again are not answered in a tight loop", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    server.misbehave({ fault: "status", code: 410 }, { verb: "watch", times: 20 });
    server.resetConnections();
    await until("all are used up", () => setting.known().length === 2 && server.watches.size === 1);
    assert.ok(setting.clock.waits.length >= 10, setting.clock.waits.join());
  }));

test("server errors: the watch is opened again for a minute, then it is listed anew", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    server.misbehave({ fault: "status", code: 500 }, { verb: "watch", times: 8 });
    server.resetConnections();
    await until("it has listed again", () => setting.store.completeLists === 2);
    assert.equal(setting.reflector.state().relists, { "server error": 1 });
  }));

test("401 in mid-watch: once more at once, then with waits", () =>
  interrupted(async (setting) => {
    const { server, clock } = setting;
    server.misbehave({ fault: "status", code: 401 }, { verb: "watch", times: 3 });
    for (const watch of server.watches) watch.end();
    await until("it was refused three times", () => setting.failures().length === 3);
    await until("it watches again", () => server.watches.size === 1);
    assert.equal(setting.failures(), ["unauthorized", "unauthorized", "unauthorized"]);
    assert.is(clock.waits.length, 2);
    assert.is(setting.store.completeLists, 1);
  }));

test("403 is waited out", () =>
  interrupted(async (setting) => {
    setting.server.misbehave({ fault: "status", code: 403 }, { verb: "watch", times: 2 });
    setting.server.resetConnections();
    await until("it watches again", () => setting.server.watches.size === 1);
    assert.is(setting.store.completeLists, 1);
  }));

test("a connection that has gone silent is dropped after three minutes, and what was missed comes", () =>
  interrupted(async (setting) => {
    const { server, clock } = setting;
    const [watch] = server.watchesOf("services");
    server.bookmark();
    await watch?.written;
    watch?.silence();
    server.apply(makeService("c", "10.96.0.3"));
    await sleep(20);
    clock.pass(170_000);
    await sleep(20);
    assert.is(server.requests.length, 1);
    clock.pass(20_000);
    await until("the missed event is there", () => setting.known().join() === "a,b,c");
    assert.equal(clock.waits, []);
    assert.is(setting.store.completeLists, 1);
  }));

test("no answer at all to a watch", () =>
  interrupted(async (setting) => {
    const { server, clock } = setting;
    server.misbehave({ fault: "silence", afterBytes: 0 }, { verb: "watch" });
    for (const watch of server.watches) watch.end();
    await until("it has asked", () => server.requests.length === 2);
    await sleep(10);
    clock.pass(31_000);
    await until("it watches again", () => server.watches.size === 1);
    assert.equal(setting.failures(), ["no answer"]);
  }));

test("watches that end as soon as they have begun are not opened in a tight loop", () =>
  interrupted(async (setting) => {
    const { server, clock } = setting;
    for (let n = 1; n <= 4; n++) {
      (await watchAfter(setting, undefined)).end();
      await until("it asks again", () => server.requests.length === n + 1);
    }
    assert.ok(clock.waits.length >= 3, clock.waits.join());
    assert.is(setting.store.completeLists, 1);
  }));

test("a restored backup: the server does not know our resourceVersion, and the newest state is listed", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    server.delete(makeService("a", ""));
    await until("it is gone", () => setting.known().join() === "b");
    server.loseHistory(1n);
    server.apply(makeService("restored", "10.96.0.4"));
    await until("it has listed the newest state", () => setting.known().join() === "b,restored");
    assert.is(kinds(setting), "stream confirm stream");
    assert.equal(setting.reflector.state().relists, { "history lost": 1 });
  }));

test("a restored backup behind a proxy that ends watches in good order: a bookmark gives it away", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    server.store.loseHistory(1n);
    const watch = await watchAfter(setting, undefined);
    watch.end();
    server.apply(makeService("restored", "10.96.0.4"));
    const future = await watchAfter(setting, watch);
    future.send(
      '{"type":"BOOKMARK","object":{"kind":"Service","apiVersion":"v1","metadata":{"resourceVersion":"3"}}}\n',
    );
    await until("it has listed the newest state", () => setting.known().join() === "a,b,restored");
    assert.equal(setting.reflector.state().relists, { "history lost": 1 });
  }));

test("a restored backup behind such a proxy, and the watch stays silent: after three minutes the server is asked", () =>
  interrupted(async (setting) => {
    const { server, clock } = setting;
    server.store.loseHistory(1n);
    const watch = await watchAfter(setting, undefined);
    watch.end();
    server.apply(makeService("restored", "10.96.0.4"));
    await watchAfter(setting, watch);
    clock.pass(181_000);
    await until("it has listed the newest state", () => setting.known().join() === "a,b,restored");
    assert.is(kinds(setting), "stream watch confirm stream");
    assert.equal(setting.reflector.state().relists, { "history lost": 1 });
  }));

test("a server that does not confirm for other reasons is asked again, and nothing is listed", () =>
  interrupted(async (setting) => {
    const { server, clock } = setting;
    server.misbehave({ fault: "status", code: 504 }, { verb: "list", times: 1 });
    server.misbehave({ fault: "status", code: 429, retryAfterSeconds: 7 }, { verb: "list", times: 1 });
    server.resetConnections();
    await until("it watches again", () => server.watches.size === 1);
    assert.is(kinds(setting), "stream confirm confirm confirm watch");
    assert.equal(clock.waits, [800, 1600, 7000]);
    assert.is(setting.store.completeLists, 1);
  }));

test("two watches in which nothing comes at all, after one that fell silent: a new list", () =>
  interrupted(async (setting) => {
    let watch: Watch | undefined;
    for (const _ of ["one that had events", "second", "third"]) {
      watch = await watchAfter(setting, watch);
      watch.silence();
      setting.clock.pass(181_000);
    }
    await until("it has listed again", () => setting.store.completeLists === 2);
    assert.equal(setting.reflector.state().relists, { "silent watch": 1 });
  }));

test("a store that throws: the connection is dropped, and after a wait it is listed again", async () => {
  await interrupted(async (setting) => {
    setting.store.throwsOnce = true;
    setting.server.apply(makeService("c", "10.96.0.3"));
    await until("it is there", () => setting.known().join() === "a,b,c");
    assert.equal(setting.reflector.state().relists, { "engine lost": 1 });
    assert.is(setting.clock.waits.length, 1);
  });
  const first = (_server: ApiServer, store: EngineStore) => {
    prepare(_server);
    store.throwsOnce = true;
  };
  await reflecting({ prepare: first }, async (setting) => {
    await setting.reflector.whenSynced;
    assert.equal(setting.known(), ["a", "b"]);
  });
});

test("lists that are asked for while it lists or waits are made, and not in a tight loop", () =>
  interrupted(async (setting) => {
    const { reflector, server, clock, store } = setting;
    await server.refuse();
    clock.frozen = true;
    await until("it waits", () => reflector.state().waitingMs > 0);
    reflector.relist("first");
    await until("it has tried", () => setting.failures().length >= 3);
    clock.frozen = false;
    await server.listen();
    reflector.relist("second");
    await until("it has listed", () => store.completeLists === 2 && server.watches.size === 1);
    const waits = clock.waits.length;
    for (let n = 0; n < 5; n++) {
      const lists = store.lists;
      reflector.relist("again");
      await until("it has listed", () => store.lists > lists && server.watches.size === 1);
    }
    // Each is made at once only if the one before is some seconds ago.
    assert.ok(clock.waits.length >= waits + 2);
  }));

test.run();
