// The committed bundle: made of these sources, and whole in a repository with a change.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { FakeGitHub } from "./testing/fake-github.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const action = parse(readFileSync(join(root, "action.yml"), "utf8"));
const test = suite<{ directory: string }>("bundle of the action");

test.before.each((context) => {
  context.directory = mkdtempSync(join(tmpdir(), "sluice-action-"));
});
test.after.each(({ directory }) => rmSync(directory, { recursive: true, force: true }));

test("is what `node hosts/action/build.mjs` makes", ({ directory }) => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "hosts/action/build.mjs"), "--out", directory], {
    encoding: "utf8",
  });
  assert.is(status, 0, stderr);
  const isSame = readFileSync(join(directory, "main.js")).equals(readFileSync(join(root, action.runs.main)));
  assert.ok(isSame, "run `node hosts/action/build.mjs` and commit hosts/action/dist");
});

test("has every input that action.yml names, and no other", () => {
  const source = readFileSync(join(root, "hosts/action/inputs.ts"), "utf8");
  const read = [...source.matchAll(/(?:input|lines)\("([a-z-]+)"\)/g)].map(([, name]) => name);
  assert.equal([...new Set(read)].sort(), Object.keys(action.inputs).sort());
});

function git(directory: string, ...args: string[]): void {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
  const { status, stderr } = spawnSync("git", [...identity, ...args], { cwd: directory, encoding: "utf8" });
  assert.is(status, 0, stderr);
}

function commit(directory: string, replicas: number): void {
  const labels = "{app: web}";
  const workload = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: ${replicas}
  selector: {matchLabels: ${labels}}
  template: {metadata: {labels: ${labels}}, spec: {containers: [{name: web, ports: [{containerPort: 8080}]}]}}
`;
  const service = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: ${labels}, ports: [{port: 80, targetPort: 8080}]}
`;
  mkdirSync(join(directory, "deploy"), { recursive: true });
  writeFileSync(join(directory, "deploy/web.yaml"), `${workload}---\n${service}`);
  git(directory, "add", ".");
  git(directory, "commit", "--quiet", "--message", `${replicas} replicas`);
}

async function run(directory: string, more: Record<string, string>) {
  const env = {
    ...process.env,
    RUNNER_TEMP: directory,
    GITHUB_STEP_SUMMARY: join(directory, "summary"),
    GITHUB_OUTPUT: join(directory, "output"),
    INPUT_PATHS: "deploy",
    ...more,
  };
  const child = spawn(process.execPath, [join(root, action.runs.main)], { cwd: join(directory, "shop"), env });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, log };
}

test("compares the last commit with the one before, shows it, comments on it, and fails by the gate", async ({
  directory,
}) => {
  const shop = join(directory, "shop");
  mkdirSync(shop);
  git(shop, "init", "--quiet");
  commit(shop, 2);
  const first = await run(directory, {});
  assert.is(first.code, 1);
  assert.match(first.log, /::error title=sluice::this checkout has no commit HEAD\^1: .*fetch-depth: 2/);
  commit(shop, 0);
  const github = new FakeGitHub();
  try {
    writeFileSync(join(directory, "event.json"), JSON.stringify({ pull_request: { number: 7 } }));
    const { code, log } = await run(directory, {
      "INPUT_FAIL-ON": "lost-endpoints",
      INPUT_COMMENT: "sticky",
      INPUT_TOKEN: "secret",
      GITHUB_API_URL: await github.start(),
      GITHUB_REPOSITORY: "shop/deploy",
      GITHUB_EVENT_NAME: "pull_request",
      GITHUB_EVENT_PATH: join(directory, "event.json"),
    });
    assert.is(code, 3, log);
    assert.match(
      log,
      /^::stop-commands::(\S+)\n[\s\S]*loses all 2 endpoints[\s\S]*\n::\1::\n::error file=deploy\/web\.yaml,line=\d+,/,
    );
    assert.not.match(log, /secret/);
    assert.match(github.comments[0]?.body ?? "", /loses all 2 endpoints/);
    assert.match(readFileSync(join(directory, "summary"), "utf8"), /loses all 2 endpoints/);
    const written = /^report<<(\S+)\n(.*)\n\1$/m.exec(readFileSync(join(directory, "output"), "utf8"))?.[2] ?? "";
    assert.ok(existsSync(written));
  } finally {
    github.stop();
  }
});

test("takes the command from a package, and says what to do where there is none", async ({ directory }) => {
  const shop = join(directory, "shop");
  mkdirSync(shop);
  git(shop, "init", "--quiet");
  commit(shop, 2);
  commit(shop, 3);
  const made = spawnSync(process.execPath, [join(root, "hosts/cli/package.mjs"), "--out", directory], {
    encoding: "utf8",
  });
  assert.is(made.status, 0, made.stderr);
  const file = /^(sluice-cli-\S+\.tgz):/m.exec(made.stdout)?.[1] ?? "";
  const { code, log } = await run(directory, { INPUT_PACKAGE: join(directory, file) });
  assert.is(code, 0, log);
  assert.match(log, /gains 1 endpoint/);
  const missing = await run(directory, { INPUT_PACKAGE: "/nowhere.tgz" });
  assert.is(missing.code, 1);
  assert.match(missing.log, /::error title=sluice::input package: \/nowhere\.tgz can't be unpacked: /);
});

test.run();
