// Whatever stands in a file, something is assumed of the rest, and nothing throws.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { assumedOf } from "./testing/assumed-of.ts";
import { node, service, workload } from "./testing/objects.ts";

const test = suite("assumed: hostile input");

const values: unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  3.5,
  "",
  "x",
  "__proto__",
  "constructor",
  "10.96.0.0/99",
  "::/0",
  [],
  [null],
  [[]],
  {},
  { a: null },
  { constructor: 1, toString: [] },
  ["10.96.0.1", 7],
];

function objects(): unknown[] {
  const endpoints = {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { namespace: "shop", name: "by-hand" },
    subsets: [{ addresses: [{ ip: "192.0.2.1" }], ports: [{ port: 80 }] }],
  };
  const cidr = {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: "kubernetes" },
    spec: { cidrs: ["10.9.0.0/16"] },
  };
  const scaler = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { namespace: "shop", name: "web" },
    spec: { scaleTargetRef: { kind: "Deployment", name: "web" }, minReplicas: 2 },
  };
  const pod = {
    hostNetwork: true,
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "a", operator: "Exists" }],
    initContainers: [{ restartPolicy: "Always", ports: [{ name: "p", containerPort: 1 }] }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] }],
        },
      },
    },
  };
  return [
    node("a", {
      zone: "z1",
      ips: ["192.168.1.1"],
      labels: { disk: "ssd" },
      spec: { podCIDRs: ["10.1.0.0/24"], taints: [{ key: "a", effect: "NoSchedule" }] },
    }),
    service("web", { type: "LoadBalancer", externalTrafficPolicy: "Local", trafficDistribution: "PreferSameNode" }),
    service("by-hand", { selector: undefined, type: "NodePort" }),
    workload("Deployment", "web", { replicas: 3 }, pod),
    workload("StatefulSet", "db", { replicas: 2, ordinals: { start: 1 } }),
    service("db", { ipFamilyPolicy: "PreferDualStack", ports: [{ port: 1, targetPort: "p" }] }),
    workload("Job", "task", { parallelism: 2 }),
    workload("CronJob", "nightly"),
    service("nightly"),
    {
      ...workload("Pod", "real"),
      metadata: { namespace: "shop", name: "real", uid: "1", labels: { app: "db" } },
      status: { podIPs: [{ ip: "10.1.0.9" }] },
    },
    endpoints,
    cidr,
    scaler,
  ];
}

/** Puts one value somewhere in it. */
function broken(root: unknown, random: Random): void {
  let at = root as Record<string, unknown>;
  for (let depth = 0; depth < 8; depth++) {
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key = random.pick(keys);
    const below = at[key];
    if (typeof below === "object" && below !== null && random.chance(0.8)) at = below as Record<string, unknown>;
    else {
      at[key] = structuredClone(random.pick(values));
      return;
    }
  }
}

test("600 clusters with a few wrong values each", () => {
  const seed = seedFromEnvironment();
  const random = new Random(seed);
  console.log(`seed ${seed}`);
  let assumed = 0;
  for (let round = 0; round < 600; round++) {
    const all = objects();
    for (let wrong = random.below(4); wrong >= 0; wrong--) broken(all, random);
    const kept = all.filter((object): object is object => typeof object === "object" && object !== null);
    try {
      const { marks } = assumedOf([...kept, node("fine"), service("fine"), workload("Deployment", "fine")]);
      if (marks?.hasAssumedEndpoints("shop/fine")) assumed++;
    } catch (error) {
      assert.unreachable(`round ${round}: ${JSON.stringify(kept)}\n${error instanceof Error ? error.stack : error}`);
    }
  }
  assert.is(assumed, 600, "what is right is always served");
});

test.run();
