// Findings as a table for a terminal.
import { printable } from "../../shared/printable.ts";
import type { Finding } from "./finding.ts";

/** A line for each, and below it what to do. Ends with a line that sums up. */
export function formatFindings(findings: readonly Finding[]): string {
  const rows = findings.map(({ area, subject, status, detail, hint }) => ({
    cells: [status === "failed" ? "FAILED" : status, area, printable(subject, 80)],
    detail: printable(detail, 1000),
    hint: printable(hint, 1000),
  }));
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map(({ cells }) => cells[column]?.length ?? 0)));
  const indent = " ".repeat(widths.reduce((sum, width) => sum + width + 2, 0));
  const lines = rows.flatMap(({ cells, detail, hint }) => {
    const line = cells.map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2)).join("") + detail;
    return hint === "" ? [line] : [line, `${indent}→ ${hint}`];
  });
  const count = (status: Finding["status"]) => findings.filter((finding) => finding.status === status).length;
  const counts = `failed: ${count("failed")}, warnings: ${count("warning")}`;
  const sum = `${counts}. ${count("failed") > 0 ? "The agent would not work here as it is meant to." : "The agent can work here."}`;
  return `${[...lines, "", sum].join("\n")}\n`;
}
