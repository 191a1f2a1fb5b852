import { test } from "uvu";
import * as assert from "uvu/assert";
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

test.run();
