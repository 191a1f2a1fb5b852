// The package of this machine's architecture, used as an administrator would: extracted somewhere, without Node on the PATH.
import { execFileSync, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lacking as namespaceLacking } from "../../../fixtures/kernel/namespace.ts";
import { testNeeding } from "../../../fixtures/support/needing.ts";
import packageJson from "../../../package.json" with { type: "json" };
import runtime from "./runtime.json" with { type: "json" };

const root = fileURLToPath(new URL("../../..", import.meta.url));
const deploy = fileURLToPath(new URL(".", import.meta.url));
const shop = join(root, "fixtures", "clusters", "shop");
const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const name = `sluice-${packageJson.version}-linux-${architecture}.tar.gz`;

const test = suite("package");

const directory = mkdtempSync(join(tmpdir(), "sluice-package-test-"));
const out = join(directory, "out");
const extracted = join(directory, `sluice-${packageJson.version}`);
const sluice = join(extracted, "bin", "sluice");

execFileSync(process.execPath, [join(root, "hosts/build.mjs")], { stdio: ["ignore", "ignore", "inherit"] });
const { status: made, stderr: said } = makePackage(out);
// The line of the error, without the script's stack.
const lacking = /^Error: (.* could not be had from the npm registry: .*)$/m.exec(said)?.[1] ?? "";
if (made === 0) execFileSync("tar", ["-xzf", join(out, name), "-C", directory]);

test.after(() => rmSync(directory, { recursive: true, force: true }));

function makePackage(to: string): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(deploy, "package.mjs"), "--out", to, architecture], { encoding: "utf8" });
}

/** As a service manager would: no variables, another directory. */
function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return spawnSync(command, args, { env, cwd: "/", encoding: "utf8" });
}

test("it can be made", () => {
  assert.ok(made === 0 || lacking !== "", said);
});

testNeeding(test, "the sums are those of what lies beside them", lacking, () => {
  assert.equal(readdirSync(out).sort(), ["SHA256SUMS", name].sort());
  const sum = createHash("sha256")
    .update(readFileSync(join(out, name)))
    .digest("hex");
  assert.is(readFileSync(join(out, "SHA256SUMS"), "utf8"), `${sum}  ${name}\n`);
});

testNeeding(test, "made again, it is the same, byte for byte", lacking, () => {
  assert.is(makePackage(join(directory, "again")).status, 0);
  assert.is(
    readFileSync(join(directory, "again", "SHA256SUMS"), "utf8"),
    readFileSync(join(out, "SHA256SUMS"), "utf8"),
  );
});

testNeeding(test, "it starts with the Node inside", lacking, () => {
  assert.is(run(sluice, ["--version"]).stdout, `sluice ${packageJson.version}\n`);
  assert.is(run(join(extracted, "lib/runtime/node"), ["--version"]).stdout, `v${runtime.node}\n`);
});

testNeeding(test, "it renders a cluster as the built command does, also through a link in the PATH", lacking, () => {
  const args = ["render", "-f", shop, "--config", join(shop, "kube-proxy.conf"), "--node", "node-a"];
  const expected = run(process.execPath, [join(root, "build/cli/sluice.js"), ...args]);
  assert.is(expected.status, 0, expected.stderr);
  const link = join(directory, "sluice-link");
  symlinkSync(sluice, link);
  for (const command of [sluice, link]) {
    const { status, stdout, stderr } = run(command, args);
    assert.is(status, 0, stderr);
    assert.is(stdout, expected.stdout);
  }
});

testNeeding(test, "koffi inside reaches the C library", lacking, () => {
  const script = `
    import koffi from "koffi";
    console.log(koffi.load("libc.so.6").func("int getpid()")() === process.pid);`;
  const { stdout, stderr } = spawnSync(join(extracted, "lib/runtime/node"), ["--input-type=module", "--eval", script], {
    cwd: join(extracted, "lib"),
    env: {},
    encoding: "utf8",
  });
  assert.is(stdout, "true\n", stderr);
});

testNeeding(test, "nothing in it can be written by others, and nothing but the programs runs", lacking, () => {
  const list = execFileSync("tar", ["-tvzf", join(out, name)], { cwd: directory, encoding: "utf8" });
  for (const line of list.trim().split("\n")) {
    const [mode = "", owner = ""] = line.split(/\s+/);
    const program = /\/(bin\/sluice|lib\/runtime\/node|)$/.test(line);
    assert.is(mode, `${line.endsWith("/") ? "d" : "-"}${program ? "rwxr-xr-x" : "rw-r--r--"}`, line);
    assert.is(owner, "0/0", line);
  }
});

testNeeding(test, "the licenses of all that is inside are inside", lacking, () => {
  const read = (file: string) => readFileSync(join(extracted, file), "utf8");
  assert.match(read("LICENSE"), "Apache License");
  assert.match(read("licenses/node.txt"), "Node.js");
  for (const license of ["koffi", "assemblyscript", "@bytecodealliance/jco-transpile"]) {
    assert.match(read("licenses/others.txt"), new RegExp(`^${license} \\d[^]*?^License: `, "m"));
  }
  const bundled = read("licenses/bundled.txt");
  const inputs = new Set(
    readdirSync(join(extracted, "lib/cli")).flatMap((file) =>
      [...read(`lib/cli/${file}`).matchAll(/^\/\/ .*node_modules\/((?:@[^/]+\/)?[^/\n]+)\//gm)].map(([, from]) => from),
    ),
  );
  assert.ok(inputs.has("yaml"));
  for (const from of inputs) assert.match(bundled, new RegExp(`^${from} \\d`, "m"));
});

testNeeding(test, "all that the Dockerfile copies is there", lacking, () => {
  const dockerfile = readFileSync(join(deploy, "Dockerfile"), "utf8");
  const copies = [...dockerfile.matchAll(/^COPY (?:--from=(\S+) )?(.+) \S+$/gm)];
  const files = readdirSync(out);
  const fromContext = copies
    .filter(([, stage]) => stage === undefined)
    .flatMap(([, , sources = ""]) => sources.split(" "));
  assert.equal(fromContext.length, 2);
  for (const source of fromContext) {
    // A star is all that these patterns have; TARGETARCH is what the builder sets.
    const pattern = source.replaceAll(".", "\\.").replace("*", ".*").replace(`\${TARGETARCH}`, architecture);
    assert.is(files.filter((file) => new RegExp(`^${pattern}$`).test(file)).length, 1, source);
  }
  const fromPackage = copies.filter(([, stage]) => stage === "package").map(([, , source = ""]) => source);
  assert.equal(fromPackage.length, 4);
  for (const source of fromPackage) assert.ok(existsSync(source.replace(/^\/sluice/, extracted)), source);
  const [, entrypoint = ""] = /^ENTRYPOINT \["(.+)"\]$/m.exec(dockerfile) ?? [];
  const program = entrypoint.replace(/^\/opt\/sluice/, extracted);
  assert.ok((statSync(program).mode & 0o111) !== 0, program);
  assert.match(dockerfile, `sluice:${packageJson.version} `);
});

testNeeding(test, "it runs as a service, stops when told, and cleans up", lacking || serviceLacking(), () => {
  const service = join(directory, "service");
  mkdirSync(service);
  const script = `mount --make-rprivate / && mount --bind "$2" "$2" && mount -o remount,bind,ro / &&
    exec "$0" --import tsx "$1" "$3" "$2"`;
  const namespaces = [...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "--net", "--mount"];
  const { stdout, stderr } = spawnSync(
    "unshare",
    [...namespaces, "sh", "-c", script, process.execPath, join(deploy, "testing/run-service.ts"), service, sluice],
    { encoding: "utf8", env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, timeout: 120_000 },
  );
  const last = stdout.trim().split("\n").at(-1) ?? "";
  assert.ok(last.startsWith("{"), `${stdout}\n${stderr}`);
  assert.equal(JSON.parse(last), {
    livez: 200,
    rules: true,
    described: true,
    exitCode: 0,
    rulesStay: true,
    cleanupCode: 0,
    rulesLeft: false,
  });
});

function serviceLacking(): string {
  return spawnSync("setpriv", ["--version"]).error !== undefined ? "not installed: setpriv" : namespaceLacking();
}

/** What is said when npm is this script; nothing must have been made then. */
function packageWithNpm(script: string): string {
  const bin = mkdtempSync(join(directory, "npm-"));
  writeFileSync(join(bin, "npm"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const { status, stderr } = spawnSync(process.execPath, [join(deploy, "package.mjs"), "--out", bin, architecture], {
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    encoding: "utf8",
  });
  assert.is(status, 1);
  assert.equal(readdirSync(bin), ["npm"]);
  return stderr;
}

test("a download that is not what is pinned is refused", () => {
  const stderr = packageWithNpm('echo other > "$5/package.tgz"');
  assert.match(stderr, /node-linux-(x64|arm64)@\S+ from the npm registry is not what is pinned: it has sha512-/);
});

test("without the registry it says what could not be had and why", () => {
  const stderr = packageWithNpm("echo 'npm error network unreachable' >&2; exit 1");
  assert.match(
    stderr,
    /node-linux-(x64|arm64)@\S+ could not be had from the npm registry: npm error network unreachable/,
  );
});

test.run();
