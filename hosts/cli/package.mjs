// Makes the command as a package for npm, sluice-cli-VERSION.tgz, with all that reads files and asks API servers: no native
// module, so the same file is for Linux, macOS and Windows. What is built already is packed; `npm run package` builds first.
//   node hosts/cli/package.mjs [--out DIRECTORY]
// The same inputs, Node and npm give the same bytes.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeChecksums } from "../checksums.mjs";
import { licenseTexts } from "../licenses.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { version, description, license, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const { values } = parseArgs({ options: { out: { type: "string" } } });
const out = resolve(values.out ?? join(root, "build", "package"));
const name = `sluice-cli-${version}.tgz`;

mkdirSync(out, { recursive: true });
for (const file of readdirSync(out)) {
  if (/^sluice-cli-.*\.tgz$/.test(file)) rmSync(join(out, file)); // of an earlier run
}
const stage = mkdtempSync(join(tmpdir(), "sluice-cli-package-"));
try {
  copyFiles("cli", /\.js$/);
  copyFiles("engine", /^engine(\.core\d*)?\.(js|wasm)$/);
  copyFiles("witness", /^witness(\.core\d*)?\.(js|wasm)$/);
  copy(join(root, "LICENSE"), join(stage, "LICENSE"));
  copy(join(root, "build/cli/third-party-licenses.txt"), join(stage, "licenses/bundled.txt"));
  const others = ["assemblyscript", "@bytecodealliance/jco-transpile"];
  writeFileSync(
    join(stage, "licenses/others.txt"),
    licenseTexts(others.map((other) => join(root, "node_modules", other))),
  );
  const manifest = {
    name: "sluice-cli",
    version,
    description,
    license,
    type: "module",
    bin: { sluice: "cli/sluice.js" },
  };
  writeFileSync(join(stage, "package.json"), `${JSON.stringify({ ...manifest, engines }, undefined, 2)}\n`);
  // npm is a .cmd on Windows, which starts in a shell alone.
  const shell = process.platform === "win32";
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts"], {
    cwd: stage,
    shell,
    stdio: ["ignore", "ignore", "inherit"],
  });
  cpSync(join(stage, name), join(out, name));
} finally {
  rmSync(stage, { recursive: true, force: true });
}
writeChecksums(out);
console.log(`${name}: ${(statSync(join(out, name)).size / 1e6).toFixed(1)} MB`);

function copyFiles(directory, pattern) {
  const from = join(root, "build", directory);
  const files = readdirSync(from).filter((file) => pattern.test(file));
  if (files.length === 0) throw new Error(`nothing to pack in ${from}: run \`npm run build\` first`);
  for (const file of files) copy(join(from, file), join(stage, directory, file));
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}
