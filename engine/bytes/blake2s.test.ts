// The hash that changes are found by, compiled alone, against Node's.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("bytes: blake2s");

interface Exports {
  blake2s(bytes: number, length: number): number;
  memory: WebAssembly.Memory;
}

function compiled(): Exports {
  const folder = mkdtempSync(join(tmpdir(), "sluice-blake2s-"));
  try {
    const asc = join(dirname(createRequire(import.meta.url).resolve("assemblyscript/package.json")), "bin", "asc.js");
    const out = join(folder, "blake2s.wasm");
    const flags = ["--runtime", "stub", "--use", "abort=", "--enable", "simd", "--initialMemory", "2", "-O"];
    execFileSync(process.execPath, [asc, "blake2s.ts", ...flags, "--outFile", out], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      stdio: ["ignore", "ignore", "inherit"],
    });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(out)), {});
    return instance.exports as unknown as Exports;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("every length up to several blocks has the digest that it should have", () => {
  const { blake2s, memory } = compiled();
  const input = 65536;
  for (let length = 0; length <= 400; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 131 + length) & 255));
    new Uint8Array(memory.buffer).set(bytes, input);
    const at = blake2s(input, length);
    const digest = Buffer.from(memory.buffer.slice(at, at + 32)).toString("hex");
    assert.is(digest, createHash("blake2s256").update(bytes).digest("hex"), `${length} bytes`);
  }
});

test.run();
