// Shells that really complete: keys are typed into a terminal, and what the command would get is printed.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { testNeeding } from "../../../fixtures/support/needing.ts";
import { commandNames } from "../run.ts";
import { runCli } from "../testing/run-cli.ts";
import { completedCommands, type Shell, shells } from "./completed-commands.ts";

const test = suite("completion");
const directory = mkdtempSync(join(tmpdir(), "sluice-completion-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

writeFileSync(join(directory, "manifest one.yaml"), "");
for (const shell of shells) {
  writeFileSync(join(directory, `script.${shell}`), (await runCli(["completion", shell])).stdout);
}

/** What is typed (\t completes), and what the command gets. */
const typed: [keys: string, args: string[]][] = [
  ["ren\t--mo\tfl\t", ["render", "--mode", "flat"]],
  ["render --mode=nf\t", ["render", "--mode=nftables"]],
  ["render -f man\t--str\t", ["render", "-f", "manifest one.yaml", "--strict"]],
  ["render --filename=man\t", ["render", "--filename=manifest one.yaml"]],
  ["trace --pro\tsc\t", ["trace", "--proto", "sctp"]],
  ["verify man\t", ["verify", "manifest one.yaml"]],
  ["render man\t", ["render", "man"]],
  ["render --node man\t", ["render", "--node", "man"]],
  ["agent --proxy-mo\t", ["agent", "--proxy-mode"]],
  ["help snap\t", ["help", "snapshot"]],
  ["comp\tfi\t", ["completion", "fish"]],
];

const starts: Readonly<Record<"bash" | "zsh", string>> = {
  bash: "exec bash --noprofile --norc -i",
  zsh: "exec zsh -f -i",
};
const settings = {
  bash: "bind 'set enable-bracketed-paste off'",
  zsh: "autoload -U compinit; compinit -D -u; zstyle ':completion:*' insert-tab false; unsetopt zle_bracketed_paste",
};

for (const shell of ["bash", "zsh"] as const) {
  testNeeding(test, `${shell} completes commands, options, values and files`, lackingProgram(shell), async () => {
    const printed = join(directory, `${shell}.printed`);
    writeFileSync(printed, "");
    // Each argument on a line of its own, and an empty one after the last.
    const fake = `sluice() { { printf '%s\\n' "$@"; echo; } >> ${printed}; echo ar''rived; }`;
    const terminal = spawn("script", ["-qec", starts[shell], "/dev/null"], {
      cwd: directory,
      env: { PATH: process.env.PATH, TERM: "dumb", HOME: directory, LANG: "C.UTF-8" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    try {
      const lines = [`${settings[shell]}; ${fake}; . ./script.${shell}; echo ar''rived`];
      for (const line of [...lines, ...typed.map(([keys]) => `sluice ${keys}`)]) {
        terminal.stdin.write(`${line}\n`);
        await arrival(terminal);
      }
    } finally {
      terminal.kill("SIGKILL");
    }
    const { stdout } = spawnSync("cat", [printed], { encoding: "utf8" });
    const got = stdout.split("\n\n").slice(0, -1);
    for (const [index, [keys, args]] of typed.entries()) {
      assert.equal(apart(got[index]?.split("\n") ?? []), apart(args), keys);
    }
  });
}

/** `--mode=flat` is `--mode flat`: zsh completes the first form where bash does the second. */
function apart(args: readonly string[]): string[] {
  return args.flatMap((arg) => arg.split("=")).filter((each) => each !== "");
}

/** Until the command has been called: it says so on the terminal. */
function arrival(terminal: ChildProcess): Promise<void> {
  let seen = "";
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error(`the shell has ended: ${seen}`));
    const listen = (bytes: Buffer) => {
      seen += bytes.toString();
      if (!seen.includes("arrived")) return;
      terminal.stdout?.off("data", listen);
      terminal.off("exit", ended);
      resolve();
    };
    terminal.stdout?.on("data", listen);
    terminal.once("exit", ended);
  });
}

testNeeding(test, "fish completes commands, options, values and files", lackingProgram("fish"), () => {
  const asked: [line: string, candidates: string[]][] = [
    ["ren", ["render"]],
    ["render --mode ", ["flat", "iptables", "nftables"]],
    ["render --mode=nf", ["--mode=nftables"]],
    ["render -f man", ["manifest one.yaml"]],
    ["render man", []],
    ["render --node man", []],
    ["verify man", ["manifest one.yaml"]],
    ["render --keep", ["--keep-going"]],
    ["help snap", ["snapshot"]],
    ["completion f", ["fish"]],
  ];
  const script = [
    "source script.fish",
    ...asked.flatMap(([line]) => [`complete -C 'sluice ${line}'`, "echo end-of-candidates"]),
  ].join("\n");
  const { stdout, stderr, status } = spawnSync("fish", ["--no-config", "--command", script], {
    cwd: directory,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: directory, LANG: "C.UTF-8" },
  });
  assert.equal([status, stderr], [0, ""]);
  const got = stdout.split("end-of-candidates\n");
  for (const [index, [line, candidates]] of asked.entries()) {
    // After a tab stands what fish says about a candidate.
    const found = (got[index] ?? "").split("\n").filter((each) => each !== "");
    assert.equal(found.map((each) => each.replace(/\t.*/, "")).sort(), candidates, line);
  }
});

function lackingProgram(shell: Shell): string {
  const lacking = [shell, "script"].filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  return lacking.length === 0 ? "" : `not installed: ${lacking.join(", ")}`;
}

test("every command is completed with options of its own", async () => {
  for (const { name, options } of await completedCommands(commandNames)) {
    if (name !== "completion" && name !== "help") assert.ok(options.length > 1, name);
  }
});

/** What else each command needs before it looks at values. Nothing of it exists, so that none does anything. */
const beside: Readonly<Record<string, string[]>> = {
  agent: ["--write-config-to=/dev/null/none"],
  diff: ["/nowhere", "/nowhere"],
  migrate: ["-f", "/nowhere"],
  render: ["-f", "/nowhere"],
  trace: ["-f", "/nowhere", "--to", "10.96.0.1:443"],
  verify: ["-f", "/nowhere", "--rules", "/nowhere"],
};

test("every value that is offered is taken", async () => {
  let tried = 0;
  for (const { name, options } of await completedCommands(commandNames)) {
    for (const option of options) {
      if (!Array.isArray(option.value)) continue;
      for (const value of option.value as string[]) {
        const others = name !== "migrate" ? [] : option.name === "to" ? ["--from=ipvs"] : ["--to=flat", "--from=ipvs"];
        const args = [name, ...(beside[name] ?? []), ...others, `--${option.name}=${value}`];
        const { code, stderr } = await runCli(args);
        assert.is.not(code, 64, `${args.join(" ")}: ${stderr}`);
        tried++;
      }
    }
  }
  assert.ok(tried > 20, String(tried));
});

test("another shell, none or too many are wrong usage", async () => {
  for (const args of [[], ["tcsh"], ["bash", "zsh"]]) {
    const { code, stdout, stderr } = await runCli(["completion", ...args]);
    assert.equal([code, stdout], [64, ""]);
    assert.match(stderr, "write `sluice completion bash|zsh|fish`");
  }
});

test.run();
