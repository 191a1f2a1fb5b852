// Builds the components: AssemblyScript → core module → component → JavaScript glue.
//   node engine/build.mjs [release|debug] [engine|witness|witness-printer]
// Writes build/engine/, build/witness/ and build/witness-printer/ (or build/engine-debug/ and so on), each with core.wasm, NAME.component.wasm,
// NAME.core.wasm, NAME.js and NAME.d.ts.
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
const only = process.argv[3];
const suffix = target === "release" ? "" : `-${target}`;
const asc = join(dirname(createRequire(import.meta.url).resolve("assemblyscript/package.json")), "bin", "asc.js");

const components = [
  { name: "engine", entry: "engine/main.ts", wit: "engine/engine.wit", world: "sluice" },
  // Reads rule text back: loaded where it is asked for, and never by the agent.
  { name: "witness", entry: "engine/witness/main.ts", wit: "engine/witness/witness.wit", world: "witness-world" },
  // The witness' parser with a printer, for tests: nothing of it is shipped.
  {
    name: "witness-printer",
    entry: "engine/witness/testing/main.ts",
    wit: "engine/witness/testing/witness-printer.wit",
    world: "printer-world",
  },
];

for (const component of components) if (only === undefined || only === component.name) await build(component);

async function build({ name, entry, wit, world }) {
  const out = join(root, "build", `${name}${suffix}`);
  mkdirSync(out, { recursive: true });
  const witSource = readFileSync(join(root, wit), "utf8");
  // asconfig.json names no files: what is given here depends on the component.
  const transform = join(root, "engine", "wit-names.mjs");
  const args = [
    asc,
    entry,
    "--target",
    target,
    "--transform",
    transform,
    "--outFile",
    `build/${name}${suffix}/core.wasm`,
  ];
  execFileSync(process.execPath, args, { cwd: root, stdio: "inherit", env: { ...process.env, WIT_SOURCE: wit } });

  const core = readFileSync(join(out, "core.wasm"));
  const embedded = await componentEmbed({ binary: core, witSource, world, stringEncoding: "utf8" });
  const component = await componentNew(embedded, []);
  writeFileSync(join(out, `${name}.component.wasm`), component);

  // "sync" instantiation leaves fetching and compiling to the host and pulls in no node: modules (browsers).
  const { files } = await transpileBytes(component, {
    name,
    instantiation: { tag: "sync" },
    base64Cutoff: 0,
    noNodejsCompat: true,
    minify: target === "release",
    wasiShim: false,
    noNamespacedExports: true,
  });
  const glue = `${name}.js`;
  if (target === "release") files[glue] = withoutDebugLog(new TextDecoder().decode(files[glue]));
  for (const [file, bytes] of Object.entries(files)) {
    const path = join(out, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  const kB = (bytes) => `${(bytes.length / 1000).toFixed(1)} kB`;
  console.log(`${name} (${target}): core ${kB(core)}, gzipped ${kB(gzipSync(core, { level: 9 }))}`);
}

/** jco's glue looks an environment variable up some ten times a call, which is half of what a call costs. */
function withoutDebugLog(glue) {
  const log = /(_debugLog=)\(\.\.\.\w+\)=>\{globalThis\?\.process\?\.env\?\.JCO_DEBUG&&console\.debug\(\.\.\.\w+\)\}/;
  if (!log.test(glue)) throw new Error("jco's glue has no _debugLog as it used to: see whether it is still slow");
  return glue.replace(log, "$1()=>{}");
}
