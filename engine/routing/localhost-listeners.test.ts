// TCP node ports on loopback addresses: which the host has to listen on, and where it forwards to.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Endpoint,
  type EngineInstance,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  type Options,
  put,
  remove,
  type ServiceFields,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("routing: listeners on localhost");

const on = { nftablesLocalhostNodePorts: true, nodePortAddresses: ["localhost"] };
const nodePort = (number: number, fields: ServiceFields = {}): ServiceFields => ({
  type: "NodePort",
  ports: [{ port: 80, nodePort: number }],
  ...fields,
});

/** What the engine says of changes: `PORT` (IPv6: `PORT/6`), whose it is, and where it leads. */
function changes(engine: EngineInstance, work = 1000): string[] {
  const { all, first, listeners, more } = engine.localhostListeners(work);
  return [
    ...(all ? [first ? "all" : "rest"] : []),
    ...listeners.map(({ family, port, namespace, service, portName, affinitySeconds, endpoints }) => {
      const to = endpoints.map((each) => `${each.address} ${each.port}`).join(", ");
      const name = service === "" ? "nobody" : `${namespace}/${service}${portName === "" ? "" : `:${portName}`}`;
      return `${port}${family === "ipv6" ? "/6" : ""} ${name}${affinitySeconds === 0 ? "" : ` (${affinitySeconds} s)`}: ${to}`;
    }),
    ...(more ? ["more"] : []),
  ];
}

test("each change is told once: endpoints, the Service, and that nobody has the port any more", () => {
  const engine = makeEngine("flat", on);
  assert.equal(changes(engine), ["all"]);
  const web = makeService("shop/web", nodePort(30080));
  put(engine, web);
  assert.equal(changes(engine), ["30080 shop/web: "]);
  const slice = makeSlice("shop/web-1", "web", ["10.0.0.2", "10.0.0.1"]);
  put(engine, slice);
  assert.equal(changes(engine), ["30080 shop/web: 10.0.0.1 8080, 10.0.0.2 8080"]);
  assert.equal(changes(engine), []);
  put(engine, makeSlice("shop/web-1", "web", ["10.0.0.2"]));
  put(engine, makeService("shop/other", nodePort(30081, { ip: "10.96.0.2" })));
  assert.equal(changes(engine).sort(), ["30080 shop/web: 10.0.0.2 8080", "30081 shop/other: "]);
  put(engine, makeService("shop/web", nodePort(30082)));
  assert.equal(changes(engine).sort(), ["30080 nobody: ", "30082 shop/web: 10.0.0.2 8080"]);
  remove(engine, web);
  assert.equal(changes(engine), ["30082 nobody: "]);
});

test("affinity, port names, both families", () => {
  const engine = makeEngine("nftables", on);
  const timeout = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } };
  const ports = [{ name: "http", port: 80, nodePort: 30080 }];
  put(
    engine,
    makeService("shop/web", { type: "NodePort", ip: "10.96.0.1,fd00:96::1", ports, ...timeout }),
    makeSlice("shop/web-4", "web", ["10.0.0.1"], { ports: [{ name: "http", port: 8080 }] }),
    makeSlice("shop/web-6", "web", ["fd00::1"], { ports: [{ name: "http", port: 8080 }] }),
  );
  assert.equal(changes(engine), [
    "all",
    "30080 shop/web:http (60 s): 10.0.0.1 8080",
    "30080/6 shop/web:http (60 s): fd00::1 8080",
  ]);
});

test("policies: the external one counts, and without endpoints of it nobody listens", () => {
  const engine = makeEngine("flat", on);
  put(engine, makeService("shop/web", nodePort(30080, { externalTrafficPolicy: "Local" })));
  put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1 node-a", "10.0.0.2 node-b"]));
  assert.equal(changes(engine), ["all", "30080 shop/web: 10.0.0.1 8080"]);
  put(engine, makeSlice("shop/web-1", "web", ["10.0.0.2 node-b"]));
  assert.equal(changes(engine), ["30080 shop/web: "]);
  put(engine, makeService("shop/web", nodePort(30080, { internalTrafficPolicy: "Local" })));
  assert.equal(changes(engine), ["30080 shop/web: 10.0.0.2 8080"]);
  const ending = (ip: string, serving: boolean): Endpoint => ({ ip, ready: false, serving, terminating: true });
  put(engine, makeSlice("shop/web-1", "web", [ending("10.0.0.3", true), ending("10.0.0.4", false)]));
  assert.equal(changes(engine), ["30080 shop/web: 10.0.0.3 8080"], "the last that serve, if none is ready");
});

test("a change of the Node tells everything again", () => {
  const engine = makeEngine("flat", on);
  const hinted = (ip: string, zone: string): Endpoint => ({ ip, forZones: [zone] });
  put(engine, makeService("shop/web", nodePort(30080)), makeNode("node-a", { zone: "z1" }));
  put(engine, makeSlice("shop/web-1", "web", [hinted("10.0.0.1", "z1"), hinted("10.0.0.2", "z2")]));
  assert.equal(changes(engine), ["all", "30080 shop/web: 10.0.0.1 8080"]);
  put(engine, makeNode("node-a", { zone: "z2" }));
  assert.equal(changes(engine), ["all", "30080 shop/web: 10.0.0.2 8080"]);
});

test("one port has one owner; UDP and SCTP are not listened for", () => {
  const engine = makeEngine("flat", on);
  const old = { created: "2020-01-01T00:00:00Z" };
  const ports = ["TCP", "UDP", "SCTP"].map((protocol, i) => ({
    name: `p${i}`,
    port: 80 + i,
    nodePort: 30080 + i,
    protocol,
  }));
  put(engine, makeService("shop/a", { type: "NodePort", ports }));
  assert.equal(changes(engine), ["all", "30080 shop/a:p0: "]);
  put(engine, makeService("shop/b", nodePort(30080, { ip: "10.96.0.2", ...old })));
  put(engine, makeSlice("shop/b-1", "b", ["10.0.0.1"]));
  assert.equal(changes(engine), ["30080 shop/b: 10.0.0.1 8080"]);
});

test("by parts: all of them, however few at a time, and what goes meanwhile", () => {
  const engine = makeEngine("flat", on);
  const services = Array.from({ length: 6 }, (_, i) =>
    makeService(`x/s${i}`, nodePort(30000 + i, { ip: `10.96.0.${i + 1}` })),
  );
  put(engine, ...services);
  assert.equal(changes(engine, 2), ["all", "30000 x/s0: ", "30001 x/s1: ", "more"]);
  remove(engine, ...services.slice(1, 3));
  assert.equal(changes(engine, 3), ["rest", "30002 nobody: ", "30003 x/s3: ", "30004 x/s4: ", "more"]);
  // Everything changes: what was told and is gone is told, too.
  put(engine, makeNode("node-a", { zone: "z1" }));
  assert.equal(changes(engine), [
    "all",
    "30000 x/s0: ",
    "30001 nobody: ",
    "30003 x/s3: ",
    "30004 x/s4: ",
    "30005 x/s5: ",
  ]);
  assert.equal(changes(engine), []);
});

const places: [nodePortAddresses: string[], ipv4: boolean, ipv6: boolean][] = [
  [[], false, false],
  [["primary"], false, false],
  [["all"], false, false],
  [["0.0.0.0/0", "::/0"], false, false],
  [["localhost"], true, true],
  [["all", "localhost"], true, true],
  [["primary", "localhost"], true, true],
  [["127.0.0.0/8"], true, false],
  [["127.0.0.1/32", "fd00::/64"], true, false],
  [["127.0.0.2/32"], false, false],
  [["126.0.0.0/7"], true, false],
  [["0.0.0.0/0", "127.0.0.1/32"], true, false],
  [["::1/128"], false, true],
  [["::/1"], false, true],
  [["192.0.2.0/24", "::/64"], false, true],
];
for (const [nodePortAddresses, ipv4, ipv6] of places) {
  test(`nodePortAddresses ${JSON.stringify(nodePortAddresses)}`, () => {
    const families = (mode: "flat" | "nftables" | "iptables", more: Partial<Options> = {}) => {
      const engine = makeEngine(mode, { ...on, nodePortAddresses, ...more });
      put(
        engine,
        makeNode("node-a", { ips: ["192.0.2.1", "2001:db8::1"] }),
        makeService("shop/web", nodePort(30080, { ip: "10.96.0.1,fd00:96::1" })),
      );
      return engine.localhostListeners(100).listeners.map(({ family }) => family);
    };
    const wanted = [...(ipv4 ? ["ipv4"] : []), ...(ipv6 ? ["ipv6"] : [])];
    assert.equal(families("flat"), wanted);
    assert.equal(families("nftables"), wanted);
    assert.equal(families("iptables"), []);
    assert.equal(families("flat", { nftablesLocalhostNodePorts: false }), [], "the gate is off");
  });
}

test.run();
