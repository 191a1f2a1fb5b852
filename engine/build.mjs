// Builds the engine: AssemblyScript → core module → component → JavaScript glue.
//   node engine/build.mjs [release|debug]
// Writes build/engine/ (or build/engine-debug/): core.wasm, engine.component.wasm, engine.core.wasm, engine.js, engine.d.ts.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = process.argv[2] ?? "release";
const out = join(root, JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8")).targets[target].outFile, "..");

mkdirSync(out, { recursive: true });
const asc = join(dirname(createRequire(import.meta.url).resolve("assemblyscript/package.json")), "bin", "asc.js");
const transform = join(root, "engine", "wit-names.mjs"); // asconfig.json would make the path relative and not find it
execFileSync(process.execPath, [asc, "--target", target, "--transform", transform], { cwd: root, stdio: "inherit" });

const core = readFileSync(join(out, "core.wasm"));
const embedded = await componentEmbed({
  binary: core,
  witSource: readFileSync(join(root, "engine", "engine.wit"), "utf8"),
  world: "sluice",
  stringEncoding: "utf8",
});
const component = await componentNew(embedded, []);
writeFileSync(join(out, "engine.component.wasm"), component);

// "sync" instantiation leaves fetching and compiling to the host and pulls in no node: modules (browsers).
const { files } = await transpileBytes(component, {
  name: "engine",
  instantiation: { tag: "sync" },
  base64Cutoff: 0,
  noNodejsCompat: true,
  minify: target === "release",
  wasiShim: false,
  noNamespacedExports: true,
});
if (target === "release") files["engine.js"] = withoutDebugLog(new TextDecoder().decode(files["engine.js"]));
for (const [name, bytes] of Object.entries(files)) {
  const path = join(out, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

/** jco's glue looks an environment variable up some ten times a call, which is half of what a call costs. */
function withoutDebugLog(glue) {
  const log = /(_debugLog=)\(\.\.\.\w+\)=>\{globalThis\?\.process\?\.env\?\.JCO_DEBUG&&console\.debug\(\.\.\.\w+\)\}/;
  if (!log.test(glue)) throw new Error("jco's glue has no _debugLog as it used to: see whether it is still slow");
  return glue.replace(log, "$1()=>{}");
}

const kB = (bytes) => `${(bytes.length / 1000).toFixed(1)} kB`;
console.log(`engine (${target}): core ${kB(core)}, gzipped ${kB(gzipSync(core, { level: 9 }))}`);
