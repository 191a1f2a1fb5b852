// Objects of the size that the API allows, and sizes that multiply.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  addresses,
  applyJson,
  endpointsOf,
  linesWith,
  listOf,
  type Mode,
  makeEngine,
  makeService,
  makeSlice,
  put,
  render,
} from "../../fixtures/support/engine-tests.ts";
import type { Port } from "../../fixtures/support/shorthand.ts";
import { EngineTrapError } from "../../hosts/shared/engine.ts";

const test = suite("routing: large objects");

const numbered = (count: number, first = 1): Port[] =>
  Array.from({ length: count }, (_, i) => ({ name: `rtp-${i}`, port: first + (i % 65_535), protocol: "UDP" }));

const ruleOf: Record<Mode, (port: number) => string> = {
  flat: (port) => `service-ips { 10.96.0.1 . udp . ${port} : goto lb-1 }`,
  nftables: (port) => `service-ips { 10.96.0.1 . udp . ${port} : goto service-`,
  iptables: (port) => `--dport ${port} -j KUBE-SVC-`,
};

for (const mode of ["flat", "nftables", "iptables"] as const) {
  test(`${mode}: a Service with 5,000 ports has them all, each with its endpoint`, () => {
    const engine = makeEngine(mode);
    put(engine, makeService("sip/rtp", { ports: numbered(5000) }));
    put(engine, makeSlice("sip/rtp-1", "rtp", ["10.0.0.1"], { ports: numbered(5000, 20_000) }));
    const text = render(engine);
    for (const port of [1, 2, 2500, 4999, 5000])
      assert.is(linesWith(text, ruleOf[mode](port)).length, 1, `port ${port}`);
    assert.equal(endpointsOf(engine, "sip/rtp:rtp-4999"), ["10.0.0.1:24999"]);
    assert.equal(endpointsOf(engine, "sip/rtp:rtp-0"), ["10.0.0.1:20000"]);
  });
}

test("a manifest may have a port of every number", () => {
  const engine = makeEngine("flat");
  put(engine, makeService("sip/rtp", { ports: numbered(65_535) }));
  put(engine, makeSlice("sip/rtp-1", "rtp", ["10.0.0.1"], { ports: numbered(65_535) }));
  assert.is(linesWith(render(engine), "element ip sluice service-ips { 10.96.0.1 . udp . ").length, 65_535);
});

test("ports come and go among thousands", () => {
  const engine = makeEngine("flat");
  const all = numbered(3000);
  put(engine, makeService("sip/rtp", { ports: all }));
  put(engine, makeSlice("sip/rtp-1", "rtp", ["10.0.0.1"], { ports: all }));
  render(engine);
  const odd = all.filter((_, i) => i % 2 === 1);
  put(engine, makeService("sip/rtp", { ports: [...odd].reverse() }));
  assert.is(linesWith(render(engine), "service-ips { 10.96.0.1 . udp . ").length, 1500);
  put(engine, makeService("sip/rtp", { ports: all }));
  const other = makeEngine("flat");
  put(other, makeService("sip/rtp", { ports: [...all].reverse() }));
  put(other, makeSlice("sip/rtp-1", "rtp", ["10.0.0.1"], { ports: all }));
  assert.is(render(engine), render(other));
});

test("of ports of one name and protocol the last one counts, wherever they stand", () => {
  const engine = makeEngine("flat");
  const ports: Port[] = [
    { name: "a", port: 1 },
    { name: "b", port: 2 },
    { name: "a", port: 3, protocol: "UDP" },
    { name: "a", port: 4 },
  ];
  put(engine, makeService("shop/web", { ports }));
  const text = render(engine);
  const keys = [...text.matchAll(/no-endpoint-services \{ 10\.96\.0\.1 \. (\w+ \. \d+)/g)].map(([, key]) => key);
  assert.equal(keys.sort(), ["tcp . 2", "tcp . 4", "udp . 3"]);
});

for (const count of [5000, 20_000, 70_000]) {
  test(`${count} source ranges and none is lost`, () => {
    const engine = makeEngine("flat");
    const ranges = Array.from({ length: count }, (_, i) => `${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/25`);
    put(
      engine,
      makeService("shop/web", {
        type: "LoadBalancer",
        ingress: [{ ip: "192.0.2.1" }],
        loadBalancerSourceRanges: ranges,
      }),
    );
    put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1"]));
    const text = render(engine);
    for (const range of [ranges[0], ranges[count - 1]]) assert.ok(text.includes(`${range?.slice(0, -3)}-`), range);
    assert.is([...text.matchAll(/\.0-20\.|\.0-21\./g)].length, count);
  });
}

test("external IPs by the ten thousands, and a port may be the 70,000th", () => {
  const engine = makeEngine("flat");
  const externalIPs = Array.from({ length: 70_000 }, (_, i) => `20.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  put(engine, makeService("shop/web", { externalIPs }));
  const other = makeService("shop/late", { ip: "10.96.0.2", externalIPs: [...externalIPs].reverse() });
  put(engine, other);
  const fields = engine.problems().map(({ name, field }) => `${name} ${field}`);
  assert.is(fields.length, 1000, "as many problems as a call may return");
  put(engine, makeService("shop/late", { ip: "10.96.0.2", externalIPs: ["1.1.1.1", ...externalIPs] }));
  assert.is(engine.problems()[0]?.field, "spec.externalIPs[0]");
});

test("a slice's endpoints count for the port at hand alone: 1,000 endpoints × 15,500 ports", () => {
  const engine = makeEngine("flat");
  put(engine, makeService("rtp/big", { ports: [{ name: "http", port: 80 }] }));
  const ports: Port[] = [{ name: "http", port: 8080 }, ...numbered(15_499)];
  // Five times their product is more than 32 bits hold.
  for (let i = 0; i < 5; i++) put(engine, makeSlice(`rtp/big-${i}`, "big", addresses(1000, `10.${20 + i}`), { ports }));
  assert.is(endpointsOf(engine, "rtp/big:http").length, 5000);
  assert.is(linesWith(render(engine), "backends { 10.96.0.1 . tcp . 80 . ").length, 5000);
});

test("what no block of memory can hold traps before anything is written", () => {
  const engine = makeEngine("flat");
  // No API server takes a slice with a port name twice: each would feed the Service's port.
  const ports: Port[] = Array.from({ length: 20_000 }, (_, i) => ({ name: "http", port: i + 1 }));
  put(engine, makeService("rtp/big", { ports: [{ name: "http", port: 80 }] }));
  put(engine, makeSlice("rtp/big-1", "big", addresses(1000), { ports }));
  assert.throws(
    () => engine.describe(),
    (error: Error) => error instanceof EngineTrapError && /unreachable/.test(error.message),
  );
});

test("a Service that has become too much loses its old rules: they may allow more than it does now", () => {
  const engine = makeEngine("flat");
  const fields = { type: "LoadBalancer", ingress: [{ ip: "192.0.2.1" }] };
  put(engine, makeService("shop/web", fields), makeService("shop/db", { ip: "10.96.0.2" }));
  const ranges = Array.from({ length: 2000 }, (_, i) => `20.${i >> 8}.${i & 255}.0/24`);
  const { problems } = applyJson(
    engine,
    listOf([makeService("shop/web", { ...fields, ports: numbered(1100), loadBalancerSourceRanges: ranges })]),
  );
  assert.equal(
    problems.map(({ severity, code, name }) => ({ severity, code, name })),
    [{ severity: "error", code: "too-many", name: "web" }],
  );
  const text = render(engine);
  assert.not.ok(text.includes("192.0.2.1"));
  assert.ok(text.includes("10.96.0.2"));
});

test("source ranges are work, too: a plan of many ports with thousands of them is made in slices", () => {
  const engine = makeEngine("flat");
  const ports = Array.from({ length: 40 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
  const loadBalancerSourceRanges = Array.from({ length: 4000 }, (_, i) => `20.${i >> 8}.${i & 255}.0/25`);
  const fields = { type: "LoadBalancer", ingress: [{ ip: "192.0.2.1" }], ports, loadBalancerSourceRanges };
  put(engine, makeService("shop/web", fields), makeSlice("shop/web-1", "web", ["10.0.0.1"], { ports }));
  engine.beginPlan(0);
  let slices = 1;
  while (engine.continuePlan(4000).tag === "more") slices++;
  // Each port is looked at twice.
  assert.ok(slices >= 80, `${slices} slices`);
});

test.run();
