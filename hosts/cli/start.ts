// `npm start`: renders the recorded cluster under fixtures/clusters/shop/ in every mode and says what came out.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { DescribedServicePort, Description } from "../shared/describe.ts";
import { loadEngine } from "../shared/engine-node.ts";
import { exitCode } from "./exit-codes.ts";
import { Memory } from "./output/memory.ts";
import { run } from "./run.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cluster = join(root, "fixtures", "clusters", "shop");
const output = join(root, "build", "start");
const input = ["-f", cluster, "--config", join(cluster, "kube-proxy.conf")];

/** Runs a command here; what it prints on stdout comes back, its stderr is shown if it fails. */
async function sluice(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const stdout = new Memory();
  const stderr = new Memory();
  const readStdin = async () => new Uint8Array();
  const code = await run(args, { stdout, stderr, readStdin, env: {}, loadEngine: () => loadEngine() });
  if (code !== exitCode.done) {
    process.stderr.write(stderr.text());
    process.exit(code);
  }
  return { stdout: stdout.text(), stderr: stderr.text() };
}

function ruleLines(path: string): number {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line.trim() !== "" && !line.startsWith("#")).length;
}

/** A service port with endpoints and a cluster IP, best one with an endpoint that is left out. */
function example({ servicePorts }: Description): DescribedServicePort | undefined {
  const candidates = servicePorts.filter((port) => port.family === "IPv4" && port.endpoints.some((it) => it.internal));
  return candidates.find((port) => port.endpoints.some((it) => !it.internal && it.why !== "")) ?? candidates[0];
}

function say(port: DescribedServicePort): string[] {
  const entry = port.entryPoints.find(({ kind }) => kind === "ClusterIP");
  const used = port.endpoints.filter(({ internal }) => internal).map((it) => `${it.address}:${it.port}`);
  const lines = [
    `For example ${port.namespace}/${port.service}:`,
    `  a pod that connects to ${entry?.address}:${entry?.port} reaches ${used.join(" or ")}`,
  ];
  for (const left of port.endpoints.filter((it) => !it.internal && it.why !== "")) {
    lines.push(`  and never ${left.address}:${left.port} (${left.why})`);
  }
  return lines;
}

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
const nft = await sluice("render", ...input, "-v", "--mode", "flat", "-o", join(output, "sluice.nft"));
await sluice("render", ...input, "--mode", "nftables", "-o", join(output, "kube-proxy.nft"));
await sluice("render", ...input, "--mode", "iptables", "--family", "all", "-o", `${output}/`);
const description = JSON.parse((await sluice("render", ...input, "--describe")).stdout) as Description;

const read = /read (.*)/.exec(nft.stderr)?.[1] ?? "";
const node = description.node.name;
console.log(`Rendered the recorded cluster in ${relative(root, cluster)}/ for ${node}: ${read}.`);
console.log(`Rules for IPv4 and IPv6 in the kernel of ${node}, in three modes:`);
const outputs = [
  ["sluice.nft", "flat, our own: maps instead of a chain for each Service and endpoint"],
  ["kube-proxy.nft", "nftables, as kube-proxy has it"],
  ["iptables.rules", "iptables, as kube-proxy has it"],
  ["ip6tables.rules", ""],
] as const;
for (const [name, what] of outputs) {
  const path = join(output, name);
  const line = `  ${relative(root, path).padEnd(28)} ${String(ruleLines(path)).padStart(4)} lines  ${what}`;
  console.log(line.trimEnd());
}
const port = example(description);
if (port !== undefined) console.log(say(port).join("\n"));
console.log(`Which Service made which rule: npx sluice render -f ${relative(root, cluster)} --node ${node} --blame`);
