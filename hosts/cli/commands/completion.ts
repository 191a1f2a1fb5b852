// sluice completion: a script that lets a shell complete commands, options and their values.
import { bashCompletion } from "../completion/bash.ts";
import { type CompletedCommand, completedCommands, type Shell, shells } from "../completion/completed-commands.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { type ExitCode, exitCode, UsageError } from "../exit-codes.ts";
import { type Io, write } from "../io.ts";

const scripts: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** @param names of the commands that there are */
export async function completion(args: readonly string[], io: Io, names: readonly string[]): Promise<ExitCode> {
  const [name, ...more] = args;
  const hint = `write \`sluice completion ${shells.join("|")}\``;
  if (name === undefined) throw new UsageError("for which shell?", hint);
  const shell = shells.find((each) => each === name);
  if (shell === undefined) throw new UsageError(`there is no completion for ${JSON.stringify(name)}`, hint);
  if (more[0] !== undefined) throw new UsageError(`what is ${JSON.stringify(more[0])} for?`, hint);
  await write(io.stdout, scripts[shell](await completedCommands(names)));
  return exitCode.done;
}
