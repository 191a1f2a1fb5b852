// Objects longer than anything that an API server stores: they cost themselves, and nothing that they have said before counts on.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubernetesObject } from "../../../../fixtures/support/objects.ts";
import { makeService, reflecting, type Setting, until } from "../testing/reflecting.ts";

const test = suite("reflector and long objects");

const MIB = 1024 * 1024;

function longService(name: string, bytes = 3.5 * MIB): KubernetesObject {
  const service = makeService(name, "10.96.0.9");
  return { ...service, metadata: { ...service.metadata, annotations: { a: "x".repeat(bytes) } } };
}

const told = ({ progress }: Setting) =>
  progress.flatMap((each) => (each.kind === "left out" ? [`${each.object.namespace}/${each.object.name}`] : []));

for (const streamingLists of ["offered", "refused"] as const) {
  const how = streamingLists === "offered" ? "a streaming list" : "an ordinary list";

  test(`${how} has one, then it comes and goes on the watch`, () =>
    reflecting(
      {
        server: { streamingLists, gzipWatches: true },
        prepare: (server) =>
          server.apply(makeService("a", "10.96.0.1"), longService("long"), makeService("z", "10.96.0.2")),
      },
      async (setting) => {
        const { server, reflector, known, failures, store } = setting;
        await reflector.whenSynced;
        assert.equal([known(), reflector.oversized, told(setting)], [["a", "z"], ["shop/long"], ["shop/long"]]);
        await until("the watch is open", () => server.watches.size === 1);
        server.apply(makeService("long", "10.96.0.3"));
        await until("it is short enough now", () => known().join() === "a,long,z");
        assert.equal(reflector.oversized, []);
        server.apply(longService("long"), makeService("b", "10.96.0.4"));
        await until("what comes behind it is there", () => known().includes("b"));
        assert.equal([known(), reflector.oversized], [["a", "b", "z"], ["shop/long"]]);
        reflector.relist("test");
        await until("it has listed again", () => store.completeLists === 2);
        assert.equal([known(), reflector.oversized], [["a", "b", "z"], ["shop/long"]]);
        await until("the watch is open again", () => server.watches.size === 1);
        server.delete(longService("long"));
        server.apply(makeService("c", "10.96.0.5"));
        await until("it goes on", () => known().includes("c"));
        assert.equal(
          failures().filter((reason) => !["test", "no streaming lists"].includes(reason)),
          [],
        );
        assert.equal(reflector.oversized, []);
      },
    ));
}

test("a list that is small until it is unzipped", () =>
  reflecting(
    {
      server: { streamingLists: "refused" },
      prepare: (server) => server.apply(makeService("a", "10.96.0.1"), longService("bomb", 64 * MIB)),
    },
    async ({ reflector, known }) => {
      await reflector.whenSynced;
      assert.equal([known(), reflector.oversized], [["a"], ["shop/bomb"]]);
    },
  ));

test("a long line that names no object makes one more list, and no more", () =>
  reflecting({ prepare: (server) => server.apply(makeService("a", "10.96.0.1")) }, async (setting) => {
    const { server, reflector, known, failures, store } = setting;
    await reflector.whenSynced;
    await until("the watch is open", () => server.watches.size === 1);
    for (const watch of server.watches) {
      watch.send(`{"type":"MODIFIED","object":{"kind":"Service","apiVersion":"v1","x":"${"x".repeat(4 * MIB)}"}}\n`);
    }
    await until("it has listed again", () => store.completeLists === 2);
    await until("the watch is open again", () => server.watches.size === 1);
    server.apply(makeService("b", "10.96.0.2"));
    await until("it goes on", () => known().join() === "a,b");
    assert.equal(failures(), ["unreadable"]);
  }));

test.run();
