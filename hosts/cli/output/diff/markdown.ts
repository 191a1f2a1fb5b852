// The report for comments of pull requests and job summaries: as much of it as fits.
import type { DiffReport, ServiceChanges } from "../../../shared/diff/report.ts";
import { badnessOf, nodesText, otherNodesText, placeOf, subjectOf } from "../../../shared/diff/words.ts";
import { plural } from "../../../shared/plural.ts";
import { printable } from "../../../shared/printable.ts";

/** GitHub takes comments of 65,536 bytes; a margin is left for what an action adds. */
export const bytesAtMost = 60_000;

/** All, a line per Service, or counts: the most that fits, and it says what is left out. */
export function diffMarkdown(report: DiffReport, limit = bytesAtMost): string {
  const size = (text: string) => new TextEncoder().encode(text).length;
  return [whole, brief].map((write) => write(report)).find((text) => size(text) <= limit) ?? counts(report);
}

function title(report: DiffReport): string[] {
  const { base, head, mode, nodes, headline } = report;
  const where = nodes.length === 1 ? "one node" : plural(nodes.length, "node");
  const others = otherNodesText(report);
  return [
    `### ${escaped(headline)}`,
    "",
    `${escaped(base.name)} → ${escaped(head.name)}, mode ${mode}, ${where}${others === "" ? "" : `. ${escaped(others)}`}`,
  ];
}

const signs = { bad: "🔴", careful: "🟡", good: "🟢", plain: "▫️" } as const;

function whole(report: DiffReport): string {
  const { services, problems, rules, nodes } = report;
  const lines = title(report);
  for (const service of services) {
    lines.push("", serviceTitle(service), "");
    for (const change of service.changes) {
      const where = nodesText(change, nodes.length);
      const text = [subjectOf(change, service.changes), change.text].filter((part) => part !== "").join(": ");
      lines.push(`- ${signs[badnessOf(change)]} ${escaped(text)}${where === "" ? "" : `, *${escaped(where)}*`}`);
    }
  }
  if (problems.length > 0) lines.push("", "**Problems** that are new, or keep a side from being known whole:", "");
  for (const { severity, file, line, object, field, message, hint } of problems) {
    const text = [object, field, message].filter((part) => part !== "").join(": ");
    const place = file === "" ? "" : ` (${line === 0 ? file : `${file}:${line}`})`;
    lines.push(`- ${severity}: ${escaped(`${text}${hint === "" ? "" : `; ${hint}`}${place}`)}`);
  }
  if (rules?.lines !== undefined) {
    // Longer than any run of backticks in it.
    const shown = rules.lines.map((line) => printable(line, 4000));
    const runs = shown.flatMap((line) => (line.match(/`+/g) ?? []).map((run) => run.length + 1));
    const fence = "`".repeat(runs.reduce((longest, each) => Math.max(longest, each), 3));
    lines.push(
      "",
      "<details><summary>Lines of the rules</summary>",
      "",
      `${fence}diff`,
      ...shown,
      fence,
      "",
      "</details>",
    );
  }
  return `${lines.join("\n")}\n`;
}

function brief(report: DiffReport): string {
  const { services, problems, rules } = report;
  const changes = services.reduce((sum, service) => sum + service.changes.length, 0);
  const lines = [...title(report), ""];
  for (const service of services) {
    const worst = ["bad", "careful", "good"] as const;
    const badness = worst.find((each) => service.changes.some((change) => badnessOf(change) === each)) ?? "plain";
    const [first] = service.changes.filter((change) => badnessOf(change) === badness);
    lines.push(`- ${signs[badness]} ${serviceTitle(service)}: ${escaped(first?.text ?? "")}`);
  }
  lines.push("", leftOut(changes - services.length, problems.length, rules?.lines?.length ?? 0));
  return `${lines.join("\n")}\n`;
}

function counts(report: DiffReport): string {
  const { services, problems, rules } = report;
  const changes = services.flatMap((service) => service.changes);
  const kinds = [...new Set(changes.map(({ kind }) => kind))].sort();
  const rows = kinds.map((kind) => `| ${escaped(kind)} | ${changes.filter((change) => change.kind === kind).length} |`);
  const table = ["", "| change | count |", "|---|---|", ...rows, ""];
  return `${[...title(report), ...table, leftOut(changes.length, problems.length, rules?.lines?.length ?? 0)].join("\n")}\n`;
}

function leftOut(changes: number, problems: number, rules: number): string {
  const parts = [
    plural(changes, "change"),
    ...(problems > 0 ? [plural(problems, "problem")] : []),
    ...(rules > 0 ? [`${plural(rules, "line")} of rules`] : []),
  ];
  return `*Too long to be shown whole: ${parts.join(", ")} left out here. The text and JSON reports of this run have all.*`;
}

function serviceTitle({ namespace, name, formerName, changes }: ServiceChanges): string {
  const place = changes.map(placeOf).find((text) => text !== "") ?? "";
  const former = formerName === undefined ? "" : ` (was ${escaped(formerName)})`;
  return `**${escaped(`${namespace}/${name}`)}**${former}${place === "" ? "" : ` ${escaped(place)}`}`;
}

/** Nothing of the input is markup, a mention or a link. */
function escaped(text: string): string {
  const safe = printable(text, 2000).replace(/[\\`*_{}[\]<>#|~&]/g, (char) => `&#${char.charCodeAt(0)};`);
  return safe.replaceAll("@", "&#64;");
}
