// What a trace has found, as people and machines read it.
import type { RuleLines } from "../../shared/rule-lines.ts";
import type { Packet } from "../../shared/witness.ts";
import type { Ending, Path, Step } from "../../shared/witness-answers.ts";

/** Where a rule stands. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

export type ReportedStep =
  | Extract<Step, { hook: string }>
  | (Omit<Extract<Step, { chain: string }>, "line" | "element"> & {
      readonly at?: Place;
      /** The element that a look-up has found. */
      readonly element?: Place;
      /** Objects and fields that it comes from, with file and line, if objects were given. */
      readonly owners?: readonly string[];
    });

export interface ReportedPath extends Omit<Path, "line" | "steps"> {
  /** The rule that decides; absent where none does. */
  readonly at?: Place;
  readonly steps: readonly ReportedStep[];
}

/** What becomes of the answers that an endpoint sends. */
export interface TracedReply {
  readonly address: string;
  readonly port: number;
  readonly ending: Ending["ending"];
  readonly line: number;
}

/** schemas/trace-report.json describes it. Fields may be added. */
export interface TraceReport {
  readonly format_version: 1;
  readonly rules: readonly string[];
  readonly packet: Omit<Packet, "protocol"> & { readonly protocol: string };
  readonly paths: readonly ReportedPath[];
  readonly replies: readonly (Omit<TracedReply, "line"> & { readonly at?: Place })[];
}

export interface Traced {
  readonly rules: readonly string[];
  readonly packet: TraceReport["packet"];
  readonly paths: readonly Path[];
  readonly replies: readonly TracedReply[];
  readonly lines: RuleLines;
  readonly ownersOf?: ((step: Extract<Step, { chain: string }>) => readonly string[]) | undefined;
}

export function traceReport({ rules, packet, paths, replies, lines, ownersOf }: Traced): TraceReport {
  return {
    format_version: 1,
    rules,
    packet,
    paths: paths.map(({ line, steps, ...path }) => ({
      ...path,
      ...placed(lines, line),
      steps: steps.map((step) => reportedStep(step, lines, ownersOf)),
    })),
    replies: replies.map(({ line, ...reply }) => ({ ...reply, ...placed(lines, line) })),
  };
}

/** `{at}`, or nothing where there is no such line. */
export function placed(lines: RuleLines, line: number): { at?: Place } {
  const at = placeOf(lines, line);
  return at === undefined ? {} : { at };
}

function placeOf(lines: RuleLines, number: number): Place | undefined {
  const found = lines.at(number);
  return found === undefined ? undefined : { file: found.file, line: found.line, rule: found.text };
}

function reportedStep(step: Step, lines: RuleLines, ownersOf: Traced["ownersOf"]): ReportedStep {
  if ("hook" in step) return step;
  const { line, element, ...rest } = step;
  const found = element === undefined || element === line ? undefined : placeOf(lines, element);
  const owners = ownersOf?.(step) ?? [];
  return {
    ...rest,
    ...placed(lines, line),
    ...(found === undefined ? {} : { element: found }),
    ...(owners.length === 0 ? {} : { owners }),
  };
}
