// Why the agent cannot start.

/** The agent can't start: what is wrong, and what to do, in one line. */
export class StartError extends Error {
  override readonly name = "StartError";
}
