// How often flows are looked at: once for all that was written meanwhile, UDP for a third of the time at most, and TCP that
// nobody has answered for a quarter, three times a second at most.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { PostSync, type PostSyncParts } from "./post-sync.ts";

const test = suite("agent: after a sync");

/** An engine of which only what is asked for after each write is there; a run over the flows takes `cost` ms. */
function started(cost: number, kind = "udp") {
  const clock = new ManualClock();
  const runs: number[] = [];
  const engine = {
    healthChecksRevision: () => 1,
    healthChecks: () => [],
    nodePortIps: () => undefined,
    localhostListeners: () => ({ all: false, first: false, more: false, listeners: [] }),
    flowCheckDue: (family: string, flows: string) => {
      if (flows !== kind) return false;
      if (family === "ipv4") runs.push(clock.now());
      clock.spend(cost / 2); // for each family
      return false;
    },
  };
  const after = new PostSync({
    settings: { config: { mode: "flat" }, conntrackDryRun: false, hostname: "node-a" },
    state: {
      use: (run: (engine: unknown) => unknown) => run(engine),
      ask: async (run: (engine: unknown) => unknown) => run(engine),
    },
    opened: { families: ["ipv4", "ipv6"] },
    health: { healthy: true },
    localhost: { update() {} },
    clock,
  } as unknown as PostSyncParts);
  return { clock, runs, after };
}

test("writes of one moment are one run", async () => {
  const { clock, runs, after } = started(0);
  for (let i = 0; i < 5; i++) await after.synced(false);
  await clock.advance(0);
  assert.equal(runs, [0]);
  await after.close();
});

test("after a run there is a pause of twice its duration, and what is written then is not forgotten", async () => {
  const { clock, runs, after } = started(100);
  await after.synced(false);
  await clock.advance(0);
  for (let i = 0; i < 5; i++) {
    await after.synced(false);
    await clock.advance(20);
  }
  assert.equal(runs, [0]);
  await clock.advance(1000);
  assert.equal(runs, [0, 300]);
  await after.close();
});

test("after a run over unanswered TCP there is a longer pause", async () => {
  for (const [cost, second] of [
    [0, 300],
    [100, 400],
    [200, 800],
  ] as const) {
    const { clock, runs, after } = started(cost, "unanswered-tcp");
    await after.synced(false);
    await clock.advance(0);
    await after.synced(false);
    await clock.advance(second - cost - 1);
    assert.equal(runs, [0]);
    await clock.advance(1);
    assert.equal(runs, [0, second]);
    await after.close();
  }
});

test("nothing runs once it is closed", async () => {
  const { clock, runs, after } = started(0);
  await after.synced(false);
  await after.close();
  await after.synced(false);
  await clock.advance(1000);
  assert.equal(runs, []);
});

test.run();
