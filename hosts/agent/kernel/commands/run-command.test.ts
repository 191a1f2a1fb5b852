import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandRunner } from "./run-command.ts";

const test = suite("child processes");
const run = commandRunner();
const bytes = (length: number) => new Uint8Array(length).fill(97);

test("input in pieces, longer than any pipe, and output in lines", async () => {
  const lines: string[] = [];
  const input = [bytes(3 << 20), new Uint8Array(), new TextEncoder().encode("\nsecond\nthird")];
  const result = await run("cat", [], { input, onLine: (line) => lines.push(line) });
  assert.equal(result, { outcome: "exited", code: 0, stdout: "", stderr: "" });
  assert.equal(
    lines.map((line) => line.length),
    [3 << 20, 6, 5],
  );
});

test("an exit code and what was said; endless complaints are cut", async () => {
  assert.equal(await run("sh", ["-c", "echo out; echo err >&2; exit 7"]), {
    outcome: "exited",
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  const long = await run("sh", ["-c", "head -c 3000000 /dev/zero | tr '\\0' x >&2"]);
  assert.ok(long.outcome === "exited" && long.stderr.length < 300_000);
});

test("a process that does not read its input is no failure of ours", async () => {
  assert.equal(await run("true", [], { input: [bytes(10 << 20), bytes(10 << 20)] }), {
    outcome: "exited",
    code: 0,
    stdout: "",
    stderr: "",
  });
});

test("too slow, killed, missing, not executable: each is told", async () => {
  assert.equal(await run("sh", ["-c", "sleep 60 & wait"], { timeout: 200 }), {
    outcome: "timed-out",
    milliseconds: 200,
  });
  assert.equal(await run("sh", ["-c", "kill -TERM $$"]), { outcome: "killed", signal: "SIGTERM", stderr: "" });
  assert.equal(await run("no-such-command", []), { outcome: "missing" });
  const result = await run("/etc/passwd", []);
  assert.is(result.outcome === "not-started" ? result.code : result.outcome, "EACCES");
});

test("without file descriptors nothing is started, and later it is", async () => {
  const script = fileURLToPath(new URL("../testing/starved.ts", import.meta.url));
  const command = `ulimit -n 64; exec "${process.execPath}" --import tsx "${script}"`;
  const [refused, starved, later] = JSON.parse(execFileSync("sh", ["-c", command], { encoding: "utf8" }));
  assert.is(refused, "EMFILE");
  assert.is(starved.outcome, "not-started");
  assert.is(starved.code, "EMFILE");
  assert.is(later.outcome, "exited");
});

test.run();
