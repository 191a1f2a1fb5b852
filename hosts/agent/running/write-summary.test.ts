// A line a minute, and none where nothing was written.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { WriteSummary } from "./write-summary.ts";

const test = suite("summary of writes");

function summing() {
  const lines: object[] = [];
  const clock = new ManualClock();
  const summary = new WriteSummary({ info: (fields: object) => void lines.push(fields) } as never, clock);
  const add = (milliseconds: number) => summary.add({ transactions: 2, bytes: 100, services: 1, milliseconds });
  return { lines, clock, summary, add };
}

test("a minute after the first write one line sums up all; then there is none until something is written", async () => {
  const { lines, clock, add } = summing();
  add(1.234);
  await clock.advance(59_000);
  add(0.5);
  assert.equal(lines, []);
  await clock.advance(1_000);
  assert.equal(lines, [{ writes: 2, transactions: 4, bytes: 200, services: 2, slowestMilliseconds: 1.23 }]);
  await clock.advance(600_000);
  assert.is(lines.length, 1);
  add(7);
  await clock.advance(60_000);
  assert.equal(lines[1], { writes: 1, transactions: 2, bytes: 100, services: 1, slowestMilliseconds: 7 });
});

test("at the end what has come since is told, once", async () => {
  const { lines, clock, summary, add } = summing();
  add(1);
  summary.close();
  summary.close();
  await clock.advance(60_000);
  assert.is(lines.length, 1);
});

test.run();
