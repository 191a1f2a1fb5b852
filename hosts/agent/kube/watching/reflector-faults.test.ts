// Everything that can go wrong between the API server and the engine: nothing is lost, nothing spins, nothing is
// removed that the server has not said is gone.

import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ApiServer, Fault } from "../../../../fixtures/api-server/api-server.ts";
import type { Access } from "../../../../fixtures/api-server/options.ts";
import type { Watch } from "../../../../fixtures/api-server/watches.ts";
import {
  type EngineStore,
  engineOf,
  makeService,
  reflecting,
  type Setting,
  stateOf,
  until,
} from "../testing/reflecting.ts";
import { serviceCIDRs } from "./resources.ts";

const test = suite("reflector and faults");

const prepare = (server: ApiServer) => {
  server.apply(makeService("a", "10.96.0.1"), makeService("b", "10.96.0.2"));
};

const withFault =
  (fault: Fault, verb: "list" | "watch" = "watch", times = 1) =>
  (server: ApiServer) => {
    prepare(server);
    server.misbehave(fault, { verb, times });
  };

/** The reflector follows: what is applied now arrives. */
async function follows({ server, known }: Setting): Promise<void> {
  server.apply(makeService("new", "10.96.0.9"));
  await until("the change is there", () => known().includes("new"));
  server.delete(makeService("new", ""));
  await until("it is gone again", () => !known().includes("new"));
}

const kinds = ({ server }: Setting) =>
  server.requests
    .map(({ verb, query }) => {
      if (query.get("sendInitialEvents") === "true") return "stream";
      return query.has("resourceVersionMatch") ? "confirm" : verb;
    })
    .join(" ");

// ---- before the first list

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

// ---- while it watches

async function interrupted(
  run: (setting: Setting) => Promise<void>,
  options: Parameters<typeof reflecting>[0] = {},
): Promise<void> {
  await reflecting({ prepare, ...options }, async (setting) => {
    await setting.reflector.whenSynced;
    setting.clock.pass(2_000);
    await run(setting);
    await follows(setting);
  });
}

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

// ---- bytes

test("one byte at a time, with characters cut in the middle", () =>
  reflecting(
    {
      prepare(server) {
        server.misbehave({ fault: "drip", bytes: 1, everyMs: 0 }, { verb: "watch" });
        const wide = makeService("a", "10.96.0.1");
        server.apply({ ...wide, metadata: { ...wide.metadata, annotations: { note: "Grüße, 日本語, 🦥" } } });
      },
    },
    async ({ reflector, store, known }) => {
      await reflector.whenSynced;
      assert.equal(known(), ["a"]);
      assert.equal(
        store.results.flatMap(({ problems }) => problems),
        [],
      );
    },
  ));

test("compressed lists and compressed watches", async () => {
  await reflecting({ prepare, server: { gzipWatches: true } }, async (setting) => {
    await setting.reflector.whenSynced;
    assert.equal(setting.known(), ["a", "b"]);
    await follows(setting);
    setting.server.resetConnections();
    await until("it watches again", () => setting.server.watches.size === 1);
    await follows(setting);
  });
  await reflecting({ prepare, server: { gzipFrom: 0, streamingLists: "refused" } }, async (setting) => {
    await setting.reflector.whenSynced;
    assert.equal(setting.known(), ["a", "b"]);
  });
  // Cut off, a compressed list is no list.
  await reflecting(
    {
      prepare: withFault({ fault: "truncate", afterBytes: 100 }, "list"),
      server: { gzipFrom: 0, streamingLists: "refused" },
    },
    async (setting) => {
      await setting.reflector.whenSynced;
      assert.equal(setting.failures(), ["no streaming lists", "connection"]);
      assert.equal(setting.known(), ["a", "b"]);
    },
  );
});

test("CRLF and empty lines are no events", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    for (const watch of server.watches) watch.send("\r\n\n\n");
    const event = { type: "ADDED", object: { ...makeService("c", "10.96.0.3") } };
    event.object.metadata = { ...event.object.metadata, resourceVersion: "102" };
    for (const watch of server.watches) watch.send(`${JSON.stringify(event)}\r\n\r\n`);
    await until("it is there", () => setting.known().join() === "a,b,c");
    assert.equal(setting.failures(), []);
  }));

test("the same again, and the end of what nobody knows", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    server.misbehave({ fault: "duplicate", count: 3 }, { verb: "watch" });
    server.resetConnections();
    await until("it watches again", () => server.watches.size === 1);
    for (const watch of server.watches) {
      const gone = makeService("unknown", "10.96.0.8");
      gone.metadata = { ...gone.metadata, resourceVersion: "102" };
      watch.send(`${JSON.stringify({ type: "DELETED", object: gone })}\n`);
    }
    for (let n = 0; n < 20; n++) server.apply(makeService(`s${n % 3}`, `10.96.1.${n}`));
    server.delete(makeService("s0", ""));
    await until("it is as it should be", () => setting.known().join() === "a,b,s1,s2");
    await setting.server.watchesOf()[0]?.written;
    const fresh = engineOf();
    for (const object of server.objects("Service")) fresh.apply(Buffer.from(JSON.stringify(object)));
    await until("the state is exact", () => stateOf(setting.engine) === stateOf(fresh));
  }));

test("a line that can't be read may be an event that is lost: it is listed anew", async () => {
  for (const text of [
    '{"type":"MODIFIED","object":{"kind":"Service","apiVersion":"v1","metadata":{"name":"a"\n',
    "<html>\n",
    "null\n",
    '{"type":"WHATEVER","object":{"kind":"Service","apiVersion":"v1","metadata":{"name":"x","namespace":"y"}}}\n',
    '{"hello":"world"}\n',
  ]) {
    await interrupted(async (setting) => {
      for (const watch of setting.server.watches) watch.send(text);
      await until(`it has listed again after ${text}`, () => setting.store.completeLists === 2);
      assert.equal(setting.reflector.state().relists, { unreadable: 1 });
      assert.is(setting.clock.waits.length, 1);
    });
  }
});

test("an event whose line was cut comes with the new list", () =>
  interrupted(async (setting) => {
    const { server } = setting;
    server.misbehave({ fault: "cut-lines", every: 2 }, { verb: "watch" });
    server.resetConnections();
    await until("it watches again", () => server.watches.size === 1);
    server.apply(makeService("c", "10.96.0.3"), makeService("d", "10.96.0.4"), makeService("e", "10.96.0.5"));
    await until("all are there", () => setting.known().join() === "a,b,c,d,e");
    assert.equal(setting.reflector.state().relists, { unreadable: 1 });
  }));

test("an object that the engine refuses stops nobody else and is no reason to list again", () =>
  interrupted(async (setting) => {
    const bad = makeService("bad", "10.96.0.5");
    setting.server.apply({ ...bad, spec: { ...(bad.spec as object), ports: "none" } });
    setting.server.apply(makeService("c", "10.96.0.3"));
    await until("the next one is there", () => setting.known().join() === "a,b,c");
    assert.ok(setting.store.results.some(({ problems }) => problems.some(({ name }) => name === "bad")));
    assert.is(setting.store.completeLists, 1);
  }));

test("large lines and many lines come whole, in slices that leave the event loop free", () =>
  interrupted(async (setting) => {
    const { server, store } = setting;
    const large = makeService("large", "10.96.0.6");
    large.metadata = { ...large.metadata, annotations: { filler: "x".repeat(3_000_000) } };
    server.apply(large);
    await until("it is there", () => setting.known().includes("large"));
    let turns = 0;
    const count = setInterval(() => turns++, 0);
    const before = store.results.length;
    server.resetConnections();
    for (let n = 0; n < 4000; n++) server.apply(makeService(`m${n}`, `10.97.${n >> 8}.${n & 255}`));
    await until("all are there", () => setting.known().length === 4003);
    clearInterval(count);
    assert.ok(store.results.length - before > 4, "in several slices");
    assert.ok(turns > 2);
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
