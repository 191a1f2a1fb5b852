// sluice diff: what a change of manifests or of a cluster does to the traffic of Services.
import type { Diagnostic } from "../../shared/diagnostics.ts";
import { isRefusal } from "../../shared/diagnostics.ts";
import type { DiffReport } from "../../shared/diff/report.ts";
import { type ExitCode, exitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { Reporter } from "../output/diagnostics.ts";
import { writeReports } from "../output/reports.ts";
import { configOf } from "./cluster-of-files.ts";
import { type JudgeOptions, parseDiffOptions } from "./diff-options.ts";
import { diffReport, isKnown } from "./diff-report.ts";
import { diffWriters } from "./diff-reports.ts";
import { DiffSide } from "./diff-side.ts";

export async function diff(args: string[], io: Io): Promise<ExitCode> {
  const options = parseDiffOptions(args);
  return judged(options, io, async (configured) => [
    await DiffSide.read(options.base, options.files, configured, io),
    await DiffSide.read(options.head, options.files, configured, io),
  ]);
}

type Configured = NonNullable<Awaited<ReturnType<typeof configOf>>>;

/** Compares two sides, writes the reports and says how it ends. */
export async function judged(
  options: JudgeOptions,
  io: Io,
  readSides: (configured: Configured) => Promise<readonly [base: DiffSide, head: DiffSide]>,
): Promise<ExitCode> {
  const reporter = new Reporter(io, options.verbose);
  try {
    const configured = await configOf(options.files, io, reporter);
    if (configured === undefined) return exitCode.failure;
    const [base, head] = await readSides(configured);
    const { mode } = configured;
    const wanted = options.files.node ?? (configured.config.hostnameOverride || undefined);
    const report = diffReport(base, head, { mode, node: wanted, rules: options.rules });
    sayWhatIsWrong(base, head, options, reporter);
    if (report === undefined) return exitCode.failure;
    const texts = Object.entries(diffWriters).map(([format, write]) => [format, () => write(report, io)] as const);
    await writeReports(options.reports, Object.fromEntries(texts), io);
    return endOf(report, isBadInput(base, head, options.keepGoing), options);
  } finally {
    reporter.finish();
  }
}

/** Failure before gates, gates before differences. */
function endOf(report: DiffReport, isBad: boolean, options: JudgeOptions): ExitCode {
  if (isBad) return exitCode.failure;
  if (options.gates.some((gate) => report.gates.includes(gate))) return exitCode.unclear;
  return options.exitCode && report.services.length > 0 ? exitCode.different : exitCode.done;
}

/** What is wrong with BASE's content is what the change may be there to correct; but it has to be there. */
function isBadInput(base: DiffSide, head: DiffSide, keepGoing: boolean): boolean {
  const isMissing = ({ code }: Diagnostic) => code === "unreadable-file" || code === "git";
  const errors = head.errors();
  return base.errors().some(isMissing) || (keepGoing ? errors.some((found) => !isRefusal(found)) : errors.length > 0);
}

/** What only HEAD has, and what keeps either from being known. */
function sayWhatIsWrong(base: DiffSide, head: DiffSide, { verbose }: JudgeOptions, reporter: Reporter): void {
  for (const found of base.errors()) if (!isRefusal(found)) reporter.report(found);
  const bad = new Set(head.errors());
  const isTold = (found: Diagnostic) =>
    verbose || bad.has(found) || (found.severity !== "note" && !isKnown(found, base));
  for (const found of head.diagnostics) if (isTold(found)) reporter.report(found);
}
