import { type Gate, gates } from "../../shared/diff/changes.ts";
import { UsageError } from "../exit-codes.ts";
import { type ReportTarget, reportTargets } from "../output/reports.ts";
import type { FileOptions } from "./cluster-of-files.ts";
import { diffFormats } from "./diff-reports.ts";
import type { Location } from "./diff-side.ts";
import { fileArguments, fileOptions } from "./file-options.ts";
import { parseOptions } from "./parse-options.ts";

/** How a report is made and judged. */
export interface JudgeOptions {
  readonly files: FileOptions;
  readonly reports: readonly ReportTarget[];
  readonly gates: readonly Gate[];
  /** End with 2 where something differs. */
  readonly exitCode: boolean;
  /** With the text of rules. */
  readonly rules: boolean;
  /** Objects that were refused do not fail the command. */
  readonly keepGoing: boolean;
  readonly verbose: boolean;
}

export interface DiffOptions extends JudgeOptions {
  readonly base: Location;
  readonly head: Location;
}

const { filename: _, ...withoutFiles } = fileArguments;

/** For `parseArgs`. */
export const judgeArguments = {
  ...withoutFiles,
  report: { type: "string", multiple: true },
  "fail-on": { type: "string", multiple: true },
  "exit-code": { type: "boolean" },
  rules: { type: "boolean" },
  "keep-going": { type: "boolean" },
  verbose: { type: "boolean", short: "v" },
} as const;

const HINT = "see `sluice help diff`";

/** Throws a UsageError. */
export function parseDiffOptions(args: string[]): DiffOptions {
  const { values, positionals } = parse(args);
  const { base, head } = values;
  if (positionals.includes("")) throw new UsageError("a name is empty", "is a shell variable empty?");
  const locations = base === undefined ? twoNames(positionals, head) : commits(base, head, positionals);
  if ([...positionals, values.config].filter((file) => file === "-").length > 1) {
    throw new UsageError("standard input can be read only once", "give `-` once, and name files for the rest");
  }
  return { ...locations, ...judgeOptions(values) };
}

type Values = ReturnType<typeof parse>["values"];

/** Throws a UsageError. */
export function judgeOptions(values: Omit<Values, "base" | "head">): JudgeOptions {
  return {
    files: fileOptions(values),
    reports: reportTargets(values.report, diffFormats),
    gates: gatesOption(values["fail-on"]),
    exitCode: values["exit-code"] ?? false,
    rules: values.rules ?? false,
    keepGoing: values["keep-going"] ?? false,
    verbose: values.verbose ?? false,
  };
}

function twoNames(names: readonly string[], head: string | undefined): Pick<DiffOptions, "base" | "head"> {
  if (head !== undefined) throw new UsageError("--head goes with --base", HINT);
  const [base, other, more] = names;
  if (base === undefined || other === undefined) {
    const hint =
      "`sluice diff BASE HEAD` with files, directories or -, or `sluice diff --base REF [PATH…]` in a repository";
    throw new UsageError("two things are compared", hint);
  }
  if (more !== undefined) throw new UsageError(`what is ${JSON.stringify(more)} for?`, "give one BASE and one HEAD");
  const location = (name: string): Location => ({ kind: "files", name: name === "-" ? "stdin" : name, paths: [name] });
  return { base: location(base), head: location(other) };
}

function commits(base: string, head: string | undefined, paths: readonly string[]): Pick<DiffOptions, "base" | "head"> {
  if (base === "" || head === "") throw new UsageError("the name of a commit is empty", "is a shell variable empty?");
  if (paths.includes("-")) throw new UsageError("a commit has no standard input", "name paths in the repository");
  const commit = (ref: string): Location => ({ kind: "commit", name: ref, ref, paths });
  const files: Location = { kind: "files", name: "the work tree", paths: paths.length === 0 ? ["."] : paths };
  return { base: commit(base), head: head === undefined ? files : commit(head) };
}

function gatesOption(values: readonly string[] = []): Gate[] {
  const names = values.flatMap((value) => value.split(",")).map((name) => name.trim());
  for (const name of names) {
    if (gates.some((gate) => gate === name)) continue;
    throw new UsageError(`--fail-on: ${JSON.stringify(name)} is no gate`, `use ${gates.join(", ")}`);
  }
  return gates.filter((gate) => names.includes(gate));
}

const parse = (args: string[]) =>
  parseOptions(args, { base: { type: "string" }, head: { type: "string" }, ...judgeArguments }, HINT);
