// A survey as text: the answer in the first line, then packets that end alike together.
import { plural } from "../../shared/plural.ts";
import { printable } from "../../shared/printable.ts";
import { endingsText, endpointText } from "./endings.ts";
import type { FoundPackets, SurveyReport } from "./survey-report.ts";
import { portsText } from "./verify-text.ts";

/** Groups that are listed; the JSON has them all. */
const shownAtMost = 60;

export function surveyText(report: SurveyReport): string {
  const groups = new Map<string, FoundPackets[]>();
  for (const found of report.found) {
    const key = keyOf(found);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [found]);
    else group.push(found);
  }
  const out = [answer(report), ""];
  for (const alike of [...groups.values()].slice(0, shownAtMost)) out.push(...groupLines(alike));
  const more = groups.size - shownAtMost;
  if (more > 0 || report.more > 0) out.push(`… and more (--report json has ${report.more > 0 ? "a thousand" : "all"})`);
  if (report.found.length > 0) out.push("");
  out.push("New connections, of clients that stick to no endpoint yet.");
  if (!report.complete) out.push("Not everything was looked at.");
  return `${out.map((line) => printable(line, 2000)).join("\n")}\n`;
}

/** Packets to one entry point that end in the same way. */
function keyOf({ destination, protocol, port, inInterface = "", endings }: FoundPackets): string {
  return [destination, protocol, ...port, inInterface, endingsText(endings, 1000)].join("\n");
}

function answer({ about, question, found, more }: SurveyReport): string {
  const entryPoints = new Set(
    found.map(({ destination, protocol, port }) => [destination, protocol, ...port].join(" ")),
  );
  const atLeast = more > 0 ? "at least " : "";
  if (about === "endpoint") {
    return `${question} is reached by ${entryPoints.size === 0 ? "nobody" : `way of ${atLeast}${plural(entryPoints.size, "entry point")}`}`;
  }
  if (about === "stopped")
    return `${question}: ${entryPoints.size === 0 ? "none" : `${atLeast}${plural(entryPoints.size, "destination")}`}`;
  const all = found.flatMap(({ endings }) => endings);
  const endpoints = new Set(all.filter(({ ending }) => ending === "endpoint").map(endpointText));
  const others = [...new Set(all.filter(({ ending }) => ending !== "endpoint").map(({ ending }) => ending))];
  const parts = [...(endpoints.size === 0 ? [] : [plural(endpoints.size, "endpoint")]), ...others];
  return `${question}, from every source: ${parts.join(", ")}`;
}

function groupLines(alike: readonly FoundPackets[]): string[] {
  const [first] = alike;
  if (first === undefined) return [];
  const { destination, protocol, port, service, inInterface, endings } = first;
  const whose = service === "" ? "" : ` (${service})`;
  const by = inInterface === undefined ? "" : `, in by ${inInterface}`;
  const sources = alike.flatMap((each) => (each.origin === "node" ? [] : each.sources));
  const from = [
    ...(sources.length === 0 ? [] : [sources.join(", ")]),
    ...(sources.length < countOf(alike) ? ["the node"] : []),
  ];
  const place = endings.find(({ at }) => at !== undefined)?.at;
  const rule = place === undefined ? [] : [`      ${place.file}:${place.line}: ${place.rule}`];
  return [
    `  ${protocol} to ${destination}${portsText(port)}${whose} from ${from.join(" and ")}${by}`,
    `    ${endingsText(endings, 10)}`,
    ...rule.map((line) => (line.length > 240 ? `${line.slice(0, 239)}…` : line)),
  ];
}

function countOf(alike: readonly FoundPackets[]): number {
  return alike.reduce((sum, { sources }) => sum + sources.length, 0);
}
