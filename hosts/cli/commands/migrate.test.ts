// sluice migrate on files.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadEngine } from "../../shared/engine-node.ts";
import { complaints } from "../../shared/schemas/complaints.ts";
import migrateSchema from "../../shared/schemas/migrate-report.json" with { type: "json" };
import { runCli } from "../testing/run-cli.ts";

const test = suite("migrate");
const engine = await loadEngine();
const directory = mkdtempSync(join(tmpdir(), "sluice-migrate-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

const objects = join(directory, "objects.yaml");
writeFileSync(
  objects,
  `apiVersion: v1
kind: Node
metadata: {name: node-a}
status: {addresses: [{type: InternalIP, address: 192.168.10.1}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec:
  type: NodePort
  clusterIP: 10.96.0.7
  externalIPs: [203.0.113.7]
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: "", port: 8080}]
endpoints: [{addresses: [10.244.1.5], nodeName: node-a}]
`,
);

const run = (...args: string[]) => runCli(["migrate", ...args, "-f", objects], { engine });

test("from iptables: each kind with its Services, a packet before and after, and what to do", async () => {
  const { code, stdout } = await run("--from", "iptables", "--to", "nftables", "--report", "json");
  assert.is(code, 0);
  assert.equal(complaints(migrateSchema, JSON.parse(stdout)), []);
  const { format_version, kinds, complete, calendar } = JSON.parse(stdout);
  assert.equal([format_version, complete], [1, true]);
  const names = kinds.map(({ kind }: { kind: string }) => kind);
  assert.equal(names, ["localhost-node-port", "unused-port", "invalid-packets", "localnet-guard"]);
  const [localhost, unused] = kinds;
  assert.equal(unused.services, ["shop/web"]);
  const [example] = localhost.examples;
  assert.match(example.packet, "tcp to 127.0.0.0-127.255.255.255 port 30080");
  assert.match(example.before, "goes to 10.244.1.5:8080");
  assert.is(example.after, "passes untranslated");
  assert.equal(
    calendar.map(({ version, what }: { version: string; what: string }) => `${version} ${what}`),
    ["1.40 an empty `mode` means nftables", "1.40 externalIPs are off by default"],
  );
});

test("as text; --exit-code; nothing but resets between the nftables modes", async () => {
  const { code, stdout } = await run("--from", "iptables", "--to", "flat", "--exit-code", "--to-version", "1.37");
  assert.is(code, 2);
  assert.match(stdout, /^from iptables to flat on node node-a: 4 kinds of behaviour change\n/);
  assert.match(stdout, "  To do: ");
  assert.not.match(stdout, "calendar");
  const flat = await run("--from", "nftables", "--to", "flat");
  assert.match(
    flat.stdout,
    /^from nftables to flat on node node-a: 1 kind of behaviour changes\n\n\* TCP connections are refused with a reset/,
  );
});

test("from ipvs: documented, and dates that concern it", async () => {
  const { code, stdout } = await run("--from", "ipvs", "--to", "flat", "--to-version", "1.43");
  assert.is(code, 0);
  assert.match(stdout, "kube-ipvs0 (documented)");
  assert.match(stdout, "1.43: mode ipvs is removed");
});

test("wrong usage", async () => {
  for (const args of [
    [],
    ["--from", "iptables"],
    ["--from", "flat", "--to", "nftables"],
    ["--from", "nftables", "--to", "nftables"],
    ["--from", "iptables", "--to", "flat", "--mode", "flat"],
    ["--from", "iptables", "--to", "flat", "--to-version", "x"],
  ]) {
    assert.is((await run(...args)).code, 64, args.join(" "));
  }
  assert.is((await runCli(["migrate", "--from", "iptables", "--to", "flat"], { engine })).code, 64);
});

test.run();
