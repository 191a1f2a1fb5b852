// The package for npm, installed as anybody would, without a registry: nothing of this repository's node_modules is there.
import { execFileSync, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import packageJson from "../../package.json" with { type: "json" };

const root = fileURLToPath(new URL("../..", import.meta.url));
const built = join(root, "build/cli/sluice.js");
const shop = join(root, "fixtures", "clusters", "shop");
const name = `sluice-cli-${packageJson.version}.tgz`;
const test = suite("package of the command");

const directory = mkdtempSync(join(tmpdir(), "sluice-cli-package-test-"));
const out = join(directory, "out");
const prefix = join(directory, "prefix");
const sluice = join(prefix, "bin", "sluice");
test.after(() => rmSync(directory, { recursive: true, force: true }));

makePackage(out);
execFileSync("npm", ["install", "--global", "--offline", "--prefix", prefix, join(out, name)], {
  stdio: ["ignore", "ignore", "inherit"],
  env: { ...process.env, npm_config_cache: join(directory, "cache") },
});

function makePackage(to: string): void {
  execFileSync(process.execPath, [join(root, "hosts/cli/package.mjs"), "--out", to], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function run(command: string, args: string[]): SpawnSyncReturns<string> {
  return spawnSync(command, args, { env: { PATH: process.env.PATH }, cwd: directory, encoding: "utf8" });
}

test("it renders a cluster as the built command does", () => {
  const args = ["render", "-f", shop, "--config", join(shop, "kube-proxy.conf"), "--node", "node-a"];
  const expected = run(process.execPath, [built, ...args]);
  assert.is(expected.status, 0, expected.stderr);
  const { status, stdout, stderr } = run(sluice, args);
  assert.is(status, 0, stderr);
  assert.is(stdout, expected.stdout);
});

test("the witness is inside as well", () => {
  const rules = join(directory, "rules.nft");
  const { status, stderr } = run(sluice, ["render", "-f", shop, "--node", "node-a", "-o", rules]);
  assert.is(status, 0, stderr);
  const verified = run(sluice, ["verify", rules, rules]);
  assert.is(verified.status, 0, verified.stderr);
  assert.match(verified.stdout, /equal/i);
});

test("one file for all systems: at most 3 MB, no native module, nothing that npm would have to fetch", () => {
  assert.ok(statSync(join(out, name)).size <= 3_000_000);
  const installed = join(prefix, "lib/node_modules/sluice-cli");
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  assert.ok(files.includes("engine/engine.core.wasm"));
  assert.equal(
    files.filter((file) => !/^(cli|engine|witness|licenses)$|\.(js|wasm|txt)$|^(LICENSE|package\.json)$/.test(file)),
    [],
  );
  const { engines, dependencies, scripts } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  assert.equal(
    { engines, dependencies, scripts },
    { engines: packageJson.engines, dependencies: undefined, scripts: undefined },
  );
});

test("what needs the kernel says in one line of its log what is missing", () => {
  const { status, stdout } = run(sluice, ["agent", "--master=http://127.0.0.1:1", "--hostname-override=node-a"]);
  assert.is(status, 1);
  assert.match(stdout, /^F.*koffi could not be loaded/m);
});

test("made again, it is the same, byte for byte, and the sums are those of what lies beside them", () => {
  writeFileSync(join(out, "sluice-0.0.1-linux-amd64.tar.gz"), "of nodes");
  const first = readFileSync(join(out, name));
  makePackage(out);
  assert.ok(first.equals(readFileSync(join(out, name))));
  const sum = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
  assert.is(
    readFileSync(join(out, "SHA256SUMS"), "utf8"),
    `${sum("of nodes")}  sluice-0.0.1-linux-amd64.tar.gz\n${sum(first)}  ${name}\n`,
  );
});

test.run();
