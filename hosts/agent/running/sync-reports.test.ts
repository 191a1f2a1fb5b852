// Services that are left out are said whatever else becomes of the run in which the kernel refused them.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HealthState } from "../http/health-state.ts";
import { openLog } from "../log/log.ts";
import { Metrics } from "../metrics/metrics.ts";
import type { FamilyReport } from "../sync/family-run.ts";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { SyncReports, type SyncReportsParts } from "./sync-reports.ts";

const test = suite("agent: reports of a sync");

const report: FamilyReport = {
  ...{ family: "ipv4", transactions: 0, bytes: 0, services: 0, names: [], full: false, milliseconds: 1 },
  ...{ drift: undefined, isForeign: false, mayRestartHelp: false, failure: undefined },
  leftOut: [{ namespace: "shop", name: "bad", reason: "told to" }],
};

/** What is logged of a run that has come to this. */
function logged(last: FamilyReport): string[] {
  const clock = new ManualClock();
  const lines: string[] = [];
  const reports = new SyncReports({
    families: ["ipv4"],
    health: new HealthState({ syncPeriodMs: 30_000, now: () => clock.now() }),
    metrics: new Metrics({ mode: "flat", version: "0" }),
    log: openLog({ format: "json", verbosity: 0 }, { write: (line) => void lines.push(JSON.parse(line).msg) }).log,
    clock,
  } as unknown as SyncReportsParts);
  reports.begin();
  reports.beginSync(false);
  reports.finished(last);
  reports.close();
  return lines;
}

const LEFT_OUT = "Service shop/bad is left out: the kernel refuses its rules";

test("in a run that writes nothing else, and in which nothing has changed", () => {
  assert.equal(logged(report), [LEFT_OUT]);
});

test("in a run that fails all the same", () => {
  const lines = logged({ ...report, failure: "the socket is gone" });
  assert.equal(lines, [LEFT_OUT, "the rules could not be written; what was there stays"]);
});

test.run();
