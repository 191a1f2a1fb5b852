import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fakeEngine, problem } from "../../shared/testing/fake-engine.ts";
import { runCli } from "../testing/run-cli.ts";

const render = suite<{ root: string; file: (name: string, text: string) => string }>("render");

render.before.each((context) => {
  const root = mkdtempSync(join(tmpdir(), "sluice-render-"));
  context.root = root;
  context.file = (name, text) => {
    const path = join(root, name);
    writeFileSync(path, text);
    return path;
  };
});
render.after.each(({ root }) => rmSync(root, { recursive: true, force: true }));

// As a server has it: nothing is filled in or assumed.
const service = (name: string) =>
  `kind: Service\nmetadata: {uid: "1",\n  namespace: shop,\n  name: ${name}}\nspec:\n  ports:\n  - port: 80\n`;
const node = (name: string) => `kind: Node\nmetadata: {name: ${name}}\n`;
const rulesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n");

render("flat: both families in one script; stdout has nothing but rules", async ({ file }) => {
  const path = file("web.yaml", `${service("web")}---\n${node("node-a")}`);
  const { code, stdout, stderr } = await runCli(["render", "-f", path, "--mode", "flat"]);
  assert.is(code, 0);
  assert.is(stderr, "");
  assert.is(rulesOf(stdout), "ipv4\nrule shop/web\nipv6\nrule shop/web\n");
  assert.match(stdout, /^# Kubernetes Service rules for node node-a: flat, IPv4 and IPv6\n/);
  assert.match(stdout, /^# Load, also over an older one: nft -f THIS-FILE$/m);
  const one = await runCli(["render", "-f", path, "--mode", "flat", "--family", "ipv6"]);
  assert.is(rulesOf(one.stdout), "ipv6\nrule shop/web\n");
});

render("nftables: both families in one script, as kube-proxy has them", async ({ file }) => {
  const path = file("web.yaml", `${service("web")}---\n${node("node-a")}`);
  const { code, stdout } = await runCli(["render", "-f", path, "--mode", "nftables"]);
  assert.is(code, 0);
  assert.is(rulesOf(stdout), "ipv4\nrule shop/web\nipv6\nrule shop/web\n");
  assert.match(stdout, /^# Written by sluice \S+, as kube-proxy 1\.37 has them after its first sync$/m);
});

render("iptables: the primary family, or two files in a directory", async ({ root, file }) => {
  const path = file("web.yaml", `${service("web")}---\n${node("node-a")}`);
  const primary = await runCli(["render", "-f", path, "--mode", "iptables"]);
  assert.is(rulesOf(primary.stdout), "ipv4\nrule shop/web\n");
  const output = join(root, "new", "rules/");
  const all = await runCli(["render", "-f", path, "--mode", "iptables", "--family", "all", "-o", output]);
  assert.equal([all.code, all.stdout, all.stderr], [0, "", ""]);
  assert.equal(readdirSync(output).sort(), ["ip6tables.rules", "iptables.rules"]);
  assert.is(rulesOf(readFileSync(join(output, "ip6tables.rules"), "utf8")), "ipv6\nrule shop/web\n");
  assert.match(readFileSync(join(output, "ip6tables.rules"), "utf8"), "ip6tables-restore");
});

render("-o FILE writes a whole file or none; -o DIR writes rules.nft", async ({ root, file }) => {
  const path = file("web.yaml", service("web"));
  const target = join(root, "out.nft");
  assert.is((await runCli(["render", "-f", path, "-o", target])).code, 0);
  assert.match(readFileSync(target, "utf8"), "rule shop/web");
  assert.is((await runCli(["render", "-f", path, "-o", root])).code, 0);
  assert.match(readFileSync(join(root, "rules.nft"), "utf8"), "rule shop/web");
  const missing = await runCli(["render", "-f", path, "-o", join(root, "no", "where.nft")]);
  assert.is(missing.code, 1);
  assert.match(missing.stderr, /where\.nft: error: .*\[unwritable-file\]/);
  assert.not(existsSync(join(root, "no")));
  assert.equal(
    readdirSync(root).filter((name) => name.startsWith(".")),
    [],
    "nothing is left over",
  );
});

render("--describe prints JSON, of one family if asked", async ({ file }) => {
  const path = file("web.yaml", service("web"));
  const both = JSON.parse((await runCli(["render", "-f", path, "--describe"])).stdout);
  const familiesOf = ({ servicePorts }: { servicePorts: { family: string }[] }) =>
    servicePorts.map(({ family }) => family);
  assert.equal(familiesOf(both), ["IPv4", "IPv6"]);
  const one = JSON.parse((await runCli(["render", "-f", path, "--describe", "--family", "ipv6"])).stdout);
  assert.equal(familiesOf(one), ["IPv6"]);
});

render("--blame names object, field, file and line before each rule", async ({ root, file }) => {
  file("a.yaml", `# first\n${service("web")}`);
  file("b.json", '\n{"kind":"Service","metadata":{"name":"api","namespace":"shop"},\n"spec":{"ports":[\n{"port":1}]}}');
  const { stdout } = await runCli(["render", "-f", root, "--blame", "--family", "ipv4"]);
  const lines = stdout.split("\n").slice(stdout.split("\n").indexOf("ipv4"));
  assert.equal(lines, [
    "ipv4",
    `# Service shop/web spec.ports[0] (${root}/a.yaml:8)`,
    "rule shop/web",
    `# Service shop/api spec.ports[0] (${root}/b.json:4)`,
    "rule shop/api",
    "",
  ]);
});

render("file names cannot smuggle lines into the rules", async ({ file }) => {
  const path = file("x\nflush ruleset\n\u001b[31m.yaml", service("web"));
  const { stdout } = await runCli(["render", "-f", path, "--blame"]);
  assert.not.match(stdout, /^flush/m);
  assert.match(stdout, "x\\x0aflush ruleset\\x0a\\x1b[31m.yaml:7)");
  const long = await runCli([
    "render",
    "-f",
    file(`${"y".repeat(240)}.yaml`, service(`"${"z".repeat(20_000)}"`)),
    "--blame",
  ]);
  const comments = long.stdout.split("\n").filter((line) => line.startsWith("#"));
  for (const line of comments) assert.ok(line.length < 2500, "iptables-restore takes lines of 10,240 bytes");
});

render("which node: the only one, --node, the configuration; several are a question", async ({ file }) => {
  const { module, log } = fakeEngine();
  const one = file("one.yaml", node("node-a"));
  const two = file("two.yaml", node("node-b"));
  const config = file(
    "c.conf",
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nhostnameOverride: NODE-B\n",
  );
  const ask = async (...args: string[]) => {
    const outcome = await runCli(["render", ...args], { engine: module });
    return { ...outcome, node: log.configured.at(-1)?.nodeName };
  };
  assert.is((await ask("-f", one)).node, "node-a");
  assert.is((await ask("-f", one, "-f", two, "--config", config)).node, "node-b");
  assert.is((await ask("-f", one, "-f", two, "--config", config, "--node", "Node-A")).node, "node-a");
  const several = await ask("-f", one, "-f", two);
  assert.is(several.code, 64);
  assert.is(several.stdout, "");
  assert.match(several.stderr, "node-a, node-b");
  assert.match(several.stderr, "--node");
  const unknown = await ask("-f", one, "--node", "node-z");
  assert.is(unknown.code, 0);
  assert.match(unknown.stderr, /warning: none of the Nodes is node-z/);
});

render("without a Node one without addresses is assumed, and stderr says so", async ({ file }) => {
  const path = file("web.yaml", service("web"));
  const { code, stderr, stdout } = await runCli(["render", "-f", path]);
  assert.is(code, 0);
  assert.match(stderr, /note: no Node object was given/);
  assert.match(stdout, "# Kubernetes Service rules for a node without a name");
  assert.match((await runCli(["render", "-f", path, "--node", "x"])).stderr, /node x is assumed/);
});

render("the mode: option, configuration, flat", async ({ file }) => {
  const { module, log } = fakeEngine();
  const path = file("web.yaml", service("web"));
  const config = file(
    "c",
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: iptables\niptables: {masqueradeBit: 9}\n",
  );
  const unsaid = file(
    "d",
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ""\niptables: {masqueradeBit: 9}\nnftables: {masqueradeBit: 7}\n',
  );
  const mode = async (...args: string[]) => {
    await runCli(["render", "-f", path, ...args], { engine: module });
    return [log.configured.at(-1)?.mode, log.configured.at(-1)?.masqueradeBit];
  };
  assert.equal(await mode(), ["flat", 14]);
  assert.equal(await mode("--config", unsaid), ["flat", 7]);
  assert.equal(await mode("--config", config), ["iptables", 9]);
  assert.equal(await mode("--config", config, "--mode", "nftables"), ["nftables", 14]);
  assert.equal(await mode("--config", config, "--mode", "flat"), ["flat", 14]);
});

render("a bad configuration stops before anything is written", async ({ file, root }) => {
  const path = file("web.yaml", service("web"));
  const config = file("c", "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n");
  const ipvs = await runCli(["render", "-f", path, "--config", config]);
  assert.equal([ipvs.code, ipvs.stdout], [1, ""]);
  assert.match(ipvs.stderr, `${config}:3:7: error: mode: `);
  assert.match(ipvs.stderr, "write flat or nftables");
  const missing = await runCli(["render", "-f", path, "--config", join(root, "none")]);
  assert.equal([missing.code, missing.stdout], [1, ""]);
});

render("options that the engine refuses point into the configuration", async ({ file }) => {
  const path = file("web.yaml", service("web"));
  const config = file(
    "c",
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nclusterCIDR: 10.0.0.0/8\n",
  );
  const { module } = fakeEngine({ configure: () => [problem({ field: "clusterCIDR", message: "no CIDR" })] });
  const { code, stdout, stderr } = await runCli(["render", "-f", path, "--config", config], { engine: module });
  assert.equal([code, stdout], [1, ""]);
  assert.match(stderr, `${config}:3:14: error: clusterCIDR: no CIDR`);
});

const header = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

render(
  "all that is wrong with a configuration is said at once, and what has no meaning is a warning",
  async ({ file }) => {
    const config = file("c", `${header}modes: x\nclusterCIDR: x\nnodePortAddresses: [5]\n`);
    const { code, stderr } = await runCli(["render", "-f", file("web.yaml", service("web")), "--config", config]);
    assert.is(code, 1);
    const places = [...stderr.matchAll(/^\S+:(\d+):\d+: (\w+: \S+):/gm)].map(([, line, field]) => `${line} ${field}`);
    assert.equal(places, ["3 warning: modes", "5 error: nodePortAddresses[0]", "4 error: clusterCIDR"]);
  },
);

render("what kube-proxy only warns of in a configuration is an error with --strict", async ({ file, root }) => {
  const text = "mode: iptables\nudpIdleTimeout: 250ms\nmode: nftables\niptables: {masqueradeBit: 41}\n";
  const config = file("c", `${header}${text}featureGates: {AllowServiceExternalIP: false}\nipvs:\nstrictARP: true\n`);
  const args = ["render", "-f", file("web.yaml", service("web")), "--config", config];
  const found = (stderr: string) =>
    [...stderr.matchAll(/^\S+:(\d+):\d+: (\w+): .* \[(\S+)\]/gm)].map((m) => m.slice(1));
  const wanted: [line: string, code: string][] = [
    ["5", "yaml-duplicate-key"],
    ["4", "former-field"],
    ["9", "unknown-field"],
    ["6", "unused-value"],
    ["7", "unknown-feature-gate"],
  ];
  const lenient = await runCli(args);
  assert.is(lenient.code, 0);
  assert.equal(
    found(lenient.stderr),
    wanted.map(([line, code]) => [line, "warning", code]),
  );
  const strict = await runCli([...args, "--strict", "-o", join(root, "rules.nft")]);
  assert.equal([strict.code, existsSync(join(root, "rules.nft"))], [1, false]);
  assert.equal(
    found(strict.stderr),
    wanted.map(([line, code]) => [line, "error", code]),
  );
});

render("errors in one object: the rest is rendered, and the exit code says so", async ({ file }) => {
  const path = file("web.yaml", `${service("web")}---\n${service("api").replace("80", "70000")}`);
  const { module } = fakeEngine({
    apply(text, result) {
      const offset = text.indexOf("70000");
      const about = { kind: "Service", namespace: "shop", name: "api", field: "spec.ports[0].port", offset };
      result.problems.push(
        problem({ ...about, code: "port-range", message: "70000 is no port", hint: "use 1 to 65535" }),
      );
    },
  });
  const args = ["render", "-f", path];
  const { code, stdout, stderr } = await runCli(args, { engine: module });
  assert.is(code, 1);
  assert.match(stdout, "rule shop/web");
  const expected = `${path}:15:11: error: Service shop/api: spec.ports[0].port: 70000 is no port [port-range]\n  use 1 to 65535\n`;
  assert.match(stderr, expected);
  assert.is((await runCli([...args, "--keep-going"], { engine: module })).code, 0);
});

render("warnings and conflicts don't change the exit code", async ({ file }) => {
  const path = file("web.yaml", `${service("web")}---\n${node("node-a")}`);
  const about = { kind: "Service", namespace: "shop", name: "web", field: "spec.ports[0].port" };
  const { module } = fakeEngine({ problems: [problem({ ...about, severity: "warning", message: "taken" })] });
  const { code, stderr } = await runCli(["render", "-f", path], { engine: module });
  assert.is(code, 0);
  assert.is(stderr, `${path}:7:5: warning: Service shop/web: spec.ports[0].port: taken [test]\n`);
});

render("bad files are reported with their place, and the good ones rendered", async ({ root, file }) => {
  file("a.yaml", service("web"));
  file("b.yaml", "kind: A\n\tb: 1\n");
  file("c.yaml", "");
  file("d.yaml", "\u0000\u0001");
  mkdirSync(join(root, "e.yaml"));
  const { code, stdout, stderr } = await runCli(["render", "-f", root, "-f", join(root, "none.yaml")]);
  assert.is(code, 1);
  assert.match(stdout, "rule shop/web");
  for (const expected of [
    "b.yaml:2:1: error: ",
    "c.yaml: error: the file is empty",
    "d.yaml:1:1: error: character U+0000",
    "none.yaml: error: there is no such file",
  ]) {
    assert.match(stderr, expected);
  }
});

render("if nothing could be read, nothing is written", async ({ root }) => {
  const target = join(root, "rules.nft");
  const { code, stdout, stderr } = await runCli([
    "render",
    "-f",
    join(root, "typo.yaml"),
    "-o",
    target,
    "--keep-going",
  ]);
  assert.equal([code, stdout, existsSync(target)], [1, "", false]);
  assert.match(stderr, "nothing is written");
});

render("other kinds are counted, and listed with -v", async ({ file }) => {
  const path = file(
    "all.yaml",
    `${service("web")}---\n${node("node-a")}---\nkind: ConfigMap\n---\nkind: ConfigMap\n---\nkind: Secret\n`,
  );
  const brief = await runCli(["render", "-f", path]);
  assert.is(brief.code, 0);
  assert.is(brief.stderr, "sluice: skipped 3 objects of other kinds (-v lists them)\n");
  const verbose = await runCli(["render", "-f", path, "-v"]);
  assert.match(verbose.stderr, "read 1 Service, 0 EndpointSlices, 1 Node, 0 ServiceCIDRs");
  assert.match(verbose.stderr, `${path}: 2 ConfigMap, 1 Secret\n`);
});

render("an API server's error instead of objects is an error", async () => {
  const { module } = fakeEngine({
    apply(_text, result) {
      result.status = { code: 403, reason: "Forbidden", message: "no\nway", retryAfterSeconds: 0 };
    },
  });
  const { code, stderr } = await runCli(["render", "-f", "-"], { engine: module, stdin: '{"kind":"Status"}' });
  assert.is(code, 1);
  assert.match(stderr, "stdin: error: ");
  assert.match(stderr, "403 Forbidden: no\\x0away");
});

render("a page of a list asks for the others", async () => {
  const { module } = fakeEngine({
    apply(text, result) {
      result.continueToken = text.includes("more") ? "token" : "";
    },
  });
  const { code, stderr } = await runCli(["render", "-f", "-"], { engine: module, stdin: '{"kind":"more"}' });
  assert.is(code, 0);
  assert.match(stderr, "warning: this is one page of a list");
});

render(
  "an object that the engine cannot stand is left out and named; the others of its file are rendered",
  async ({ root, file }) => {
    file("a.yaml", service("web"));
    file("b.yaml", `${service("before")}---\n${service("bomb")}---\n${service("behind")}`);
    file("c.yaml", service("api"));
    const { module } = fakeEngine({
      apply(text) {
        if (text.includes("bomb")) throw new WebAssembly.RuntimeError("unreachable");
      },
    });
    const { code, stdout, stderr } = await runCli(["render", "-f", root], { engine: module });
    assert.is(code, 1);
    assert.match(stdout, "rule shop/web\nrule shop/before\nrule shop/behind\nrule shop/api\n");
    assert.match(stderr, "a fresh engine was started");
    const line = service("before").split("\n").length + 1;
    assert.match(stderr, `${root}/b.yaml:${line}:1: error: Service shop/bomb: the engine cannot stand this object`);
  },
);

render("a trap while rendering is repeated on a fresh engine with the same input", async ({ file }) => {
  let traps = 1;
  const { module, log } = fakeEngine({
    render() {
      if (traps-- > 0) throw new RangeError("Maximum call stack size exceeded");
    },
  });
  const path = file("web.yaml", `${service("web")}---\n${node("node-a")}`);
  const { code, stdout, stderr } = await runCli(["render", "-f", path], { engine: module });
  assert.is(code, 0);
  assert.is(rulesOf(stdout), "ipv4\nrule shop/web\nipv6\nrule shop/web\n");
  assert.match(stderr, "warning: the engine stopped in render");
  assert.is(log.configured.length, 2);
  const always = fakeEngine({
    render() {
      throw new RangeError("Maximum call stack size exceeded");
    },
  });
  const failed = await runCli(["render", "-f", path], { engine: always.module });
  assert.equal([failed.code, failed.stdout], [1, ""]);
  assert.match(failed.stderr, "sluice: the engine stopped in render");
});

render("a hundred problems are shown, all with -v", async () => {
  const { module } = fakeEngine({
    apply(_text, result) {
      for (let i = 0; i < 250; i++) result.problems.push(problem({ name: `s${i}` }));
    },
  });
  const world = { engine: module, stdin: '{"kind":"Node","metadata":{"name":"n"}}' };
  const brief = await runCli(["render", "-f", "-"], world);
  assert.is(brief.stderr.match(/error:/g)?.length, 100);
  assert.match(brief.stderr, "150 more errors and warnings; -v shows all");
  assert.is((await runCli(["render", "-f", "-", "-v"], world)).stderr.match(/error:/g)?.length, 250);
});

render("colour on a terminal, unless NO_COLOR is set", async () => {
  const red = "\u001b[31m";
  const outcome = async (terminal: boolean, env: Record<string, string>) =>
    (await runCli(["render", "-f", "/nonexistent.yaml"], { terminal, env })).stderr.includes(red);
  assert.is(await outcome(true, {}), true);
  assert.is(await outcome(true, { NO_COLOR: "1" }), false);
  assert.is(await outcome(true, { NO_COLOR: "" }), true);
  assert.is(await outcome(false, {}), false);
});

render("two runs give the same bytes", async ({ file }) => {
  const path = file("web.yaml", service("web"));
  const args = ["render", "-f", path, "--blame"];
  assert.equal(await runCli(args), await runCli(args));
});

render("node ports on localhost that are off: --kube-version is named where it would help", async ({ file }) => {
  const said = async (gates: string) => {
    const text = `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nnodePortAddresses: [primary, localhost]\n`;
    const config = file("config.yaml", `${text}featureGates: {${gates}}\n`);
    return (await runCli(["render", "-f", file("web.yaml", service("web")), "--config", config, "--mode", "nftables"]))
      .stderr;
  };
  const own = "KubeProxyNFTablesLocalhostNodePorts";
  assert.match(await said(""), `it is on with --kube-version 1.38 or newer, or by featureGates.${own}: true`);
  for (const off of [`${own}: false`, "AllBeta: false"])
    assert.match(await said(off), `it is on by featureGates.${own}: true`);
});

render.run();
