// Reads a report.json. It may come from a fork's workflow, so nothing of it is believed before it was looked at.
import { lstatSync, readFileSync } from "node:fs";
import type { DiffReport } from "../shared/diff/report.ts";
import { printable } from "../shared/printable.ts";
import { complaints } from "../shared/schemas/complaints.ts";
import schema from "../shared/schemas/diff-report.json" with { type: "json" };
import { ActionError } from "./inputs.ts";

const bytesAtMost = 100_000_000;

/** Throws an ActionError if it is no report. */
export function readReport(file: string): DiffReport {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined) throw new ActionError(`${file}: no such file`);
  if (!stats.isFile()) throw new ActionError(`${file}: not a regular file`);
  if (stats.size > bytesAtMost)
    throw new ActionError(`${file}: ${stats.size} bytes, and at most ${bytesAtMost} are read`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ActionError(`${file}: not JSON: ${printable(String(error), 200)}`);
  }
  const wrong = complaints(schema, value, "ignored");
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 3).map((each) => printable(each, 200));
    throw new ActionError(`${file}: no report of sluice diff: ${shown.join("; ")}`);
  }
  return value as DiffReport;
}
