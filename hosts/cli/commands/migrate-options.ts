import { parseKubeVersion } from "../../shared/config/kube-version.ts";
import { UsageError } from "../exit-codes.ts";
import { type ReportTarget, reportTargets } from "../output/reports.ts";
import type { FileOptions } from "./cluster-of-files.ts";
import { fileArguments, fileOptions } from "./file-options.ts";
import { parseOptionsAlone } from "./parse-options.ts";

export interface MigrateOptions {
  readonly from: "iptables" | "nftables" | "ipvs";
  readonly to: "flat" | "nftables";
  /** Minor versions of Kubernetes, for its calendar. */
  readonly fromMinor: number;
  readonly toMinor: number;
  readonly files: FileOptions;
  /** Differences make the exit code 2. */
  readonly exitCode: boolean;
  readonly reports: readonly ReportTarget[];
  readonly verbose: boolean;
}

/** For `parseArgs`. */
export const migrateArguments = {
  from: { type: "string" },
  to: { type: "string" },
  "from-version": { type: "string" },
  "to-version": { type: "string" },
  "exit-code": { type: "boolean" },
  report: { type: "string", multiple: true },
  ...fileArguments,
  verbose: { type: "boolean", short: "v" },
} as const;

/** Throws a UsageError. */
export function parseMigrateOptions(args: string[]): MigrateOptions {
  const values = parse(args);
  const { from, to } = values;
  const hint = "see `sluice help migrate`";
  if (from !== "iptables" && from !== "nftables" && from !== "ipvs") {
    throw new UsageError("from which mode? give --from iptables, nftables or ipvs", hint);
  }
  if (to !== "flat" && to !== "nftables") throw new UsageError("to which mode? give --to flat or nftables", hint);
  if (from === to) throw new UsageError(`--from and --to are both ${to}`, "nothing changes then");
  if (values.mode !== undefined) throw new UsageError("--mode has no meaning here", "--from and --to name the modes");
  const files = fileOptions(values);
  if (files.files.length === 0) throw new UsageError("nothing to read: give -f FILE, -f DIR or -f -", hint);
  return {
    from,
    to,
    fromMinor: minor("from-version", values["from-version"], 37),
    toMinor: minor("to-version", values["to-version"], 40),
    files,
    exitCode: values["exit-code"] ?? false,
    reports: reportTargets(values.report, ["text", "json"]),
    verbose: values.verbose ?? false,
  };
}

function minor(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const found = parseKubeVersion(text);
  if (found === undefined)
    throw new UsageError(`--${name}: ${JSON.stringify(text)} is no version`, "write one such as 1.40");
  return found.minor;
}

const parse = (args: string[]) => parseOptionsAlone(args, migrateArguments, "to read it, write -f");
