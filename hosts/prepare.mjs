// Builds if what is built is missing or older than its sources. npm runs this after `npm ci`, and npx runs it
// too when it links the package into its cache: that must not take as long as a build.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`sluice: Node.js 20.19 or newer is needed, and this is ${process.version}`);
  process.exit(1);
}

const root = fileURLToPath(new URL("..", import.meta.url));
const outputs = [
  "build/engine/engine.js",
  "build/engine/engine.core.wasm",
  "build/witness/witness.js",
  "build/witness/witness.core.wasm",
  "build/witness-printer/witness-printer.core.wasm",
  "build/cli/sluice.js",
];
const sources = ["asconfig.json", "package.json", "package-lock.json", ...filesIn("engine"), ...filesIn("hosts")];

function filesIn(directory) {
  const entries = readdirSync(join(root, directory), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
}

/** Time of the last change; 0 if there is no such file. */
function changed(file) {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

const oldest = Math.min(...outputs.map(changed));
const newest = Math.max(...sources.filter((file) => !file.endsWith(".test.ts")).map(changed));
if (oldest < newest) {
  // `npm install --global git+…` prepares its clone without the packages that building needs.
  if (!existsSync(join(root, "node_modules", "assemblyscript"))) {
    console.error(
      "sluice: what builds it is not installed: run `npm ci` in a clone, or install sluice-cli-VERSION.tgz,",
    );
    console.error("which releases have and `npm run package` makes (README.md, Install the command)");
    process.exit(1);
  }
  for (const script of [["engine/build.mjs", "release"], ["hosts/build.mjs"]]) {
    execFileSync(process.execPath, script, { cwd: root, stdio: "inherit" });
  }
}
