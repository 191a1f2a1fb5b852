// A command line by a command's table of options.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "../exit-codes.ts";
import { withDefaultValues } from "./assume-options.ts";

/** Options, and the words besides. @throws {UsageError} wrong ones; with that hint, if there is one */
export function parseOptions<T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
  hint?: string,
) {
  try {
    return parseArgs({ args: withDefaultValues(args), allowPositionals: true, options });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // node:util explains itself well, over several lines: "Unknown option '--famly'. To specify …"
    const [first = "wrong options"] = error.message.split("\n");
    throw new UsageError(first.replace(/ To specify a positional.*/, ""), hint);
  }
}

/** The same for a command that has no use for words besides. `meant` begins what was probably meant, which the word ends. */
export function parseOptionsAlone<T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
  meant: string,
) {
  const { values, positionals } = parseOptions(args, options);
  const [word] = positionals;
  if (word !== undefined) throw new UsageError(`what is ${JSON.stringify(word)} for?`, `${meant} ${word}`);
  return values;
}
