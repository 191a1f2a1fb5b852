// What the engine keeps of objects, and for how long.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  addresses,
  applyJson,
  commitAll,
  defaultOptions,
  describe,
  described,
  type Engine,
  encode,
  endpointsOf,
  type KubernetesObject,
  listOf,
  makeEngine,
  makeNode,
  makeService,
  makeServiceCIDR,
  makeSlice,
  put,
  remove,
  render,
  renderAll,
  serviceNames,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("cluster");

const a = makeService("shop/a", { ip: "10.96.0.1" });
const b = makeService("shop/b", { ip: "10.96.0.2" });

test("end-list drops what was not applied since begin-list, and says how many", () => {
  const engine = makeEngine();
  put(engine, a, b, makeService("other/a", { ip: "10.96.0.3" }));
  engine.beginList("service");
  put(engine, b);
  assert.equal(serviceNames(engine), ["other/a", "shop/a", "shop/b"], "nothing goes before the list is complete");
  put(engine, makeService("shop/c", { ip: "10.96.0.4" }));
  assert.is(engine.endList("service"), 2);
  assert.equal(serviceNames(engine), ["shop/b", "shop/c"]);
  assert.is(engine.endList("service"), 0, "they are gone once");
});

test("a list concerns its kind only", () => {
  const engine = makeEngine();
  put(engine, a, makeSlice("shop/a-1", "a", ["10.0.0.1"]), makeNode("node-a"), makeServiceCIDR("k", ["10.96.0.0/16"]));
  for (const kind of ["service", "endpoint-slice", "node", "service-cidr"] as const) {
    engine.beginList(kind);
    assert.is(engine.endList(kind), 1, kind);
    assert.is(engine.endList(kind), 0, kind);
  }
  assert.equal(describe(engine).servicePorts, []);
  assert.equal(engine.nodes(), []);
});

test("a list that is begun again starts from nothing", () => {
  const engine = makeEngine();
  put(engine, a, b);
  engine.beginList("service");
  put(engine, a);
  engine.beginList("service");
  put(engine, b);
  assert.is(engine.endList("service"), 1);
  assert.equal(serviceNames(engine), ["shop/b"]);
});

test("an object deleted and added again during a list stays", () => {
  const engine = makeEngine();
  put(engine, a);
  engine.beginList("service");
  put(engine, a);
  remove(engine, a);
  put(engine, a, b);
  assert.is(engine.endList("service"), 0);
  assert.equal(serviceNames(engine), ["shop/a", "shop/b"]);
});

test("a list of nothing empties a big table", () => {
  const engine = makeEngine();
  put(engine, ...addresses(1000, "10.96").map((ip, i) => makeService(`shop/s${i}`, { ip })));
  engine.beginList("service");
  assert.is(engine.endList("service"), 1000);
  assert.is(renderAll(engine), renderAll(makeEngine()));
});

test("deletions of what is not known change nothing", () => {
  const engine = makeEngine();
  put(engine, a);
  const before = renderAll(engine);
  const unknown = [
    makeService("shop/x"),
    makeSlice("shop/x-1", "x", ["10.0.0.1"]),
    makeNode("node-x"),
    makeServiceCIDR("x", []),
    makeService("other/a"),
  ];
  for (const object of unknown) {
    const result = remove(engine, object);
    assert.is(result.changed, 0);
    assert.is(result.services + result.endpointSlices + result.nodes + result.serviceCidrs, 1, "accepted all the same");
  }
  assert.is(renderAll(engine), before);
});

test("the same name in two namespaces, or of two kinds, is two objects", () => {
  const engine = makeEngine();
  put(engine, a, makeService("other/a", { ip: "10.96.0.3" }), makeNode("a"), makeServiceCIDR("a", ["10.96.0.0/16"]));
  remove(engine, a);
  assert.equal(serviceNames(engine), ["other/a"]);
  assert.equal(engine.nodes(), ["a"]);
});

test("nodes come sorted by bytes, whatever their order of arrival", () => {
  const engine = makeEngine();
  for (const name of ["b", "aa", "B", "a", "a-b", "a.b", "10"]) put(engine, makeNode(name));
  assert.equal(engine.nodes(), ["10", "B", "a", "a-b", "a.b", "aa", "b"]);
});

// ---- slices

test("duplicates: of non-terminating copies the last by slice name counts, whenever it came", () => {
  const slice = (name: string, zone: string, terminating = false) =>
    makeSlice(`shop/${name}`, "a", [{ ip: "10.0.0.1", zone, ...(terminating ? { terminating, ready: false } : {}) }]);
  const zoneOf = (...slices: KubernetesObject[]) => {
    const engine = makeEngine();
    put(engine, a);
    for (const each of slices) put(engine, each);
    const endpoints = described(engine, "shop/a")?.endpoints ?? [];
    assert.is(endpoints.length, 1);
    return endpoints[0]?.zone;
  };
  const [one, two, ten] = [slice("a-1", "one"), slice("a-2", "two"), slice("a-10", "ten")];
  for (const order of [
    [one, two, ten],
    [ten, two, one],
    [two, one, ten],
  ]) {
    assert.is(zoneOf(...order), "two", "a-1 < a-10 < a-2");
  }
  const dying = slice("a-3", "dying", true);
  assert.is(zoneOf(dying, one, two), "two", "a terminating copy gives way");
  assert.is(zoneOf(slice("a-2", "two", true), slice("a-1", "one", true)), "one", "of terminating copies the first");
});

test("endpoints are sorted by text, over slices", () => {
  const engine = makeEngine();
  put(
    engine,
    a,
    makeSlice("shop/a-2", "a", ["10.0.0.9", "10.0.0.10", "9.0.0.1"]),
    makeSlice("shop/a-1", "a", ["10.0.0.1", "10.0.0.11"]),
  );
  assert.equal(endpointsOf(engine, "shop/a"), [
    "10.0.0.10:8080",
    "10.0.0.11:8080",
    "10.0.0.1:8080",
    "10.0.0.9:8080",
    "9.0.0.1:8080",
  ]);
});

test("a slice that changes its service leaves the one and comes to the other", () => {
  const engine = makeEngine();
  put(engine, a, b, makeSlice("shop/x", "a", ["10.0.0.1"]), makeSlice("shop/y", "a", ["10.0.0.2"]));
  put(engine, makeSlice("shop/x", "b", ["10.0.0.1"]));
  assert.equal(endpointsOf(engine, "shop/a"), ["10.0.0.2:8080"]);
  assert.equal(endpointsOf(engine, "shop/b"), ["10.0.0.1:8080"]);
  remove(engine, makeSlice("shop/x", "a", []));
  assert.equal(endpointsOf(engine, "shop/b"), [], "a deletion goes by the slice's own name");
});

test("a slice that changes its family moves to the other family's rules", () => {
  const engine = makeEngine();
  put(engine, makeService("shop/a", { ip: "10.96.0.1,fd00:96::1" }), makeSlice("shop/x", "a", ["10.0.0.1"]));
  put(engine, makeSlice("shop/x", "a", ["fd00::1"]));
  assert.equal(endpointsOf(engine, "shop/a"), []);
  assert.equal(endpointsOf(engine, "shop/a", "IPv6"), ["fd00::1:8080"]);
  put(engine, makeSlice("shop/x", "a", [], { addressType: "FQDN" }));
  assert.equal(endpointsOf(engine, "shop/a", "IPv6"), [], "FQDN is for nobody");
});

test("a slice before its Service waits, and is there again after the Service was deleted and made anew", () => {
  const engine = makeEngine();
  put(engine, makeSlice("shop/a-1", "a", ["10.0.0.1"]));
  assert.equal(describe(engine).servicePorts, []);
  put(engine, a);
  assert.equal(endpointsOf(engine, "shop/a"), ["10.0.0.1:8080"]);
  remove(engine, a);
  commitAll(engine, 0);
  assert.equal(describe(engine).servicePorts, []);
  put(engine, a);
  assert.equal(endpointsOf(engine, "shop/a"), ["10.0.0.1:8080"]);
});

test("slices that have come in no order and gone again before anybody looked leave a Service without endpoints", () => {
  const engine = makeEngine();
  const slices = [makeSlice("shop/a-1", "a", ["10.0.0.1"]), makeSlice("shop/a-2", "a", ["10.0.0.2"])];
  put(engine, a);
  commitAll(engine, 0);
  put(engine, ...slices.toReversed());
  remove(engine, ...slices);
  assert.equal(endpointsOf(engine, "shop/a"), []);
  put(engine, ...slices);
  assert.equal(endpointsOf(engine, "shop/a"), ["10.0.0.1:8080", "10.0.0.2:8080"]);
});

test("a slice of a Service in another namespace feeds nobody", () => {
  const engine = makeEngine();
  put(engine, a, makeSlice("other/a-1", "a", ["10.0.0.1"]));
  assert.equal(endpointsOf(engine, "shop/a"), []);
});

test("slice ports feed the service port of the same name and protocol", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("shop/a", {
      ports: [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53 },
      ],
    }),
    makeSlice("shop/a-1", "a", ["10.0.0.1"], {
      ports: [
        { name: "dns", port: 1053, protocol: "UDP" },
        { name: "dns", port: 2053 },
        { name: "dns-tcp", port: 3053 },
      ],
    }),
    makeSlice("shop/a-2", "a", ["10.0.0.2"], { ports: [{ name: "dns-tcp", port: 4053 }] }),
  );
  assert.equal(endpointsOf(engine, "shop/a:dns"), ["10.0.0.1:1053"]);
  assert.equal(endpointsOf(engine, "shop/a:dns-tcp"), ["10.0.0.1:3053", "10.0.0.2:4053"]);
});

// ---- what counts as a change

test("only what differs counts as changed, and what rules do not depend on does not differ", () => {
  const engine = makeEngine();
  const slice = makeSlice("shop/a-1", "a", [{ ip: "10.0.0.1", node: "node-a", forZones: ["z1", "z2"] }]);
  put(engine, a, slice);
  const annotated = (object: KubernetesObject) => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion: "8", annotations: { x: "y" }, generation: 7 },
  });
  assert.is(put(engine, a, slice, annotated(a), annotated(slice)).changed, 0);
  const otherOrder = makeSlice("shop/a-1", "a", [{ ip: "10.0.0.1", node: "node-a", forZones: ["z2", "z1", "z2"] }]);
  assert.is(put(engine, otherOrder).changed, 0, "hints are a set");
  assert.is(
    put(engine, makeSlice("shop/a-1", "a", [{ ip: "10.0.0.1", node: "node-b", forZones: ["z1", "z2"] }])).changed,
    1,
  );
  assert.is(put(engine, makeService("shop/a", { ip: "10.96.0.1", created: "2026-01-01T00:00:00Z" })).changed, 1);
});

test("Services leave no trace: the text is that of an engine that never knew them", () => {
  for (const mode of ["iptables", "nftables"] as const) {
    const engine = makeEngine(mode);
    put(engine, a);
    const kept = renderAll(engine);
    const services = addresses(300, "10.97").map((ip, i) =>
      makeService(`x/s${i}`, { ip, externalIPs: [`192.0.2.${i % 200}`] }),
    );
    put(
      engine,
      ...services,
      ...services.map(({ metadata: { name } }, i) => makeSlice(`x/${name}-1`, name, [`10.9.0.${i % 255} node-a`])),
    );
    commitAll(engine, 0);
    remove(engine, ...services);
    commitAll(engine, 10_000);
    assert.is(renderAll(engine), kept);
    assert.equal(engine.problems(), []);
  }
});

test("Services inserted in any order are rendered by namespace, then name", () => {
  const names = ["b/a", "a/b", "a-b/a", "a/a-1", "a/a", "a.b/c", "a/aa", "B/x"];
  const engine = makeEngine();
  for (const [i, name] of names.entries()) {
    put(engine, makeService(name, { ip: `10.96.0.${i + 1}` }));
    render(engine);
  }
  assert.equal(serviceNames(engine), ["B/x", "a/a", "a/a-1", "a/aa", "a/b", "a-b/a", "a.b/c", "b/a"]);
});

// ---- memory

const memoryOf = (engine: Engine) => (engine as unknown as { memoryBytes: number }).memoryBytes;

/** `rounds` times 1,000 events; the memory after a tenth of them must do for all. */
function churn(engine: Engine, rounds: number, events: (round: number) => string): void {
  let now = 0;
  let before = 0;
  for (let round = 0; round < rounds; round++) {
    const { problems, changed } = engine.apply(encode(events(round)));
    assert.equal(problems, []);
    assert.ok(changed > 0);
    now = commitAll(engine, now);
    if (round === Math.floor(rounds / 10)) before = memoryOf(engine);
  }
  assert.is(memoryOf(engine), before);
}

const added = (object: KubernetesObject) => `${JSON.stringify({ type: "ADDED", object })}\n`;
const deleted = (object: KubernetesObject) => `${JSON.stringify({ type: "DELETED", object })}\n`;

for (const mode of ["iptables", "nftables"] as const) {
  test(`${mode}: 200,000 events that come and go do not make memory grow`, () => {
    const engine = makeEngine(mode);
    put(engine, a, b);
    churn(engine, 200, (round) => {
      let text = "";
      for (let i = 0; i < 250; i++) {
        const name = `s${round}-${i}`;
        const service = makeService(`shop/${name}`, {
          ip: `10.${97 + (round & 7)}.${i >> 4}.${i & 15}`,
          ports: [{ port: 80, nodePort: 30000 + i }],
          externalIPs: [`192.0.${round & 255}.${i}`],
          ...(i % 10 === 0 ? { sessionAffinity: "ClientIP" } : {}),
        });
        const slice = makeSlice(`shop/${name}-1`, name, [
          {
            ip: `10.0.${i}.1`,
            node: i % 2 === 0 ? "node-a" : `node-${round}-${i}`,
            zone: `z${round}-${i}`,
            forZones: [`h${round}-${i}`],
          },
        ]);
        text += added(service) + added(slice);
      }
      for (let i = 0; round > 0 && i < 250; i++) {
        const name = `s${round - 1}-${i}`;
        text += deleted(makeSlice(`shop/${name}-1`, name, [])) + deleted(makeService(`shop/${name}`));
      }
      return text;
    });
  });

  test(`${mode}: endpoints, nodes and ServiceCIDRs that change do not make memory grow`, () => {
    const engine = makeEngine(mode);
    put(engine, a, b);
    churn(engine, 60, (round) => {
      let text = "";
      for (let i = 0; i < 20; i++) {
        const endpoints = addresses(5 + ((round + i) % 7), `10.${i}`).map((ip) => ({ ip, node: `node-${round}-${i}` }));
        text += added(makeSlice(`shop/x${i}`, i % 2 === 0 ? "a" : "b", endpoints));
      }
      text += added(
        makeNode("node-a", { ips: [`192.0.2.${round}`], zone: `z${round}`, podCIDRs: [`10.244.${round}.0/24`] }),
      );
      return (
        text +
        added(
          makeServiceCIDR(
            "k",
            Array.from({ length: 1 + (round % 5) }, (_, i) => `10.${i}.${round}.0/24`),
          ),
        )
      );
    });
  });

  test(`${mode}: refused batches and forgotten kernels do not make memory grow`, () => {
    const engine = makeEngine(mode);
    put(engine, a, b);
    let before = 0;
    for (let round = 0; round < 300; round++) {
      const ips = [`10.0.${round % 200}.1 node-a`, "10.0.0.2"];
      put(
        engine,
        makeSlice("shop/a-1", "a", ips),
        makeService("shop/c", { ip: `10.96.1.${round % 200}`, sessionAffinity: "ClientIP" }),
      );
      put(engine, makeSlice("shop/c-1", "c", ips));
      const batches = engine.plan(round * 10);
      for (const { id } of batches) if (round % 3 !== 0) engine.failed(id, round * 10);
      if (round % 50 === 49) engine.forget();
      if (round % 7 === 0) commitAll(engine, round * 10);
      if (round === 100) before = memoryOf(engine);
    }
    assert.is(memoryOf(engine), before);
  });
}

test("options, renders, descriptions, blame and problems do not make memory grow", () => {
  const engine = makeEngine("iptables");
  put(engine, a, makeService("shop/b", { ip: "10.96.0.1" }), makeSlice("shop/a-1", "a", addresses(50)));
  let before = 0;
  for (let round = 0; round < 400; round++) {
    const options = {
      clusterCidr: `10.${round % 200}.0.0/16`,
      nodePortAddresses: ["10.0.0.0/8", "primary"],
      interfaceAddresses: ["10.0.0.1"],
    };
    assert.equal(
      engine.configure({ ...defaultOptions("iptables"), ...options, mode: round % 2 === 0 ? "iptables" : "nftables" }),
      [],
    );
    for (const family of ["ipv4", "ipv6"] as const) {
      engine.render(family);
      engine.blame(family);
    }
    engine.describe();
    engine.problems();
    engine.node();
    engine.nodes();
    commitAll(engine, round * 10_000);
    if (round === 50) before = memoryOf(engine);
  }
  assert.is(memoryOf(engine), before);
});

test("what is refused does not make memory grow", () => {
  const engine = makeEngine();
  put(engine, a);
  const bad = (i: number) => ({
    ...a,
    metadata: { name: `x${i}` },
    spec: { clusterIP: `bad${i}`, ports: [{ port: 0 }] },
  });
  let before = 0;
  for (let round = 0; round < 100; round++) {
    const { problems } = applyJson(engine, listOf(Array.from({ length: 500 }, (_, i) => bad(round * 500 + i))));
    assert.is(problems.length, 1000);
    engine.apply(encode(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"${"x".repeat(round * 100)}`));
    if (round === 10) before = memoryOf(engine);
  }
  assert.is(memoryOf(engine), before);
});

test.run();
