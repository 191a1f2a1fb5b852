// A trace as text: the answer in one sentence, then each path with its steps.
import { printable } from "../../shared/printable.ts";
import { endingText, endpointText, oddsText } from "./endings.ts";
import type { Place, ReportedStep, TraceReport } from "./trace-report.ts";

/** A rule that many objects share is named after some of them. */
const ownersShown = 3;

/** `table`: a line for each path, without steps. */
export function traceText(report: TraceReport, table: boolean): string {
  const { paths, replies, rules } = report;
  const isOne = rules.length === 1;
  const out = [answer(report)];
  for (const [index, path] of paths.entries()) {
    const odds = oddsText(path);
    if (!table) out.push("");
    const title = paths.length === 1 ? "" : `${index + 1}. ${odds === "" ? "" : `${odds}: `}`;
    if (table || paths.length > 1)
      out.push(`${title}${endingText(path)}${path.at === undefined ? "" : ` (${placeText(path.at, isOne)})`}`);
    if (!table) out.push(...effective(path.steps).flatMap((step) => stepLines(step, isOne)));
  }
  const lost = replies.filter(({ ending }) => ending !== "pass");
  if (replies.length > 0) out.push("", lost.length === 0 ? "The answers come back." : "Answers that do not come back:");
  for (const { address, port, ending, at } of lost) {
    const what = ending === "unknown" ? "nobody knows" : ending;
    out.push(
      `  from ${endpointText({ address, port })}: ${what}${at === undefined ? "" : ` (${placeText(at, isOne)})`}`,
    );
  }
  return `${out.map((line) => printable(line, 2000)).join("\n")}\n`;
}

function answer({ packet, paths }: TraceReport): string {
  const { protocol, source, destination, destinationPort, origin } = packet;
  const where = origin === "node" ? "the node" : source;
  const what = `${protocol} from ${where} to ${endpointText({ address: destination, port: destinationPort })}`;
  const [first] = paths;
  if (first === undefined) return `${what}: no path`;
  if (paths.length === 1) return `${what} ${endingText(first)}`;
  const endpoints = new Set(paths.filter(({ ending }) => ending === "endpoint").map(endpointText));
  const others = [...new Set(paths.filter(({ ending }) => ending !== "endpoint").map(endingText))];
  const parts = endpoints.size === 0 ? others : [`goes to one of ${endpoints.size} endpoints`, ...others];
  return `${what} ${parts.join(", or ")}`;
}

/** Without jumps into chains in which nothing happens, and hooks where no rule has an effect. */
function effective(steps: readonly ReportedStep[]): ReportedStep[] {
  const kept: ReportedStep[] = [];
  // From the end: what follows decides whether a jump has led anywhere.
  for (const step of steps.toReversed()) {
    const next = kept.at(-1);
    const leads = next !== undefined && !("hook" in next);
    if ("hook" in step) {
      if (leads) kept.push(step);
    } else if (!/^(?:jump|goto) /.test(step.does) || (leads && next.chain === step.does.slice(5))) {
      kept.push(step);
    }
  }
  return kept.toReversed();
}

function stepLines(step: ReportedStep, isOne: boolean): string[] {
  if ("hook" in step) return [`  ${step.hook}`];
  const { table, chain, because, does, at, element, owners = [] } = step;
  const reason = because.length === 0 ? "" : `${because.join(", ")}: `;
  const places = [at, element].flatMap((place) => (place === undefined ? [] : [place]));
  return [
    `    ${table} ${chain}: ${reason}${does}`,
    ...places.map((place) => `      ${placeText(place, isOne)}: ${shortened(place.rule)}`),
    ...owners.slice(0, ownersShown).map((owner) => `      by ${owner}`),
    ...(owners.length > ownersShown ? [`      and ${owners.length - ownersShown} more`] : []),
  ];
}

function placeText({ file, line }: Place, isOne: boolean): string {
  return isOne ? `line ${line}` : `${file}:${line}`;
}

function shortened(text: string): string {
  return text.length > 180 ? `${text.slice(0, 179)}…` : text;
}
