// sluice trace with the objects' help and as a survey: pods as sources, whose rule a step is, who reaches what, what is stopped.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadEngine } from "../../shared/engine-node.ts";
import { complaints } from "../../shared/schemas/complaints.ts";
import surveySchema from "../../shared/schemas/survey-report.json" with { type: "json" };
import traceSchema from "../../shared/schemas/trace-report.json" with { type: "json" };
import { runCli } from "../testing/run-cli.ts";

const test = suite("trace: with objects, and surveys");
const engine = await loadEngine();
const directory = mkdtempSync(join(tmpdir(), "sluice-trace-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));
const run = (...args: string[]) => runCli(args, { engine });

const objects = join(directory, "shop.yaml");
writeFileSync(
  objects,
  `apiVersion: v1
kind: Node
metadata: {name: node-a}
spec: {podCIDR: 10.244.1.0/24}
status: {addresses: [{type: InternalIP, address: 192.168.10.1}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec:
  clusterIP: 10.96.0.7
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
  - {addresses: [10.244.1.5], nodeName: node-a, targetRef: {kind: Pod, namespace: shop, name: web-0}}
  - {addresses: [10.244.2.6], nodeName: node-b, targetRef: {kind: Pod, namespace: shop, name: web-1}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: client}
status: {podIPs: [{ip: 10.244.1.77}]}
`,
);

const rules = new Map<string, string>();
async function rulesIn(mode: string): Promise<string> {
  const path = join(directory, `${mode}.rules`);
  if (!rules.has(mode)) {
    writeFileSync(path, (await run("render", "-f", objects, "--mode", mode, "--family", "ipv4")).stdout);
    rules.set(mode, path);
  }
  return path;
}

test("a pod as the source: by an EndpointSlice, or by itself", async () => {
  const of = async (from: string) => run("trace", "-f", objects, "--to", "svc/shop/web", "--from", from);
  assert.match((await of("pod:shop/web-0")).stdout, /^tcp from 10\.244\.1\.5 to 10\.96\.0\.7:80 /);
  assert.match((await of("pod:shop/client")).stdout, /^tcp from 10\.244\.1\.77 to 10\.96\.0\.7:80 /);
  const { code, stderr } = await of("pod:shop/nobody");
  assert.is(code, 64);
  assert.match(stderr, "pod:shop/nobody: no object has its address");
  const alone = await run(
    "trace",
    "--rules",
    await rulesIn("flat"),
    "--to",
    "10.96.0.7:80",
    "--from",
    "pod:shop/web-0",
  );
  assert.is(alone.code, 64);
  assert.match(alone.stderr, "rules name no pods");
});

for (const mode of ["iptables", "nftables", "flat"]) {
  test(`${mode}: beside a node's own rules, steps say which object made them, and where it stands`, async () => {
    const args = ["trace", "--rules", await rulesIn(mode), "-f", objects, "--mode", mode, "--to", "svc/shop/web"];
    const { stdout } = await run(...args);
    assert.match(
      stdout,
      /^ {6}by Service shop\/web spec\.(?:clusterIPs\[0\] \(.*shop\.yaml:11\)|ports\[0\] \(.*shop\.yaml:12\))$/m,
    );
    assert.match(stdout, `      by EndpointSlice shop/web-1 endpoints[1] (${objects}:21)`);
    const report = JSON.parse((await run(...args, "--report", "json")).stdout);
    assert.equal(complaints(traceSchema, report), []);
    // Without objects nobody knows.
    assert.not.match((await run("trace", "--rules", await rulesIn(mode), "--to", "10.96.0.7:80")).stdout, "      by ");
  });
}

test("which sources reach which endpoints", async () => {
  const args = ["trace", "-f", objects, "--to", "svc/shop/web", "--from", "any", "--mode", "flat"];
  const { code, stdout } = await run(...args);
  assert.is(code, 0);
  assert.match(stdout, /^tcp to 10\.96\.0\.7:80, from every source: 2 endpoints\n/);
  assert.match(stdout, "  tcp to 10.96.0.7 port 80 (shop/web:http) from 10.244.1.5\n");
  const report = JSON.parse((await run(...args, "--report", "json")).stdout);
  assert.equal(complaints(surveySchema, report), []);
  assert.equal([report.format_version, report.about, report.complete, report.more], [1, "everything", true, 0]);
});

test("what leads to an endpoint, by its address or its pod", async () => {
  for (const endpoint of ["10.244.1.5:8080", "10.244.1.5", "pod:shop/web-0", "pod:shop/web-0:8080"]) {
    const { stdout } = await run("trace", "-f", objects, "--reaches", endpoint, "--mode", "nftables");
    assert.match(stdout, /^10\.244\.1\.5(?::8080)? is reached by way of 1 entry point\n/);
    assert.match(stdout, "tcp to 10.96.0.7 port 80 (shop/web:http) from ");
  }
  const { stdout } = await run("trace", "-f", objects, "--reaches", "10.244.1.5:81");
  assert.match(stdout, /^10\.244\.1\.5:81 is reached by nobody\n/);
});

test("what is stopped, and by which rule", async () => {
  const { stdout } = await run("trace", "--rules", await rulesIn("nftables"), "--stopped");
  assert.match(stdout, /^new connections, dropped or rejected: \d+ destinations\n/);
  assert.match(
    stdout,
    /tcp to 10\.96\.0\.7 ports 0-79 from .* and the node\n {4}is rejected .*\n {6}.*nftables\.rules:\d+: /,
  );
});

test("questions that are none", async () => {
  const path = await rulesIn("flat");
  for (const args of [
    ["--reaches", "10.244.1.5", "--to", "10.96.0.7:80"],
    ["--reaches", "here"],
    ["--stopped", "--from", "10.0.0.1"],
    ["--reaches", "pod:shop/web-0"],
    ["--to", "10.96.0.7:80", "--from", "pod:web-0"],
  ]) {
    assert.is((await run("trace", "--rules", path, ...args)).code, 64, args.join(" "));
  }
});

test("more is stopped than is told: the answer counts what is told and says so", async () => {
  const path = join(directory, "many.nft");
  const ports = Array.from({ length: 1100 }, (_, i) => 2 * i + 1).join(", ");
  writeFileSync(
    path,
    `table ip x {\n\tchain f {\n\t\ttype filter hook forward priority 0;\n\t\ttcp dport { ${ports} } drop\n\t}\n}\n`,
  );
  const { stdout } = await run("trace", "--rules", path, "--stopped");
  assert.match(stdout, /^new connections, dropped or rejected: at least \d+ destinations\n/);
});

test.run();
