// From the command line to an exit code.
import { EngineTrapError } from "../shared/engine.ts";
import { EngineMissingError } from "../shared/engine-node.ts";
import { printable } from "../shared/printable.ts";
import { agent, agentHelp } from "./commands/agent.ts";
import { cleanup } from "./commands/cleanup.ts";
import { completion } from "./commands/completion.ts";
import { diff } from "./commands/diff.ts";
import { migrate } from "./commands/migrate.ts";
import { render } from "./commands/render.ts";
import { snapshot } from "./commands/snapshot.ts";
import { trace } from "./commands/trace.ts";
import { verify } from "./commands/verify.ts";
import { type ExitCode, exitCode, UsageError } from "./exit-codes.ts";
import { cleanupHelp, generalHelp, renderHelp, snapshotHelp } from "./help.ts";
import { completionHelp } from "./help-completion.ts";
import { diffHelp } from "./help-diff.ts";
import { migrateHelp, traceHelp, verifyHelp } from "./help-rules.ts";
import { type Io, write } from "./io.ts";
import { Reporter } from "./output/diagnostics.ts";
import { UnwritableFileError } from "./output/files.ts";
import { version } from "./version.ts";

interface Command {
  help(): string | Promise<string>;
  run(args: string[], io: Io): Promise<ExitCode>;
}

const commands: Record<string, Command> = {
  agent: { help: agentHelp, run: agent },
  cleanup: { help: () => cleanupHelp, run: cleanup },
  completion: { help: () => completionHelp, run: (args, io) => completion(args, io, commandNames) },
  migrate: { help: () => migrateHelp, run: migrate },
  diff: { help: () => diffHelp, run: diff },
  render: { help: () => renderHelp, run: render },
  snapshot: { help: () => snapshotHelp, run: snapshot },
  trace: { help: () => traceHelp, run: trace },
  verify: { help: () => verifyHelp, run: verify },
};

export const commandNames: readonly string[] = Object.keys(commands);

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const [first, ...rest] = args;
  try {
    switch (first) {
      case undefined:
        throw new UsageError("no command given", "`sluice help` says what there is");
      case "--version":
        await write(io.stdout, `sluice ${version}\n`);
        return exitCode.done;
      case "-h":
      case "--help":
        await write(io.stdout, generalHelp);
        return exitCode.done;
      case "help":
        await write(io.stdout, rest[0] === undefined ? generalHelp : await commandNamed(rest[0]).help());
        return exitCode.done;
    }
    const command = commandNamed(first);
    const beforeOperands = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
    if (beforeOperands.includes("--help") || beforeOperands.includes("-h")) {
      await write(io.stdout, await command.help());
      return exitCode.done;
    }
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) {
      const hint = error.hint === "" ? "`sluice help render` explains all options" : error.hint;
      await write(io.stderr, `sluice: ${printable(error.message)}\n  ${printable(hint)}\n`);
      return exitCode.usage;
    }
    if (error instanceof UnwritableFileError) {
      new Reporter(io, false).report(error.diagnostic);
      return exitCode.failure;
    }
    if (error instanceof EngineMissingError || error instanceof EngineTrapError) {
      await write(io.stderr, `sluice: ${printable(error.message)}\n`);
      return exitCode.failure;
    }
    throw error;
  }
}

function commandNamed(name: string): Command {
  if (Object.hasOwn(commands, name)) return commands[name] as Command;
  const what = name.startsWith("-") ? "option" : "command";
  throw new UsageError(`there is no ${what} ${name}`, "`sluice help` says what there is");
}
