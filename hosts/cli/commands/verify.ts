// sluice verify: does a kernel do what these objects ask, or another kernel does? For every packet.
import { diagnostic } from "../../shared/diagnostics.ts";
import type { EntryPoints } from "../../shared/entry-points.ts";
import type { RuleText } from "../../shared/rule-lines.ts";
import type { Witness } from "../../shared/witness.ts";
import { loadWitness } from "../../shared/witness-node.ts";
import { type ExitCode, exitCode, UsageError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { Reporter } from "../output/diagnostics.ts";
import { writeReports } from "../output/reports.ts";
import { reportOf, type VerifyReport } from "../output/verify-report.ts";
import { verifyText } from "../output/verify-text.ts";
import type { FileOptions } from "./cluster-of-files.ts";
import { readNodeAddresses } from "./node-addresses.ts";
import { rulesOfFiles } from "./node-rules.ts";
import { liveRuleTexts, loadRuleTexts, readRuleTexts } from "./rule-texts.ts";
import { parseVerifyOptions, type VerifyOptions } from "./verify-options.ts";

/** Rule sets of the witness. */
const [A, B] = [0, 1];

/** What B is, and what is known of the node. */
interface Wanted {
  readonly name: string;
  readonly texts: readonly RuleText[];
  readonly local: readonly string[];
  readonly entryPoints: EntryPoints | undefined;
}

export async function verify(args: string[], io: Io): Promise<ExitCode> {
  const options = parseVerifyOptions(args);
  const reporter = new Reporter(io, options.verbose);
  try {
    const report = await compared(options, io, reporter);
    if (report === undefined) return exitCode.failure;
    await writeReports(
      options.reports,
      { text: () => verifyText(report), json: () => `${JSON.stringify(report, null, 2)}\n` },
      io,
    );
    if (report.result === "equal") return exitCode.done;
    return report.result === "different" ? exitCode.different : exitCode.unclear;
  } finally {
    reporter.finish();
  }
}

/** Undefined: something could not be read, which is reported. */
async function compared(options: VerifyOptions, io: Io, reporter: Reporter): Promise<VerifyReport | undefined> {
  const paths = options.dumps === undefined ? options.rules : [options.dumps[0]];
  const texts = options.live ? await liveRuleTexts(reporter) : await readRuleTexts(paths, io, reporter);
  if (texts === undefined || reporter.errors > 0) return undefined;
  const given = options.addresses === undefined ? [] : await readNodeAddresses(options.addresses, io, reporter);
  const wanted = await wantedOf(options, texts, io, reporter);
  if (given === undefined || wanted === undefined) return undefined;

  const witness = (await loadWitness()).create();
  const before = reporter.errors;
  const linesOfA = loadRuleTexts(witness, A, texts, reporter, options.verbose);
  const linesOfB = loadRuleTexts(witness, B, wanted.texts, reporter, options.verbose);
  // Lines that could not be read may hold anything: no verdict.
  if (reporter.errors > before) return undefined;
  const local = [...new Set([...wanted.local, ...given])];
  setFacts(witness, local, options.addresses ?? "", reporter);
  const { limit, flows } = options;
  const comparison = witness.compare(A, B, { limit, flows });
  const name = options.live ? "this node's kernel" : texts.map((text) => text.name).join(", ");
  const b = { name: wanted.name, lines: linesOfB, entryPoints: wanted.entryPoints };
  const rules = witness.ruleDifferences(A, B);
  return reportOf({ comparison, rules, a: { name, lines: linesOfA }, b, local, flows });
}

function setFacts(witness: Witness, local: readonly string[], file: string, reporter: Reporter): void {
  if (witness.setFacts(local) === 0) return;
  reporter.report(
    diagnostic("warning", "no-address", "some of the node's addresses are none, and were left out", { file }),
  );
}

async function wantedOf(
  options: VerifyOptions,
  texts: readonly RuleText[],
  io: Io,
  reporter: Reporter,
): Promise<Wanted | undefined> {
  if (options.dumps !== undefined) {
    const others = await readRuleTexts([options.dumps[1]], io, reporter);
    if (reporter.errors > 0) return undefined;
    return { name: others.map(({ name }) => name).join(", "), texts: others, local: [], entryPoints: undefined };
  }
  if (options.files === undefined) return undefined;
  return wantedOfFiles({ ...options.files, mode: options.files.mode ?? modeOf(texts) }, io, reporter);
}

/** The mode whose rules these are. Throws a UsageError where they are several modes'. */
function modeOf(texts: readonly RuleText[]): FileOptions["mode"] {
  const all = texts.map(({ bytes }) => new TextDecoder().decode(bytes));
  const isAnywhere = (pattern: RegExp) => all.some((text) => pattern.test(text));
  const found = [
    ["flat", /^(?:add )?table ip6? sluice\b|"table": *\{[^{}]*"name": *"sluice"/m],
    ["nftables", /^(?:add )?table ip6? kube-proxy\b|"table": *\{[^{}]*"name": *"kube-proxy"/m],
    // As iptables-save, nft and nft's JSON list it.
    ["iptables", /^:KUBE-SERVICES |^\s*chain KUBE-SERVICES\b|"chain": *\{[^{}]*"name": *"KUBE-SERVICES"/m],
  ] as const;
  const modes = found.filter(([, pattern]) => isAnywhere(pattern)).map(([mode]) => mode);
  if (modes.length <= 1) return modes[0];
  throw new UsageError(
    `these rules hold those of ${modes.join(" and ")} mode`,
    "say which are meant to be there: --mode MODE",
  );
}

async function wantedOfFiles(options: FileOptions, io: Io, reporter: Reporter): Promise<Wanted | undefined> {
  const asked = await rulesOfFiles(options, io, reporter);
  if (asked === undefined) return undefined;
  const { mode, node, texts, local, entryPoints } = asked;
  return { name: `the objects, in ${mode} mode on node ${node}`, texts, local, entryPoints };
}
