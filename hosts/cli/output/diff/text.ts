// The report of `diff` for people at a terminal.
import type { ReportedChange } from "../../../shared/diff/changes.ts";
import type { DiffReport, ReportedProblem, ServiceChanges } from "../../../shared/diff/report.ts";
import { badnessOf, nodesText, otherNodesText, placeOf, subjectOf } from "../../../shared/diff/words.ts";
import { plural } from "../../../shared/plural.ts";
import { printable } from "../../../shared/printable.ts";

const codes = { bad: 31, careful: 33, good: 32, bold: 1, dim: 2 } as const;
type Paint = (colour: keyof typeof codes | "plain", text: string) => string;

export function diffText(report: DiffReport, isColourful: boolean): string {
  const paint: Paint = (colour, text) =>
    isColourful && colour !== "plain" ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
  const { base, head, mode, nodes, services, problems, rules, headline } = report;
  const where =
    nodes.length === 1
      ? nodes[0] === ""
        ? "one node"
        : `node ${printable(nodes[0] ?? "", 253)}`
      : plural(nodes.length, "node");
  const lines = [
    paint("dim", `${printable(base.name)} → ${printable(head.name)}, mode ${mode}, ${where}`),
    paint("bold", printable(headline)),
  ];
  const others = otherNodesText(report);
  if (others !== "") lines.push(paint("dim", others));
  for (const service of services) lines.push("", ...serviceLines(service, nodes.length, paint));
  if (problems.length > 0)
    lines.push("", paint("bold", "Problems that are new, or keep a side from being known whole:"));
  for (const problem of problems) lines.push(...problemLines(problem, paint));
  if (rules?.lines !== undefined) {
    const node = rules.node === "" ? "" : ` of node ${printable(rules.node, 253)}`;
    lines.push("", paint("bold", `Lines of the rules${node}:`));
    for (const line of rules.lines) lines.push(paint(line.startsWith("+") ? "good" : "bad", line));
  }
  return `${lines.join("\n")}\n`;
}

function serviceLines({ namespace, name, formerName, changes }: ServiceChanges, nodes: number, paint: Paint): string[] {
  const place = changes.map(placeOf).find((text) => text !== "") ?? "";
  const former = formerName === undefined ? "" : ` (was ${printable(formerName)})`;
  const title = `${printable(namespace)}/${printable(name)}${former}`;
  const head = place === "" ? paint("bold", title) : `${paint("bold", title)}  ${paint("dim", printable(place))}`;
  return [head, ...changes.map((change) => `  ${changeLine(change, changes, nodes, paint)}`)];
}

const signs = { bad: "!", careful: "~", good: "+", plain: "·" } as const;

function changeLine(change: ReportedChange, siblings: readonly ReportedChange[], nodes: number, paint: Paint): string {
  const badness = badnessOf(change);
  const where = nodesText(change, nodes);
  const text = [subjectOf(change, siblings), printable(change.text, 2000)].filter((part) => part !== "").join(": ");
  return `${paint(badness, `${signs[badness]} ${text}`)}${where === "" ? "" : paint("dim", ` · ${printable(where, 2000)}`)}`;
}

function problemLines(problem: ReportedProblem, paint: Paint): string[] {
  const { severity, file, line, column, origin, object, field, message, hint, code } = problem;
  const at = line === 0 ? file : `${file}:${line}:${column}`;
  const place = file === "" ? "" : origin === "" ? `${at}: ` : `${origin} (${at}): `;
  const about = [object, field]
    .filter((part) => part !== "")
    .map((part) => `${part}: `)
    .join("");
  const colour = severity === "error" ? "bad" : "careful";
  const text = `  ${printable(place)}${paint(colour, `${severity}:`)} ${printable(about)}${printable(message, 2000)} ${paint("dim", `[${printable(code)}]`)}`;
  return hint === "" ? [text] : [text, `    ${printable(hint, 2000)}`];
}
