// What a command of iptables says when it fails, as one line for the log.
import type { CommandResult } from "./run-command.ts";
import type { WriteResult } from "./writer.ts";

/** Exit code of resource problems: the lock is held, out of memory, no permission. */
export const RESOURCE_PROBLEM = 4;
const ENDED_WELL = 0;
/** Why a process could not be started that may go away. */
const TRANSIENT = ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"];

/**
 * @param command as it is known to the reader, for example "iptables-restore"
 * @param input that it was given, to find the line that it complains about
 */
export function writeResultOf(command: string, result: CommandResult, input: readonly Uint8Array[]): WriteResult {
  switch (result.outcome) {
    case "exited":
      if (result.code === ENDED_WELL) return { outcome: "written" };
      return refused(refusal(command, result.code, result.stderr, input), result.code === RESOURCE_PROBLEM);
    case "missing":
      return refused(`${command} is not on the path; install iptables`, false);
    case "not-started":
      return refused(`${command} could not be started: ${result.code}`, TRANSIENT.includes(result.code));
    case "timed-out":
      return {
        outcome: "unknown",
        message: `${command} did not end within ${result.milliseconds / 1000} s and was killed; does another process hold the lock /run/xtables.lock?`,
      };
    case "killed":
      return {
        outcome: "unknown",
        message: `${command} was killed by ${result.signal}; is the node or the container out of memory?`,
      };
  }
}

function refused(message: string, transient: boolean): WriteResult {
  return { outcome: "refused", message, sequences: [], transient };
}

function refusal(command: string, code: number, stderr: string, input: readonly Uint8Array[]): string {
  const said = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("Try `"));
  const number = lineNumber(stderr);
  const line = number === undefined ? undefined : lineOf(input, number);
  const place = line === undefined ? "" : `; line ${number} is: ${line}`;
  return `${command} refused (exit code ${code}): ${said.join(" ") || "it said nothing"}${place}`;
}

/** "Error occurred at line: 3", "line 3 failed". */
function lineNumber(stderr: string): number | undefined {
  const match = /line: (\d+)|line (\d+) failed/.exec(stderr);
  return match === null ? undefined : Number(match[1] ?? match[2]);
}

const NEWLINE = 10;
const LONGEST_LINE = 500;

/** @param number counted from 1 */
function lineOf(input: readonly Uint8Array[], number: number): string | undefined {
  let line = 1;
  let text = "";
  for (const piece of input) {
    let start = 0;
    while (start <= piece.length) {
      const found = piece.indexOf(NEWLINE, start);
      const end = found < 0 ? piece.length : found;
      if (line === number) text += new TextDecoder().decode(piece.subarray(start, Math.min(end, start + LONGEST_LINE)));
      if (found < 0) break;
      if (line === number) return text;
      line++;
      start = found + 1;
    }
  }
  return line === number && text !== "" ? text : undefined;
}
