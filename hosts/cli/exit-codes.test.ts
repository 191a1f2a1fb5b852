// The one table of exit codes, for the commands that read rules: the code is the verdict's, whatever the formats are.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadEngine } from "../shared/engine-node.ts";
import { runCli } from "./testing/run-cli.ts";

const test = suite("exit codes");
const engine = await loadEngine();
const directory = mkdtempSync(join(tmpdir(), "sluice-codes-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

const objects = file(
  "objects.yaml",
  `apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec: {type: NodePort, clusterIP: 10.96.0.7, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.244.1.5], nodeName: node-a}]
`,
);
const nat = "*nat\n:PREROUTING ACCEPT [0:0]\n";
const one = file(
  "one.txt",
  `${nat}-A PREROUTING -d 10.0.0.1/32 -p tcp --dport 80 -j DNAT --to-destination 10.1.0.1:80\nCOMMIT\n`,
);
const other = file(
  "other.txt",
  `${nat}-A PREROUTING -d 10.0.0.1/32 -p tcp --dport 80 -j DNAT --to-destination 10.1.0.2:80\nCOMMIT\n`,
);
const unclear = file(
  "unclear.txt",
  `${nat}-A PREROUTING -m set --match-set x src -j DNAT --to-destination 10.1.0.1\nCOMMIT\n`,
);
const broken = file("broken.txt", "no rules\n");
const missing = join(directory, "missing.txt");

/** By verdict; `formats`: it gets so far that a report is made. */
const table: readonly { code: number; args: readonly string[]; formats?: boolean }[] = [
  { code: 0, args: ["verify", one, one], formats: true },
  { code: 2, args: ["verify", one, other], formats: true },
  { code: 3, args: ["verify", one, unclear, "--limit", "1"], formats: true },
  { code: 3, args: ["verify", unclear, unclear], formats: true },
  { code: 1, args: ["verify", one, broken] },
  { code: 1, args: ["verify", one, missing] },
  { code: 1, args: ["verify", "--rules", one, "-f", missing] },
  { code: 64, args: ["verify", one] },
  { code: 64, args: ["verify", one, one, "--what"] },
  { code: 64, args: ["verify", one, one, "--limit", "none"] },
  { code: 64, args: ["verify", one, one, "--report", "xml"] },
  { code: 0, args: ["trace", "--rules", one, "--to", "10.0.0.1:80"], formats: true },
  { code: 3, args: ["trace", "--rules", unclear, "--to", "10.0.0.1:80"], formats: true },
  { code: 0, args: ["trace", "--rules", one, "--reaches", "10.1.0.1"], formats: true },
  { code: 0, args: ["trace", "--rules", one, "--to", "10.0.0.1:80", "--from", "any"], formats: true },
  { code: 3, args: ["trace", "--rules", unclear, "--to", "10.0.0.1:80", "--from", "any"], formats: true },
  { code: 1, args: ["trace", "--rules", missing, "--to", "10.0.0.1:80"] },
  { code: 1, args: ["trace", "--rules", broken, "--to", "10.0.0.1:80"] },
  { code: 64, args: ["trace", "--rules", one] },
  { code: 64, args: ["trace", "--rules", one, "--to", "10.0.0.1:80", "--from", "fd00::1"] },
  { code: 64, args: ["trace", "--rules", one, "--to", "10.0.0.1:80", "--proto", "icmp"] },
  { code: 0, args: ["migrate", "--from", "iptables", "--to", "flat", "-f", objects], formats: true },
  { code: 2, args: ["migrate", "--from", "iptables", "--to", "flat", "-f", objects, "--exit-code"], formats: true },
  { code: 64, args: ["migrate", "--from", "nftables", "--to", "nftables", "-f", objects] },
  { code: 1, args: ["migrate", "--from", "iptables", "--to", "flat", "-f", missing] },
  { code: 64, args: ["migrate", "--from", "iptables", "-f", objects] },
  { code: 64, args: ["migrate", "--from", "ipfw", "--to", "flat", "-f", objects] },
];

for (const { code, args, formats = false } of table) {
  const shown = args.map((arg) => arg.replace(`${directory}/`, "")).join(" ");
  test(`${code}: ${shown}`, async () => {
    const reports = [
      [],
      ...(formats
        ? [
            ["--report", "text"],
            ["--report", "json"],
            ["--report", "text", "--report", `json=${join(directory, "report.json")}`],
          ]
        : []),
    ];
    for (const report of reports) {
      const ended = await runCli([...args, ...report], { engine });
      assert.is(ended.code, code, `${report.join(" ")}\n${ended.stdout}\n${ended.stderr}`);
    }
    // A report that can't be written is a failure, whatever the verdict.
    if (!formats) return;
    const unwritable = join(directory, "none", "report.json");
    const failed = await runCli([...args, "--report", `json=${unwritable}`], { engine });
    assert.is(failed.code, 1);
    assert.match(failed.stderr, `${unwritable}: error: cannot be written: `);
  });
}

test.run();
