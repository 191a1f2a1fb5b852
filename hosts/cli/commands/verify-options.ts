import { UsageError } from "../exit-codes.ts";
import { type ReportTarget, reportTargets } from "../output/reports.ts";
import type { FileOptions } from "./cluster-of-files.ts";
import { fileArguments, fileOptions } from "./file-options.ts";
import { parseOptions } from "./parse-options.ts";

export interface VerifyOptions {
  /** Rules to be compared with objects: files; empty with `live`. */
  readonly rules: readonly string[];
  readonly live: boolean;
  /** Undefined: two dumps are compared. */
  readonly files: FileOptions | undefined;
  /** The two dumps. */
  readonly dumps: readonly [string, string] | undefined;
  readonly addresses: string | undefined;
  readonly limit: number;
  readonly flows: boolean;
  readonly reports: readonly ReportTarget[];
  readonly verbose: boolean;
}

const LIMIT = 50_000_000;

/** For `parseArgs`. */
export const verifyArguments = {
  rules: { type: "string", multiple: true },
  live: { type: "boolean" },
  addresses: { type: "string" },
  limit: { type: "string" },
  "new-only": { type: "boolean" },
  report: { type: "string", multiple: true },
  ...fileArguments,
  verbose: { type: "boolean", short: "v" },
} as const;

/** Throws a UsageError. */
export function parseVerifyOptions(args: string[]): VerifyOptions {
  const { values, positionals } = parse(args);
  const { rules = [], live = false } = values;
  const files = fileOptions(values);
  const hint = "see `sluice help verify`";
  const common = {
    addresses: values.addresses,
    limit: limitOption(values.limit),
    flows: !(values["new-only"] ?? false),
    reports: reportTargets(values.report, ["text", "json"]),
    verbose: values.verbose ?? false,
  };
  if (positionals.length > 0) {
    const [a, b] = positionals;
    if (a === undefined || b === undefined || positionals.length > 2) {
      throw new UsageError("two dumps are compared with each other: name two files or directories", hint);
    }
    if (files.files.length > 0 || rules.length > 0 || live) {
      throw new UsageError("compare two dumps, or one with objects", `--rules ${a} -f FILE compares with objects`);
    }
    return { ...common, rules, live, files: undefined, dumps: [a, b] };
  }
  if (files.files.length === 0) throw new UsageError("what should the rules do? give -f FILE, or a second dump", hint);
  if (live === rules.length > 0)
    throw new UsageError("which rules? give --rules FILE, or --live for this node's", hint);
  return { ...common, rules, live, files, dumps: undefined };
}

function limitOption(text: string | undefined): number {
  if (text === undefined) return LIMIT;
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit > 0 && Number.isSafeInteger(limit)) return limit;
  throw new UsageError(`--limit: ${JSON.stringify(text)} is no number of classes`, "write a number such as 1000000");
}

const parse = (args: string[]) => parseOptions(args, verifyArguments);
