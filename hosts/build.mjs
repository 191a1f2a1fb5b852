// Bundles the commands: hosts/cli/main.ts → build/cli/sluice.js. The engine's files stay in build/engine/, beside it.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const outfile = join(root, "build", "cli", "sluice.js");

await build({
  absWorkingDir: root,
  entryPoints: ["hosts/cli/main.ts"],
  outfile,
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  sourcemap: true,
  legalComments: "linked",
  // yaml's ES modules: what Node would load is CommonJS, which cannot be bundled into an ES module without tricks.
  alias: { yaml: join(root, "node_modules", "yaml", "browser", "index.js") },
  logLevel: "warning",
});
chmodSync(outfile, 0o755);
