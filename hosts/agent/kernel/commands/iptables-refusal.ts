// Reads the error output of a failed iptables command, and makes one line of it for the log.

import type { WriteResult } from "../writer.ts";
import type { CommandResult } from "./run-command.ts";

/** Exit code of resource problems: the lock is held, out of memory, no permission. */
export const RESOURCE_PROBLEM = 4;
const ENDED_WELL = 0;
/** Texts of strerror for errors that may pass. */
const PASSING = [
  "Device or resource busy",
  "Resource temporarily unavailable",
  "Cannot allocate memory",
  "No buffer space available",
  "Interrupted system call",
];
/** Reasons that may pass why a process could not be started. */
const TRANSIENT = ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"];

/**
 * @param command as it is known to the reader, for example "iptables-restore"
 * @param input that it was given, to find the lines that it complains about
 */
export function writeResultOf(command: string, result: CommandResult, input: readonly Uint8Array[]): WriteResult {
  switch (result.outcome) {
    case "exited":
      return result.code === ENDED_WELL ? { outcome: "written" } : refusal(command, result.code, result.stderr, input);
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

function refused(message: string, transient: boolean, sequences: readonly number[] = []): WriteResult {
  return { outcome: "refused", message, sequences, transient };
}

function refusal(command: string, code: number, stderr: string, input: readonly Uint8Array[]): WriteResult {
  const said = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("Try `"));
  const complaints = complaintsOf(stderr);
  const lines = linesOf(input, new Set(complaints.map(({ number }) => number)));
  const [first] = complaints;
  const line = first === undefined ? undefined : lines.get(first.number);
  const place = line === undefined ? "" : `; line ${first?.number} is: ${line}`;
  const message = `${command} refused (exit code ${code}): ${said.slice(0, MOST_LINES_SAID).join(" ") || "it said nothing"}${place}`;
  return refused(
    message,
    isTransient(code, complaints),
    [...lines.keys()].filter((number) => isRule(lines.get(number))),
  );
}

interface Complaint {
  /** Of the line, counted from 1. */
  readonly number: number;
  /** What strerror says, where it is said. */
  readonly reason: string;
  /** It is a chain that is not deleted: one that a rule leads to, which does not pass. */
  readonly isDeletion: boolean;
}

/**
 * "Error occurred at line: 3" for what the tool does not know, "line 3 failed" of legacy's, with the number of the COMMIT
 * line, for what the kernel does not take, "line 3: RULE_APPEND failed (Invalid argument): rule in chain X" for each that
 * it does not take with nf_tables.
 */
function complaintsOf(stderr: string): readonly Complaint[] {
  return [...stderr.matchAll(/\bline: (\d+)|\bline (\d+) failed|\bline (\d+): (\w+) failed(?: \(([^)]*)\))?/g)].map(
    ([, tool, legacy, nft, command, reason = ""]) => ({
      number: Number(tool ?? legacy ?? nft),
      reason,
      isDeletion: command === "CHAIN_DEL",
    }),
  );
}

/**
 * With nf_tables the exit code is that of resource problems for everything that the kernel refuses. Then the errors of the
 * lines decide.
 */
function isTransient(code: number, complaints: readonly Complaint[]): boolean {
  if (code !== RESOURCE_PROBLEM) return false;
  const reasons = complaints.filter(({ reason }) => reason !== "");
  return reasons.length === 0 || reasons.every(({ reason, isDeletion }) => PASSING.includes(reason) && !isDeletion);
}

/** COMMIT stands for a whole table, and so does its head. */
function isRule(line: string | undefined): boolean {
  return line !== undefined && /^[-:]/.test(line);
}

const NEWLINE = 10;
const LONGEST_LINE = 500;
const MOST_LINES_SAID = 5;

/** The lines with these numbers, counted from 1. What is not in the input is not in the result. */
function linesOf(input: readonly Uint8Array[], numbers: ReadonlySet<number>): Map<number, string> {
  const lines = new Map<number, string>();
  let number = 1;
  for (const piece of numbers.size === 0 ? [] : input) {
    for (let start = 0; start < piece.length; ) {
      const found = piece.indexOf(NEWLINE, start);
      const end = found < 0 ? piece.length : found;
      if (numbers.has(number)) {
        const text = new TextDecoder().decode(piece.subarray(start, Math.min(end, start + LONGEST_LINE)));
        lines.set(number, (lines.get(number) ?? "") + text);
      }
      if (found >= 0) number++;
      start = end + 1;
    }
  }
  return lines;
}
