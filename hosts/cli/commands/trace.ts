// sluice trace: one packet, or all of a kind, through the rules of a node or of what the objects ask.
import type { RuleText } from "../../shared/rule-lines.ts";
import type { Packet, SurveyQuestion, Witness } from "../../shared/witness.ts";
import type { Trace } from "../../shared/witness-answers.ts";
import { loadWitness } from "../../shared/witness-node.ts";
import { type ExitCode, exitCode, UsageError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { Reporter } from "../output/diagnostics.ts";
import { endpointText } from "../output/endings.ts";
import { writeReports } from "../output/reports.ts";
import { type SurveyReport, surveyReport } from "../output/survey-report.ts";
import { surveyText } from "../output/survey-text.ts";
import { type TracedReply, type TraceReport, traceReport } from "../output/trace-report.ts";
import { traceText } from "../output/trace-text.ts";
import { readNodeAddresses } from "./node-addresses.ts";
import { type AskedRules, rulesOfFiles } from "./node-rules.ts";
import { liveRuleTexts, loadRuleTexts, readRuleTexts } from "./rule-texts.ts";
import { parseTraceOptions, type TraceOptions } from "./trace-options.ts";
import { explained } from "./trace-owners.ts";
import { endpointOf, numbers, packetOf, type Target, targetOf } from "./trace-places.ts";

export async function trace(args: string[], io: Io): Promise<ExitCode> {
  const options = parseTraceOptions(args);
  const reporter = new Reporter(io, options.verbose);
  try {
    const loaded = await load(options, io, reporter);
    if (loaded === undefined) return exitCode.failure;
    if (options.to === undefined || options.from.kind === "any") {
      const report = surveyed(options, loaded);
      const texts = { text: () => surveyText(report), json: () => `${JSON.stringify(report, null, 2)}\n` };
      await writeReports(options.reports, texts, io);
      const isClear = report.complete && !report.found.some(({ endings }) => endings.some(isUnknown));
      return isClear ? exitCode.done : exitCode.unclear;
    }
    const report = traced(options, targetOf(options.to, loaded.asked, loaded.local), loaded);
    const texts = { text: () => traceText(report, options.table), json: () => `${JSON.stringify(report, null, 2)}\n` };
    await writeReports(options.reports, texts, io);
    return report.paths.some(isUnknown) ? exitCode.unclear : exitCode.done;
  } finally {
    reporter.finish();
  }
}

function isUnknown({ ending }: { ending: string }): boolean {
  return ending === "unknown";
}

/** Rules that the witness has read. */
interface Loaded {
  readonly witness: Witness;
  readonly texts: readonly RuleText[];
  readonly lines: ReturnType<typeof loadRuleTexts>;
  readonly asked: AskedRules | undefined;
  /** The node's own addresses. */
  readonly local: readonly string[];
}

/** Undefined: something could not be read, which is reported. */
async function load(options: TraceOptions, io: Io, reporter: Reporter): Promise<Loaded | undefined> {
  const asked = options.files.files.length === 0 ? undefined : await rulesOfFiles(options.files, io, reporter);
  if (options.files.files.length > 0 && asked === undefined) return undefined;
  const given = options.addresses === undefined ? [] : await readNodeAddresses(options.addresses, io, reporter);
  if (given === undefined) return undefined;
  const texts = await rulesTo(options, asked, io, reporter);
  if (texts === undefined || reporter.errors > 0) return undefined;

  const local = [...new Set([...(asked?.local ?? []), ...given])];
  const witness = (await loadWitness()).create();
  const before = reporter.errors;
  const lines = loadRuleTexts(witness, 0, texts, reporter, options.verbose);
  if (reporter.errors > before) return undefined;
  witness.setFacts(local);
  return { witness, texts, lines, asked, local };
}

async function rulesTo(
  options: TraceOptions,
  asked: AskedRules | undefined,
  io: Io,
  reporter: Reporter,
): Promise<readonly RuleText[] | undefined> {
  if (options.live) return liveRuleTexts(reporter);
  return options.rules.length > 0 ? readRuleTexts(options.rules, io, reporter) : asked?.texts;
}

/** Throws a UsageError where the packet is none. */
function traced(options: TraceOptions, target: Target, { witness, texts, lines, asked, local }: Loaded): TraceReport {
  const packet = packetOf(options, target, asked, local);
  const answer = witness.trace(0, packet);
  if (answer === undefined)
    throw new UsageError("--from and --to are of two families", "give both as IPv4, or both as IPv6");
  return traceReport({
    rules: texts.map(({ name }) => name),
    packet: { ...packet, protocol: options.protocol ?? protocolOf(packet.protocol) },
    paths: answer.paths,
    replies: replies(witness, packet, answer, local),
    lines,
    ownersOf: asked === undefined ? undefined : explained(witness, packet, asked, texts === asked.texts),
  });
}

function surveyed(options: TraceOptions, { witness, texts, lines, asked, local }: Loaded): SurveyReport {
  const target = options.to === undefined ? undefined : targetOf(options.to, asked, local);
  const endpoint = options.reaches === undefined ? undefined : endpointOf(options.reaches, asked);
  const protocol = options.protocol ?? target?.protocol;
  const question: SurveyQuestion = {
    about: endpoint !== undefined ? "endpoint" : options.stopped ? "stopped" : "everything",
    ...(target === undefined ? {} : { destination: target.address, port: target.port }),
    ...(protocol === undefined ? {} : { protocol: numbers[protocol] }),
    ...(endpoint === undefined ? {} : { endpoint: endpoint.address, endpointPort: endpoint.port }),
  };
  const to = target === undefined ? "" : ` to ${endpointText(target)}`;
  const asks =
    endpoint !== undefined
      ? endpointText({ address: endpoint.address, ...(endpoint.port === 0 ? {} : { port: endpoint.port }) })
      : `${protocol === undefined ? "new connections" : protocol}${to}${options.stopped ? ", dropped or rejected" : ""}`;
  return surveyReport({
    rules: texts.map(({ name }) => name),
    about: question.about,
    question: asks,
    survey: witness.survey(0, question),
    lines,
    entryPoints: asked?.entryPoints,
  });
}

function protocolOf(number: number): string {
  return Object.entries(numbers).find(([, each]) => each === number)?.[0] ?? `${number}`;
}

/** What becomes of the answers of each endpoint. */
function replies(witness: Witness, packet: Packet, { paths }: Trace, local: readonly string[]): TracedReply[] {
  const seen = new Set<string>();
  return paths.flatMap(({ ending, address, port }) => {
    const key = `${address} ${port}`;
    if (ending !== "endpoint" || address === undefined || port === undefined || seen.has(key)) return [];
    seen.add(key);
    // Masquerading is undone before the rules of filter see the answer; DNAT behind them.
    const answer = witness.trace(0, {
      ...packet,
      origin: local.includes(address) ? "node" : "network",
      state: "established",
      translated: true,
      source: address,
      sourcePort: port,
      destination: packet.source,
      destinationPort: packet.sourcePort,
      inInterface: "",
    });
    const [end] = answer?.paths ?? [];
    return end === undefined ? [] : [{ address, port, ending: end.ending, line: end.line }];
  });
}
