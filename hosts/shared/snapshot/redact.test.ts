import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { shopObjects } from "../../../fixtures/api-server/shop.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { World } from "../../../fixtures/random/world.ts";
import { applyJson, defaultOptions, newEngine } from "../../../fixtures/support/engine.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import type { Description } from "../describe.ts";
import { joinPieces } from "../engine.ts";
import { type Snapshot, type SnapshotObject, snapshotObject } from "./document.ts";
import { type Redacted, redact } from "./redact.ts";

const test = suite("redact");

function snapshotOf(objects: readonly KubernetesObject[]): Snapshot {
  const kept = objects.map((object) => snapshotObject(object as unknown as Record<string, unknown>));
  return {
    header: { writtenBy: "test", takenAt: "2026-01-01T00:00:00Z", kubeVersion: "1.37", redacted: false },
    objects: kept.map((object) => object as SnapshotObject),
  };
}

/** All keys and texts, wherever they stand. */
function textsIn(value: unknown, into = new Set<string>()): Set<string> {
  if (typeof value === "string") into.add(value);
  else if (Array.isArray(value)) for (const item of value) textsIn(item, into);
  else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) textsIn(inner, into.add(key));
  }
  return into;
}

/**
 * What may be the same before and after: written from what Kubernetes calls things, not from the code.
 */
const SAYS_NOTHING: readonly RegExp[] = [
  // Names of fields.
  /^(apiVersion|kind|metadata|name|namespace|uid|resourceVersion|creationTimestamp|labels|annotations|ownerReferences|controller)$/,
  /^(spec|status|type|clusterIPs?|ipFamil(ies|yPolicy)|ports?|protocol|appProtocol|targetPort|nodePort|selector|sessionAffinity(Config)?|clientIP|timeoutSeconds|externalIPs|externalName|(external|internal)TrafficPolicy|trafficDistribution|healthCheckNodePort|publishNotReadyAddresses|allocateLoadBalancerNodePorts|loadBalancer(IP|Class|SourceRanges)?|ingress|ip|ipMode|hostname)$/,
  /^(addressType|endpoints|addresses|address|conditions|ready|serving|terminating|nodeName|zone|hints|for(Zones|Nodes)|targetRef|podCIDRs?|taints|key|value|effect|cidrs|unschedulable)$/,
  /^(replicas|matchLabels|matchExpressions|operator|values|template|containers|containerPort|initContainers|restartPolicy|hostNetwork|tolerations|nodeSelector|affinity|nodeAffinity|requiredDuringSchedulingIgnoredDuringExecution|nodeSelectorTerms|phase|podIPs?|minReplicas|maxReplicas|scaleTargetRef|serviceName)$/,
  // Kubernetes' enumerations, types and keys.
  /^(v1|apps\/v1|discovery\.k8s\.io\/v1|networking\.k8s\.io\/v1|autoscaling\/v2|Service|EndpointSlice|Node|ServiceCIDR|Pod|Deployment|ReplicaSet|HorizontalPodAutoscaler)$/,
  /^(ClusterIP|NodePort|LoadBalancer|ExternalName|IPv[46]|FQDN|SingleStack|PreferDualStack|RequireDualStack|TCP|UDP|SCTP|None|ClientIP|Cluster|Local|Proxy|VIP|PreferClose|PreferSame(Zone|Node)|InternalIP|ExternalIP|Hostname|NoSchedule|NoExecute|In|Exists|Equal|Always|Running|Ready|True|False|true|false|Auto|linux|amd64)$/,
  /^([a-z0-9-]+\.)*(kubernetes|k8s)\.io\/[\w.-]+$/,
  /^[a-z-]+\.k8s\.io$/,
  /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
  // Labels of system components, and a taint of the autoscaler.
  /^(k8s-app|ToBeDeletedByClusterAutoscaler)$/,
  /^\d+$/,
  // Addresses and ranges that mean the same everywhere.
  /^(0\.0\.0\.0\/0|::\/0|127\..*|::1|169\.254\..*)$/,
  /^$/,
];

function checkNothingIsLeft(before: Snapshot, after: Snapshot): void {
  const old = textsIn(before.objects);
  const left = [...textsIn(after.objects)].filter(
    (text) => old.has(text) && !SAYS_NOTHING.some((pattern) => pattern.test(text)),
  );
  assert.equal(left, []);
}

function descriptionOf(objects: readonly unknown[], nodeName: string): Description {
  const engine = newEngine();
  engine.configure(defaultOptions("flat", nodeName));
  applyJson(engine, { apiVersion: "v1", kind: "List", items: objects as KubernetesObject[] });
  return JSON.parse(new TextDecoder().decode(joinPieces(engine.describe()))) as Description;
}

/** The description with the new names, in an order that does not hang on them. */
function renamed(description: Description, { name, address }: Redacted): unknown {
  const keyed = (key: string, value: unknown): unknown => {
    if (typeof value !== "string" || value === "") return value;
    switch (key) {
      case "namespace":
      case "service":
      case "name":
      case "zone":
        return name(value) ?? value;
      case "takenBy":
        return value
          .split("/")
          .map((part) => name(part))
          .join("/");
      case "address":
      case "ipv4":
      case "ipv6":
      case "sourceRanges":
        return address(value) ?? value;
      default:
        return value;
    }
  };
  return sorted(description, keyed, "");
}

function sorted(value: unknown, leaf: (key: string, value: unknown) => unknown, key: string): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => sorted(item, leaf, key));
    return items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value !== "object" || value === null) return leaf(key, value);
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, sorted(inner, leaf, field)]));
}

const same = (value: unknown) => sorted(value, (_key, leaf) => leaf, "");

function checkRules(before: Snapshot, redacted: Redacted, nodeName: string): void {
  const now = descriptionOf(redacted.snapshot.objects, redacted.name(nodeName) ?? "");
  assert.equal(same(now), renamed(descriptionOf(before.objects, nodeName), redacted));
}

test("the recorded shop: nothing of it is left, and its rules are the same up to names and addresses", () => {
  const shop = snapshotOf(shopObjects());
  const redacted = redact(shop);
  assert.is(redacted.snapshot.objects.length, shop.objects.length);
  assert.is(redacted.snapshot.header.redacted, true);
  checkNothingIsLeft(shop, redacted.snapshot);
  checkRules(shop, redacted, "node-a");
  assert.ok(descriptionOf(redacted.snapshot.objects, redacted.name("node-a") ?? "").servicePorts.length > 5);
});

test("random clusters: nothing of them is left, and their rules are the same up to names and addresses", () => {
  const seed = seedFromEnvironment();
  for (let run = 0; run < Number(process.env.RUNS ?? "40"); run++) {
    const own = (seed + run * 7919) >>> 0;
    try {
      const world = snapshotOf(new World(new Random(own), 8).list());
      const redacted = redact(world);
      checkNothingIsLeft(world, redacted.snapshot);
      checkRules(world, redacted, "node-a");
    } catch (error) {
      if (error instanceof Error) error.message = `cluster ${own}: ${error.message}`;
      throw error;
    }
  }
});

const workloads: KubernetesObject[] = [
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "checkout",
      namespace: "acme",
      uid: "8a3e",
      labels: { "acme.example/owner": "payments", "app.kubernetes.io/name": "checkout" },
      annotations: { "acme.example/contact": "jane@acme.example", "service.kubernetes.io/topology-mode": "Auto" },
      managedFields: [{ manager: "acme-cd" }],
      ownerReferences: [{ apiVersion: "acme.example/v1", kind: "Rollout", name: "checkout", uid: "77", controller: true }],
    },
    spec: {
      replicas: 3,
      selector: { matchExpressions: [{ key: "acme.example/app", operator: "In", values: ["checkout", "true"] }] },
      template: {
        metadata: { labels: { "acme.example/app": "checkout" } },
        spec: {
          nodeSelector: { "acme.example/pool": "fast", "kubernetes.io/os": "linux" },
          tolerations: [{ key: "acme.example/dedicated", operator: "Equal", value: "fast", effect: "NoSchedule" }],
          serviceAccountName: "checkout-sa",
          volumes: [{ secret: { secretName: "card-keys" } }],
          containers: [
            {
              name: "server",
              image: "registry.acme.example/checkout:7",
              args: ["--password=hunter2"],
              env: [{ name: "TOKEN", value: "s3cret" }],
              ports: [{ name: "api", containerPort: 8080, hostIP: "203.0.113.99" }],
            },
          ],
        },
      },
    },
    status: { conditions: [{ message: "quota of acme exceeded" }] },
  },
  {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "checkout-hpa", namespace: "acme" },
    spec: { minReplicas: 2, maxReplicas: 9, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "checkout" } },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "checkout", namespace: "acme", annotations: { "service.kubernetes.io/topology-mode": "Auto" } },
    spec: { clusterIP: "None", externalName: "db.acme.example", selector: { "acme.example/app": "checkout" }, ports: [{ port: 80, targetPort: "api" }] },
  },
]; // biome-ignore format: written as people write them

test("what refers to each other still does, and what only looks like Kubernetes' own is renamed", () => {
  const before = snapshotOf(workloads);
  const { snapshot, name } = redact(before);
  checkNothingIsLeft(before, snapshot);
  const [deployment, scaler, service] = JSON.parse(JSON.stringify(snapshot.objects));
  const key = name("acme.example/app") ?? "";
  assert.is(deployment.metadata.name, scaler.spec.scaleTargetRef.name);
  assert.is(deployment.metadata.namespace, service.metadata.namespace);
  assert.equal(service.spec.selector, { [key]: name("checkout") });
  assert.equal(deployment.spec.template.metadata.labels, service.spec.selector);
  assert.equal(deployment.spec.selector.matchExpressions, [
    { key, operator: "In", values: [name("checkout"), "true"] },
  ]);
  assert.is(service.spec.ports[0].targetPort, deployment.spec.template.spec.containers[0].ports[0].name);
  assert.is(service.spec.clusterIP, "None");
  assert.equal(deployment.metadata.annotations, { "service.kubernetes.io/topology-mode": "Auto" });
  assert.is(deployment.spec.template.spec.nodeSelector["kubernetes.io/os"], "linux");
  assert.is(deployment.metadata.ownerReferences[0].kind, name("Rollout"));
});

test("names keep their order, since it decides where two Services claim one address; they are short enough for ports", () => {
  const names = ["a", "n1", "Z", "x-10", "x-9", "é", "name2", "\u{1f600}", "\uffee"];
  const { name } = redact(
    snapshotOf(names.map((each) => ({ apiVersion: "v1", kind: "Node", metadata: { name: each } }))),
  );
  const byBytes = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const renamedOnes = byBytes.map((each) => name(each) ?? "");
  assert.equal(renamedOnes, [...renamedOnes].sort());
  assert.is(new Set(renamedOnes).size, names.length);
  for (const each of renamedOnes) {
    assert.match(each, /^[a-z]{1,4}\d+$/);
    assert.not.ok(names.includes(each), "a new name is no old one");
  }
});

test("objects of other kinds are left out", () => {
  const { snapshot } = redact({
    ...snapshotOf([]),
    objects: [
      { apiVersion: "sluice/v1", kind: "NodeRules", metadata: { name: "node-a" }, listings: { nft: "secret" } },
    ],
  });
  assert.equal(snapshot.objects, []);
});

test("a browser page can use it: it needs nothing of Node's", async () => {
  const entry = fileURLToPath(new URL("redact.ts", import.meta.url));
  const { errors, warnings } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    logLevel: "silent",
  });
  assert.equal([errors, warnings], [[], []]);
});

test.run();
