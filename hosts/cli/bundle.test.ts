// What the built command loads before it knows what it is asked for.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const directory = fileURLToPath(new URL("../../build/cli", import.meta.url));
const test = suite("bundle");

/** What the entry loads when the runtime is new enough. */
const started = readdirSync(directory).find((file) => /^process-.*\.js$/.test(file)) ?? "";

/** Files that are loaded with this one, itself included. */
function loadedWith(file: string, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(file)) return seen;
  const text = readFileSync(join(directory, file), "utf8");
  seen.set(file, text);
  const imports = text.matchAll(/^(?:import|export)\b[^;]*?["']\.\/([^"']+\.js)["'];$/gm);
  for (const [, imported = ""] of imports) loadedWith(basename(imported), seen);
  return seen;
}

test("of @kubernetes/client-node the bundle has what plugins and providers need, and not its client of 14 MB", () => {
  const files = readdirSync(directory).filter((file) => file.endsWith(".js"));
  const texts = files.map((file) => readFileSync(join(directory, file), "utf8")).join("\n");
  assert.match(texts, /^\/\/ .*node_modules\/@kubernetes\/client-node\/dist\/oidc_auth\.js$/m);
  assert.match(texts, /^\/\/ .*node_modules\/@kubernetes\/client-node\/dist\/exec_auth\.js$/m);
  assert.not.match(texts, /^\/\/ .*node_modules\/@kubernetes\/client-node\/dist\/(gen|config)\b/m);
  assert.ok(texts.length < 3_000_000, `${texts.length} bytes`);
});

test("what plugins and providers need is loaded only when it is", () => {
  assert.ok(existsSync(join(directory, "sluice.js")), "build/cli/sluice.js is missing: `npm run build`");
  for (const [file, text] of loadedWith(started)) {
    assert.not.match(text, /^\/\/ .*node_modules\/@kubernetes\/client-node\//m, file);
  }
});

test("commands that read files load nothing of what asks clusters and kernels", () => {
  for (const [file, text] of loadedWith(started)) {
    assert.not.match(text, /^\/\/ .*node_modules\/(undici|pino|prom-client)\//m, file);
    assert.not.match(text, /^\/\/ hosts\/agent\/(kube|kernel|netlink\/sockets)\//m, file);
  }
  const lists = readdirSync(directory).find((file) => /^collect-.*\.js$/.test(file)) ?? "";
  const taking = [...loadedWith(lists).values()].join("\n");
  assert.match(taking, /^\/\/ hosts\/agent\/kube\/client\/paged-list\.ts$/m);
  assert.not.match(taking, /^\/\/ hosts\/agent\/netlink\/sockets\//m, "a snapshot needs no sockets of the kernel");
});

test("the agent starts without the parts of its packages that it does not use, and without Node's own undici", () => {
  const lifecycle = readdirSync(directory).find((file) => /^lifecycle-.*\.js$/.test(file)) ?? "";
  const loaded = loadedWith(lifecycle);
  for (const [file, text] of loaded) {
    assert.not.match(
      text,
      /^\/\/ .*node_modules\/(undici\/lib\/(web\/fetch\/index|web\/websocket|mock|cache)|prom-client\/lib\/metrics|@opentelemetry)[/.]/m,
      file,
    );
    assert.not.match(text, /^import .* from "node:https?";$/m, file);
  }
  const texts = [...loaded.values()].join("\n");
  assert.match(texts, /^\/\/ .*node_modules\/undici\/lib\/dispatcher\/agent\.js$/m);
  assert.match(texts, /^\/\/ .*node_modules\/prom-client\/lib\/counter\.js$/m);
});

test("the files of bundled packages say where they come from, or this would find nothing", () => {
  const texts = [...loadedWith(started).values()].join("\n");
  assert.match(texts, /^\/\/ .*node_modules\/yaml\//m);
});

test("no file's own names meet those that the build puts before it", () => {
  const files = readdirSync(directory).filter((file) => file.endsWith(".js"));
  assert.ok(files.includes("sluice.js"));
  for (const file of files) {
    const { status, stderr } = spawnSync(process.execPath, ["--check", join(directory, file)], { encoding: "utf8" });
    assert.is(status, 0, stderr);
  }
});

test("a Node.js that is too old is told in one line, before anything else is loaded", () => {
  const pretend = 'Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.20.8"}})';
  const args = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`, "sluice.js", "render"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: "utf8" });
  assert.equal([status, stdout], [1, ""]);
  assert.match(stderr, /^sluice: Node\.js 20\.19 or newer is needed, and this is v[0-9.]+\n$/);
  const entry = readFileSync(join(directory, "sluice.js"), "utf8");
  const imports = [...entry.matchAll(/^import[^;]*from "([^"]*)"/gm)].map(([, from]) => from);
  assert.equal(imports, ["node:module"], "what an old Node.js can't read must not be imported by the entry");
});

test.run();
