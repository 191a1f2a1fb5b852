/** What a command ends with, for all commands. Only main.ts exits. */
export const exitCode = {
  done: 0,
  /** Bad input, or something failed. */
  failure: 1,
  /** Kept for commands with results: something differs. */
  different: 2,
  /** Kept for commands with results: a gate is violated. */
  violated: 3,
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
