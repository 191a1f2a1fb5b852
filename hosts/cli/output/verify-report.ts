// What a comparison has found, as people and machines read it: by entry point, with the lines that decide.
import type { EntryPoints } from "../../shared/entry-points.ts";
import type { RuleLines } from "../../shared/rule-lines.ts";
import type { Comparison, Difference, Ending, RuleDifferences } from "../../shared/witness-answers.ts";
import { culprits, type ReportedRules, reportedRules } from "./rule-differences.ts";
import { type Place, placed } from "./trace-report.ts";

/** One side of a comparison. */
export interface Side {
  readonly name: string;
  readonly lines: RuleLines;
  readonly entryPoints?: EntryPoints | undefined;
}

export interface ReportedDifference extends Omit<Difference, "a" | "b"> {
  /** `namespace/service:port` whose entry point it is; empty: nobody's. */
  readonly service: string;
  readonly a: readonly ReportedEnding[];
  readonly b: readonly ReportedEnding[];
}

export interface ReportedEnding extends Omit<Ending, "line"> {
  /** The rule that decides; absent where none does. */
  readonly at?: Place;
}

/** schemas/verify-report.json describes it. Fields may be added. */
export interface VerifyReport {
  readonly format_version: 1;
  readonly result: Comparison["result"];
  /** Everything was compared. */
  readonly complete: boolean;
  readonly a: string;
  readonly b: string;
  readonly assumptions: readonly string[];
  readonly classes: number;
  readonly differentClasses: number;
  readonly unknownClasses: number;
  readonly kinds: Comparison["kinds"];
  readonly differences: readonly ReportedDifference[];
  /** Rules that are missing in A, there as well, or others; how many more there are. */
  readonly rules: readonly ReportedRules[];
  readonly moreRules: number;
  /** Whose doing it may be. */
  readonly culprits: readonly string[];
}

export interface Compared {
  readonly comparison: Comparison;
  readonly rules: RuleDifferences;
  readonly a: Side;
  readonly b: Side;
  readonly local: readonly string[];
  readonly flows: boolean;
}

export function reportedEnding({ line, ...ending }: Ending, lines: RuleLines): ReportedEnding {
  return { ...ending, ...placed(lines, line) };
}

export function reportOf({ comparison, rules, a, b, local, flows }: Compared): VerifyReport {
  const { result, complete, classes, differentClasses, unknownClasses, kinds, differences } = comparison;
  return {
    format_version: 1,
    result,
    complete,
    a: a.name,
    b: b.name,
    assumptions: assumptions(local, flows),
    classes,
    differentClasses,
    unknownClasses,
    kinds,
    differences: differences.map((difference) => ({
      ...difference,
      service: serviceOf(difference, b.entryPoints),
      a: difference.a.map((ending) => reportedEnding(ending, a.lines)),
      b: difference.b.map((ending) => reportedEnding(ending, b.lines)),
    })),
    rules: reportedRules(rules, a.lines, b.lines),
    moreRules: rules.more,
    culprits: result === "different" ? culprits({ rules, decisive: decisiveLines(differences) }) : [],
  };
}

/** Lines of A at which packets end otherwise than in B. */
function decisiveLines(differences: readonly Difference[]): Set<number> {
  return new Set(differences.flatMap(({ a }) => a.map(({ line }) => line)));
}

function assumptions(local: readonly string[], flows: boolean): string[] {
  const addresses = ["127.0.0.0/8", "::1", ...local.filter((address) => address !== "127.0.0.1" && address !== "::1")];
  return [
    `the node's own addresses are ${addresses.join(", ")}`,
    "what the node sends has one of them as its source, and what comes in has none",
    "packets have no mark when they come in; TCP begins with SYN, and IPv6 has no extension headers",
    flows ? "new, established and invalid connections" : "new connections alone",
  ];
}

/** Whose entry point the packets go to; empty: nobody's. */
export function serviceOf(
  { destination, protocol, port }: Pick<Difference, "destination" | "protocol" | "port">,
  entryPoints: EntryPoints | undefined,
): string {
  // A range of addresses is no Service's, even if it begins with one's.
  if (entryPoints === undefined || destination.includes("-")) return "";
  return entryPoints.at(destination, protocol, port[0]) ?? entryPoints.hasAddress(destination) ?? "";
}
