// SARIF 2.1.0, one run: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
import { createHash } from "node:crypto";
import { type Finding, findingsOf } from "../../../shared/diff/findings.ts";
import type { DiffReport } from "../../../shared/diff/report.ts";
import { version } from "../../version.ts";

/** GitHub takes no run with more results. */
export const resultsAtMost = 25_000;

export function diffSarif(report: DiffReport): string {
  const findings = findingsOf(report);
  const shown = findings.slice(0, resultsAtMost);
  const rules = [...new Set(shown.map(({ rule }) => rule))].sort();
  const run = {
    tool: { driver: { name: "sluice", version, rules: rules.map((id) => ({ id, name: id })) } },
    columnKind: "utf16CodeUnits",
    properties: { headline: report.headline, leftOut: findings.length - shown.length },
    results: shown.map((finding) => result(finding, rules)),
  };
  const log = { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function result(finding: Finding, rules: readonly string[]) {
  const { rule, level, message, file, line, inBase } = finding;
  const region = line === 0 ? {} : { region: { startLine: line } };
  const location = { physicalLocation: { artifactLocation: { uri: uriOf(file) }, ...region } };
  return {
    ruleId: rule,
    ruleIndex: rules.indexOf(rule),
    level,
    message: { text: message },
    // A file that only BASE has is nothing that a reader of HEAD can open.
    locations: file === "" || inBase ? [] : [location],
    partialFingerprints: { "sluice/v1": fingerprint(finding) },
  };
}

/** Of what it is about, not of where it stands: lines move. */
export function fingerprint({ rule, message }: Finding): string {
  return createHash("sha256").update(`${rule}\n${message}`).digest("hex");
}

function uriOf(file: string): string {
  return file.replace(/^\.\//, "").split("/").map(encodeURIComponent).join("/");
}
