// The witness as a component: small, without imports, and independent of what it bears witness against.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { witnessDirectory } from "../../hosts/shared/witness-node.ts";

const test = suite("witness: component");
const core = readFileSync(join(witnessDirectory(), "witness.core.wasm"));
const here = fileURLToPath(new URL(".", import.meta.url));

test("its code is at most 45 kB, gzipped", () => {
  const size = gzipSync(core, { level: 9 }).length;
  assert.ok(size <= 45_000, `${size} bytes`);
});

test("it imports nothing from the host", () => {
  assert.equal(WebAssembly.Module.imports(new WebAssembly.Module(core)), []);
});

test("its sources use bytes and abi alone of the engine", () => {
  const files = readdirSync(here, { recursive: true, encoding: "utf8" }).filter((file) =>
    /(?<!\.test|-support)\.ts$/.test(file),
  );
  assert.ok(files.length > 10);
  for (const file of files) {
    for (const [, from = ""] of readFileSync(join(here, file), "utf8").matchAll(/ from "([^"]+)"/g)) {
      const path = relative(here, join(dirname(join(here, file)), from));
      assert.ok(/^(?:\.\.\/(?:bytes|abi)\/|[a-z])/.test(path), `${file} imports ${from}`);
    }
  }
});

test.run();
