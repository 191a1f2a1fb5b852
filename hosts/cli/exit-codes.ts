/** What a command ends with, for all commands. Only main.ts exits. */
export const exitCode = {
  done: 0,
  /** Bad input, or something failed. */
  failure: 1,
  /** Something differs. */
  different: 2,
  /** No clean verdict: something is not understood, or was not compared to its end; a gate is violated. */
  unclear: 3,
  /** Wrong usage (EX_USAGE of sysexits.h). */
  usage: 64,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string;

  constructor(message: string, hint = "") {
    super(message);
    this.hint = hint;
  }
}
