// sluice trace: one packet, through the rules of a node or of what the objects ask.
import { parseAddress } from "../../shared/cidr.ts";
import type { RuleText } from "../../shared/rule-lines.ts";
import type { Packet, Witness } from "../../shared/witness.ts";
import type { Trace } from "../../shared/witness-answers.ts";
import { loadWitness } from "../../shared/witness-node.ts";
import { type ExitCode, exitCode, UsageError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { Reporter } from "../output/diagnostics.ts";
import { writeReports } from "../output/reports.ts";
import { type TracedReply, type TraceReport, traceReport } from "../output/trace-report.ts";
import { traceText } from "../output/trace-text.ts";
import { readNodeAddresses } from "./node-addresses.ts";
import { type AskedRules, rulesOfFiles } from "./node-rules.ts";
import { liveRuleTexts, loadRuleTexts, readRuleTexts } from "./rule-texts.ts";
import { parseTraceOptions, type TraceOptions } from "./trace-options.ts";

/** Addresses that stand for anywhere outside (RFC 5737, RFC 3849). */
const OUTSIDE = { ipv4: "198.51.100.9", ipv6: "2001:db8::9" };
const numbers = { tcp: 6, udp: 17, sctp: 132 };

export async function trace(args: string[], io: Io): Promise<ExitCode> {
  const options = parseTraceOptions(args);
  const reporter = new Reporter(io, options.verbose);
  try {
    const report = await traced(options, io, reporter);
    if (report === undefined) return exitCode.failure;
    const texts = { text: () => traceText(report, options.table), json: () => `${JSON.stringify(report, null, 2)}\n` };
    await writeReports(options.reports, texts, io);
    return report.paths.some(({ ending }) => ending === "unknown") ? exitCode.unclear : exitCode.done;
  } finally {
    reporter.finish();
  }
}

/** Undefined: something could not be read, which is reported. */
async function traced(options: TraceOptions, io: Io, reporter: Reporter): Promise<TraceReport | undefined> {
  const asked = options.files.files.length === 0 ? undefined : await rulesOfFiles(options.files, io, reporter);
  if (options.files.files.length > 0 && asked === undefined) return undefined;
  const given = options.addresses === undefined ? [] : await readNodeAddresses(options.addresses, io, reporter);
  if (given === undefined) return undefined;
  const texts = await rulesTo(options, asked, io, reporter);
  if (texts === undefined || reporter.errors > 0) return undefined;

  const local = [...new Set([...(asked?.local ?? []), ...given])];
  const packet = packetOf(options, asked, local);
  const witness = (await loadWitness()).create();
  const before = reporter.errors;
  const lines = loadRuleTexts(witness, 0, texts, reporter, options.verbose);
  if (reporter.errors > before) return undefined;
  witness.setFacts(local);
  const answer = witness.trace(0, packet);
  if (answer === undefined)
    throw new UsageError("--from and --to are of two families", "give both as IPv4, or both as IPv6");
  return traceReport({
    rules: texts.map(({ name }) => name),
    packet: { ...packet, protocol: options.protocol ?? protocolOf(packet.protocol) },
    paths: answer.paths,
    replies: replies(witness, packet, answer, local),
    lines,
  });
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

function protocolOf(number: number): string {
  return Object.entries(numbers).find(([, each]) => each === number)?.[0] ?? `${number}`;
}

function packetOf(
  { from, to, protocol, inInterface }: TraceOptions,
  asked: AskedRules | undefined,
  local: readonly string[],
): Packet {
  const target = targetOf(to, asked, local);
  const family = parseAddress(target.address)?.family === "IPv6" ? "ipv6" : "ipv4";
  const ofNode = local.find((address) => parseAddress(address)?.family === (family === "ipv6" ? "IPv6" : "IPv4"));
  const source = from.kind === "address" ? from.address : from.kind === "outside" ? OUTSIDE[family] : ofNode;
  const isOfNode = from.kind === "node" || (from.kind === "address" && local.includes(from.address));
  return {
    origin: isOfNode ? "node" : "network",
    state: "new",
    translated: false,
    protocol: numbers[protocol ?? target.protocol],
    source: source ?? (family === "ipv6" ? "::1" : "127.0.0.1"),
    sourcePort: from.kind === "address" ? from.port : 40_000,
    destination: target.address,
    destinationPort: target.port,
    inInterface,
    outInterface: "",
    sticksTo: "",
    sticksToPort: 0,
  };
}

interface Target {
  readonly address: string;
  readonly port: number;
  readonly protocol: keyof typeof numbers;
}

/** Throws a UsageError where the objects have no such entry point. */
function targetOf(to: TraceOptions["to"], asked: AskedRules | undefined, local: readonly string[]): Target {
  if (to.kind === "address") return { address: to.address, port: to.port, protocol: "tcp" };
  if (to.kind === "NodePort") {
    const address = local.find((each) => each !== "127.0.0.1" && each !== "::1");
    if (address !== undefined) return { address, port: to.port, protocol: "tcp" };
    throw new UsageError(
      "--to nodeport: the node's addresses are not known",
      "give --addresses FILE, or -f with its Node",
    );
  }
  const found = asked?.entryPoints.of(to.service, to.kind, to.port) ?? [];
  const [first] = found;
  if (first === undefined) {
    const what = to.kind === "ClusterIP" ? "cluster IP" : "load balancer's address";
    throw new UsageError(`--to: Service ${to.service} has no ${what} with that port`, "see `sluice render --describe`");
  }
  const ports = new Set(found.map(({ port, protocol }) => `${port}/${protocol}`));
  if (ports.size > 1)
    throw new UsageError(`--to: which port of Service ${to.service}? ${[...ports].join(", ")}`, "add :PORT");
  return { address: first.address, port: first.port, protocol: first.protocol.toLowerCase() as Target["protocol"] };
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
