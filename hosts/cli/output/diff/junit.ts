// JUnit's XML, as CI systems read it: a test case for each Service that changes, and one for the problems.
import type { ReportedChange } from "../../../shared/diff/changes.ts";
import { findingsOf } from "../../../shared/diff/findings.ts";
import type { DiffReport } from "../../../shared/diff/report.ts";
import { badnessOf } from "../../../shared/diff/words.ts";
import { printable } from "../../../shared/printable.ts";

/** A Service fails where a change of it is bad, or violates a gate. */
export function diffJunit(report: DiffReport): string {
  const findings = findingsOf(report);
  const isBad = (change: ReportedChange) => change.gates.length > 0 || badnessOf(change) === "bad";
  const messages = (subject: string) =>
    findings.filter((each) => each.subject === subject).map(({ message }) => message);
  const cases = report.services.map(({ namespace, name, changes }) => {
    const subject = `${namespace}/${name}`;
    const { file = "", line = 0 } = findings.find((each) => each.subject === subject) ?? {};
    const place = file === "" ? "" : line === 0 ? `${file}\n` : `${file}:${line}\n`;
    return { name: subject, isFailure: changes.some(isBad), text: `${place}${messages(subject).join("\n")}` };
  });
  const problems = findings.slice(report.services.flatMap(({ changes }) => changes).length);
  const wrong = problems.map(({ file, line, level, message }) => `${file}:${line}: ${level}: ${message}`).join("\n");
  cases.push({ name: "input", isFailure: problems.length > 0, text: wrong });
  const failures = cases.filter(({ isFailure }) => isFailure).length;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="sluice" tests="${cases.length}" failures="${failures}">`,
    `  <testsuite name="${xml(report.headline)}" tests="${cases.length}" failures="${failures}">`,
  ];
  for (const { name, isFailure, text } of cases) {
    const head = `    <testcase classname="sluice" name="${xml(name)}"`;
    if (text === "") lines.push(`${head}/>`);
    else {
      const body = isFailure
        ? `      <failure message="${xml(text.split("\n").at(-1) ?? "")}">${xml(text)}</failure>`
        : `      <system-out>${xml(text)}</system-out>`;
      lines.push(`${head}>`, body, "    </testcase>");
    }
  }
  return `${[...lines, "  </testsuite>", "</testsuites>"].join("\n")}\n`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Control characters stand in no XML, whatever way they are written. */
function xml(text: string): string {
  const safe = text
    .split("\n")
    .map((line) => printable(line, 4000))
    .join("\n");
  return safe.replace(/[&<>"]/g, (char) => entities[char] ?? char);
}
