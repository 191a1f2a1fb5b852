// Workflow commands of GitHub Actions: annotations on the lines of a pull request. They need no token.
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
import { findingsOf } from "../../../shared/diff/findings.ts";
import type { DiffReport } from "../../../shared/diff/report.ts";
import { printable } from "../../../shared/printable.ts";

const commands = { error: "error", warning: "warning", note: "notice" } as const;

/** GitHub shows ten of each level for a step: the worst go first, and the headline says how many there are. */
export function diffGithub(report: DiffReport): string {
  const order = ["error", "warning", "note"];
  const findings = findingsOf(report).sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  const lines = findings.map(({ level, file, line, inBase, message, subject }) => {
    const properties = [
      // A file of BASE is none of the pull request's lines.
      ...(file === "" || inBase ? [] : [`file=${property(file)}`]),
      ...(line === 0 || inBase ? [] : [`line=${line}`]),
      `title=${property(`sluice: ${subject}`)}`,
    ];
    return `::${commands[level]} ${properties.join(",")}::${data(message)}`;
  });
  return `${[...lines, `sluice: ${printable(report.headline)}`].join("\n")}\n`;
}

function data(text: string): string {
  return printable(text.replaceAll("%", "%25"), 4000);
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
