import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../time/testing/manual-clock.ts";
import { Watchdog } from "./watchdog.ts";

test("it barks after so long a silence, and not before", () => {
  const clock = new ManualClock();
  const barks: string[] = [];
  const watchdog = new Watchdog(clock, (error) => barks.push(error.message));
  watchdog.expect("the list", 10_000);
  clock.pass(9_000);
  watchdog.touch();
  clock.pass(9_000);
  assert.equal(barks, []);
  clock.pass(1_000);
  assert.equal(barks, ["the list: nothing for 10 s"]);
  watchdog.expect("the watch", 5_000);
  watchdog.stop();
  clock.pass(60_000);
  assert.is(barks.length, 1);
  assert.is(clock.timers, 0);
});

test.run();
