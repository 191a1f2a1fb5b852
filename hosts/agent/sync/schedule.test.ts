import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { type RunOutcome, Schedule } from "./schedule.ts";

const test = suite("sync: schedule");

class Runs {
  readonly clock = new ManualClock();
  readonly starts: number[] = [];
  cost = 0;
  outcome: RunOutcome = { failed: false };
  readonly schedule: Schedule;

  constructor(minIntervalMs = 0) {
    this.schedule = new Schedule(
      async () => {
        this.starts.push(this.clock.now());
        this.clock.spend(this.cost);
        return this.outcome;
      },
      { clock: this.clock, minIntervalMs },
    );
  }
}

test("a change after a quiet time is written at once, and requests of one moment are one run", async () => {
  const runs = new Runs(1000);
  await runs.clock.advance(5000);
  runs.schedule.request();
  runs.schedule.request();
  await runs.clock.advance(0);
  assert.equal(runs.starts, [5000]);
  await runs.clock.advance(60_000);
  assert.equal(runs.starts, [5000], "nothing runs without a request");
});

test("minSyncPeriod is counted from the end of the run before", async () => {
  const runs = new Runs(1000);
  runs.cost = 200;
  runs.schedule.request();
  await runs.clock.advance(100);
  runs.schedule.request();
  await runs.clock.advance(5000);
  assert.equal(runs.starts, [0, 1200]);
});

test("under churn the pause is as long as the run was, a second at most", async () => {
  const runs = new Runs();
  runs.cost = 30;
  for (let i = 0; i < 10; i++) {
    runs.schedule.request();
    await runs.clock.advance(20);
  }
  assert.equal(runs.starts.slice(0, 3), [0, 60, 120]);
  const slow = new Runs();
  slow.cost = 5000;
  slow.schedule.request();
  await slow.clock.advance(0);
  slow.schedule.request();
  await slow.clock.advance(20_000);
  assert.equal(slow.starts, [0, 6000]);
});

test("a request during a run is not lost", async () => {
  const clock = new ManualClock();
  let runs = 0;
  const schedule: Schedule = new Schedule(
    async () => {
      if (++runs === 1) schedule.request();
      return { failed: false };
    },
    { clock, minIntervalMs: 0 },
  );
  schedule.request();
  await clock.advance(10);
  assert.is(runs, 2);
});

test("failures are tried again, ever later, also when changes come; success ends the back-off", async () => {
  const runs = new Runs();
  runs.outcome = { failed: true };
  runs.schedule.request();
  await runs.clock.advance(700);
  runs.schedule.request();
  await runs.clock.advance(3000);
  assert.equal(runs.starts, [0, 500, 1500, 3500]);
  assert.is(runs.schedule.failures, 4);
  await runs.clock.advance(200_000);
  const [last = 0, before = 0] = runs.starts.slice(-2).reverse();
  assert.is(last - before, 30_000);
  runs.outcome = { failed: false };
  await runs.clock.advance(30_000);
  assert.is(runs.schedule.failures, 0);
  const count = runs.starts.length;
  runs.schedule.request();
  await runs.clock.advance(0);
  assert.is(runs.starts.length, count + 1);
});

test("where others go on, a change does not wait for the back-off, and does not end it", async () => {
  const clock = new ManualClock();
  const runs: [at: number, retries: boolean][] = [];
  let outcome: RunOutcome = { failed: true, othersGoOn: true };
  const schedule = new Schedule(
    async (retries) => {
      runs.push([clock.now(), retries]);
      return outcome;
    },
    { clock, minIntervalMs: 10 },
  );
  schedule.request();
  await clock.advance(100);
  schedule.request();
  await clock.advance(1000);
  assert.equal(runs.splice(0), [
    [0, true],
    [100, false],
    [500, true],
  ]);
  assert.is(schedule.failures, 2);
  // Now the others fail as well: everything waits.
  outcome = { failed: true, othersGoOn: false };
  schedule.request();
  await clock.advance(50);
  assert.equal(runs.splice(0), [[1100, false]]);
  schedule.request();
  await clock.advance(1949);
  assert.equal(runs, []);
  outcome = { failed: false };
  await clock.advance(2);
  assert.equal(runs.splice(0), [[3100, true]]);
  assert.is(schedule.failures, 0);
  schedule.request();
  await clock.advance(10);
  assert.equal(runs, [[3110, true]]);
});

test("what is due later runs then, or earlier with a change", async () => {
  const runs = new Runs();
  runs.outcome = { failed: false, dueIn: 1000 };
  runs.schedule.request();
  await runs.clock.advance(0);
  runs.outcome = { failed: false };
  await runs.clock.advance(999);
  assert.equal(runs.starts, [0]);
  await runs.clock.advance(1);
  assert.equal(runs.starts, [0, 1000]);
});

test("it says when the next run is due, and why", async () => {
  const runs = new Runs(1000);
  const { schedule, clock } = runs;
  const due = (why: RegExp, inMs: number) => {
    const { next } = schedule;
    assert.is(next.state === "due" && next.inMs, inMs);
    assert.match(next.state === "due" ? next.why : "", why);
  };
  assert.equal(schedule.next, { state: "not asked for" });
  runs.outcome = { failed: false, dueIn: 5000 };
  schedule.request();
  await clock.advance(0);
  due(/deleted/, 5000);
  await clock.advance(400);
  schedule.request();
  due(/change/, 600);
  runs.outcome = { failed: true };
  await clock.advance(600);
  due(/failed/, 500);
});

test("stop waits for the run at work, and nothing runs after it", async () => {
  const clock = new ManualClock();
  let finish = () => {};
  let runs = 0;
  const schedule = new Schedule(
    () => {
      runs++;
      return new Promise((resolve) => {
        finish = () => resolve({ failed: true });
      });
    },
    { clock, minIntervalMs: 0 },
  );
  schedule.request();
  await clock.advance(0);
  schedule.request();
  clock.spend(30);
  assert.equal(schedule.next, { state: "at work", forMs: 30 });
  let stopped = false;
  const stopping = schedule.stop().then(() => {
    stopped = true;
  });
  await clock.advance(10);
  assert.is(stopped, false);
  finish();
  await stopping;
  await clock.advance(100_000);
  assert.is(runs, 1);
});

test("a portion of a heavy Service is followed by another after a pause, for which no change waits", async () => {
  const runs = new Runs();
  runs.cost = 100;
  runs.outcome = { failed: false, portionMs: 90 };
  runs.schedule.request();
  await runs.clock.advance(0);
  await runs.clock.advance(95);
  assert.equal(runs.starts, [0, 190], "90 ms after the first has ended");
  runs.schedule.request();
  await runs.clock.advance(15);
  assert.equal(runs.starts, [0, 190, 300], "a change waits for what the rest of the run took");
  runs.outcome = { failed: false };
  await runs.clock.advance(10_000);
  assert.equal(runs.starts.length, 4);
});

test.run();
