import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { engineModule as engine } from "../../fixtures/support/engine.ts";
import { runCli } from "./testing/run-cli.ts";
import { version } from "./version.ts";

test("version and help go to stdout and end with 0", async () => {
  assert.equal(await runCli(["--version"]), { code: 0, stdout: `sluice ${version}\n`, stderr: "" });
  for (const args of [["help"], ["--help"], ["-h"]]) {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal([code, stderr], [0, ""]);
    assert.match(stdout, "sluice render");
  }
  for (const args of [
    ["help", "render"],
    ["render", "--help"],
    ["render", "-f", "x", "-h"],
  ]) {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal([code, stderr], [0, ""]);
    assert.match(stdout, "Examples:");
  }
});

const wrong: [args: string[], message: RegExp][] = [
  [[], /no command/],
  [["rendr"], /no command rendr/],
  [["constructor"], /no command constructor/],
  [["--verbos"], /no option --verbos/],
  [["help", "rendr"], /no command rendr/],
  [["render"], /nothing to read/],
  [["render", "x.yaml"], /-f x\.yaml/],
  [["render", "-f"], /-f/],
  [["render", "-f", ""], /empty name/],
  [["render", "-f", "x", "-o", ""], /empty name/],
  [["render", "-f", "x", "--famly", "ipv4"], /--famly/],
  [["render", "-f", "x", "--family", "ipv5"], /ipv5/],
  [["render", "-f", "x", "--mode", "ipvs"], /nftables/],
  [["render", "-f", "x", "--mode", "kernelspace"], /Linux/],
  [["render", "-f", "x", "--mode", "fast"], /no mode[\s\S]*flat, nftables or iptables/],
  [["render", "-f", "x", "--node", " "], /--node/],
  [["render", "-f", "-", "-f", "-"], /only once/],
  [["render", "-f", "-", "--config", "-"], /only once/],
  [["render", "-f", "x", "--describe", "--blame"], /--blame/],
  [["render", "-f", "x", "--mode", "iptables", "--family", "all"], /-o DIR/],
  [["render", "-f", "x", "--mode", "iptables", "--family", "all", "-o", "one-file"], /directory/],
];

for (const [args, message] of wrong) {
  test(`\`sluice ${args.join(" ")}\` is wrong usage`, async () => {
    const { code, stdout, stderr } = await runCli(args);
    assert.is(code, 64);
    assert.is(stdout, "");
    assert.match(stderr, message);
    assert.is(stderr.trimEnd().split("\n").length, 2, "a message and a hint");
  });
}

test("what an agent that does not start has to say is JSON where its log would be", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-json-"));
  try {
    const file = join(folder, "config.conf");
    const head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
    writeFileSync(file, `${head}logging: {format: json}\nmode: fast\nudpIdleTimeout: 1s\n`);
    const missing = join(folder, "missing");
    for (const args of [
      ["--config", file],
      ["--config", missing, "--logging-format", "json"],
      ["--logging-format=json", "--proxy-mode=fast"],
    ]) {
      const { code, stdout, stderr } = await runCli(["agent", ...args]);
      assert.equal([code, stderr], [args[1] === file || args[1] === missing ? 1 : 64, ""], args.join(" "));
      const lines = stdout.trimEnd().split("\n");
      const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const errors = records.filter(({ level }) => level === "error");
      assert.is(errors.length, 1, stdout);
      const { ts, msg, err, v } = errors[0] ?? {};
      assert.ok(Math.abs(Number(ts) - Date.now()) < 60_000, stdout);
      assert.equal([msg, v], ["the agent can't start", undefined]);
      assert.match(
        String(err),
        args[1] === file ? `${file}:4:7: mode: ` : args[1] === missing ? missing : "--proxy-mode: ",
      );
      const others = records.filter(({ level }) => level !== "error");
      assert.is(others.length, args[1] === file ? 1 : 0, stdout);
      for (const other of others) assert.equal([other.level, other.v], ["warn", 0]);
    }
    const text = await runCli(["agent", "--proxy-mode=fast", "--logging-format=text"]);
    assert.equal([text.code, text.stdout], [64, ""]);
    assert.match(text.stderr, "error: --proxy-mode: ");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const wrongFlags: [args: string[], message: RegExp][] = [
  [["agent", "--proxy-mod=flat"], /--proxy-mod is no flag/],
  [["agent", "run"], /only flags are taken/i],
  [["agent", "--proxy-mode"], /needs a value/],
  [["agent", "--oom-score-adj=x"], /whole number/],
  [["agent", "--proxy-mode=ipvs"], /--proxy-mode: /],
  [["agent", "--check=maybe"], /true or false/],
  [["cleanup", "everything"], /everything/],
];

for (const [args, message] of wrongFlags) {
  test(`\`sluice ${args.join(" ")}\` is wrong usage too`, async () => {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal([code, stdout], [64, ""]);
    assert.match(stderr, message);
  });
}

test("a configuration file that is wrong, or not there, is no wrong usage", async () => {
  assert.is((await runCli(["agent", "--config=/nowhere/config.conf"])).code, 1);
  const directory = mkdtempSync(join(tmpdir(), "sluice-run-"));
  const file = join(directory, "config.conf");
  writeFileSync(file, "kind: KubeProxyConfiguration\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nmode: ipvs\n");
  const { code, stderr } = await runCli(["agent", `--config=${file}`]);
  rmSync(directory, { recursive: true });
  assert.is(code, 1);
  assert.match(stderr, /config\.conf:3:7: error: mode: .*1\.40.*1\.43/);
});

test("the help of every command names its exit codes", async () => {
  for (const name of ["agent", "cleanup", "render"]) {
    assert.match((await runCli(["help", name])).stdout, /Exit codes: 0 [\s\S]*64 wrong usage/, name);
  }
  assert.match((await runCli(["help"])).stdout, /Exit codes of all commands/);
});

test("20,000 levels of JSON are an error of that file, wherever they stand", async () => {
  const nested = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  const service = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","labels":${nested}},"spec":{"ports":${nested}}}`;
  for (const stdin of [
    service,
    `{"apiVersion":"v1","kind":"List","items":${nested}}`,
    `{"apiVersion":"v1","kind":"List","items":[${service},${service}]}`,
  ]) {
    const { code, stderr } = await runCli(["render", "-f", "-"], { stdin, engine });
    assert.is(code, 1);
    assert.match(stderr, /nested|levels|deep/);
  }
});

test.run();
