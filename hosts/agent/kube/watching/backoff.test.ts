import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../time/testing/manual-clock.ts";
import { Backoff } from "./backoff.ts";

test("waits double from 0.8 s to 30 s, each up to twice as long by chance", () => {
  const clock = new ManualClock();
  const least = new Backoff(clock);
  assert.equal(
    Array.from({ length: 8 }, () => least.next()),
    [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
  );
  clock.chance = 0.5;
  assert.is(new Backoff(clock).next(), 1200);
  assert.is(least.next(), 45_000);
});

test("half a minute after the last wait the first one is short again", () => {
  const clock = new ManualClock();
  const backoff = new Backoff(clock);
  backoff.next();
  backoff.next();
  clock.pass(1600 + 29_000);
  assert.is(backoff.next(), 3200);
  clock.pass(3200 + 30_000);
  assert.is(backoff.next(), 800);
});

test.run();
