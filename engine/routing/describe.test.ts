// The words in which `describe` says who serves what, and why the others do not.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  describe,
  described,
  type Endpoint,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  type Options,
  put,
  type ServiceFields,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("routing: describe");

const dying = { ready: false, serving: true, terminating: true };
const gone = { ready: false, serving: false, terminating: true };
const bad = { ready: false, serving: false };

/** Endpoints of a Service, as `ip internal external why`. */
function words(service: ServiceFields, endpoints: (string | Endpoint)[], options: Partial<Options> = {}): string[] {
  const engine = makeEngine("nftables", options);
  put(engine, makeNode("node-a", { zone: "z1" }), makeService("x/a", service), makeSlice("x/a-1", "a", endpoints));
  return (described(engine, "x/a")?.endpoints ?? []).map(({ address, internal, external, why }) =>
    `${address} ${internal ? "in" : "-"} ${external ? "out" : "-"} ${why}`.trim(),
  );
}

const nodePort = { ports: [{ port: 80, nodePort: 30080 }], type: "NodePort" };
const etpLocal = { ...nodePort, externalTrafficPolicy: "Local" };
const itpLocal = { internalTrafficPolicy: "Local" };

const cases: [string, ServiceFields, (string | Endpoint)[], string[]][] = [
  ["ready: used for what the Service has", {}, ["1.0.0.1"], ["1.0.0.1 in -"]],
  ["ready, and reachable from outside", nodePort, ["1.0.0.1"], ["1.0.0.1 in out"]],
  [
    "not ready, terminating",
    {},
    [
      "1.0.0.1",
      { ip: "1.0.0.2", ...bad },
      { ip: "1.0.0.3", ...dying },
      { ip: "1.0.0.4", ...gone },
      { ip: "1.0.0.5", ready: false },
    ],
    [
      "1.0.0.1 in -",
      "1.0.0.2 - - not ready",
      "1.0.0.3 - - terminating, and others are ready",
      "1.0.0.4 - - terminating and no longer serving",
      "1.0.0.5 - - not ready",
    ],
  ],
  [
    "terminating fallback",
    nodePort,
    [
      { ip: "1.0.0.1", ...dying },
      { ip: "1.0.0.2", ...gone },
    ],
    ["1.0.0.1 in out", "1.0.0.2 - - terminating and no longer serving"],
  ],
  [
    "internal policy Local",
    itpLocal,
    [
      "1.0.0.1 node-a",
      "1.0.0.2 node-b",
      { ip: "1.0.0.3", node: "node-a", ...dying },
      { ip: "1.0.0.4", node: "node-a", ...bad },
    ],
    [
      "1.0.0.1 in -",
      "1.0.0.2 - - not on this node, and the policy is Local",
      "1.0.0.3 - - terminating, and others on this node are ready",
      "1.0.0.4 - - not ready",
    ],
  ],
  [
    "external policy Local",
    etpLocal,
    [
      "1.0.0.1 node-a",
      "1.0.0.2 node-b",
      { ip: "1.0.0.3", node: "node-b", ...bad },
      { ip: "1.0.0.4", node: "node-a", ...gone },
    ],
    [
      "1.0.0.1 in out",
      "1.0.0.2 in - external traffic: not on this node, and the policy is Local",
      "1.0.0.3 - - internal traffic: not ready; external traffic: not on this node, and the policy is Local",
      "1.0.0.4 - - terminating and no longer serving",
    ],
  ],
  [
    "external policy Local with a local endpoint that terminates",
    etpLocal,
    [{ ip: "1.0.0.1", node: "node-a", ...dying }, "1.0.0.2 node-b"],
    [
      "1.0.0.1 - out internal traffic: terminating, and others are ready",
      "1.0.0.2 in - external traffic: not on this node, and the policy is Local",
    ],
  ],
  [
    "both policies Local",
    { ...etpLocal, ...itpLocal },
    ["1.0.0.1 node-b"],
    ["1.0.0.1 - - not on this node, and the policy is Local"],
  ],
  [
    "external policy Local means nothing on a Service that nobody outside can reach",
    { externalTrafficPolicy: "Local" },
    ["1.0.0.1 node-b"],
    ["1.0.0.1 in -"],
  ],
  [
    "hints for zones",
    {},
    [
      { ip: "1.0.0.1", forZones: ["z1"] },
      { ip: "1.0.0.2", forZones: ["z2"] },
      { ip: "1.0.0.3", forZones: ["z1"], ...bad },
    ],
    [
      "1.0.0.1 in -",
      "1.0.0.2 - - hinted for other zones, and ready endpoints are hinted for this one",
      "1.0.0.3 - - not ready",
    ],
  ],
  [
    "hints for nodes come before hints for zones",
    nodePort,
    [
      { ip: "1.0.0.1", forNodes: ["node-a", "node-b"], forZones: ["z2"] },
      { ip: "1.0.0.2", forNodes: ["node-b"], forZones: ["z1"] },
    ],
    ["1.0.0.1 in out", "1.0.0.2 - - hinted for other nodes, and ready endpoints are hinted for this one"],
  ],
  [
    "hints with the external policy Local",
    etpLocal,
    [
      { ip: "1.0.0.1", node: "node-a", forZones: ["z2"] },
      { ip: "1.0.0.2", node: "node-b", forZones: ["z1"] },
    ],
    [
      "1.0.0.1 - out internal traffic: hinted for other zones, and ready endpoints are hinted for this one",
      "1.0.0.2 in - external traffic: not on this node, and the policy is Local",
    ],
  ],
  [
    "one endpoint without hint: hints do not count",
    {},
    [{ ip: "1.0.0.1", forZones: ["z2"] }, { ip: "1.0.0.2", forZones: ["z1"] }, "1.0.0.3"],
    ["1.0.0.1 in -", "1.0.0.2 in -", "1.0.0.3 in -"],
  ],
];

for (const [what, service, endpoints, wanted] of cases)
  test(what, () => assert.equal(words(service, endpoints), wanted));

test("entry points: kind, action, masquerade, filter", () => {
  const points = (options: Partial<Options>, fields: ServiceFields, endpoints: string[]) => {
    const engine = makeEngine("nftables", options);
    put(engine, makeService("x/a", { type: "LoadBalancer", ...fields }), makeSlice("x/a-1", "a", endpoints));
    return described(engine, "x/a")?.entryPoints.map(
      ({ kind, address, port, policy, action, masquerade, sourceRanges }) =>
        `${kind} ${address}:${port} ${policy} ${action} ${masquerade} ${sourceRanges.join(",")}`.trim(),
    );
  };
  const all: ServiceFields = {
    ports: [{ port: 80, nodePort: 30080 }],
    externalIPs: ["192.0.2.1", "fd00::1"],
    ingress: [{ ip: "192.0.2.2" }, { ip: "192.0.2.3", ipMode: "Proxy" }],
    loadBalancerSourceRanges: ["10.1.2.3/8", "fd00::/8"],
  };
  assert.equal(points({}, all, ["10.0.0.1"]), [
    "ClusterIP 10.96.0.1:80 Cluster forward never",
    "ExternalIP 192.0.2.1:80 Cluster forward always",
    "LoadBalancerIP 192.0.2.2:80 Cluster forward always 10.0.0.0/8",
    "NodePort :30080 Cluster forward always",
  ]);
  assert.equal(
    points({ clusterCidr: "10.244.0.0/16" }, { ...all, externalTrafficPolicy: "Local" }, ["10.0.0.1 node-b"]),
    [
      "ClusterIP 10.96.0.1:80 Cluster forward from-outside",
      "ExternalIP 192.0.2.1:80 Local drop local-only",
      "LoadBalancerIP 192.0.2.2:80 Local drop local-only 10.0.0.0/8",
      "NodePort :30080 Local drop local-only",
    ],
  );
  assert.equal(
    points({ masqueradeAll: true }, { ...all, internalTrafficPolicy: "Local" }, ["10.0.0.1 node-b"])?.[0],
    "ClusterIP 10.96.0.1:80 Local drop always",
  );
  assert.equal(
    points({}, all, [])?.map((line) => line.split(" ")[3]),
    ["reject", "reject", "reject", "reject"],
  );
});

test("service ports by namespace, name, port name, protocol and family; numbers and names of the Service", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("b/a", { ip: "10.96.0.3", type: "NodePort" }),
    makeService("a/b", {
      ip: "10.96.0.1,fd00:96::1",
      type: "LoadBalancer",
      ports: [
        { name: "x", port: 2, protocol: "UDP" },
        { name: "x", port: 1, protocol: "SCTP" },
        { name: "", port: 3 },
      ],
      sessionAffinity: "ClientIP",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 31000,
    }),
  );
  assert.equal(
    describe(engine).servicePorts.map(
      (each) =>
        `${each.namespace}/${each.service} ${each.port.name} ${each.port.protocol} ${each.port.port} ${each.family} ${each.type} ${each.sessionAffinityTimeoutSeconds} ${each.healthCheckNodePort}`,
    ),
    [
      "a/b  TCP 3 IPv4 LoadBalancer 10800 31000",
      "a/b  TCP 3 IPv6 LoadBalancer 10800 31000",
      "a/b x SCTP 1 IPv4 LoadBalancer 10800 31000",
      "a/b x SCTP 1 IPv6 LoadBalancer 10800 31000",
      "a/b x UDP 2 IPv4 LoadBalancer 10800 31000",
      "a/b x UDP 2 IPv6 LoadBalancer 10800 31000",
      "b/a  TCP 80 IPv4 NodePort 0 0",
    ],
  );
});

test("topology and terminatingFallback", () => {
  const view = (endpoints: (string | Endpoint)[]) => {
    const engine = makeEngine();
    put(engine, makeNode("node-a", { zone: "z1" }), makeService("x/a"), makeSlice("x/a-1", "a", endpoints));
    const port = described(engine, "x/a");
    return `${port?.topology} ${port?.terminatingFallback}`;
  };
  assert.is(view(["1.0.0.1"]), "none false");
  assert.is(view([{ ip: "1.0.0.1", forZones: ["z1"] }]), "same-zone false");
  assert.is(view([{ ip: "1.0.0.1", forNodes: ["node-a"] }]), "same-node false");
  assert.is(view([{ ip: "1.0.0.1", ...dying, forZones: ["z1"] }]), "none true");
  assert.is(view([]), "none false");
});

test("node ports for which the agent listens on localhost: TCP, with endpoints, its own, where that is asked for", () => {
  const view = (mode: "flat" | "iptables", nodePortAddresses = ["localhost"]) => {
    const engine = makeEngine(mode, { nftablesLocalhostNodePorts: true, nodePortAddresses });
    const ports = ["TCP", "UDP"].map((protocol, i) => ({ name: `p${i}`, port: 80, nodePort: 30080 + i, protocol }));
    const at = { ports: ports.map(({ name }) => ({ name, port: 8080 })) };
    put(
      engine,
      makeService("x/a", { type: "NodePort", ports }),
      makeSlice("x/a-1", "a", ["1.0.0.1"], at),
      makeService("x/b", { ip: "10.96.0.2", type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] }),
      makeSlice("x/b-1", "b", ["1.0.0.2"]),
      makeService("x/c", { ip: "10.96.0.3", type: "NodePort", ports: [{ port: 80, nodePort: 30090 }] }),
    );
    return describe(engine).servicePorts.flatMap(({ service, entryPoints }) =>
      entryPoints.flatMap(({ kind, port, listensOnLocalhost }) =>
        listensOnLocalhost ? `${service} ${kind} ${port}` : [],
      ),
    );
  };
  assert.equal(view("flat"), ["a NodePort 30080"]);
  assert.equal(view("iptables"), []);
  assert.equal(view("flat", ["primary"]), []);
});

test("describe does not depend on the mode", () => {
  const text = (mode: "iptables" | "nftables") => {
    const engine = makeEngine(mode);
    put(engine, makeService("x/a", etpLocal), makeSlice("x/a-1", "a", ["1.0.0.1 node-a", "1.0.0.2"]));
    return JSON.stringify(describe(engine));
  };
  assert.is(text("iptables"), text("nftables"));
});

test.run();
