// `render` of files as they are in Git: what is assumed, how it is marked and said, and what leads to the files that people edit.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Description } from "../../shared/describe.ts";
import { loadEngine } from "../../shared/engine-node.ts";
import { runCli } from "../testing/run-cli.ts";

const test = suite<{ root: string; file: (name: string, text: string) => string }>("render: assumed");

test.before.each((context) => {
  const root = mkdtempSync(join(tmpdir(), "sluice-assumed-"));
  context.root = root;
  context.file = (name, text) => {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
});
test.after.each(({ root }) => rmSync(root, { recursive: true, force: true }));

const engine = await loadEngine();
const render = (args: string[], stdin = "") => runCli(["render", ...args], { engine, stdin });

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example/web, ports: [{name: http, containerPort: 8080}]}]
`;
const service = `apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: http}
`;
const both = `${deployment}---\n${service}`;

test("a pod that has none of the Service's ports is no endpoint in the counts", async () => {
  const { stderr } = await render(["-f", "-"], both.replace("targetPort: http", "targetPort: other"));
  assert.match(stderr, "[no-such-target-port]");
  assert.match(stderr, "sluice: assumed: 1 address, 1 node port (--no-assume");
});

test("a file that is given twice says so, and does not name its own place as another", async ({ file }) => {
  const name = file("web.yaml", both);
  const { stderr } = await render(["-f", name, "-f", name]);
  assert.match(stderr, "Service shop/web: it is given twice, as its whole file is [object-twice]");
  assert.not.match(stderr, "the same at");
});

test("counts on stderr and in the rules' head", async () => {
  const { code, stdout, stderr } = await render(["-f", "-", "--assume-lb"], both);
  assert.is(code, 0, stderr);
  const counts = "2 addresses, 1 node port, 2 endpoints of 1 workload on 2 nodes";
  assert.match(stderr, `sluice: assumed: ${counts} (--no-assume leaves it out)\n`);
  assert.match(stdout, `# Assumed, since the files leave it open: ${counts}\n`);
  assert.match(stderr, "3 Nodes assumed, and these are the rules of node-1");
  assert.not.match(stderr, "without a cluster IP");
  assert.not.match(stderr, "skipped");
});

test("--describe marks what is assumed, and nothing else", async ({ file }) => {
  const chosen = both.replace("spec:\n  type", "spec:\n  clusterIP: 10.96.0.12\n  type");
  const { stdout } = await render(["-f", file("web.yaml", chosen), "--describe", "--family", "ipv4"]);
  const { node, servicePorts } = JSON.parse(stdout) as Description;
  assert.is(node.assumed, true);
  const [port] = servicePorts;
  const entryPoints = port?.entryPoints.map(({ kind, assumed }) => [kind, assumed]);
  assert.equal(entryPoints, [
    ["ClusterIP", undefined],
    ["NodePort", true],
  ]);
  assert.equal(
    port?.endpoints.map(({ assumed }) => assumed),
    [true, true],
  );
  assert.is(port?.endpointsUnknown, undefined);
});

test("--describe tells unknown endpoints from none", async () => {
  const { stdout, stderr } = await render(["-f", "-", "--describe", "--family", "ipv4"], service);
  const { servicePorts } = JSON.parse(stdout) as Description;
  assert.equal(
    servicePorts.map(({ endpointsUnknown, endpoints }) => [endpointsUnknown, endpoints.length]),
    [[true, 0]],
  );
  assert.match(stderr, "note: no workload among the files matches the selector of 1 Service (shop/web)");
});

test("--blame leads to the workload and says what is assumed", async ({ file }) => {
  const path = file("web.yaml", both);
  const { stdout } = await render(["-f", path, "--blame", "--family", "ipv4"]);
  assert.match(stdout, `# Service shop/web spec.clusterIPs[0] (${path}:15), assumed\n`);
  assert.match(stdout, `# Deployment shop/web (${path}:4): a pod, assumed\nadd element ip sluice backends`);
  assert.match(stdout, `# Service shop/web spec.ports[0].nodePort (${path}:19), assumed\n`);
});

test("an address that is chosen is nobody's assumption, and leads to its line", async () => {
  const chosen = both.replace("spec:\n  type", "spec:\n  clusterIP: 10.96.0.12\n  type");
  const { stdout } = await render(["-f", "-", "--blame", "--family", "ipv4"], chosen);
  assert.match(
    stdout,
    "# Service shop/web spec.clusterIPs[0] (stdin:16)\nadd element ip sluice cluster-ips { 10.96.0.12 }",
  );
});

test("--no-assume: no address, no rules, as the files stand", async () => {
  const { code, stdout, stderr } = await render(["-f", "-", "--no-assume"], both);
  assert.is(code, 0);
  assert.match(stderr, "1 Service without a cluster IP: no rules");
  assert.match(stderr, "skipped 1 object of other kinds");
  assert.not.match(stderr, "assumed:");
  assert.not.match(stdout, /add element ip sluice (service-ips|backends)/);
  assert.not.match(stdout, "since the files leave it open");
});

test("of what a cluster has sent nothing is assumed", async () => {
  const sent = both.replaceAll("metadata: {namespace", "metadata: {uid: 5e92114e, namespace");
  const { stdout, stderr } = await render(["-f", "-"], sent);
  assert.not.match(stderr, "assumed:");
  assert.not.match(stdout, "since the files leave it open");
});

test("--node names one of the assumed nodes, and local endpoints are that node's", async () => {
  const daemon = deployment.replace("kind: Deployment", "kind: DaemonSet").replace("  replicas: 2\n", "");
  const args = ["-f", "-", "--node", "edge-7", "--describe", "--family", "ipv4"];
  const { stdout, stderr } = await render(args, `${daemon}---\n${service}`);
  const { node, servicePorts } = JSON.parse(stdout) as Description;
  assert.is(node.name, "edge-7");
  assert.equal(servicePorts[0]?.endpoints.filter(({ local }) => local).length, 1);
  assert.match(stderr, "these are the rules of edge-7");
});

const wrong: [args: string[], message: string][] = [
  [["--service-cidr", "10.96.0.0"], '--service-cidr: "10.96.0.0" is no CIDR'],
  [["--service-cidr", "10.96.0.0/16,10.97.0.0/16"], "--service-cidr: a cluster has one range of each family"],
  [["--assume-lb=x"], '--assume-lb: "x" is no CIDR'],
  [["--nodes", "0"], '--nodes: "0" is no number of nodes'],
  [["--nodes", "251"], '--nodes: "251" is no number of nodes'],
  [["--zones", "a,,b"], '--zones: "a,,b" is no list of zones'],
  [["--no-assume", "--nodes", "2"], "--no-assume leaves --nodes without a meaning"],
];
for (const [args, message] of wrong) {
  test(`wrong usage: ${args.join(" ")}`, async () => {
    const { code, stderr } = await render(["-f", "-", ...args], both);
    assert.is(code, 64);
    assert.match(stderr, message);
  });
}

test("options: ranges, nodes and zones", async () => {
  const args = [
    "-f",
    "-",
    "--service-cidr",
    "172.20.0.0/24",
    "--assume-lb=203.0.113.0/24",
    "--nodes",
    "1",
    "--zones",
    "east",
  ];
  const { stdout } = await render([...args, "--describe"], both);
  const { node, servicePorts } = JSON.parse(stdout) as Description;
  assert.is(node.zone, "east");
  const [port] = servicePorts;
  assert.match(port?.entryPoints.find(({ kind }) => kind === "ClusterIP")?.address ?? "", /^172\.20\.0\./);
  assert.match(port?.entryPoints.find(({ kind }) => kind === "LoadBalancerIP")?.address ?? "", /^203\.0\.113\./);
  assert.equal(
    port?.endpoints.map(({ local, zone }) => [local, zone]),
    [
      [true, "east"],
      [true, "east"],
    ],
  );
});

test("a configuration's clusterCIDR is where pods get their addresses", async ({ file }) => {
  const kind = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
  const config = file("config.conf", `${kind}clusterCIDR: 10.32.0.0/16\n`);
  const { stdout } = await render(["-f", "-", "--config", config, "--describe", "--family", "ipv4"], both);
  const { servicePorts } = JSON.parse(stdout) as Description;
  for (const { address } of servicePorts[0]?.endpoints ?? []) assert.match(address, /^10\.32\./);
});

test("what Helm rendered leads to its templates: messages and --blame", async () => {
  const rendered = `---\n# Source: shop/templates/web.yaml\n${service.replace("targetPort: http", "targetPort: htpp")}---\n# Source: shop/templates/deployment.yaml\n${deployment}`;
  const { stdout, stderr } = await render(["-f", "-", "--blame"], rendered);
  const place = "shop/templates/web.yaml (stdin:10:28): warning: Service shop/web: spec.ports[0].targetPort: ";
  assert.match(stderr, `${place}no container of Deployment shop/web has a port named htpp/TCP`);
  assert.match(stdout, "# Service shop/web spec.clusterIPs[0] (stdin:6, shop/templates/web.yaml), assumed");
});

test("charts, kustomizations, definitions and custom resources: told apart, with what to do", async ({
  root,
  file,
}) => {
  file("web.yaml", both);
  file("chart/templates/db.yaml", "kind: Service\nmetadata:\n  name: {{ .Release.Name }}\n");
  file("kustomization.yaml", "resources: [web.yaml]\n");
  file("crd.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n");
  file("rollout.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: x}\n");
  file("role.yaml", "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: x}\n");
  const { code, stderr } = await render(["-f", root]);
  assert.is(code, 0, stderr);
  assert.match(stderr, "warning: 1 Helm template not rendered");
  assert.match(stderr, `\`helm template ${join(root, "chart")} | sluice render -f -\``);
  assert.match(stderr, "warning: 1 kustomization not built");
  const counts =
    "1 of Kubernetes' own, 1 CustomResourceDefinition, 1 custom resource, whose controllers may make Services and pods unknown here";
  assert.match(stderr, `sluice: skipped 3 objects of other kinds: ${counts} (-v lists them)\n`);
});

test.run();
