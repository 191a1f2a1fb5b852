// When checks for drift are due, by a clock that the test moves.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { DriftTimer } from "./drift-timer.ts";

const test = suite("agent: drift timer");

function timing() {
  const clock = new ManualClock();
  const setting = { clock, asked: 0, mayCheck: true };
  const timer = new DriftTimer({
    clock,
    periodMs: 2_000,
    longestMs: 30_000,
    due: () => {
      setting.asked++;
      return setting.mayCheck;
    },
  });
  return { setting, clock, timer };
}

test("a check is due after each period, and asked for once until it is done", () => {
  const { setting, clock, timer } = timing();
  clock.pass(1_999);
  assert.equal([timer.isDue, setting.asked, timer.at], [false, 0, 2_000]);
  clock.pass(1);
  assert.equal([timer.isDue, setting.asked], [true, 1]);
  clock.pass(60_000);
  assert.is(setting.asked, 1);
  timer.begun();
  assert.is(timer.isDue, false);
  timer.done(0);
  assert.is(timer.at, 64_000);
  clock.pass(2_000);
  assert.equal([timer.isDue, setting.asked], [true, 2]);
});

test("where nothing differs, checks take a twentieth of the time, but none waits for longer than the longest pause", () => {
  const { clock, timer } = timing();
  for (const [tookMs, waitMs] of [
    [50, 2_000],
    [500, 10_000],
    [5_000, 30_000],
  ] as const) {
    timer.done(tookMs);
    assert.is((timer.at ?? 0) - clock.now(), waitMs, `${tookMs} ms`);
  }
});

test("a check that can't be made is asked for again after a period", () => {
  const { setting, clock, timer } = timing();
  setting.mayCheck = false;
  clock.pass(6_000);
  assert.equal([timer.isDue, setting.asked], [true, 3]);
});

test("nothing is asked for after stop", () => {
  const { setting, clock, timer } = timing();
  timer.stop();
  timer.done(0);
  clock.pass(60_000);
  assert.equal([setting.asked, clock.timers], [0, 0]);
});

test.run();
