// Bundles the commands: hosts/cli/main.ts → build/cli/sluice.js, with what a command loads only when it is needed in files
// beside it. The engine's files stay in build/engine/. Also writes build/cli/third-party-licenses.txt: whatever is bundled
// is distributed with it.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { licenseTexts, packageDirectoriesOf } from "./licenses.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const outdir = join(root, "build", "cli");

const { metafile, outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: { sluice: "hosts/cli/main.ts" },
  outdir,
  bundle: true,
  write: false,
  platform: "node",
  target: "node20.19",
  format: "esm",
  splitting: true,
  // Beside the entry, since code that looks for the engine starts from its own file's directory.
  chunkNames: "[name]-[hash]",
  sourcemap: true,
  legalComments: "none", // third-party-licenses.txt has them whole
  metafile: true,
  external: ["koffi"], // loads its native part from its own directory
  // CommonJS packages in an ES module ask for Node's own modules by `require`. Names that no source uses.
  banner: {
    js: 'import { createRequire as requireForBundle } from "node:module"; const require = requireForBundle(import.meta.url);',
  },
  // yaml's ES modules: what Node would load is CommonJS, twice as large.
  alias: { yaml: join(root, "node_modules", "yaml", "browser", "index.js") },
  logLevel: "warning",
});
const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
files.set(
  "third-party-licenses.txt",
  licenseTexts(packageDirectoriesOf(Object.keys(metafile.inputs)).map((directory) => join(root, directory))),
);

// Whoever runs the command meanwhile finds each file whole, as it was or as it is.
mkdirSync(outdir, { recursive: true });
for (const [name, contents] of files) {
  const unfinished = join(outdir, `.${name}.${process.pid}`);
  writeFileSync(unfinished, contents, { mode: name === "sluice.js" ? 0o755 : 0o644 });
  renameSync(unfinished, join(outdir, name));
}
// Chunks have a hash in their names: those of another build would stay. What another process is just writing does not concern us.
for (const name of readdirSync(outdir)) {
  if (!files.has(name) && !name.startsWith(".")) rmSync(join(outdir, name), { recursive: true });
}
