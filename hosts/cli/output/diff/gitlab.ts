// GitLab's code quality report: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
import { findingsOf } from "../../../shared/diff/findings.ts";
import type { DiffReport } from "../../../shared/diff/report.ts";
import { fingerprint } from "./sarif.ts";

const severities = { error: "critical", warning: "major", note: "info" } as const;

/** GitLab shows nothing without a path and a line. */
export function diffGitlab(report: DiffReport): string {
  const issues = findingsOf(report).map((finding) => {
    const { rule, level, message, file, line } = finding;
    return {
      description: message,
      check_name: rule,
      fingerprint: fingerprint(finding),
      severity: severities[level],
      location: { path: file === "" ? "." : file.replace(/^\.\//, ""), lines: { begin: Math.max(line, 1) } },
    };
  });
  return `${JSON.stringify(issues, null, 2)}\n`;
}
