// Which UDP flows contradict the rules that the kernel holds.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  commitAll,
  type Endpoint,
  type Family,
  type KubernetesObject,
  type Mode,
  makeEngine as makeAnyEngine,
  makeNode,
  makeService,
  makeServiceCIDR,
  makeSlice,
  type Options,
  put,
  remove,
} from "../../fixtures/support/engine-tests.ts";
import { type Flow, flowMessage, joinMessages } from "../../hosts/agent/conntrack/testing/flows.ts";
import type { EngineInstance } from "../../hosts/shared/engine.ts";

const test = suite("conntrack: stale flows");

const makeEngine = (mode: Mode = "flat", options: Partial<Options> = {}) =>
  makeAnyEngine(mode, options) as EngineInstance;

const dns = { name: "dns", port: 53, protocol: "UDP" };
const service = (name = "x/dns", fields: object = {}) =>
  makeService(name, { ip: "10.96.0.10", ports: [dns], ...fields });
const slice = (endpoints: (string | Endpoint)[], name = "x/dns-1", of = "dns", port = 5353) =>
  makeSlice(name, of, endpoints, { ports: [{ name: "dns", port, protocol: "UDP" }] });

const flow = (destination: string, answers?: string, client = "192.0.2.7:40000"): Flow => ({
  client,
  destination,
  ...(answers === undefined ? {} : { answers }),
});

/** Reasons by flow; `stays` for those that stay. */
function check(engine: EngineInstance, flows: readonly Flow[], family: Family = "ipv4"): string[] {
  const messages = flows.map((each) => flowMessage(each));
  const dump = joinMessages(messages);
  const reasons = new Map(engine.staleFlows(family, dump).map(({ offset, reason }) => [offset, reason as string]));
  let offset = 0;
  return messages.map(({ length }) => {
    const reason = reasons.get(offset) ?? "stays";
    offset += length;
    return reason;
  });
}

const reasonOf = (engine: EngineInstance, destination: string, answers?: string): string | undefined =>
  check(engine, [flow(destination, answers)])[0];

for (const mode of ["iptables", "nftables", "flat"] as const) {
  test(`${mode}: a flow is stale when what it goes to does not serve`, () => {
    const engine = makeEngine(mode);
    put(engine, service(), slice(["10.0.0.1", "10.0.0.2"]));
    commitAll(engine, 0);
    const flows = [
      flow("10.96.0.10:53", "10.0.0.1:5353"),
      flow("10.96.0.10:53", "10.0.0.2:5353"),
      flow("10.96.0.10:53", "10.0.0.3:5353"),
      flow("10.96.0.10:53", "10.0.0.1:5354"), // the target port was another
      flow("10.96.0.10:53"),
      flow("10.96.0.10:54"), // nobody's port
      flow("10.96.0.11:53", "10.0.0.3:5353"), // nobody's address: whoever translates it is not us
      flow("192.0.2.53:53"), // a server outside of the cluster
    ];
    assert.equal(check(engine, flows), [
      "stays",
      "stays",
      "endpoint-gone",
      "endpoint-gone",
      "never-translated",
      "stays",
      "stays",
      "stays",
    ]);
  });

  test(`${mode}: without endpoints, and when the Service is gone`, () => {
    const engine = makeEngine(mode);
    put(engine, service(), slice(["10.0.0.1"]));
    let now = commitAll(engine, 0);
    put(engine, slice([]));
    now = commitAll(engine, now);
    const flows = [flow("10.96.0.10:53", "10.0.0.1:5353"), flow("10.96.0.10:53")];
    assert.equal(check(engine, flows), ["no-endpoints", "never-translated"]);
    remove(engine, service());
    now = commitAll(engine, now);
    assert.equal(check(engine, flows), ["service-gone", "stays"]);
    commitAll(engine, now);
    engine.beginFlowCheck("ipv4", "udp");
    assert.equal(check(engine, flows), ["service-gone", "stays"]);
    engine.endFlowCheck("ipv4", "udp", true);
    assert.equal(check(engine, flows), ["stays", "stays"], "what has been looked for is forgotten");
  });

  test(`${mode}: what the kernel does not hold yet is not compared`, () => {
    const engine = makeEngine(mode);
    put(engine, service(), slice(["10.0.0.1"]));
    const stale = () => reasonOf(engine, "10.96.0.10:53", "10.0.0.1:5353");
    const untranslated = () => reasonOf(engine, "10.96.0.10:53");
    assert.is(untranslated(), "stays", "not planned");
    for (const { id } of engine.plan(0)) engine.failed(id, 0);
    assert.is(untranslated(), "stays", "refused");
    let now = commitAll(engine, 1);
    assert.is(untranslated(), "never-translated");
    put(engine, slice(["10.0.0.2"]));
    assert.is(stale(), "stays", "not planned");
    const batches = engine.plan(now);
    assert.is(stale(), "stays", "not committed");
    for (const { id } of batches) engine.committed(id, now);
    assert.is(stale(), "endpoint-gone");
    now = commitAll(engine, now + 10_000);
    remove(engine, service());
    const after = engine.plan(now);
    const gone = () => reasonOf(engine, "10.96.0.10:53", "10.0.0.2:5353");
    assert.is(gone(), "stays", "its rules are still there");
    // A run that began too early does not make the engine forget what it could not look for.
    engine.beginFlowCheck("ipv4", "udp");
    for (const { id } of after) engine.committed(id, now);
    engine.endFlowCheck("ipv4", "udp", true);
    assert.is(gone(), "service-gone");
    assert.is(engine.flowCheckDue("ipv4", "udp"), true);
  });

  test(`${mode}: hints, policies and terminating endpoints keep no flow from a serving endpoint`, () => {
    const engine = makeEngine(mode, { nodeName: "node-a" });
    put(
      engine,
      makeNode("node-a", { ips: ["192.0.2.1"], zone: "z1" }),
      service("x/dns", {
        type: "LoadBalancer",
        ports: [{ ...dns, nodePort: 30053 }],
        ingress: [{ ip: "198.51.100.1" }],
        externalTrafficPolicy: "Local",
        internalTrafficPolicy: "Local",
        loadBalancerSourceRanges: ["203.0.113.0/24"],
      }),
      slice([
        { ip: "10.0.0.1", node: "node-a", zone: "z1", forZones: ["z1"] },
        { ip: "10.0.0.2", node: "node-b", zone: "z2", forZones: ["z2"] },
        { ip: "10.0.0.3", node: "node-b", ready: false, serving: true, terminating: true, forZones: ["z2"] },
        { ip: "10.0.0.4", node: "node-a", ready: false, serving: false, terminating: true, forZones: ["z1"] },
        { ip: "10.0.0.5", node: "node-a", ready: false, serving: false, forZones: ["z1"] },
      ]),
    );
    commitAll(engine, 0);
    for (const destination of ["10.96.0.10:53", "198.51.100.1:53", "192.0.2.1:30053"]) {
      const answers = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"].map((ip) => `${ip}:5353`);
      assert.equal(
        check(
          engine,
          answers.map((each) => flow(destination, each)),
        ),
        ["stays", "stays", "stays", "endpoint-gone", "endpoint-gone"],
        destination,
      );
    }
  });

  test(`${mode}: external and load-balancer addresses; ipMode Proxy is not ours`, () => {
    const engine = makeEngine(mode);
    const ingress = [{ ip: "198.51.100.1" }, { ip: "198.51.100.2", ipMode: "Proxy" }];
    put(engine, service("x/dns", { type: "LoadBalancer", externalIPs: ["203.0.113.5"], ingress }), slice(["10.0.0.1"]));
    commitAll(engine, 0);
    const to = (ip: string, answers?: string) => flow(`${ip}:53`, answers);
    const flows = ["198.51.100.1", "198.51.100.2", "203.0.113.5"].flatMap((ip) => [to(ip), to(ip, "10.9.9.9:5353")]);
    assert.equal(check(engine, flows), [
      "never-translated",
      "endpoint-gone",
      "stays",
      "stays",
      "never-translated",
      "endpoint-gone",
    ]);
  });

  test(`${mode}: an address that goes to another Service`, () => {
    const engine = makeEngine(mode);
    const first = service("x/first", { ip: "10.96.0.1", externalIPs: ["203.0.113.5"] });
    put(engine, first, slice(["10.0.0.1"], "x/first-1", "first"));
    let now = commitAll(engine, 0);
    put(engine, service("x/second", { ip: "10.96.0.2", externalIPs: ["203.0.113.5"] }));
    put(engine, slice(["10.0.0.2"], "x/second-1", "second"));
    now = commitAll(engine, now);
    assert.is(reasonOf(engine, "203.0.113.5:53", "10.0.0.1:5353"), "stays", "the first one still has it");
    remove(engine, first);
    commitAll(engine, now);
    assert.is(reasonOf(engine, "203.0.113.5:53", "10.0.0.1:5353"), "endpoint-gone");
    assert.is(reasonOf(engine, "203.0.113.5:53", "10.0.0.2:5353"), "stays");
    assert.is(reasonOf(engine, "10.96.0.1:53", "10.0.0.1:5353"), "service-gone");
  });

  test(`${mode}: a Service made again, or changed, is not gone`, () => {
    const engine = makeEngine(mode);
    put(engine, service(), slice(["10.0.0.1"]));
    let now = commitAll(engine, 0);
    remove(engine, service());
    now = commitAll(engine, now);
    put(engine, service("x/dns", { sessionAffinity: "ClientIP" }));
    now = commitAll(engine, now);
    assert.is(reasonOf(engine, "10.96.0.10:53", "10.0.0.1:5353"), "stays");
    put(engine, service("x/dns", { ports: [dns, { name: "metrics", port: 9153 }] }));
    commitAll(engine, now);
    assert.is(reasonOf(engine, "10.96.0.10:53", "10.0.0.1:5353"), "stays");
    engine.beginFlowCheck("ipv4", "udp");
    engine.endFlowCheck("ipv4", "udp", true);
    assert.is(reasonOf(engine, "10.96.0.10:53", "10.0.0.1:5353"), "stays");
  });

  test(`${mode}: a check is due after changes of UDP service ports, and after nothing else`, () => {
    const engine = makeEngine(mode);
    const due = () => [engine.flowCheckDue("ipv4", "udp"), engine.flowCheckDue("ipv6", "udp")];
    const run = (complete = true) => {
      engine.beginFlowCheck("ipv4", "udp");
      engine.endFlowCheck("ipv4", "udp", complete);
    };
    put(engine, makeService("x/web", { ports: [{ port: 80 }] }), makeSlice("x/web-1", "web", ["10.0.0.9"]));
    let now = commitAll(engine, 0);
    assert.equal(due(), [false, false], "TCP alone");
    put(engine, service(), slice(["10.0.0.1"]));
    assert.equal(due(), [false, false], "not in the kernel yet");
    now = commitAll(engine, now);
    assert.equal(due(), [true, false]);
    run(false);
    assert.equal(due(), [true, false], "not complete");
    run();
    assert.equal(due(), [false, false]);
    put(engine, service(), slice(["10.0.0.1"]), makeSlice("x/web-1", "web", ["10.0.0.8"]));
    now = commitAll(engine, now);
    assert.equal(due(), [false, false], "nothing of UDP has changed");
    // No rule uses the second endpoint, so none changes when it stops serving; a flow from before may go to it.
    put(engine, slice(["10.0.0.1", { ip: "10.0.0.2", ready: false, serving: true, terminating: true }]));
    now = commitAll(engine, now);
    run();
    put(engine, slice(["10.0.0.1", { ip: "10.0.0.2", ready: false, serving: false, terminating: true }]));
    now = commitAll(engine, now);
    assert.equal(due(), [true, false]);
    run();
    remove(engine, service());
    now = commitAll(engine, now);
    assert.equal(due(), [true, false]);
    engine.beginFlowCheck("ipv4", "udp");
    put(engine, service());
    now = commitAll(engine, now);
    engine.endFlowCheck("ipv4", "udp", true);
    assert.equal(due(), [true, false], "changed during the check");
    engine.endFlowCheck("ipv4", "udp", false);
    run();
    engine.endFlowCheck("ipv4", "udp", false);
    assert.equal(due(), [false, false], "no check had begun");
  });
}

const http = { name: "http", port: 80 };
const web = (fields: object = {}) => makeService("x/web", { ip: "10.96.0.20", ports: [http], ...fields });
const webSlice = (endpoints: (string | Endpoint)[], port = 8080) =>
  makeSlice("x/web-1", "web", endpoints, { ports: [{ name: "http", port }] });
const syn = (destination: string, answers?: string): Flow => ({
  ...flow(destination, answers),
  protocol: 6,
  unanswered: true,
});
const draining: Endpoint = { ip: "10.0.0.2", ready: false, serving: true, terminating: true };
const done: Endpoint = { ip: "10.0.0.2", ready: false, serving: false, terminating: true };

for (const mode of ["iptables", "nftables", "flat"] as const) {
  test(`${mode}: TCP that nobody has answered is stale when its endpoint has gone`, () => {
    const engine = makeEngine(mode, { nodeName: "node-a", interfaceAddresses: ["127.0.0.1", "192.0.2.1"] });
    put(engine, makeNode("node-a", { ips: ["192.0.2.1"] }));
    put(engine, web({ type: "NodePort", ports: [{ ...http, nodePort: 30080 }] }), webSlice(["10.0.0.1", draining]));
    let now = commitAll(engine, 0);
    const flows = [
      syn("10.96.0.20:80", "10.0.0.1:8080"),
      syn("10.96.0.20:80", "10.0.0.2:8080"),
      syn("10.96.0.20:80", "10.0.0.3:8080"),
      { ...syn("10.96.0.20:80", "10.0.0.3:8080"), unanswered: false },
      syn("192.0.2.1:30080", "10.0.0.3:8080"),
      syn("10.96.0.20:80"), // whoever has the address may be about to answer
      syn("10.96.0.21:80", "10.0.0.3:8080"),
    ];
    assert.equal(check(engine, flows), ["stays", "stays", "endpoint-gone", "stays", "endpoint-gone", "stays", "stays"]);
    put(engine, webSlice([]));
    assert.is(check(engine, flows)[0], "stays", "the kernel's rules still lead there");
    now = commitAll(engine, now);
    assert.is(check(engine, flows)[0], "no-endpoints");
    remove(engine, web());
    commitAll(engine, now);
    assert.is(check(engine, flows)[0], "stays", "without a Service nobody serves either");
  });

  for (const portion of [0, 1]) {
    test(`${mode}: unanswered TCP is looked at at first, and when an endpoint has gone${portion === 0 ? "" : ", of a heavy Service"}`, () => {
      const engine = makeEngine(mode);
      engine.setPortion(portion);
      let now = 0;
      /** Is it due once all is in the kernel? Then it is done. */
      const due = () => {
        do now = commitAll(engine, now);
        while (engine.beginPortion());
        const isDue = engine.flowCheckDue("ipv4", "unanswered-tcp");
        engine.beginFlowCheck("ipv4", "unanswered-tcp");
        engine.endFlowCheck("ipv4", "unanswered-tcp", true);
        return isDue;
      };
      put(engine, web(), webSlice(["10.0.0.1"]));
      assert.is(due(), true, "what went before");
      const steps: [what: string, change: KubernetesObject[], due: boolean][] = [
        ["one more", [webSlice(["10.0.0.3", "10.0.0.1", "10.0.0.2"])], false],
        ["one drains", [webSlice(["10.0.0.3", "10.0.0.1", draining])], false],
        ["it serves no more", [webSlice(["10.0.0.3", "10.0.0.1", done])], true],
        ["it is gone", [webSlice(["10.0.0.3", "10.0.0.1"])], false],
        ["the first goes, another comes", [webSlice(["10.0.0.1", "10.0.0.4"])], true],
        ["a zone is another", [webSlice(["10.0.0.1", { ip: "10.0.0.4", zone: "z" }])], false],
        ["another port", [webSlice(["10.0.0.1", "10.0.0.4"], 8081)], true],
        ["UDP alone", [service(), slice(["10.0.0.1"])], false],
        ["UDP alone", [slice([])], false],
      ];
      for (const [what, change, wanted] of steps) {
        put(engine, ...change);
        assert.is(due(), wanted, what);
      }
      remove(engine, webSlice([]));
      assert.is(due(), true, "the slice is gone");
      assert.is(engine.flowCheckDue("ipv6", "unanswered-tcp"), true, "of the other family nobody has looked yet");
    });
  }

  test(`${mode}: a check of unanswered TCP that comes too early is due again`, () => {
    const engine = makeEngine(mode);
    const due = () => engine.flowCheckDue("ipv4", "unanswered-tcp");
    put(engine, web(), webSlice(["10.0.0.1", "10.0.0.2"]));
    let now = commitAll(engine, 0);
    engine.beginFlowCheck("ipv4", "unanswered-tcp");
    engine.endFlowCheck("ipv4", "unanswered-tcp", true);
    put(engine, webSlice(["10.0.0.1"]));
    assert.is(due(), false, "the kernel does not know");
    const batches = engine.plan(now);
    assert.is(due(), false, "nor now");
    engine.beginFlowCheck("ipv4", "unanswered-tcp");
    assert.is(check(engine, [syn("10.96.0.20:80", "10.0.0.2:8080")])[0], "stays");
    engine.endFlowCheck("ipv4", "unanswered-tcp", true);
    assert.is(due(), true, "it was there and could not be told");
    for (const { id, notBeforeMs } of batches) {
      now += notBeforeMs;
      engine.committed(id, now);
    }
    engine.beginFlowCheck("ipv4", "unanswered-tcp");
    assert.is(check(engine, [syn("10.96.0.20:80", "10.0.0.2:8080")])[0], "endpoint-gone");
    engine.endFlowCheck("ipv4", "unanswered-tcp", false);
    assert.is(due(), true, "it was not removed");
  });
}

test("node ports: on this machine's addresses only", () => {
  const nodePort = () => service("x/dns", { type: "NodePort", ports: [{ ...dns, nodePort: 30053 }] });
  const interfaceAddresses = ["127.0.0.1", "::1", "192.0.2.1", "192.0.2.2", "2001:db8::1"];
  const reached = (mode: Mode, options: Partial<Options>) => {
    const engine = makeEngine(mode, { nodeName: "node-a", interfaceAddresses, ...options });
    put(engine, makeNode("node-a", { ips: ["192.0.2.1"] }), nodePort(), slice(["10.0.0.1"]));
    commitAll(engine, 0);
    const ips = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1", "127.0.0.7"];
    return ips.filter((ip) => reasonOf(engine, `${ip}:30053`, "10.0.0.9:5353") !== "stays");
  };
  assert.equal(reached("nftables", {}), ["192.0.2.1"]);
  assert.equal(reached("nftables", { nodePortAddresses: ["192.0.2.2/32", "127.0.0.0/8"] }), ["192.0.2.2"]);
  assert.equal(reached("flat", { nodePortAddresses: ["all"] }), ["192.0.2.1", "192.0.2.2"]);
  assert.equal(reached("iptables", {}), ["192.0.2.1", "192.0.2.2", "127.0.0.1", "127.0.0.7"]);
  assert.equal(reached("iptables", { localhostNodePorts: false }), ["192.0.2.1", "192.0.2.2"]);
  assert.equal(reached("iptables", { nodePortAddresses: ["192.0.2.0/24"] }), ["192.0.2.1", "192.0.2.2"]);
});

test("a node port that is given back", () => {
  const engine = makeEngine("flat", { nodeName: "node-a", interfaceAddresses: ["192.0.2.1"] });
  const nodePort = service("x/dns", { type: "NodePort", ports: [{ ...dns, nodePort: 30053 }] });
  put(engine, makeNode("node-a", { ips: ["192.0.2.1"] }), nodePort, slice(["10.0.0.1"]));
  const now = commitAll(engine, 0);
  put(engine, service());
  commitAll(engine, now);
  const flows = [
    flow("192.0.2.1:30053", "10.0.0.1:5353"),
    flow("192.0.2.9:30053", "10.0.0.1:5353"),
    flow("192.0.2.1:30053"), // a process of this machine may have the port now
    flow("10.96.0.10:53", "10.0.0.1:5353"),
  ];
  assert.equal(check(engine, flows), ["service-gone", "stays", "stays", "stays"]);
});

test("an external IP that is an endpoint's own address is not translated, and not stale", () => {
  const engine = makeEngine();
  put(engine, service("x/dns", { externalIPs: ["192.0.2.1"] }), slice(["192.0.2.1"], "x/dns-1", "dns", 53));
  commitAll(engine, 0);
  assert.is(reasonOf(engine, "192.0.2.1:53"), "stays");
});

test("in iptables mode an owner without endpoints leaves the address to the next Service", () => {
  const engine = makeEngine("iptables");
  const share = (name: string, ip: string, created: string) =>
    service(name, { ip, externalIPs: ["203.0.113.5"], created });
  put(engine, share("x/old", "10.96.0.1", "2025-01-01T00:00:00Z"), share("x/new", "10.96.0.2", "2026-01-01T00:00:00Z"));
  put(engine, slice(["10.0.0.2"], "x/new-1", "new"));
  commitAll(engine, 0);
  assert.is(reasonOf(engine, "203.0.113.5:53", "10.0.0.2:5353"), "stays");
  assert.is(reasonOf(engine, "203.0.113.5:53", "10.0.0.3:5353"), "endpoint-gone");
});

test("a fresh instance knows of no Service that is gone, whatever ServiceCIDRs say", () => {
  const engine = makeEngine();
  put(engine, makeServiceCIDR("kubernetes", ["10.96.0.0/16"]), service(), slice(["10.0.0.1"]));
  commitAll(engine, 0);
  // A Service with the label service.kubernetes.io/service-proxy-name may be there, and another proxy's rules for it.
  assert.is(reasonOf(engine, "10.96.0.77:53", "10.0.0.1:5353"), "stays");
});

test("IPv6", () => {
  const engine = makeEngine("flat", { nodeName: "node-a", interfaceAddresses: ["2001:db8::1"] });
  put(engine, makeNode("node-a", { ips: ["2001:db8::1"] }));
  put(engine, service("x/dns", { ip: "fd00::10", type: "NodePort", ports: [{ ...dns, nodePort: 30053 }] }));
  put(engine, slice(["fd01::1"]));
  commitAll(engine, 0);
  const client = "[2001:db8::7]:40000";
  const flows = [
    flow("[fd00::10]:53", "[fd01::1]:5353", client),
    flow("[fd00::10]:53", "[fd01::2]:5353", client),
    flow("[2001:db8::1]:30053", "[fd01::2]:5353", client),
    flow("[2001:db8::2]:30053", "[fd01::2]:5353", client),
  ];
  assert.equal(check(engine, flows, "ipv6"), ["stays", "endpoint-gone", "endpoint-gone", "stays"]);
  assert.equal(check(engine, flows, "ipv4"), ["stays", "stays", "stays", "stays"], "of another family");
  const [stale] = engine.staleFlows("ipv6", flowMessage(flows[1] as Flow));
  assert.equal(
    [stale?.client, stale?.destination, stale?.answers],
    ["[2001:db8::7]:40000", "[fd00::10]:53", "[fd01::2]:5353"],
  );
});

test("what is said of a stale flow", () => {
  const engine = makeEngine();
  put(engine, service(), slice(["10.0.0.1"]));
  const now = commitAll(engine, 0);
  const message = flowMessage(flow("10.96.0.10:53", "10.0.0.2:5353"));
  const stale = {
    offset: 0,
    reason: "endpoint-gone",
    entryPoint: "cluster-ip",
    namespace: "x",
    service: "dns",
    port: "dns",
    client: "192.0.2.7:40000",
    destination: "10.96.0.10:53",
    answers: "10.0.0.2:5353",
  };
  assert.equal(engine.staleFlows("ipv4", message), [stale]);
  remove(engine, service());
  commitAll(engine, now);
  assert.equal(engine.staleFlows("ipv4", message), [{ ...stale, reason: "service-gone" }]);
});

test("other protocols, zones and messages, and broken ones", () => {
  const engine = makeEngine();
  put(engine, service("x/dns", { ports: [dns, { ...dns, name: "dns-tcp", protocol: "TCP" }] }), slice(["10.0.0.1"]));
  commitAll(engine, 0);
  const stale = flow("10.96.0.10:53", "10.0.0.2:5353");
  const others = [
    { ...stale, protocol: 6 },
    { ...stale, zone: 3 },
    { ...stale, answersZone: 3 },
  ];
  assert.equal(check(engine, [...others, stale]), ["stays", "stays", "stays", "endpoint-gone"]);
  const whole = flowMessage(stale);
  const deleted = whole.slice();
  deleted[4] = 2; // IPCTNL_MSG_CT_DELETE
  assert.equal(engine.staleFlows("ipv4", deleted), []);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(engine.staleFlows("ipv4", whole.slice(0, length)), [], `cut to ${length}`);
  }
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const broken = joinMessages([whole, whole]);
      broken[at] = value;
      for (const { offset } of engine.staleFlows("ipv4", broken)) assert.ok(offset === 0 || offset === whole.length);
    }
  }
  assert.is(engine.usable, true);
});

test("thousands of Services and endpoints", () => {
  const engine = makeEngine();
  const count = 3000;
  const at = (prefix: string, n: number) => `${prefix}.${n >> 8}.${n & 255}`;
  for (let n = 0; n < count; n++) {
    put(
      engine,
      service(`x/s${n}`, { ip: at("10.96", n) }),
      slice([at("10.1", n), at("10.2", n)], `x/s${n}-1`, `s${n}`),
    );
  }
  commitAll(engine, 0);
  const flows = Array.from({ length: count }, (_, n) =>
    flow(`${at("10.96", n)}:53`, `${at(n % 3 === 0 ? "10.3" : n % 3 === 1 ? "10.1" : "10.2", n)}:5353`),
  );
  assert.equal(
    check(engine, flows),
    flows.map((_, n) => (n % 3 === 0 ? "endpoint-gone" : "stays")),
  );
});

for (const mode of ["iptables", "nftables", "flat"] as const) {
  test(`${mode}: Services that come and go leave no memory behind`, () => {
    const engine = makeEngine(mode);
    let now = 0;
    const churn = () => {
      for (let n = 0; n < 500; n++) put(engine, service(`x/s${n}`, { ip: `10.97.${n >> 8}.${n & 255}` }));
      now = commitAll(engine, now);
      for (let n = 0; n < 500; n++) remove(engine, service(`x/s${n}`));
      now = commitAll(engine, now);
      engine.beginFlowCheck("ipv4", "udp");
      engine.endFlowCheck("ipv4", "udp", true);
    };
    for (let i = 0; i < 5; i++) churn();
    const before = engine.memoryBytes;
    for (let i = 0; i < 30; i++) churn();
    assert.is(engine.memoryBytes, before);
  });
}

test.run();
