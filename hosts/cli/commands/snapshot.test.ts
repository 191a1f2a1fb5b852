import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"; // biome-ignore format: one line
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer, type ApiServerOptions } from "../../../fixtures/api-server/api-server.ts";
import { loadShop } from "../../../fixtures/api-server/shop.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { World } from "../../../fixtures/random/world.ts";
import { engineModule } from "../../../fixtures/support/engine.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import { runCli } from "../testing/run-cli.ts";

const test = suite<{ root: string; servers: ApiServer[] }>("snapshot");

const TOKEN = "kubeconfig-token-that-nobody-sees";

test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), "sluice-snapshot-"));
  context.servers = [];
});
test.after.each(async ({ root, servers }) => {
  for (const server of servers) await server.close();
  rmSync(root, { recursive: true, force: true });
});

interface Cluster {
  readonly server: ApiServer;
  readonly kubeconfig: string;
}

async function cluster(
  { root, servers }: { root: string; servers: ApiServer[] },
  options: ApiServerOptions = {},
): Promise<Cluster> {
  const server = await ApiServer.start({ tokens: [TOKEN], ...options });
  servers.push(server);
  const kubeconfig = join(root, "kubeconfig");
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      "current-context": "here",
      contexts: [
        { name: "here", context: { cluster: "here", user: "me" } },
        { name: "elsewhere", context: { cluster: "elsewhere", user: "me" } },
      ],
      clusters: [
        { name: "here", cluster: { server: server.url } },
        { name: "elsewhere", cluster: { server: "http://127.0.0.1:1" } },
      ],
      users: [{ name: "me", user: { token: TOKEN } }],
    }),
  );
  return { server, kubeconfig };
}

interface Document {
  apiVersion: string;
  kind: string;
  snapshot: { formatVersion: number; kubeVersion: string; redacted: boolean; takenAt: string };
  items: KubernetesObject[];
}

const read = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Document;
const kindsIn = ({ items }: Document) => [...new Set(items.map(({ kind }) => kind))];

/** What an API server sends for these lists, each in a file. */
async function liveLists(root: string, { server }: Cluster): Promise<string[]> {
  const paths = ["/api/v1/nodes", "/apis/networking.k8s.io/v1/servicecidrs", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"]; // biome-ignore format: a table
  const files: string[] = [];
  for (const [index, path] of paths.entries()) {
    const answer = await fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const file = join(root, `live-${index}.json`);
    writeFileSync(file, await answer.text());
    files.push("-f", file);
  }
  return files;
}

/** What is rendered of the snapshot is what is rendered of the server's own lists. */
async function checkRules(root: string, live: Cluster, file: string): Promise<void> {
  const lists = await liveLists(root, live);
  for (const mode of ["flat", "nftables", "iptables"]) {
    const rendered = (files: string[]) =>
      runCli(["render", "--node", "node-a", "--mode", mode, ...files], { engine: engineModule });
    const [wanted, got] = [await rendered(lists), await rendered(["-f", file])];
    assert.is(got.stdout, wanted.stdout, mode);
    assert.is(got.code, wanted.code);
    assert.ok(wanted.stdout.length > 2000);
  }
}

test("a file that commands and kubectl read, whose rules are those of the cluster", async (context) => {
  const live = await cluster(context);
  loadShop(live.server);
  const file = join(context.root, "cluster.json");
  const { code, stdout, stderr } = await runCli(["snapshot", "--kubeconfig", live.kubeconfig, "-o", file]);
  assert.equal([code, stdout], [0, ""]);
  assert.match(stderr, /^sluice: \d+ Nodes, 1 ServiceCIDR, \d+ Services, \d+ EndpointSlices from 127\.0\.0\.1:\d+\n$/);
  assert.is(statSync(file).mode & 0o777, 0o600);
  const document = read(file);
  assert.equal([document.apiVersion, document.kind], ["v1", "List"]);
  assert.equal(kindsIn(document), ["Node", "ServiceCIDR", "Service", "EndpointSlice"]);
  const { formatVersion, kubeVersion, redacted, takenAt } = document.snapshot;
  assert.equal([formatVersion, kubeVersion, redacted], [1, "1.37", false]);
  assert.match(takenAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  for (const { metadata } of document.items) {
    assert.ok(metadata.uid, "it counts as what a server has sent");
    assert.is(metadata.managedFields, undefined);
  }
  await checkRules(context.root, live, file);
});

test("random clusters: the rules of the snapshot are those of the server's own lists", async (context) => {
  const seed = seedFromEnvironment();
  for (let run = 0; run < Number(process.env.RUNS ?? "2"); run++) {
    const own = (seed + run * 7919) >>> 0;
    const live = await cluster(context);
    live.server.apply(...new World(new Random(own), 10).list());
    const file = join(context.root, "cluster.json");
    const args = ["snapshot", "--kubeconfig", live.kubeconfig, "-o", file];
    assert.is((await runCli(args)).code, 0, `cluster ${own}`);
    await checkRules(context.root, live, file);
  }
});

const deployment: KubernetesObject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", annotations: { "kubectl.kubernetes.io/last-applied-configuration": "s3cret" } },
  spec: { replicas: 2, template: { spec: { containers: [{ name: "web", env: [{ name: "TOKEN", value: "s3cret" }] }] } } },
}; // biome-ignore format: short

test("--workloads adds them, without what is private in them", async (context) => {
  const live = await cluster(context);
  live.server.apply(deployment);
  const { code, stdout } = await runCli(["snapshot", "--kubeconfig", live.kubeconfig, "--workloads"]);
  assert.is(code, 0);
  assert.not.match(stdout, "s3cret");
  const [item] = (JSON.parse(stdout) as Document).items;
  assert.equal(item?.spec, { replicas: 2, template: { spec: { containers: [{ name: "web" }] } } });
  const without = await runCli(["snapshot", "--kubeconfig", live.kubeconfig]);
  assert.equal((JSON.parse(without.stdout) as Document).items, []);
});

test("--redact leaves no name and no address", async (context) => {
  const live = await cluster(context);
  loadShop(live.server);
  const { code, stdout } = await runCli(["snapshot", "--kubeconfig", live.kubeconfig, "--redact"]);
  assert.is(code, 0);
  const document = JSON.parse(stdout) as Document;
  assert.is(document.snapshot.redacted, true);
  const shop = live.server.objects("Service");
  assert.is(document.items.filter(({ kind }) => kind === "Service").length, shop.length);
  for (const { metadata, spec } of shop) {
    const { clusterIP } = spec as { clusterIP: string };
    for (const text of [`"name":"${metadata.name}"`, `"namespace":"${metadata.namespace}"`, `"${clusterIP}"`]) {
      if (clusterIP !== "None" || !text.includes("None")) assert.not.ok(stdout.includes(text), text);
    }
  }
});

test("a list that can't be had whole is an error; the file that is there stays as it is", async (context) => {
  const live = await cluster(context);
  loadShop(live.server);
  const file = join(context.root, "cluster.json");
  writeFileSync(file, "older");
  const snapshot = (...more: string[]) => runCli(["snapshot", "--kubeconfig", live.kubeconfig, "-o", file, ...more]);
  const cases = [
    [403, /may|list on endpointslices of all namespaces/],
    [401, /log in again/],
    [404, /this server lists no endpointslices of discovery\.k8s\.io\/v1/],
  ] as const;
  for (const [status, hint] of cases) {
    live.server.misbehave({ fault: "status", code: status }, { resource: "endpointslices", times: 9 });
    const { code, stdout, stderr } = await snapshot();
    live.server.behave();
    assert.equal([code, stdout, readFileSync(file, "utf8")], [1, "", "older"]);
    assert.match(stderr, hint);
    assert.match(stderr, new RegExp(`GET /apis/discovery.k8s.io/v1/endpointslices: ${status}.* \\[api-refused\\]`));
    assert.match(stderr, /\nsluice: no snapshot is written\n$/);
    assert.not.match(stderr, TOKEN);
  }
  live.server.misbehave({ fault: "silence", afterBytes: 100 }, { resource: "services", times: 9 });
  const slow = await snapshot("--timeout", "300ms");
  assert.is(slow.code, 1);
  assert.match(slow.stderr, /not all of the cluster could be read within 0\.3 s.*\[timeout\]/);
  live.server.misbehave({ fault: "status", code: 429, retryAfterSeconds: 60 }, { resource: "nodes", times: 9 });
  const busy = await snapshot("--timeout", "2s");
  assert.match(busy.stderr, /within 2 s; what failed last: .*429.*\[timeout\]/);
  live.server.behave();
  const away = await snapshot("--context", "elsewhere", "--timeout", "300ms");
  assert.is(away.code, 1);
  assert.is(readFileSync(file, "utf8"), "older");
  assert.equal(readdirSync(context.root).sort(), ["cluster.json", "kubeconfig"], "nothing is left over");
  assert.is((await snapshot()).code, 0);
  assert.is(read(file).kind, "List");
  assert.is(statSync(file).mode & 0o777, 0o600, "also where another file was");
});

test("an API server without ServiceCIDRs", async (context) => {
  const live = await cluster(context, { absent: ["servicecidrs"] });
  loadShop(live.server);
  const { code, stdout, stderr } = await runCli(["snapshot", "--kubeconfig", live.kubeconfig]);
  assert.is(code, 0);
  assert.equal(kindsIn(JSON.parse(stdout) as Document), ["Node", "Service", "EndpointSlice"]);
  assert.match(stderr, /this API server has no ServiceCIDRs/);
});

test("one that has them, and does not show them, is an error", async (context) => {
  const live = await cluster(context, { allow: ({ resource }) => resource !== "servicecidrs" });
  const { code, stdout, stderr } = await runCli(["snapshot", "--kubeconfig", live.kubeconfig]);
  assert.equal([code, stdout], [1, ""]);
  assert.match(stderr, /list on servicecidrs/);
});

test("which kubeconfig and context count", async (context) => {
  const live = await cluster(context);
  const other = join(context.root, "other");
  writeFileSync(other, "{}");
  const snapshot = (args: string[], env: Record<string, string>) => runCli(["snapshot", ...args], { env });
  assert.is((await snapshot([], { KUBECONFIG: live.kubeconfig })).code, 0);
  assert.is((await snapshot([], { KUBECONFIG: `${context.root}/none:${live.kubeconfig}` })).code, 0, "as kubectl");
  const several = await snapshot([], { KUBECONFIG: `${other}:${live.kubeconfig}` });
  assert.is(several.code, 64);
  assert.match(several.stderr, "kubectl config view --flatten --raw");
  assert.is((await snapshot(["--kubeconfig", live.kubeconfig], { KUBECONFIG: other })).code, 0);
  const unknown = await snapshot(["--kubeconfig", live.kubeconfig, "--context", "nowhere"], {});
  assert.is(unknown.code, 1);
  assert.match(unknown.stderr, /--context: names "nowhere".*there is: here, elsewhere.*\[no-cluster-access\]/);
  assert.is((await snapshot(["--kubeconfig", other], {})).code, 1);
});

/** Stands in for the node's tools. */
function tool(root: string, name: string, script: string): void {
  mkdirSync(join(root, "bin"), { recursive: true });
  const path = join(root, "bin", name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

test("--node-rules adds what the node's tools list, or fails", async (context) => {
  const live = await cluster(context);
  loadShop(live.server);
  const file = join(context.root, "cluster.json");
  const env = { PATH: join(context.root, "bin") };
  const snapshot = () => runCli(["snapshot", "--kubeconfig", live.kubeconfig, "--node-rules", "-o", file], { env });
  tool(context.root, "nft", 'echo "table ip sluice { # $*"; echo "}"');
  tool(context.root, "iptables-save", "echo '*nat'");
  tool(context.root, "ip6tables-save", "echo 'you must be root' >&2; exit 4");
  const failed = await snapshot();
  assert.is(failed.code, 1);
  assert.match(failed.stderr, /`ip6tables-save` ended with 4: you must be root \[node-rules\]\n.*root alone/);
  assert.not.ok(existsSync(file));
  tool(context.root, "ip6tables-save", "true");
  assert.is((await snapshot()).code, 0);
  const rules = read(file).items.find(({ kind }) => kind === "NodeRules");
  assert.is(rules?.metadata.name, hostname().toLowerCase());
  const listings = { nft: "table ip sluice { # list ruleset\n}\n", "iptables-save": "*nat\n", "ip6tables-save": "" };
  assert.equal(rules?.listings, listings);
  const rendered = await runCli(["render", "-f", file, "--node", "node-a"], { engine: engineModule });
  assert.is(rendered.code, 0);
  assert.not.match(rendered.stderr, /skipped/, "it is no object of a kind that nobody knows");
});

test("a snapshot of a form that is not known yet is not read as if it were known", async (context) => {
  const live = await cluster(context);
  loadShop(live.server);
  const { stdout } = await runCli(["snapshot", "--kubeconfig", live.kubeconfig]);
  const render = (stdin: string) => runCli(["render", "-f", "-", "--node", "node-a"], { stdin, engine: engineModule });
  assert.is((await render(stdout)).code, 0);
  const newer = stdout.replace('"formatVersion":1', '"formatVersion":2');
  assert.is.not(newer, stdout);
  const refused = await render(newer);
  assert.equal([refused.code, refused.stdout], [1, ""]);
  assert.match(
    refused.stderr,
    /stdin: error: this snapshot has form 2, and forms up to 1 are known here \[snapshot-form\]/,
  );
});

test("wrong usage", async ({ root }) => {
  for (const [args, message] of [
    [["--redact", "--node-rules"], /--redact can't rename/],
    [["-o", root], /this is a directory/],
    [["-o", ""], /empty name/],
    [["--timeout", "soon"], /a duration is wanted/],
    [["--timeout", "0"], /a duration is wanted/],
    [["cluster.json"], /-o cluster\.json/],
    [["--kubeconfg", "x"], /Unknown option/],
  ] as const) {
    const { code, stdout, stderr } = await runCli(["snapshot", ...args], { env: { KUBECONFIG: join(root, "none") } });
    assert.equal([code, stdout], [64, ""], args.join(" "));
    assert.match(stderr, message);
  }
  const none = await runCli(["snapshot"], { env: { KUBECONFIG: join(root, "none") } });
  assert.is(none.code, 64);
  assert.match(none.stderr, /there is no .*none/);
});

test.run();
