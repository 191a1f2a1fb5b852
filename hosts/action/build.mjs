// Bundles the action into hosts/action/dist/main.js, which is committed: GitHub runs an action as its repository has it.
//   node hosts/action/build.mjs [--out DIRECTORY]
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({ options: { out: { type: "string" } } });
await build({
  absWorkingDir: root,
  entryPoints: { main: "hosts/action/main.ts" },
  outdir: values.out === undefined ? join(root, "hosts/action/dist") : resolve(values.out),
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  charset: "utf8",
  logLevel: "warning",
});
