// Commands that read files load no native module, though this repository has one: they start quickly, and run where there is none.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandNames } from "./run.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const shop = join(root, "fixtures", "clusters", "shop");
const test = suite("native modules");

/** Says so and ends as soon as a native module is loaded. */
const guard = `import fs from "node:fs"; process.dlopen = (_module, file) => {
  fs.writeSync(2, "native module: " + file + "\\n"); process.exit(99); };`;

function run(args: readonly string[], stdin = "") {
  const guarded = ["--import", `data:text/javascript,${encodeURIComponent(guard)}`, join(root, "build/cli/sluice.js")];
  return spawnSync(process.execPath, [...guarded, ...args], { input: stdin, encoding: "utf8", cwd: "/" });
}

const render = ["-f", shop, "--node", "node-a"];
const commands: [args: string[], code: number][] = [
  [["render", ...render], 0],
  [["render", ...render, "--mode", "iptables", "--family", "ipv4", "--blame"], 0],
  [["render", ...render, "--format", "netlink"], 0],
  [["diff", shop, shop, "--node", "node-a", "--report", "markdown"], 0],
  [["trace", ...render, "--to", "10.96.0.12:5432"], 0],
  [["verify", "--rules", "-", ...render], 0],
  [["migrate", ...render, "--from", "iptables", "--to", "nftables"], 0],
  [["snapshot", "--kubeconfig", "/nowhere/config"], 1],
  [["completion", "bash"], 0],
];

for (const [args, code] of commands) {
  test(`\`sluice ${args[0]}\` loads none (${args.slice(3).join(" ")})`, () => {
    const rules = args.includes("--rules") ? run(["render", ...render]).stdout : "";
    const { status, stderr } = run(args, rules);
    assert.is(status, code, stderr);
  });
}

test("nor does the help of any command", () => {
  for (const name of commandNames) {
    const { status, stderr } = run([name, "--help"]);
    assert.is(status, 0, stderr);
  }
});

test("what asks the kernel does, or this would find nothing", () => {
  const { status, stderr } = run([
    "agent",
    "--master=http://127.0.0.1:1",
    "--hostname-override=node-a",
    "--conntrack-dry-run",
  ]);
  assert.is(status, 99, stderr);
  assert.match(stderr, /^native module: .*koffi\.node$/m);
});

test.run();
