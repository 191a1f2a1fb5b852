import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { engineModule as engine } from "../../../fixtures/support/engine.ts";
import { gates } from "../../shared/diff/changes.ts";
import { complaints } from "../../shared/schemas/complaints.ts";
import schema from "../../shared/schemas/diff-report.json" with { type: "json" };
import { runCli } from "../testing/run-cli.ts";
import { diffFormats } from "./diff-reports.ts";

const test = suite("sluice diff");
const directory = mkdtempSync(join(tmpdir(), "sluice-diff-"));
test.after(() => rmSync(directory, { recursive: true }));

const path = (name: string) => join(directory, name);
const file = (name: string, text: string) => writeFileSync(path(name), text);
const service = (name: string, spec: string, more = "") =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop${more}}\nspec: {${spec}}\n---\n`;
const slice = (name: string, node: string) =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${name}-1, namespace: shop, labels: {kubernetes.io/service-name: ${name}}, resourceVersion: "1"}\n` +
  `addressType: IPv4\nports: [{name: "", port: 8080, protocol: TCP}]\nendpoints: [{addresses: [10.244.0.5], nodeName: ${node}, conditions: {ready: true}}]\n---\n`;
const node = `apiVersion: v1\nkind: Node\nmetadata: {name: a, resourceVersion: "1"}\n---\n`;
const seen = ", uid: u, resourceVersion: '1'";
const ports = "ports: [{port: 80, protocol: TCP}]";
const ip = (last: number) => `clusterIP: 10.96.0.${last}, clusterIPs: [10.96.0.${last}]`;
const nodePort = (policy: string) =>
  `${ip(2)}, type: NodePort, externalTrafficPolicy: ${policy}, ports: [{port: 80, protocol: TCP, nodePort: 30080}]`;

const webService = service("web", `${ip(1)}, ${ports}`, seen);
file("base.yaml", node + webService + slice("web", "a") + service("np", nodePort("Cluster"), seen) + slice("np", "a"));
const base = readFileSync(path("base.yaml"), "utf8");
file("same.yaml", base.split("---\n").reverse().join("---\n"));
file("nothing-ready.yaml", base.replaceAll("ready: true", "ready: false"));
file("gone.yaml", base.replace(webService, ""));
file("open.yaml", base.replace(`${ip(1)},`, `${ip(1)}, externalIPs: [203.0.113.7],`));
file("local.yaml", base.replace("Cluster, ports", "Local, ports"));
file("conflict.yaml", base + service("zzz", `${ip(1)}, ${ports}`, seen));
file("torn.yaml", `${base}{`);
file("refused.yaml", base + service("bad", "type: NodePort, ports: [{port: 99999}]"));
file(
  "affinity.yaml",
  base.replace(ports, `${ports}, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}`),
);

/** HEAD, and the gates that it violates. */
const table: Record<string, readonly string[]> = {
  same: [],
  "nothing-ready": ["lost-endpoints", "unreachable", "any"],
  gone: ["unreachable", "any"],
  open: ["new-exposure", "any"],
  local: ["source-ip", "any"],
  conflict: ["conflict", "problems", "any"],
  affinity: ["any"],
};

const run = (...args: string[]) => runCli(["diff", ...args], { engine });
/** Each format to a file, so that all can be asked for at once, and text to stdout. */
const allFormats = diffFormats.flatMap((format) => ["--report", `${format}=${path(`report.${format}`)}`]);

for (const [head, violated] of Object.entries(table)) {
  test(`${head}: each gate gives 3 where it is violated, else 0, whatever the format`, async () => {
    const names = [path("base.yaml"), path(`${head}.yaml`)];
    for (const gate of gates) {
      const wanted = violated.includes(gate) ? 3 : 0;
      const { code, stderr } = await run(...names, "--fail-on", gate, ...allFormats);
      assert.is(code, wanted, `--fail-on ${gate}\n${stderr}`);
    }
    const report = JSON.parse(readFileSync(path("report.json"), "utf8"));
    assert.equal(report.gates, violated);
    assert.equal(complaints(schema, report), []);
    assert.is((await run(...names, "--exit-code")).code, violated.includes("any") ? 2 : 0);
    assert.is((await run(...names)).code, 0);
  });
}

for (const format of diffFormats) {
  test(`${format} alone: the same codes`, async () => {
    const [base, same, open] = ["base.yaml", "same.yaml", "open.yaml"].map(path) as [string, string, string];
    const asked = ["--report", format, "--exit-code"];
    assert.is((await run(base, same, ...asked, "--fail-on", "any")).code, 0);
    assert.is((await run(base, open, ...asked)).code, 2);
    assert.is((await run(base, open, ...asked, "--fail-on", "any")).code, 3);
    assert.is((await run(base, open, "--report", format)).code, 0);
  });
}

test("bad input is 1 in every format, before gates and differences, and the report is written", async () => {
  for (const head of ["torn", "refused", "nowhere"]) {
    for (const format of diffFormats) {
      const { code, stdout } = await run(
        path("base.yaml"),
        path(`${head}.yaml`),
        "--report",
        format,
        "--fail-on",
        "any",
        "--exit-code",
      );
      assert.is(code, 1, `${head} ${format}`);
      assert.is.not(stdout, "", `${head} ${format}`);
    }
  }
  const { code } = await run(path("base.yaml"), path("refused.yaml"), "--keep-going", "--fail-on", "problems");
  assert.is(code, 3);
});

test("wrong usage is 64, and says what to write", async () => {
  const wrong: [args: string[], said: RegExp][] = [
    [[], /two things are compared/],
    [["a"], /two things are compared/],
    [["a", "b", "c"], /what is "c" for/],
    [["a", "b", "--head", "x"], /--head goes with --base/],
    [["--base", ""], /the name of a commit is empty/],
    [["--base", "main", "-"], /no standard input/],
    [["-", "-"], /standard input can be read only once/],
    [["a", ""], /a name is empty/],
    [["a", "b", "--fail-on", "everything"], /"everything" is no gate[\s\S]*lost-endpoints, unreachable/],
    [["a", "b", "--report", "xml"], /"xml" is no format/],
    [["a", "b", "--report", "json", "--report", "text"], /two reports can't go to stdout/],
    [["a", "b", "--reprot", "json"], /Unknown option '--reprot'/],
    [["a", "b", "--mode", "ipvs"], /--mode/],
    [["a", "b", "-f", "c"], /Unknown option '-f'/],
  ];
  for (const [args, said] of wrong) {
    const { code, stdout, stderr } = await run(...args);
    assert.is(code, 64, args.join(" "));
    assert.match(stderr, said);
    assert.is(stdout, "");
  }
});

test("gates may stand in one value or in several", async () => {
  const names = [path("base.yaml"), path("open.yaml")];
  assert.is((await run(...names, "--fail-on", "conflict,new-exposure")).code, 3);
  assert.is((await run(...names, "--fail-on", "conflict", "--fail-on", "source-ip")).code, 0);
});

test("one side may be standard input", async () => {
  const { code, stdout } = await runCli(["diff", "-", path("open.yaml")], { engine, stdin: base });
  assert.is(code, 0);
  assert.match(stdout, /^stdin → /);
});

test.run();
