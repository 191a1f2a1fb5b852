import { test } from "uvu";
import * as assert from "uvu/assert";
import { systemClock, timerMs } from "./clock.ts";

for (const [wanted, ms] of [
  [5, 5],
  [0, 0],
  [-1, 0],
  [Number.NEGATIVE_INFINITY, 0],
  [0x7fffffff, 0x7fffffff],
  [0x80000000, 0x7fffffff],
  [1e10, 0x7fffffff],
  [Number.POSITIVE_INFINITY, 0x7fffffff],
  [Number.NaN, 1_000],
] as const) {
  test(`a timer of ${wanted} ms has ${ms}`, () => {
    assert.is(timerMs(wanted), ms);
  });
}

test("neither a wait nor a timer that is longer than Node's timers can be ends at once", async () => {
  const warnings: string[] = [];
  const warn = (warning: Error) => warnings.push(warning.name);
  process.on("warning", warn);
  const over = new AbortController();
  let ends = 0;
  for (const ms of [1e10, Number.POSITIVE_INFINITY]) {
    void systemClock.sleep(ms, over.signal).then(() => ends++);
    const cancel = systemClock.setTimer(ms, () => ends++);
    over.signal.addEventListener("abort", cancel);
  }
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.is(ends, 0);
  assert.equal(warnings, []); // Node says TimeoutOverflowWarning where it takes a wait for a millisecond
  over.abort();
  process.off("warning", warn);
});

test.run();
