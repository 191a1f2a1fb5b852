import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readSources } from "./files.ts";

const files = suite<{ root: string }>("files", { root: "" });

files.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), "sluice-files-"));
});
files.after.each(({ root }) => rmSync(root, { recursive: true, force: true }));

async function read(root: string, ...paths: string[]): Promise<string[]> {
  const found: string[] = [];
  const stdin = async () => new TextEncoder().encode("piped");
  for await (const item of readSources(paths, stdin)) {
    if ("source" in item)
      found.push(`${item.source.name.replace(`${root}/`, "")}=${new TextDecoder().decode(item.source.bytes)}`);
    else
      found.push(`${item.diagnostic.severity} ${item.diagnostic.code} ${item.diagnostic.file.replace(`${root}/`, "")}`);
  }
  return found;
}

files("directories are walked in sorted order, manifests only, nothing hidden", async ({ root }) => {
  for (const directory of ["b", ".git", "a.yaml.d"]) mkdirSync(join(root, directory));
  for (const file of [
    "c.yaml",
    "a.yml",
    "B.JSON",
    "notes.txt",
    ".hidden.yaml",
    "b/x.json",
    ".git/y.yaml",
    "a.yaml.d/z.yaml",
  ]) {
    writeFileSync(join(root, file), file);
  }
  assert.equal(await read(root, root), [
    "B.JSON=B.JSON",
    "a.yaml.d/z.yaml=a.yaml.d/z.yaml",
    "a.yml=a.yml",
    "b/x.json=b/x.json",
    "c.yaml=c.yaml",
  ]);
});

files("a loop of links is read once and noted", async ({ root }) => {
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d", "x.yaml"), "x");
  symlinkSync("..", join(root, "d", "up"));
  symlinkSync("self.yaml", join(root, "self.yaml"));
  assert.equal(await read(root, root), ["note directory-loop d/up", "d/x.yaml=x", "error unreadable-file self.yaml"]);
});

files("named files of any name, standard input, missing files, empty directories", async ({ root }) => {
  writeFileSync(join(root, "dump.body"), "1");
  mkdirSync(join(root, "empty"));
  const paths = [join(root, "dump.body"), "-", join(root, "missing"), join(root, "empty")];
  assert.equal(await read(root, ...paths), [
    "dump.body=1",
    "stdin=piped",
    "error unreadable-file missing",
    "error no-manifests empty",
  ]);
});

files("a directory's pipe is reported and not waited for", async ({ root }) => {
  execFileSync("mkfifo", [join(root, "a.yaml")]);
  symlinkSync("a.yaml", join(root, "b.yaml"));
  execFileSync("mkfifo", [join(root, "notes")]);
  writeFileSync(join(root, "c.yaml"), "c");
  assert.equal(await read(root, root), ["error unreadable-file a.yaml", "error unreadable-file b.yaml", "c.yaml=c"]);
});

files("what must not be read is reported, and the rest is read", async ({ root }) => {
  if (process.getuid?.() === 0) return; // root may read everything
  writeFileSync(join(root, "a.yaml"), "a");
  chmodSync(join(root, "a.yaml"), 0);
  writeFileSync(join(root, "b.yaml"), "b");
  assert.equal(await read(root, root), ["error unreadable-file a.yaml", "b.yaml=b"]);
});

files.run();
