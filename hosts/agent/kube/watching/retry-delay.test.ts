import { test } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../../time/testing/manual-clock.ts";
import { ApiError, ConnectionError } from "../client/api-error.ts";
import { decide, type Situation } from "./recovery.ts";
import { RetryDelay } from "./retry-delay.ts";

const situation: Situation = {
  phase: "watch",
  asked: "",
  optionalSelector: false,
  unauthorizedBefore: false,
  serverErrorsMs: 0,
  silentWatches: 0,
};
const refused = decide(new ConnectionError("h", { code: "ECONNREFUSED" }), situation);
const forbidden = decide(new ApiError(403, "Forbidden", ""), situation);
const overloaded = decide(new ApiError(429, "TooManyRequests", ""), situation);

test("what a server forbids as soon as it is back is asked for again soon", () => {
  const retryDelay = new RetryDelay(new ManualClock());
  const waits = [refused, refused, refused, refused, refused, forbidden, forbidden].map((what) =>
    retryDelay.waitFor(what),
  );
  assert.equal(waits, [800, 1600, 3200, 6400, 12_800, 800, 1600]);
});

test("a server with too much to do is not asked more often for having been away", () => {
  const retryDelay = new RetryDelay(new ManualClock());
  const waits = [refused, refused, refused, overloaded].map((what) => retryDelay.waitFor(what));
  assert.equal(waits, [800, 1600, 3200, 6400]);
});

test("a server that comes and goes is asked at growing intervals", () => {
  const clock = new ManualClock();
  const retryDelay = new RetryDelay(clock);
  const waits = [refused, forbidden, refused, forbidden, refused, forbidden].map((what) => retryDelay.waitFor(what));
  assert.equal(waits, [800, 800, 1600, 3200, 6400, 12_800]);
  clock.pass(30_000);
  retryDelay.waitFor(refused);
  assert.is(retryDelay.waitFor(forbidden), 800);
});

test.run();
