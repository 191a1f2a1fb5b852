// sluice verify and sluice trace on files: verdicts, whose packets differ and by which rule, exit codes.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadEngine } from "../../shared/engine-node.ts";
import { complaints } from "../../shared/schemas/complaints.ts";
import traceSchema from "../../shared/schemas/trace-report.json" with { type: "json" };
import verifySchema from "../../shared/schemas/verify-report.json" with { type: "json" };
import { runCli } from "../testing/run-cli.ts";

const test = suite("verify and trace");
const engine = await loadEngine();
const directory = mkdtempSync(join(tmpdir(), "sluice-verify-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const run = (...args: string[]) => runCli(args, { engine });

const objects = file(
  "objects.yaml",
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
  type: NodePort
  clusterIP: 10.96.0.7
  ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
  - {addresses: [10.244.1.5], nodeName: node-a}
  - {addresses: [10.244.2.6], nodeName: node-b}
`,
);

/** What the objects' rules are, as files of a directory. */
async function rendered(mode: string): Promise<string> {
  const path = join(directory, mode);
  const { code, stderr } = await run(
    "render",
    "-f",
    objects,
    "--mode",
    mode,
    ...(mode === "iptables" ? ["--family", "all"] : []),
    "-o",
    `${path}/`,
  );
  assert.is(code, 0, stderr);
  return path;
}

for (const mode of ["iptables", "nftables", "flat"]) {
  test(`${mode}: what the objects ask is what their rules do; the mode is the rules' own`, async () => {
    const { code, stdout, stderr } = await run("verify", "--rules", await rendered(mode), "-f", objects);
    assert.is(code, 0, stderr);
    assert.match(stdout, /^equal: A and B do the same with every packet \(\d+ classes of packets\)\n/);
    assert.match(stdout, `in ${mode} mode on node node-a`);
    assert.match(stdout, "the node's own addresses are 127.0.0.0/8, ::1, 192.168.10.1");
  });
}

test("the mode is the rules' own in nft's JSON and in nft's listing of iptables' tables", async () => {
  const json = (...objects: object[]) => JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6" } }, ...objects] });
  const table = (name: string) => ({ table: { family: "ip", name, handle: 1 } });
  const services = { chain: { family: "ip", table: "nat", name: "KUBE-SERVICES", handle: 2 } };
  const listings = {
    "flat, json": json(table("sluice")),
    "nftables, json": json(table("kube-proxy")),
    "iptables, json": json(table("nat"), services),
    "iptables, text": "table ip nat {\n\tchain KUBE-SERVICES {\n\t}\n}\n",
  };
  for (const [what, text] of Object.entries(listings)) {
    const { stdout } = await run("verify", "--rules", file("listed", text), "-f", objects);
    assert.match(stdout, `in ${what.split(",")[0]} mode on node node-a`, what);
  }
});

test("what nft's listing of iptables' rules leaves of their states is unknown, not the opposite of what they do", async () => {
  const listing = (name: string, chain: string) =>
    file(
      name,
      `table ip filter {\n\tchain ${chain} {\n\t\ttype filter hook input priority 0; policy accept;\n\t\tip daddr 10.96.0.7 ct status dnat counter packets 0 bytes 0 drop\n\t}\n}\n`,
    );
  const of = async (rules: string) =>
    (await run("trace", "--rules", rules, "--addresses", addresses, "--to", "10.96.0.7:80")).code;
  const addresses = file("here.json", JSON.stringify([{ addr_info: [{ local: "10.96.0.7" }] }]));
  assert.is(await of(listing("iptables-chain.nft", "INPUT")), 3);
  assert.is(await of(listing("own-chain.nft", "input")), 0);
});

test("a changed endpoint: whose it is, for which packets, and by which rule", async () => {
  const text = readFileSync(join(await rendered("flat"), "rules.nft"), "utf8");
  const line = text.split("\n").findIndex((each) => each.includes("backends { 10.96.0.7 . tcp . 80 . 1 :")) + 1;
  const damaged = file(
    "damaged.nft",
    text.replace("10.96.0.7 . tcp . 80 . 1 : 10.244.2.6", "10.96.0.7 . tcp . 80 . 1 : 10.244.2.7"),
  );
  const { code, stdout } = await run("verify", "--rules", damaged, "-f", objects);
  assert.is(code, 2);
  assert.ok(line > 0);
  assert.match(stdout, /^different: A and B do other things with some packets .*, 1 Service concerned\)\n/);
  assert.match(stdout, "\nshop/web:http:\n  tcp to 10.96.0.7 port 80 from ");
  assert.match(stdout, "A: 1/2 goes to 10.244.1.5:8080; 1/2 goes to 10.244.2.7:8080");
  assert.match(stdout, `       ${damaged}:${line}: add element ip sluice backends`);
  assert.match(stdout, "B: 1/2 goes to 10.244.1.5:8080; 1/2 goes to 10.244.2.6:8080");
});

test("a foreign DROP before ours is named, with file and line; JSON has what the text has", async () => {
  const path = await rendered("nftables");
  file(
    "nftables/foreign.nft",
    "table inet blocker {\n\tchain f {\n\t\ttype filter hook forward priority -5; policy accept;\n\t\tip saddr 172.16.0.0/12 drop\n\t}\n}\n",
  );
  const json = join(directory, "report.json");
  const { code, stdout } = await run(
    "verify",
    "--rules",
    path,
    "-f",
    objects,
    "--report",
    "text",
    "--report",
    `json=${json}`,
  );
  rmSync(join(path, "foreign.nft"));
  assert.is(code, 2);
  assert.match(stdout, `${path}/foreign.nft:4: ip saddr 172.16.0.0/12 drop`);
  const report = JSON.parse(readFileSync(json, "utf8"));
  assert.equal(complaints(verifySchema, report), []);
  assert.equal([report.format_version, report.result, report.complete], [1, "different", true]);
  const ofWeb = report.differences.find(
    ({ service, a }: { service: string; a: { ending: string }[] }) =>
      service === "shop/web:http" && a[0]?.ending === "drop",
  );
  assert.is(ofWeb.source, "172.16.0.0-172.31.255.255");
  assert.equal(ofWeb.a[0].at, { file: `${path}/foreign.nft`, line: 4, rule: "ip saddr 172.16.0.0/12 drop" });
});

test("two dumps without objects; nftables and flat differ in how TCP is refused alone", async () => {
  const [nftables, flat] = [await rendered("nftables"), await rendered("flat")];
  assert.is((await run("verify", nftables, nftables)).code, 0);
  const { code, stdout } = await run("verify", nftables, flat, "--report", "json");
  assert.is(code, 2);
  assert.equal(
    JSON.parse(stdout).kinds.map(({ kind }: { kind: string }) => kind),
    ["reject-with"],
  );
});

test("what is not understood is no clean verdict, and neither is a limit", async () => {
  const foreign = file(
    "foreign.txt",
    "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m set --match-set x src -j DROP\nCOMMIT\n",
  );
  const { code, stdout, stderr } = await run("verify", foreign, foreign);
  assert.is(code, 3);
  assert.match(stdout, /^inconclusive: /);
  assert.match(stderr, "1 rule with something that is not understood");
  const verbose = await run("verify", foreign, foreign, "-v");
  assert.match(verbose.stderr, `${foreign}:3:1: warning: filter FORWARD: match "set" is not understood [unknown]`);
  const given = await run("verify", foreign, foreign, "--limit", "1");
  assert.is(given.code, 3);
  const nothing = file(
    "nothing.nft",
    "table ip x {\n\tchain f {\n\t\ttype filter hook forward priority 0;\n\t\tip daddr 10.0.0.1 drop\n\t}\n}\n",
  );
  assert.match((await run("verify", nothing, nothing, "--limit", "2")).stdout, /^gave up: no difference in 2 classes/);
});

test("bad input is 1, wrong usage 64", async () => {
  const broken = file("broken.txt", "*nat\n-A\n");
  const { code, stderr } = await run("verify", broken, broken);
  assert.is(code, 1);
  assert.match(stderr, `${broken}:2:1: error: nat: the line ends before the chain's name [syntax]`);
  assert.is((await run("verify", join(directory, "none"), broken)).code, 1);
  for (const args of [
    [],
    ["one"],
    ["a", "b", "c"],
    ["a", "b", "-f", objects],
    ["-f", objects],
    ["a", "b", "--report", "xml"],
    ["a", "b", "--limit", "x"],
  ]) {
    assert.is((await run("verify", ...args)).code, 64, args.join(" "));
  }
  for (const args of [
    [],
    ["--rules", broken],
    ["--rules", broken, "--to", "web"],
    ["--rules", broken, "--to", "svc/shop/web:80"],
    ["--rules", broken, "--to", "10.0.0.1:80", "--proto", "icmp"],
  ]) {
    assert.is((await run("trace", ...args)).code, 64, args.join(" "));
  }
});

test("trace: the answer first, then why, with the rules' lines; and whether answers come back", async () => {
  const rules = await rendered("iptables");
  const { code, stdout } = await run(
    "trace",
    "--rules",
    `${rules}/iptables.rules`,
    "--to",
    "10.96.0.7:80",
    "--from",
    "10.244.1.5",
  );
  assert.is(code, 0);
  assert.match(stdout, /^tcp from 10\.244\.1\.5 to 10\.96\.0\.7:80 goes to one of 2 endpoints\n/);
  assert.match(stdout, "1. 1/2: goes to 10.244.1.5:8080, masqueraded");
  assert.match(stdout, "2. 1/2: goes to 10.244.2.6:8080 (");
  assert.match(
    stdout,
    /KUBE-SERVICES: destination 10\.96\.0\.7, tcp, port 80: jump KUBE-SVC-\w+\n {6}line \d+: -A KUBE-SERVICES .*"shop\/web:http cluster IP"/,
  );
  assert.match(stdout, "\nThe answers come back.\n");
  // A jump into a chain where nothing happens is no step.
  assert.not.match(stdout, "jump KUBE-FIREWALL");
});

test("reports are as their schemas say", async () => {
  const rules = await rendered("nftables");
  const traced = await run("trace", "--rules", rules, "--to", "10.96.0.7:80", "--report", "json");
  assert.equal(complaints(traceSchema, JSON.parse(traced.stdout)), []);
  assert.is(complaints(traceSchema, { ...JSON.parse(traced.stdout), paths: [{ ending: "gone" }], more: 1 }).length, 4);
});

test("trace by names: a Service, its node port, from the node; with objects alone", async () => {
  const of = async (...args: string[]) => (await run("trace", "-f", objects, ...args)).stdout.split("\n")[0];
  assert.is(await of("--to", "svc/shop/web:http"), "tcp from 198.51.100.9 to 10.96.0.7:80 goes to one of 2 endpoints");
  assert.is(
    await of("--to", "svc/shop/web", "--from", "node"),
    "tcp from the node to 10.96.0.7:80 goes to one of 2 endpoints",
  );
  assert.is(
    await of("--to", "nodeport:30080"),
    "tcp from 198.51.100.9 to 192.168.10.1:30080 goes to one of 2 endpoints",
  );
  assert.is(await of("--to", "10.96.0.7:81"), "tcp from 198.51.100.9 to 10.96.0.7:81 is rejected (tcp-reset)");
  const none = await run("trace", "-f", objects, "--to", "svc/shop/other");
  assert.is(none.code, 64);
  const table = await run("trace", "-f", objects, "--to", "svc/shop/web", "--table", "--report", "text");
  assert.equal(
    table.stdout
      .split("\n")
      .slice(1, 3)
      .map((line) => line.replace(/ \(.*/, "")),
    ["1. 1/2: goes to 10.244.1.5:8080", "2. 1/2: goes to 10.244.2.6:8080"],
  );
});

test("trace: an answer that a foreign rule drops, and an end that nobody knows", async () => {
  const rules = file(
    "replies.txt",
    `*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.5:8080
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -s 10.244.1.5/32 -j DROP
-A FORWARD -p tcp -m tcp --dport 81 -m set --match-set blocked src -j DROP
COMMIT
`,
  );
  const { stdout } = await run("trace", "--rules", rules, "--to", "10.96.0.7:80");
  assert.match(stdout, "Answers that do not come back:\n  from 10.244.1.5:8080: drop (line 7)\n");
  const unknown = await run("trace", "--rules", rules, "--to", "10.96.0.7:81", "--report", "json");
  assert.is(unknown.code, 3);
  assert.equal(complaints(traceSchema, JSON.parse(unknown.stdout)), []);
  assert.equal(
    JSON.parse(unknown.stdout).paths.map(({ ending, at }: { ending: string; at: { line: number } }) => [
      ending,
      at.line,
    ]),
    [["unknown", 8]],
  );
});

test("trace: rules as nft's JSON, whose lines are its objects", async () => {
  const place = { family: "ip", table: "x" };
  const left = { payload: { protocol: "ip", field: "daddr" } };
  const rule = { match: { op: "==", left, right: "10.96.0.7" } };
  const objects = [
    { metainfo: { version: "1.0.6" } },
    { table: { family: "ip", name: "x" } },
    { chain: { ...place, name: "c", type: "nat", hook: "prerouting", prio: -100 } },
    { rule: { ...place, chain: "c", expr: [rule, { dnat: { addr: "10.244.1.5", port: 8080 } }] } },
  ];
  const rules = file("ruleset.json", JSON.stringify({ nftables: objects }));
  const { stdout } = await run("trace", "--rules", rules, "--to", "10.96.0.7:80", "--report", "json");
  const [path] = JSON.parse(stdout).paths;
  assert.equal([path.ending, path.address, path.at.line], ["endpoint", "10.244.1.5", 4]);
});

test("the node's addresses from `ip -j addr`", async () => {
  const rules = file(
    "local.nft",
    "table ip x {\n\tchain f {\n\t\ttype filter hook input priority 0;\n\t\tfib daddr type local drop\n\t}\n}\n",
  );
  const addresses = file(
    "addr.json",
    JSON.stringify([{ ifname: "eth0", addr_info: [{ family: "inet", local: "203.0.113.5", prefixlen: 24 }] }]),
  );
  const answer = async (...args: string[]) =>
    (await run("trace", "--rules", rules, "--to", "203.0.113.5:80", ...args)).stdout.split("\n")[0];
  assert.match((await answer()) ?? "", "passes untranslated");
  assert.match((await answer("--addresses", addresses)) ?? "", "is dropped");
  assert.is((await run("trace", "--rules", rules, "--to", "203.0.113.5:80", "--addresses", rules)).code, 1);
});

test.run();
