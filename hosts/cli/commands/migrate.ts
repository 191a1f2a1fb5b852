// sluice migrate: what changes for whom when a cluster's proxy changes its mode.
import type { Mode } from "../../shared/contract.ts";
import { loadWitness } from "../../shared/witness-node.ts";
import { type ExitCode, exitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { Reporter } from "../output/diagnostics.ts";
import { type MigrateReport, migrateReport, migrateText } from "../output/migrate-report.ts";
import { writeReports } from "../output/reports.ts";
import { type MigrateOptions, parseMigrateOptions } from "./migrate-options.ts";
import { rulesInModes, rulesOfFiles } from "./node-rules.ts";
import { loadRuleTexts } from "./rule-texts.ts";

export async function migrate(args: string[], io: Io): Promise<ExitCode> {
  const options = parseMigrateOptions(args);
  const reporter = new Reporter(io, options.verbose);
  try {
    const report = await migration(options, io, reporter);
    if (report === undefined) return exitCode.failure;
    const texts = { text: () => migrateText(report), json: () => `${JSON.stringify(report, null, 2)}\n` };
    await writeReports(options.reports, texts, io);
    return options.exitCode && report.kinds.length > 0 ? exitCode.different : exitCode.done;
  } finally {
    reporter.finish();
  }
}

/** Undefined: the files can't be read, which is reported. */
async function migration(options: MigrateOptions, io: Io, reporter: Reporter): Promise<MigrateReport | undefined> {
  const { from, to, files, fromMinor, toMinor } = options;
  const common = { from, to, fromMinor, toMinor };
  if (from === "ipvs") {
    const asked = await rulesOfFiles({ ...files, mode: to }, io, reporter);
    return asked === undefined ? undefined : migrateReport({ ...common, ...asked, comparison: undefined });
  }
  const modes: [Mode, Mode] = [from, to];
  const asked = await rulesInModes(files, modes, io, reporter);
  if (asked === undefined) return undefined;
  const [before, after] = asked;
  const witness = (await loadWitness()).create();
  loadRuleTexts(witness, 0, before.texts, reporter, options.verbose);
  loadRuleTexts(witness, 1, after.texts, reporter, options.verbose);
  // Pods of other nodes reach Services through their own node: what comes from them here is no client of a Service.
  const elsewhere = after.elsewhere.filter((address) => !after.local.includes(address));
  witness.setFacts(after.local, elsewhere);
  const { node, entryPoints, local } = after;
  return migrateReport({ ...common, node, entryPoints, local, comparison: witness.compare(0, 1) });
}
