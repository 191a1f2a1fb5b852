// Runs a child process that can't hold up the agent: its time is limited, its input is streamed, and its output is bounded.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface CommandOptions {
  /** Standard input, in pieces that are written as they are. */
  readonly input?: readonly Uint8Array[] | string;
  /** Milliseconds after which the process and its children are killed. */
  readonly timeout?: number;
  /** Takes standard output line by line instead of collecting it. */
  readonly onLine?: (line: string) => void;
}

export type CommandResult =
  | { readonly outcome: "exited"; readonly code: number; readonly stdout: string; readonly stderr: string }
  /** There is no such file on the path. */
  | { readonly outcome: "missing" }
  /** It could not be started: `code` is "EACCES", "EAGAIN", "EMFILE"… */
  | { readonly outcome: "not-started"; readonly code: string; readonly message: string }
  /** Killed by us, after so many milliseconds. */
  | { readonly outcome: "timed-out"; readonly milliseconds: number }
  /** Killed by somebody else. */
  | { readonly outcome: "killed"; readonly signal: string; readonly stderr: string };

/** Does not throw for anything that the command does. */
export type RunCommand = (command: string, args: readonly string[], options?: CommandOptions) => Promise<CommandResult>;

const TIMEOUT = 30_000;
const STDERR_LIMIT = 64 << 10;
/** Where administrators' commands are, also when the agent was started with a user's path. */
const ADMINISTRATORS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** @param path directories to look for commands in, separated by colons; the administrators' are added */
export function commandRunner(path: string = process.env.PATH ?? ""): RunCommand {
  const directories = path.split(":").filter((each) => each !== "");
  const environment = {
    ...process.env,
    PATH: [...directories, ...ADMINISTRATORS.filter((each) => !directories.includes(each))].join(":"),
    LC_ALL: "C",
  };
  return (command, args, options = {}) => run(command, args, options, environment);
}

async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions,
  env: NodeJS.ProcessEnv,
): Promise<CommandResult> {
  const timeout = options.timeout ?? TIMEOUT;
  let child: ChildProcess;
  try {
    // In a process group of its own, so that what a wrapper script started is killed with it.
    child = spawn(command, args, { env, stdio: "pipe", detached: true });
  } catch (error) {
    return notStarted(command, error as NodeJS.ErrnoException);
  }
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => child.once("error", resolve));
  const { stdin, stdout, stderr } = child;
  // Without file descriptors left there are no streams, only an error.
  if (stdin === null || stdout === null || stderr === null || stdin === undefined) {
    return notStarted(command, await failed);
  }
  // `close` comes when the output has been read as well.
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  );

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child.pid);
    stdout.destroy();
    stderr.destroy();
  }, timeout);
  const written = collect(stdout, options.onLine, Number.POSITIVE_INFINITY);
  const complaints = collect(stderr, undefined, STDERR_LIMIT);
  // If a process ends before it has read everything, its exit code tells why, and EPIPE does not matter.
  stdin.on("error", () => {});
  void feed(stdin, options.input ?? "");
  try {
    const result = await Promise.race([ended, failed]);
    if (result instanceof Error) return notStarted(command, result);
    if (timedOut) return { outcome: "timed-out", milliseconds: timeout };
    if (result.code === null) {
      return { outcome: "killed", signal: result.signal ?? "unknown", stderr: complaints() };
    }
    return { outcome: "exited", code: result.code, stdout: written(), stderr: complaints() };
  } finally {
    clearTimeout(timer);
  }
}

function notStarted(command: string, error: NodeJS.ErrnoException): CommandResult {
  if (error.code === "ENOENT") return { outcome: "missing" };
  return { outcome: "not-started", code: error.code ?? "unknown", message: `${command}: ${error.message}` };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // It has ended in the meantime.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function feed(stdin: NodeJS.WritableStream, input: readonly Uint8Array[] | string): Promise<void> {
  const pieces = typeof input === "string" ? [input] : input;
  for (const piece of pieces) {
    if (piece.length > 0 && !stdin.write(piece)) {
      await Promise.race([once(stdin, "drain"), once(stdin, "close")]).catch(() => {});
    }
    if (!stdin.writable) return;
  }
  stdin.end();
}

function collect(
  stream: NodeJS.ReadableStream,
  onLine: ((line: string) => void) | undefined,
  limit: number,
): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    if (text.length < limit) text += chunk;
    if (onLine === undefined) return;
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => {
    if (onLine === undefined) return;
    if (text !== "") onLine(text);
    text = "";
  });
  return () => text;
}
