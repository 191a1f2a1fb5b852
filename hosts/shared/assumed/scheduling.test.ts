// On which nodes pods are assumed, and with which addresses.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { find } from "./testing/find.ts";
import { node, service, workload } from "./testing/objects.ts";

const test = suite("assumed: nodes of pods");

const zoned = [node("a", { zone: "z1" }), node("b", { zone: "z2" })];
const selector = (key: string, operator: string, ...values: string[]) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
      },
    },
  },
});
const name = (operator: string, value: string) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{}, { matchFields: [{ key: "metadata.name", operator, values: [value] }] }],
      },
    },
  },
});
const tainted = (effect: string, value?: string) =>
  node("t", { spec: { taints: [{ key: "dedicated", effect, ...(value === undefined ? {} : { value }) }] } });
const labelled = [node("a", { labels: { disk: "ssd", cpus: "8" } }), node("b", { labels: { cpus: "16" } }), node("c")];
const tolerates = (toleration: object) => ({ tolerations: [toleration] });
const placements: [what: string, nodes: object[], pod: object, on: string[]][] = [
  ["nodeSelector", labelled, { nodeSelector: { disk: "ssd" } }, ["a"]],
  ["affinity In", labelled, selector("disk", "In", "hdd", "ssd"), ["a"]],
  ["affinity NotIn", labelled, selector("disk", "NotIn", "ssd"), ["b", "c"]],
  ["affinity Exists", labelled, selector("cpus", "Exists"), ["a", "b"]],
  ["affinity DoesNotExist", labelled, selector("cpus", "DoesNotExist"), ["c"]],
  ["affinity Gt", labelled, selector("cpus", "Gt", "8"), ["b"]],
  ["affinity Lt", labelled, selector("cpus", "Lt", "16"), ["a"]],
  ["affinity by name, and an empty term that fits nothing", labelled, name("In", "b"), ["b"]],
  ["nodeName", labelled, { nodeName: "c" }, ["c"]],
  ["a taint keeps pods away", [node("a"), tainted("NoSchedule")], {}, ["a"]],
  ["one that only prefers does not", [node("a"), tainted("PreferNoSchedule")], {}, ["a", "t"]],
  ["a toleration", [node("a"), tainted("NoSchedule", "x")], tolerates({ key: "dedicated", value: "x" }), ["a", "t"]],
  ["a toleration of another value", [node("a"), tainted("NoSchedule", "x")], tolerates({ key: "dedicated" }), ["a"]],
  ["a toleration of all", [node("a"), tainted("NoExecute", "x")], tolerates({ operator: "Exists" }), ["a", "t"]],
  ["a cordoned node", [node("a"), node("b", { spec: { unschedulable: true } })], {}, ["a"]],
];
for (const [what, nodes, pod, on] of placements) {
  test(`nodes: ${what}`, () => {
    const { endpoints } = find([...nodes, service("web"), workload("Deployment", "web", { replicas: 8 }, pod)]);
    assert.is(endpoints.length, 8);
    assert.equal([...new Set(endpoints.map(({ nodeName }) => nodeName))].sort(), on);
  });
}

test("nodes: a DaemonSet has a pod on each that fits, also on a cordoned one", () => {
  const nodes = [node("a"), node("b", { spec: { unschedulable: true } }), tainted("NoSchedule")];
  const { endpoints } = find([...nodes, service("web"), workload("DaemonSet", "web")]);
  assert.equal(
    endpoints.map(({ nodeName }) => nodeName),
    ["a", "b"],
  );
});

test("nodes: none fits, which is said once", () => {
  const wanting = (name: string) => workload("Deployment", name, {}, { nodeSelector: { disk: "ssd" } });
  const { endpoints, codes, assumed } = find([node("a"), service("web"), wanting("web"), service("db"), wanting("db")]);
  assert.is(endpoints.length, 0);
  assert.equal(codes, ["no-fitting-node", "no-pods"]);
  assert.match(assumed.diagnostics[0]?.message ?? "", "Deployment shop/db, Deployment shop/web");
});

test("assumed nodes have the labels that pods ask for, but are Linux", () => {
  const on = (pod: object) => find([service("web"), workload("DaemonSet", "web", {}, pod)]).endpoints.length;
  assert.is(on({ nodeSelector: { disk: "ssd" } }), 3);
  assert.is(on({ nodeSelector: { "kubernetes.io/os": "windows" } }), 0);
  assert.is(on({ nodeSelector: { "kubernetes.io/os": "linux" } }), 3);
  assert.is(on(selector("node-role.kubernetes.io/control-plane", "Exists")), 3);
});

test("pods that take a port of their node: one on each Node", () => {
  const pod = { containers: [{ name: "main", ports: [{ containerPort: 8080, hostPort: 80 }] }] };
  const web = workload("Deployment", "web", { replicas: 5 }, pod);
  assert.is(find([...zoned, service("web"), web]).endpoints.length, 2);
  assert.is(find([service("web"), web]).endpoints.length, 5, "a cluster may have more nodes than are assumed");
});

test("hostNetwork: the node's addresses, in both families", () => {
  const nodes = [node("a", { ips: ["192.168.10.1", "fd00:10::1"] })];
  const web = workload("Deployment", "web", {}, { hostNetwork: true });
  const { endpoints } = find([...nodes, service("web", { ipFamilyPolicy: "PreferDualStack" }), web]);
  assert.equal(
    endpoints.map(({ addresses }) => addresses),
    [["192.168.10.1"], ["fd00:10::1"]],
  );
});

test("pods have addresses of their Node's podCIDRs, and of others where these are full", () => {
  const nodes = [node("a", { spec: { podCIDRs: ["10.64.1.0/29", "fd00:64::/120"] } })];
  const spec = { ipFamilyPolicy: "PreferDualStack" };
  const { endpoints } = find([...nodes, service("web", spec), workload("Deployment", "web", { replicas: 8 })]);
  const all = endpoints.map(({ addresses }) => addresses[0] ?? "");
  assert.is(all.filter((address) => address.startsWith("10.64.1.")).length, 6);
  assert.is(all.filter((address) => address.startsWith("10.244.")).length, 2);
  assert.is(all.filter((address) => address.startsWith("fd00:64::")).length, 8);
});

test.run();
