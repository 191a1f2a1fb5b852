import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Found } from "../../shared/manifests/files.ts";
import { filesOfCommit } from "./git-files.ts";

const test = suite("files of a commit");
const directory = mkdtempSync(join(tmpdir(), "sluice-git-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", ...args], {
    cwd: directory,
  }).toString();
const write = (name: string, text: string) => writeFileSync(join(directory, name), text);

test.before(() => {
  git("init", "-q", "-b", "main");
  for (const name of ["deploy", "deploy/sub", ".hidden"]) mkdirSync(join(directory, name));
  write("deploy/web.yaml", "kind: Service\n");
  write("deploy/größe 1.yml", "");
  write("deploy/sub/api.json", "{}");
  write("deploy/readme.md", "no manifest");
  write("deploy/named", "kind: Service\n");
  write(".hidden/a.yaml", "hidden");
  symlinkSync("web.yaml", join(directory, "deploy/link.yaml"));
  git("add", "-A");
  git("commit", "-q", "-m", "one");
  write("deploy/web.yaml", "changed in the work tree\n");
});

function shown(found: readonly Found[]): string[] {
  return found.map((each) =>
    "source" in each
      ? `${each.source.name}: ${JSON.stringify(new TextDecoder().decode(each.source.bytes))}`
      : `${each.diagnostic.severity} ${each.diagnostic.file} [${each.diagnostic.code}]`,
  );
}

test("as the commit has them, whatever the work tree has; hidden ones are not read, and links are said", async () => {
  assert.equal(shown(await filesOfCommit("main", ["deploy"], directory)), [
    'deploy/größe 1.yml: ""',
    "warning deploy/link.yaml [link-in-commit]",
    'deploy/sub/api.json: "{}"',
    'deploy/web.yaml: "kind: Service\\n"',
  ]);
  assert.equal(shown(await filesOfCommit("HEAD", [], directory)).length, 4);
});

test("a path that is named is read whatever its name is; one that the commit does not have is empty", async () => {
  assert.equal(shown(await filesOfCommit("main", ["./deploy/named", "gone.yaml"], directory)), [
    'deploy/named: "kind: Service\\n"',
  ]);
});

test("paths start from where the command runs", async () => {
  assert.equal(shown(await filesOfCommit("main", ["sub"], join(directory, "deploy"))), ['sub/api.json: "{}"']);
});

test("no such commit, no repository, and a name that looks like an option are errors", async () => {
  for (const ref of ["nowhere", "--output=x", "main:deploy"]) {
    assert.equal(shown(await filesOfCommit(ref, [], directory)), ["error  [git]"], ref);
  }
  assert.equal(shown(await filesOfCommit("main", [], tmpdir())), ["error  [git]"]);
  assert.equal(shown(await filesOfCommit("main", [], join(directory, "nowhere"))), ["error  [git]"]);
});

test.run();
