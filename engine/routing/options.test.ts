// Options: what is refused, and what they and the Node say about this machine.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  commitAll,
  defaultOptions,
  described,
  linesWith,
  type Mode,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  type Options,
  plan,
  put,
  remove,
  render,
  renderAll,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("routing: options and facts");

const bad: [Partial<Options>, code: string, field: string, message: string][] = [
  [{ clusterCidr: "10.244.0.0" }, "invalid-cidr", "clusterCIDR", '"10.244.0.0" is not valid here'],
  [{ clusterCidr: "10.244.0.0/16, ,fd00::/64" }, "invalid-cidr", "clusterCIDR", '"" is not valid here'],
  [{ clusterCidr: "10.244.0.0/33" }, "invalid-cidr", "clusterCIDR", '"10.244.0.0/33" is not valid here'],
  [{ detectLocalMode: "bridge-interface" }, "invalid-interface", "detectLocal.bridgeInterface", '"" is not valid here'],
  [
    { detectLocalMode: "bridge-interface", bridgeInterface: 'br0" drop' },
    "invalid-interface",
    "detectLocal.bridgeInterface",
    '"br0" drop" is not valid here',
  ],
  [
    { detectLocalMode: "interface-name-prefix", interfaceNamePrefix: "sixteen-letters-" },
    "invalid-interface",
    "detectLocal.interfaceNamePrefix",
    '"sixteen-letters-" is not valid here',
  ],
  [
    { detectLocalMode: "interface-name-prefix", interfaceNamePrefix: "veth*" },
    "invalid-interface",
    "detectLocal.interfaceNamePrefix",
    '"veth*" is not valid here',
  ],
  [{ masqueradeBit: 32 }, "invalid-mark", "masqueradeBit", "32 is not a bit of a packet mark"],
  [{ bindAddress: "localhost" }, "invalid-address", "bindAddress", '"localhost" is not valid here'],
  [{ bindAddress: "10.0.0.1/24" }, "invalid-address", "bindAddress", '"10.0.0.1/24" is not valid here'],
  [
    { nodePortAddresses: ["10.0.0.0/8", "Primary"] },
    "invalid-cidr",
    "nodePortAddresses",
    '"Primary" is not valid here',
  ],
  [{ nodePortAddresses: ["10.0.0.1"] }, "invalid-cidr", "nodePortAddresses", '"10.0.0.1" is not valid here'],
  [{ interfaceAddresses: ["10.0.0.1/24"] }, "invalid-address", "interfaceAddresses", '"10.0.0.1/24" is not valid here'],
];

for (const [options, code, field, message] of bad) {
  test(`${field}: ${JSON.stringify(options)} is refused, and nothing is taken over`, () => {
    const engine = makeEngine("nftables", { masqueradeBit: 5 });
    const before = renderAll(engine);
    const problems = engine.configure({ ...defaultOptions("iptables", "other"), ...options });
    assert.is(problems.length, 1);
    const [problem] = problems;
    assert.equal(
      [problem?.severity, problem?.code, problem?.kind, problem?.field, problem?.message, problem?.offset],
      ["error", code, "KubeProxyConfiguration", field, message, 0],
    );
    assert.ok(problem?.hint);
    assert.is(renderAll(engine), before);
    assert.is(engine.node().name, "node-a");
  });
}

test("all that is wrong is told at once", () => {
  const engine = makeEngine();
  const problems = engine.configure({
    ...defaultOptions("nftables"),
    clusterCidr: "x,y",
    masqueradeBit: 200,
    bindAddress: "z",
    nodePortAddresses: ["a", "all", "b"],
  });
  assert.equal(
    problems.map(({ field }) => field),
    ["clusterCIDR", "clusterCIDR", "masqueradeBit", "bindAddress", "nodePortAddresses", "nodePortAddresses"],
  );
});

test("options of detect-local modes that are not chosen are not looked at", () => {
  const engine = makeEngine("nftables", { detectLocalMode: "node-cidr", clusterCidr: "x", bridgeInterface: "a b" });
  assert.is(engine.node().name, "node-a");
});

test("good options with blanks, zeros in front and every sign that interface names may have", () => {
  const engine = makeEngine("nftables", { clusterCidr: " 010.244.0.0/016 ,\tfd00:244::/64" });
  assert.match(render(engine), "ip saddr != 10.244.0.0/16 ");
  assert.match(render(engine, "ipv6"), "ip6 saddr != fd00:244::/64 ");
  const prefix = makeEngine("nftables", {
    detectLocalMode: "interface-name-prefix",
    interfaceNamePrefix: "v-e.t_h@012345",
  });
  assert.match(render(prefix), 'iifname != "v-e.t_h@012345*" ');
});

test("of clusterCIDR the first of each family counts; a family without one detects nothing", () => {
  const engine = makeEngine("nftables", { clusterCidr: "10.1.0.0/16,10.2.0.0/16" });
  assert.match(render(engine), "ip saddr != 10.1.0.0/16 ");
  assert.not.match(render(engine), "10.2.0.0");
  assert.not.match(render(engine, "ipv6"), "outside cluster");
});

for (const [mode, local] of [
  ["iptables", "-i br0"],
  ["nftables", 'iifname != "br0" '],
] as const) {
  test(`${mode}: detect-local by bridge`, () => {
    const engine = makeEngine(mode, { detectLocalMode: "bridge-interface", bridgeInterface: "br0" });
    put(engine, makeService("shop/a"), makeSlice("shop/a-1", "a", ["10.0.0.1"]));
    assert.match(render(engine), local);
  });
}

// ---- this node

test("without a Node: loopback addresses, IPv4 first, not known", () => {
  assert.equal(makeEngine().node(), {
    name: "node-a",
    known: false,
    deleting: false,
    toBeDeleted: false,
    hasPodCidrs: false,
    zone: "",
    primaryFamily: "ipv4",
    ipv4: "127.0.0.1",
    ipv6: "::1",
  });
});

const views: [string, string[], bindAddress: string, primary: string, ipv4: string, ipv6: string][] = [
  ["the first address of each family", ["192.0.2.1", "fd00::1", "192.0.2.2"], "", "ipv4", "192.0.2.1", "fd00::1"],
  ["IPv6 first", ["fd00::1", "192.0.2.1"], "", "ipv6", "192.0.2.1", "fd00::1"],
  ["IPv6 only", ["fd00::1"], "", "ipv6", "127.0.0.1", "fd00::1"],
  ["internal before external", ["!198.51.100.1", "!fd00::2", "192.0.2.1"], "", "ipv4", "192.0.2.1", "fd00::2"],
  ["external alone", ["!fd00::2", "!198.51.100.1"], "", "ipv6", "198.51.100.1", "fd00::2"],
  ["bindAddress decides its family", ["fd00::1", "192.0.2.1"], "10.9.9.9", "ipv4", "10.9.9.9", "fd00::1"],
  ["bindAddress of the other family", ["192.0.2.1"], "fd00::9", "ipv6", "192.0.2.1", "fd00::9"],
  ["bindAddress 0.0.0.0 says nothing", ["fd00::1"], "0.0.0.0", "ipv6", "127.0.0.1", "fd00::1"],
  ["bindAddress :: says nothing", ["192.0.2.1"], "::", "ipv4", "192.0.2.1", "::1"],
  ["no addresses", [], "", "ipv4", "127.0.0.1", "::1"],
];

for (const [what, ips, bindAddress, primaryFamily, ipv4, ipv6] of views) {
  test(`node IPs: ${what}`, () => {
    const engine = makeEngine("nftables", { bindAddress });
    put(engine, makeNode("node-a", { ips, zone: "z1" }), makeNode("node-b", { ips: ["203.0.113.1"], zone: "z2" }));
    const flags = { known: true, deleting: false, toBeDeleted: false, hasPodCidrs: false };
    assert.equal(engine.node(), { name: "node-a", ...flags, zone: "z1", primaryFamily, ipv4, ipv6 });
  });
}

test("a Node that goes is not known any more; names are compared byte by byte", () => {
  const engine = makeEngine();
  put(engine, makeNode("Node-A", { ips: ["192.0.2.1"] }));
  assert.is(engine.node().known, false);
  put(engine, makeNode("node-a", { ips: ["192.0.2.2"] }));
  assert.is(engine.node().ipv4, "192.0.2.2");
  remove(engine, makeNode("node-a"));
  assert.equal([engine.node().known, engine.node().ipv4], [false, "127.0.0.1"]);
});

test("the node's zone changes: hints are looked at again", () => {
  const engine = makeEngine();
  const endpoints = [
    { ip: "10.0.0.1", forZones: ["z1"] },
    { ip: "10.0.0.2", forZones: ["z2"] },
  ];
  put(engine, makeNode("node-a", { zone: "z1" }), makeService("shop/a"), makeSlice("shop/a-1", "a", endpoints));
  const used = () =>
    described(engine, "shop/a")
      ?.endpoints.filter(({ internal }) => internal)
      .map(({ address }) => address);
  assert.equal(used(), ["10.0.0.1"]);
  commitAll(engine, 0);
  put(engine, makeNode("node-a", { zone: "z2" }));
  assert.equal(used(), ["10.0.0.2"]);
  const [batch] = plan(engine, 1);
  assert.match(batch?.text ?? "", "dnat to 10.0.0.2:8080");
  put(engine, makeNode("node-a", { zone: "z9" }));
  assert.equal(used(), ["10.0.0.1", "10.0.0.2"]);
  put(engine, makeNode("node-a"));
  assert.equal(used(), ["10.0.0.1", "10.0.0.2"]);
});

test("another node name: other endpoints are local", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("shop/a", { internalTrafficPolicy: "Local" }),
    makeSlice("shop/a-1", "a", ["10.0.0.1 node-a", "10.0.0.2 node-b"]),
  );
  const used = () =>
    described(engine, "shop/a")
      ?.endpoints.filter(({ internal }) => internal)
      .map(({ address }) => address);
  assert.equal(used(), ["10.0.0.1"]);
  engine.configure(defaultOptions("nftables", "node-b"));
  assert.equal(used(), ["10.0.0.2"]);
  engine.configure(defaultOptions("nftables", ""));
  assert.equal(used(), [], "an empty name is nobody's");
});

test("NodeCIDR: the first pod CIDR of each family, and podCIDR where there is no list", () => {
  const engine = makeEngine("nftables", { detectLocalMode: "node-cidr" });
  assert.not.match(renderAll(engine), "outside cluster");
  put(engine, makeNode("node-a", { podCIDRs: ["fd00:244:1::/64", "10.244.1.0/24", "10.244.9.0/24"] }));
  assert.match(render(engine), "ip saddr != 10.244.1.0/24 ");
  assert.match(render(engine, "ipv6"), "ip6 saddr != fd00:244:1::/64 ");
  put(engine, { ...makeNode("node-a"), spec: { podCIDR: "10.244.2.0/24" } });
  assert.match(render(engine), "ip saddr != 10.244.2.0/24 ");
  assert.not.match(render(engine, "ipv6"), "outside cluster");
  put(engine, { ...makeNode("node-a"), spec: { podCIDR: "10.244.2.0/24", podCIDRs: ["10.244.3.0/24"] } });
  assert.match(render(engine), "ip saddr != 10.244.3.0/24 ");
});

// ---- node port addresses

const all = "everywhere";
const interfaces = ["127.0.0.1", "::1", "192.0.2.1", "192.0.2.7", "10.1.2.3", "fd00::1", "fd00:1::5"];
/** nodePortAddresses → where nftables' node ports answer (loopback left out), and iptables', IPv4 and IPv6. */
const places: [string[], nft4: string, nft6: string, iptables4: string, iptables6: string][] = [
  [[], "192.0.2.1", "fd00::1", all, all],
  [["primary"], "192.0.2.1", "fd00::1", "192.0.2.1", "fd00::1"],
  [["all"], all, all, all, all],
  [["localhost"], "", "", "127.0.0.1", ""],
  [["primary", "localhost"], "192.0.2.1", "fd00::1", "127.0.0.1 192.0.2.1", "fd00::1"],
  [["primary", "all"], all, all, all, all],
  [["10.0.0.0/8", "primary"], "10.1.2.3 192.0.2.1", "fd00::1", "10.1.2.3 192.0.2.1", "fd00::1"],
  [["192.0.2.0/24"], "192.0.2.1 192.0.2.7", all, "192.0.2.1 192.0.2.7", all],
  [["fd00::/16"], all, "fd00::1 fd00:1::5", all, "fd00::1 fd00:1::5"],
  [["0.0.0.0/0"], all, all, all, all],
  [["203.0.113.0/24"], "", all, "", all],
  [["192.0.2.0/29", "192.0.2.0/24", "192.0.2.7/32"], "192.0.2.1 192.0.2.7", all, "192.0.2.1 192.0.2.7", all],
];

function answersOf(text: string, mode: Mode): string {
  if (mode !== "iptables") {
    if (text.includes("fib daddr type local")) return all;
    return linesWith(text, "add element ip")
      .flatMap((line) => /nodeport-ips \{ (\S+) \}/.exec(line)?.[1] ?? [])
      .join(" ");
  }
  const jumps = linesWith(text, "-A KUBE-SERVICES").filter((line) => line.endsWith("-j KUBE-NODEPORTS"));
  if (jumps.some((line) => line.includes("--dst-type LOCAL"))) return all;
  return jumps.map((line) => / -d (\S+)/.exec(line)?.[1]).join(" ");
}

for (const [nodePortAddresses, nft4, nft6, iptables4, iptables6] of places) {
  test(`nodePortAddresses ${JSON.stringify(nodePortAddresses)}`, () => {
    for (const [mode, wanted4, wanted6] of [
      ["nftables", nft4, nft6],
      ["flat", nft4, nft6],
      ["iptables", iptables4, iptables6],
    ] as const) {
      const engine = makeEngine(mode, { nodePortAddresses, interfaceAddresses: interfaces });
      put(engine, makeNode("node-a", { ips: ["192.0.2.1", "fd00::1"] }));
      assert.is(answersOf(render(engine), mode), wanted4, `${mode} IPv4`);
      assert.is(answersOf(render(engine, "ipv6"), mode), wanted6, `${mode} IPv6`);
    }
  });
}

test("primary without a node IP of the family falls back to everywhere", () => {
  const engine = makeEngine("nftables", { nodePortAddresses: ["primary"], interfaceAddresses: interfaces });
  put(engine, makeNode("node-a", { ips: ["192.0.2.1"] }));
  assert.is(answersOf(render(engine), "nftables"), "192.0.2.1");
  assert.is(answersOf(render(engine, "ipv6"), "nftables"), all);
});

for (const mode of ["flat", "nftables", "iptables"] as const) {
  test(`${mode}: a Node that is gone, or says nothing yet, keeps what it said last, and opens no node port`, () => {
    const options: Partial<Options> = {
      nodePortAddresses: ["primary"],
      interfaceAddresses: interfaces,
      detectLocalMode: "node-cidr",
    };
    const engine = makeEngine(mode, options);
    engine.keepLastNode();
    const node = makeNode("node-a", {
      ips: ["192.0.2.1", "fd00::1"],
      podCIDRs: ["10.244.3.0/24", "fd00:244:3::/64"],
      zone: "za",
    });
    put(
      engine,
      makeService("x/a", { type: "NodePort", nodePort: 30_001 }),
      makeSlice("x/a-1", "a", ["10.0.0.1"]),
      node,
    );
    commitAll(engine, 0);
    const before = [render(engine), render(engine, "ipv6")];
    const { known, ...view } = engine.node();
    assert.is(known, true);
    remove(engine, node);
    assert.equal([render(engine), render(engine, "ipv6")], before);
    assert.equal(plan(engine, 1000), []);
    assert.equal(engine.node(), { ...view, known: false });
    put(engine, makeNode("node-a", { ips: [] }));
    assert.equal([render(engine), render(engine, "ipv6")], before, "as kubelet makes it anew");
    put(engine, makeNode("node-a", { ips: ["192.0.2.7"], podCIDRs: ["10.244.4.0/24"] }));
    assert.is(answersOf(render(engine), mode), "192.0.2.7");
    assert.match(render(engine), "10.244.4.0/24");
    remove(engine, node);
    assert.is(answersOf(render(engine), mode), "192.0.2.7");
    // Made anew with another address, and gone again before it has podCIDRs.
    put(engine, makeNode("node-a", { ips: ["192.0.2.1"] }));
    assert.is(engine.node().ipv4, "192.0.2.1");
    remove(engine, node);
    assert.is(answersOf(render(engine), mode), "192.0.2.1");
    assert.match(render(engine), "10.244.4.0/24");
    engine.configure({ ...defaultOptions(mode), ...options, nodeName: "node-b" });
    assert.is(answersOf(render(engine), mode), all, "nothing is known of another node");
  });
}

test("interface addresses that are not given: loopback and the Node's InternalIPs, not its ExternalIPs", () => {
  const engine = makeEngine("iptables", { nodePortAddresses: ["127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24"] });
  put(engine, makeNode("node-a", { ips: ["192.0.2.9", "192.0.2.8", "!198.51.100.1"] }));
  assert.is(answersOf(render(engine), "iptables"), "127.0.0.1 192.0.2.8 192.0.2.9");
  const none = makeEngine("iptables", { nodePortAddresses: ["127.0.0.0/8"], interfaceAddresses: [] });
  assert.is(answersOf(render(none), "iptables"), "", "an empty list is a list");
});

for (const mode of ["iptables", "nftables", "flat"] as const) {
  test(`AllowServiceExternalIPs, ${mode}: off and on while it runs, nothing is left and nothing lacks`, () => {
    const external = ["203.0.113.7", "203.0.113.8"];
    const objects = [
      makeService("x/a", { externalIPs: external }),
      makeSlice("x/a-1", "a", ["10.0.0.1"]),
      makeService("x/b", { ip: "10.96.0.2", externalIPs: ["203.0.113.8", "203.0.113.9"] }),
    ];
    const engine = makeEngine(mode);
    put(engine, ...objects);
    commitAll(engine, 0);
    const open = renderAll(engine);
    assert.match(open, "203.0.113.7");
    const set = (allowServiceExternalIps: boolean) =>
      assert.equal(engine.configure({ ...defaultOptions(mode), allowServiceExternalIps }), []);
    set(false);
    const closed = plan(engine, 1)
      .map(({ text }) => text)
      .join("");
    if (mode !== "iptables") assert.match(closed, /delete element ip \S+ \S+ \{ 203\.0\.113\.7 /);
    commitAll(engine, 2000);
    assert.not.match(renderAll(engine), "203.0.113");
    assert.equal(engine.problems(), [], "nobody claims what nobody has");
    const port = described(engine, "x/a");
    assert.equal(
      port?.entryPoints.map(({ kind }) => kind),
      ["ClusterIP"],
    );
    const why = "the feature gate AllowServiceExternalIPs is false";
    assert.equal(
      port?.leftOut,
      external.map((address) => ({ kind: "ExternalIP", address, why })),
    );
    // As one that has never known otherwise.
    const fresh = makeEngine(mode, { allowServiceExternalIps: false });
    put(fresh, ...objects);
    assert.is(renderAll(fresh), renderAll(engine));
    set(true);
    commitAll(engine, 4000);
    assert.is(renderAll(engine), open);
    assert.equal(plan(engine, 6000).length, 0);
    assert.is(described(engine, "x/a")?.leftOut, undefined);
  });
}

test("localhostNodePorts: the guard is there only if node ports answer on loopback", () => {
  const guard = "block incoming localnet connections";
  const hasGuard = (options: Partial<Options>) => render(makeEngine("iptables", options)).includes(guard);
  assert.is(hasGuard({}), true);
  assert.is(hasGuard({ localhostNodePorts: false }), false);
  assert.is(hasGuard({ nodePortAddresses: ["192.0.2.0/24"] }), false);
  assert.is(hasGuard({ nodePortAddresses: ["localhost"] }), true);
  assert.is(hasGuard({ nodePortAddresses: ["127.0.0.1/32"] }), true);
  assert.is(hasGuard({ nodePortAddresses: ["0.0.0.0/0"] }), true);
  assert.is(render(makeEngine("iptables"), "ipv6").includes(guard), false, "IPv4 only");
});

const nodePortIPs: [Partial<Options>, string[] | undefined, string[] | undefined][] = [
  [{ mode: "iptables" }, undefined, undefined],
  [{ mode: "nftables" }, ["192.0.2.1"], ["fd00::1"]],
  [{ nodePortAddresses: ["192.0.2.0/24", "localhost"] }, ["127.0.0.1", "192.0.2.1", "192.0.2.2"], []],
  [{ nodePortAddresses: ["192.0.2.0/24"] }, ["192.0.2.1", "192.0.2.2"], undefined],
  [{ nodePortAddresses: ["all"] }, undefined, undefined],
];
for (const [options, ipv4, ipv6] of nodePortIPs) {
  test(`addresses of node ports: ${JSON.stringify(options)}`, () => {
    const interfaceAddresses = ["127.0.0.1", "192.0.2.2", "192.0.2.1", "198.51.100.1", "fd00::1"];
    const engine = makeEngine("nftables", { ...options, interfaceAddresses });
    put(engine, makeNode("node-a", { ips: ["192.0.2.1", "fd00::1"] }));
    assert.equal([engine.nodePortIps("ipv4"), engine.nodePortIps("ipv6")], [ipv4, ipv6]);
  });
}

test("a Node that is going says so, and costs no rule", () => {
  const engine = makeEngine("flat");
  const flags = () => [engine.node().known, engine.node().deleting, engine.node().toBeDeleted];
  const node = makeNode("node-a", { ips: ["192.0.2.1"] });
  put(engine, node, makeService("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1"]));
  commitAll(engine, 0);
  assert.equal(flags(), [true, false, false]);
  const taint = (key: string) => ({ ...node, spec: { taints: [{ key: "other" }, { key, effect: "NoSchedule" }] } });
  put(engine, taint("ToBeDeletedByClusterAutoscaler"));
  assert.equal(flags(), [true, false, true]);
  put(engine, taint("ToBeDeletedByClusterAutoscalerSoon"));
  assert.equal(flags(), [true, false, false]);
  put(engine, { ...node, metadata: { ...node.metadata, deletionTimestamp: "2026-11-01T10:00:00Z" } });
  assert.equal(flags(), [true, true, false]);
  put(engine, { ...node, metadata: { ...node.metadata, deletionTimestamp: null } });
  assert.equal(flags(), [true, false, false]);
  assert.equal(engine.plan(0), []);
  remove(engine, node);
  assert.equal(flags(), [false, false, false]);
});

test.run();
