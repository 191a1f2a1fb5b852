// Which pods are assumed, and which of them a Service gets. The recordings in fixtures/recordings/controllers compare with real
// controllers; here stands what they don't have, and what is said.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseCidr } from "../cidr.ts";
import { assumedOf } from "./testing/assumed-of.ts";
import { type Endpoint, find } from "./testing/find.ts";
import { node, service, workload } from "./testing/objects.ts";

const test = suite("assumed: endpoints");

const hpa = (kind: string, name: string, minReplicas?: unknown) => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { namespace: "shop", name },
  spec: { scaleTargetRef: { apiVersion: "apps/v1", kind, name }, maxReplicas: 9, minReplicas },
});

type Kind = Parameters<typeof workload>[0];
const counts: [what: string, kind: Kind, spec: object, others: object[], pods: number, codes: string[]][] = [
  ["one replica where nothing is said", "Deployment", {}, [], 1, []],
  ["no replicas", "Deployment", { replicas: 0 }, [], 0, ["no-pods"]],
  ["an autoscaler's minimum", "Deployment", { replicas: 5 }, [hpa("Deployment", "web", 2)], 2, []],
  ["an autoscaler's minimum above the replicas", "StatefulSet", { replicas: 1 }, [hpa("StatefulSet", "web", 4)], 4, []],
  ["an autoscaler without a minimum", "Deployment", {}, [hpa("Deployment", "web")], 1, []],
  ["an autoscaler of another workload", "Deployment", { replicas: 3 }, [hpa("Deployment", "db", 7)], 3, []],
  ["an autoscaler of another kind", "Deployment", { replicas: 3 }, [hpa("StatefulSet", "web", 7)], 3, []],
  ["with 0 replicas autoscaling is off", "Deployment", { replicas: 0 }, [hpa("Deployment", "web", 2)], 0, ["no-pods"]],
  ["an autoscaler down to nothing", "Deployment", { replicas: 1 }, [hpa("Deployment", "web", 0)], 0, ["no-pods"]],
  ["more than anybody has", "Deployment", { replicas: 2147483647 }, [], 5000, ["many-replicas"]],
  ["replicas that are none", "Deployment", { replicas: "3" }, [], 0, ["wrong-replicas", "no-pods"]],
  ["replicas below 0", "ReplicaSet", { replicas: -1 }, [], 0, ["wrong-replicas", "no-pods"]],
  ["ReplicationController", "ReplicationController", { replicas: 2 }, [], 2, []],
  ["a Job's parallelism", "Job", { parallelism: 3 }, [], 3, []],
  ["a Job of fewer completions", "Job", { parallelism: 3, completions: 2 }, [], 2, []],
  ["a Job that waits", "Job", { parallelism: 3, suspend: true }, [], 0, ["no-pods"]],
  ["a DaemonSet on each node", "DaemonSet", {}, [], 3, []],
  ["a Pod", "Pod", {}, [], 1, []],
  ["a CronJob", "CronJob", {}, [], 0, ["endpoints-of-cron-jobs"]],
];
for (const [what, kind, spec, others, pods, codes] of counts) {
  test(`pods: ${what}`, () => {
    const found = find([service("web"), workload(kind, "web", spec), ...others]);
    assert.is(found.endpoints.length, pods);
    assert.equal(found.codes, codes);
    const names = new Set(found.endpoints.map(({ addresses }) => addresses[0]));
    assert.is(names.size, pods, "each has an address of its own");
  });
}

test("slices have at most 100 endpoints", () => {
  const { assumed } = find([service("web"), workload("Deployment", "web", { replicas: 250 })]);
  assert.equal(
    assumed.slices.map(({ endpoints }) => (endpoints as Endpoint[]).length),
    [100, 100, 50],
  );
  const names = assumed.slices.map(({ metadata }) => (metadata as { name: string }).name);
  assert.is(new Set(names).size, 3);
});

test("pods are spread over the nodes, and a workload's start does not hang on other workloads", () => {
  const web = workload("Deployment", "web", { replicas: 6 });
  const { endpoints } = find([service("web"), web]);
  const perNode = new Map<string | undefined, number>();
  for (const { nodeName } of endpoints) perNode.set(nodeName, (perNode.get(nodeName) ?? 0) + 1);
  assert.equal([...perNode].sort(), [
    ["node-1", 2],
    ["node-2", 2],
    ["node-3", 2],
  ]);
  const more = find([service("api"), workload("Deployment", "api", { replicas: 2 }), service("web"), web]);
  const ofWeb = more.endpoints.filter(({ targetRef }) => targetRef.name.startsWith("web-"));
  assert.equal(ofWeb, endpoints);
});

test("a workload that comes or goes moves no pod of the others", () => {
  const names = Array.from({ length: 60 }, (_, index) => `app-${index}`);
  const objects = names.map((name) => [service(name), workload("Deployment", name, { replicas: 3 })]);
  const byPod = (list: object[][]) =>
    new Map(
      find(list.flat()).endpoints.map(({ targetRef, addresses, nodeName }) => [targetRef.name, [addresses, nodeName]]),
    );
  const all = byPod(objects);
  for (const gone of [0, 7, 31, 59]) {
    const rest = byPod(objects.toSpliced(gone, 1));
    assert.is(rest.size, 177);
    for (const [pod, place] of rest) assert.equal(place, all.get(pod), pod);
  }
});

const zoned = [node("a", { zone: "z1" }), node("b", { zone: "z2" })];
test("hints by trafficDistribution; without zones that is said", () => {
  const objects = (distribution: string) => [
    service("web", { trafficDistribution: distribution }),
    workload("Deployment", "web"),
  ];
  const options = { zones: ["z1"] };
  const hintsOf = (distribution: string) => find(objects(distribution), options).endpoints[0]?.hints;
  const { nodeName = "" } = find(objects("PreferSameNode"), options).endpoints[0] ?? {};
  assert.equal(hintsOf("PreferSameZone"), { forZones: [{ name: "z1" }] });
  assert.equal(hintsOf("PreferClose"), { forZones: [{ name: "z1" }] });
  assert.equal(hintsOf("PreferSameNode"), { forZones: [{ name: "z1" }], forNodes: [{ name: nodeName }] });
  assert.equal(find(objects("PreferClose")).codes, ["no-zones"]);
  assert.equal(find(objects("PreferClose"), options).codes, []);
  assert.is(find(objects("PreferClose")).endpoints[0]?.hints, undefined);
});

test("hints by CPUs of Nodes are not known beforehand", () => {
  const annotations = { "service.kubernetes.io/topology-mode": "Auto" };
  const { codes } = find([service("web", {}, { metadata: { annotations } }), workload("Deployment", "web")]);
  assert.equal(codes, ["no-assumed-hints"]);
});

const selections: [what: string, labels: Record<string, string>, pods: string[]][] = [
  ["of one StatefulSet pod", { "statefulset.kubernetes.io/pod-name": "db-1" }, ["db-1"]],
  ["of pods by their index", { app: "db", "apps.kubernetes.io/pod-index": "2" }, ["db-2"]],
  ["of a Job", { "batch.kubernetes.io/job-name": "task" }, ["task-0"]],
  ["of a zone", { app: "db", "topology.kubernetes.io/zone": "z2" }, ["db-0", "db-2"]],
];
for (const [what, labels, pods] of selections) {
  test(`a selector ${what}`, () => {
    const db = workload("StatefulSet", "db", { replicas: 3 });
    const { endpoints } = find([...zoned, service("web", {}, { labels }), db, workload("Job", "task")]);
    assert.equal(endpoints.map(({ targetRef }) => targetRef.name).sort(), pods);
  });
}

test("a StatefulSet may number its pods from another start", () => {
  const db = workload("StatefulSet", "db", { replicas: 2, ordinals: { start: 5 } });
  const { endpoints } = find([service("db"), db]);
  assert.equal(
    endpoints.map(({ targetRef }) => targetRef.name),
    ["db-5", "db-6"],
  );
});

test("workloads of other namespaces are nobody's; one without a namespace is in default", () => {
  const other = workload("Deployment", "web", {}, {}, { namespace: "other" });
  assert.equal(find([service("web"), other]).codes, ["endpoints-unknown"]);
  const bare = workload("Deployment", "web", {}, {}, { namespace: "default" });
  assert.is(find([{ ...service("web"), metadata: { name: "web" } }, bare]).endpoints.length, 1);
});

test("no workload: unknown, said once for all Services", () => {
  const { codes, assumed } = find([service("web"), service("db"), workload("Deployment", "other")]);
  assert.equal(codes, ["endpoints-unknown"]);
  assert.match(assumed.diagnostics[0]?.message ?? "", "2 Services (shop/db, shop/web)");
  assert.ok(assumed.marks?.hasUnknownEndpoints("shop/web"));
  assert.is(assumed.nodes.length, 0, "nodes are assumed for pods alone");
});

test("a Service without apiVersion, which admission does not know, is served like others", () => {
  const bare = (spec: object) => ({ ...service("web", spec), apiVersion: undefined });
  const web = workload("Deployment", "web");
  assert.is(find([bare({}), web]).endpoints.length, 1);
  assert.is(find([bare({ clusterIP: "fd00:10:96::7" }), web]).assumed.slices[0]?.addressType, "IPv6");
});

test("neither a selector nor slices: none, said once", () => {
  assert.equal(find([service("web", { selector: undefined })]).codes, ["no-selector"]);
});

test("Endpoints that somebody has written for a Service without a selector are mirrored", () => {
  const written = (name: string, more: object = {}) => ({
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { namespace: "shop", name, ...more },
    subsets: [
      {
        addresses: [{ ip: "192.0.2.7", nodeName: "a" }, { ip: "2001:db8::7" }],
        notReadyAddresses: [{ ip: "192.0.2.8" }],
        ports: [{ port: 9000 }],
      },
    ],
  });
  const bare = (name: string) => service(name, { selector: undefined, ports: [{ port: 80 }] });
  const { assumed, codes } = find([bare("web"), written("web"), service("db"), written("db")]);
  assert.equal(codes, ["endpoints-unknown"]);
  const slices = assumed.slices.map(({ metadata, addressType, ports, endpoints }) => {
    const found = (endpoints as Endpoint[]).map(({ addresses, conditions }) => [addresses[0], conditions.ready]);
    return [(metadata as { name: string }).name, addressType, ports, found];
  });
  const ports = [{ name: "", port: 9000, protocol: "TCP" }];
  assert.equal(slices, [
    [
      "web-mirrored-1",
      "IPv4",
      ports,
      [
        ["192.0.2.7", true],
        ["192.0.2.8", false],
      ],
    ],
    ["web-mirrored-2", "IPv6", ports, [["2001:db8::7", true]]],
  ]);
  assert.is(assumed.marks?.counts.endpoints, 0, "nothing of it is assumed");
  const skipped = written("web", { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } });
  assert.equal(find([bare("web"), skipped]).codes, ["no-selector"]);
  const lock = written("web", { annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" } });
  assert.equal(find([bare("web"), lock]).codes, ["no-selector"]);
});

test("workloads in versions that Kubernetes does not have any more", () => {
  const old = (name: string, apiVersion: string) => ({ ...workload("Deployment", name), apiVersion });
  const { assumed, codes } = find([service("web"), old("web", "extensions/v1beta1"), old("db", "apps/v1beta2")]);
  assert.equal(codes, ["outdated-version", "endpoints-unknown"]);
  assert.match(assumed.diagnostics[0]?.message ?? "", /not have extensions\/v1beta1, .* and so for 1 object more$/);
});

test("there is an end to it: pods and endpoints in all", () => {
  const shared = { labels: { app: "web" } };
  const names = Array.from({ length: 13 }, (_, index) => `app-${index}`);
  const many = names.map((name) => workload("Deployment", name, { replicas: 5_000 }, {}, shared));
  const services = names.slice(0, 4).map((name) => service(name, {}, shared));
  const { assumed, codes } = find([...services, ...many]);
  assert.is(assumed.marks?.counts.endpoints, 180_000);
  assert.equal(codes, ["many-replicas", "many-endpoints"]);
  assert.ok(assumed.marks?.hasUnknownEndpoints("shop/app-3"));
});

test("pods for which no address is left are no endpoints, which is said", () => {
  const podCidrs = [parseCidr("10.32.0.0/29")].filter((cidr) => cidr !== undefined);
  const { endpoints, codes } = find([service("web"), workload("Deployment", "web", { replicas: 9 })], { podCidrs });
  assert.is(endpoints.length, 6);
  assert.equal(codes, ["no-pod-address"]);
});

test("EndpointSlices that are given go before", () => {
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.1.2.3"] }],
    ports: [{ name: "http", port: 80 }],
  };
  const { endpoints, codes } = find([service("web"), workload("Deployment", "web"), slice]);
  assert.equal(
    endpoints.map(({ addresses }) => addresses),
    [["10.1.2.3"]],
  );
  assert.equal(codes, []);
});

test("headless Services and ExternalNames have no rules, so nothing is assumed of them", () => {
  const objects = [
    service("web", { clusterIP: "None" }),
    service("far", { type: "ExternalName", externalName: "x.example.com" }),
  ];
  const { endpoints, codes } = find([...objects, workload("Deployment", "web"), workload("Deployment", "far")]);
  assert.is(endpoints.length, 0);
  assert.equal(codes, []);
});

test("a targetPort that no container has a name for, with those that there are", () => {
  const named = service("web", {
    ports: [
      { name: "a", port: 80, targetPort: "htpp" },
      { name: "b", port: 81, targetPort: 81 },
    ],
  });
  const { assumed, codes } = find([named, workload("Deployment", "web")]);
  assert.equal(codes, ["no-such-target-port"]);
  const [found] = assumed.diagnostics;
  assert.is(found?.field, "spec.ports[0].targetPort");
  assert.match(found?.message ?? "", "no container of Deployment shop/web has a port named htpp/TCP");
  assert.is(found?.hint, "there is http/TCP");
  assert.equal(
    assumed.slices.map(({ ports }) => ports),
    [[{ name: "b", protocol: "TCP", port: 81 }]],
  );
});

test("a named port is of its protocol, and init containers that end have none", () => {
  const udp = service("web", { ports: [{ port: 80, targetPort: "http", protocol: "UDP" }] });
  assert.equal(find([udp, workload("Deployment", "web")]).codes, ["no-such-target-port"]);
  const init = { initContainers: [{ name: "init", ports: [{ name: "setup", containerPort: 1 }] }] };
  const setup = service("web", { ports: [{ port: 80, targetPort: "setup" }] });
  assert.equal(find([setup, workload("Deployment", "web", {}, init)]).codes, ["no-such-target-port"]);
  const sidecar = {
    initContainers: [{ name: "init", restartPolicy: "Always", ports: [{ name: "setup", containerPort: 1 }] }],
  };
  assert.equal(find([setup, workload("Deployment", "web", {}, sidecar)]).codes, []);
});

test("a named port of another number in each workload: a slice for each", () => {
  const labels = { app: "web" };
  const old = { containers: [{ name: "main", ports: [{ name: "http", containerPort: 80 }] }] };
  const both = [
    workload("Deployment", "web", {}, {}, { labels }),
    workload("Deployment", "web-old", {}, old, { labels }),
  ];
  const { assumed } = find([service("web", { ports: [{ port: 80, targetPort: "http" }] }), ...both]);
  const ports = assumed.slices.map(({ ports }) => (ports as { port: number }[])[0]?.port);
  assert.equal(ports, [8080, 80]);
});

const refused: [what: string, spec: object][] = [
  ["no selector", { selector: undefined }],
  ["an empty selector", { selector: {} }],
  ["a selector of other labels", { selector: { matchLabels: { app: "other" } } }],
  [
    "expressions that don't hold",
    { selector: { matchExpressions: [{ key: "app", operator: "NotIn", values: ["web"] }] } },
  ],
];
for (const [what, spec] of refused) {
  test(`a workload that an API server refuses: ${what}`, () => {
    const { codes, assumed } = find([service("web"), workload("Deployment", "web", spec)]);
    assert.equal(codes, ["workload-refused", "endpoints-of-refused"]);
    assert.is(assumed.diagnostics[0]?.field, "spec.selector");
  });
}

test("what is said of objects comes in the order in which they stand", () => {
  const wrong = workload("Deployment", "web", { replicas: "3" });
  const none = workload("Deployment", "db", { selector: {} });
  const { codes } = find([service("web"), wrong, service("db"), none]);
  assert.equal(codes, ["wrong-replicas", "workload-refused", "endpoints-of-refused", "no-pods"]);
});

const sent = { uid: "5e92114e", resourceVersion: "7" };
const realPod = (name: string, more: { ip?: string; ready?: boolean; phase?: string; owner?: object } = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    ...sent,
    namespace: "shop",
    name,
    labels: { app: "web" },
    ownerReferences: more.owner ? [more.owner] : [],
  },
  spec: { nodeName: "a", containers: [] },
  status: {
    phase: more.phase ?? "Running",
    podIPs: more.ip === undefined ? [] : [{ ip: more.ip }],
    conditions: [{ type: "Ready", status: more.ready === false ? "False" : "True" }],
  },
});
const fromServer = (object: object) => ({
  ...object,
  metadata: { ...(object as { metadata: object }).metadata, ...sent },
});

test("beside a cluster's Pods nothing is made up: their addresses and states are real", () => {
  const pods = [
    realPod("web-1", { ip: "10.1.0.1" }),
    realPod("web-2", { ip: "10.1.0.2", ready: false }),
    realPod("web-3"),
    realPod("web-4", { ip: "10.1.0.4", phase: "Succeeded" }),
  ];
  const web = fromServer(workload("Deployment", "web", { replicas: 4 }));
  const { endpoints } = find([node("a"), service("web"), web, ...pods]);
  const states = endpoints.map(({ addresses, conditions }) => [addresses[0], conditions.ready]);
  assert.equal(states, [
    ["10.1.0.1", true],
    ["10.1.0.2", false],
  ]);
  const publishing = find([node("a"), service("web", { publishNotReadyAddresses: true }), ...pods]).endpoints;
  assert.equal(
    publishing.map(({ conditions }) => [conditions.ready, conditions.serving]),
    [
      [true, true],
      [true, false],
    ],
  );
});

test("of a Deployment and the ReplicaSet that it made, one counts", () => {
  const web = fromServer(workload("Deployment", "web", { replicas: 2 }));
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "web", controller: true };
  const made = fromServer(workload("ReplicaSet", "web-5d4f", { replicas: 2 }));
  const owned = { ...made, metadata: { ...(made as { metadata: object }).metadata, ownerReferences: [owner] } };
  assert.is(find([service("web"), web, owned]).endpoints.length, 2);
});

test("counts and marks", () => {
  const objects = [service("web", { type: "NodePort" }), workload("Deployment", "web", { replicas: 4 })];
  const { marks } = assumedOf(objects);
  assert.equal(marks?.counts, { addresses: 1, nodePorts: 1, endpoints: 4, workloads: 1, nodes: 3 });
  const owner = { kind: "Service", namespace: "shop", name: "web" };
  assert.ok(marks?.isAssumedField({ ...owner, field: "spec.clusterIPs[0]" }));
  assert.ok(marks?.isAssumedField({ ...owner, field: "spec.ports[0].nodePort" }));
  assert.not(marks?.isAssumedField({ ...owner, field: "spec.ports[0]" }));
  const slice = { kind: "EndpointSlice", namespace: "shop", name: "web-assumed-1", field: "endpoints[2]" };
  assert.equal(
    marks?.workloadsOf(slice).map(({ kind, name }) => [kind, name]),
    [["Deployment", "web"]],
  );
  assert.equal(marks?.workloadsOf({ ...slice, name: "web-1" }), []);
  assert.is(marks?.firstNode?.name, "node-1");
});

test("the node whose rules are wanted is among those that are assumed", () => {
  const objects = [service("web"), workload("DaemonSet", "web")];
  const { endpoints, assumed } = find(objects, { nodeName: "node-a", nodes: 2 });
  assert.equal(endpoints.map(({ nodeName }) => nodeName).sort(), ["node-2", "node-a"]);
  assert.is(assumed.marks?.firstNode?.name, "node-a");
  assert.is(assumed.nodes.length, 2);
});

test.run();
