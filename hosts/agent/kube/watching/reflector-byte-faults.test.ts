// However bytes come, and whatever they are: each object is taken once, and what may be lost is listed anew.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { follows, interrupted, prepare, withFault } from "../testing/faults.ts";
import { engineOf, makeService, reflecting, stateOf, until } from "../testing/reflecting.ts";

const test = suite("reflector and bytes");

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

test.run();
