// Makes what a node needs to run Sluice, Node included: sluice-VERSION-linux-ARCHITECTURE.tar.gz and SHA256SUMS. What is
// built already is packed, so build first; `npm run package` does both.
//   node hosts/agent/deploy/package.mjs [--out DIRECTORY] [amd64] [arm64]
// Without architectures it makes both. The same inputs and Node give the same bytes. Needs GNU tar and the npm registry (or
// npm's cache): Node's binary and koffi's native part are packages there, and must have the sha512 that is pinned here.
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import { writeChecksums } from "../../checksums.mjs";
import { licenseTexts } from "../../licenses.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const deploy = fileURLToPath(new URL(".", import.meta.url));
const { version } = readJson(join(root, "package.json"));
const runtime = readJson(join(deploy, "runtime.json"));
/** Node's names for the architectures that images and downloads call otherwise. */
const nodeArchitecture = { amd64: "x64", arm64: "arm64" };

const { values, positionals } = parseArgs({ options: { out: { type: "string" } }, allowPositionals: true });
const architectures = positionals.length > 0 ? positionals : Object.keys(nodeArchitecture);
const unknown = architectures.filter((architecture) => !Object.hasOwn(nodeArchitecture, architecture));
if (unknown.length > 0) {
  throw new Error(
    `no package is made for ${unknown.join(", ")}; there are ${Object.keys(nodeArchitecture).join(", ")}`,
  );
}
const out = resolve(values.out ?? join(root, "build", "package"));

mkdirSync(out, { recursive: true });
for (const file of readdirSync(out)) {
  if (file === "SHA256SUMS" || /^sluice-.*\.tar\.gz$/.test(file)) rmSync(join(out, file)); // of an earlier run
}
const work = mkdtempSync(join(tmpdir(), "sluice-package-"));
try {
  for (const architecture of architectures) await makePackage(architecture);
} finally {
  rmSync(work, { recursive: true, force: true });
}
writeChecksums(out);
for (const file of architectures.map(archiveName).sort())
  console.log(`${file}: ${(statSync(join(out, file)).size / 1e6).toFixed(1)} MB`);

async function makePackage(architecture) {
  const name = `sluice-${version}`;
  const stage = join(work, architecture);
  const directory = join(stage, name);
  const lib = join(directory, "lib");
  mkdirSync(lib, { recursive: true });

  const nodePackage = runtime.packages[architecture];
  const node = download(nodePackage.name, runtime.node, nodePackage.integrity, ["bin/node", "LICENSE"]);
  copy(join(node, "bin/node"), join(lib, "runtime/node"));

  copyFiles(join(root, "build/cli"), join(lib, "cli"), /\.js$/);
  copyFiles(join(root, "build/engine"), join(lib, "engine"), /^engine(\.core\d*)?\.(js|wasm)$/);
  copyFiles(join(root, "build/witness"), join(lib, "witness"), /^witness(\.core\d*)?\.(js|wasm)$/);
  writeFileSync(join(lib, "package.json"), `${JSON.stringify({ type: "module" })}\n`);

  const koffi = join(root, "node_modules/koffi");
  for (const file of ["package.json", "index.js", "index.cjs"]) {
    copy(join(koffi, file), join(lib, "node_modules/koffi", file));
  }
  copyFiles(join(koffi, "src/koffi"), join(lib, "node_modules/koffi/src/koffi"), /\.c?js$/);
  copyFiles(join(koffi, "src/koffi/src"), join(lib, "node_modules/koffi/src/koffi/src"), /\.c?js$/);
  const nativeName = `@koromix/koffi-linux-${nodeArchitecture[architecture]}`;
  const locked = readJson(join(root, "package-lock.json")).packages[`node_modules/${nativeName}`];
  const nativeFiles = ["package.json", "index.js", `linux_${nodeArchitecture[architecture]}/koffi.node`];
  const native = download(nativeName, locked.version, locked.integrity, nativeFiles);
  for (const file of nativeFiles) copy(join(native, file), join(lib, "node_modules", nativeName, file));

  copy(join(root, "LICENSE"), join(directory, "LICENSE"));
  copy(join(node, "LICENSE"), join(directory, "licenses/node.txt"));
  copy(join(root, "build/cli/third-party-licenses.txt"), join(directory, "licenses/bundled.txt"));
  const others = ["koffi", "assemblyscript", "@bytecodealliance/jco-transpile"];
  writeFileSync(
    join(directory, "licenses/others.txt"),
    licenseTexts(others.map((other) => join(root, "node_modules", other))),
  );

  copy(join(deploy, "node/sluice"), join(directory, "bin/sluice"));
  for (const file of ["README.md", "config.conf", "kubeconfig.conf", "sluice.service", "iptables.conf"]) {
    copy(join(deploy, "node", file), join(directory, file));
  }
  await archive(stage, name, join(out, archiveName(architecture)));
}

function archiveName(architecture) {
  return `sluice-${version}-linux-${architecture}.tar.gz`;
}

/** Directory with the files that were asked for. */
function download(name, packageVersion, integrity, files) {
  const directory = join(work, "downloads", name);
  mkdirSync(directory, { recursive: true });
  try {
    const npm = ["pack", "--silent", "--prefer-offline", "--pack-destination", directory, `${name}@${packageVersion}`];
    execFileSync("npm", npm, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    const said = String(error.stderr ?? error).trim();
    throw new Error(`${name}@${packageVersion} could not be had from the npm registry: ${said}`, { cause: error });
  }
  const file = readdirSync(directory).find((entry) => entry.endsWith(".tgz"));
  const bytes = readFileSync(join(directory, file));
  const is = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
  if (is !== integrity) {
    throw new Error(
      `${name}@${packageVersion} from the npm registry is not what is pinned: it has ${is}, not ${integrity}`,
    );
  }
  execFileSync("tar", ["-xzf", file, ...files.map((wanted) => `package/${wanted}`)], { cwd: directory });
  return join(directory, "package");
}

/** Names sorted, no owners, one time, and modes that depend on no umask: two runs give the same bytes. */
async function archive(stage, name, path) {
  for (const entry of readdirSync(join(stage, name), { recursive: true, withFileTypes: true })) {
    const executable = entry.isDirectory() || entry.parentPath.endsWith("/bin") || entry.name === "node";
    chmodSync(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
  chmodSync(join(stage, name), 0o755);
  const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@499162500", "--format=ustar"];
  const tar = spawn("tar", [...same, "-C", stage, "-cf", "-", name], { stdio: ["ignore", "pipe", "inherit"] });
  const [[code]] = await Promise.all([
    once(tar, "close"),
    pipeline(tar.stdout, createGzip({ level: 6 }), createWriteStream(path)),
  ]);
  if (code !== 0) throw new Error(`tar ended with ${code}; GNU tar is needed`);
}

function copyFiles(from, to, pattern) {
  const files = readdirSync(from).filter((file) => pattern.test(file));
  if (files.length === 0) throw new Error(`nothing to pack in ${from}: run \`npm run build\` first`);
  for (const file of files) copy(join(from, file), join(to, file));
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
