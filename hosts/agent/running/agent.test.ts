// What a change costs the agent: which of the engine's functions are called, counted, in a cluster of some size.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode } from "../../../fixtures/support/engine.ts";
import { defaultOptions, listOf, makeNode, makeService, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import { watchLine } from "../../../fixtures/support/objects.ts";
import type { Batch, Family, Kind } from "../../shared/contract.ts";
import { joinPieces } from "../../shared/engine.ts";
import { engineDirectory, loadEngine } from "../../shared/engine-node.ts";
import { HealthState } from "../http/health-state.ts";
import type { KernelWriter } from "../kernel/writer.ts";
import { openLog } from "../log/log.ts";
import { Metrics } from "../metrics/metrics.ts";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { Agent } from "./agent.ts";

const test = suite("agent: cost of a change");

const SERVICES = 50;
const DUMP_MS = 300;
/** What an event may cost, however large the cluster is: none of these looks at more than what has changed. */
const PER_CHANGE = [
  "take-up",
  "apply",
  "begin-portion",
  "begin-plan",
  "continue-plan",
  "planned-services",
  "committed",
  "programmed",
  "health-checks-revision",
  "flow-check-due",
];

const calls: string[] = [];
const module = await loadEngine(engineDirectory(), (core, imports) => {
  const instance = new WebAssembly.Instance(core, imports);
  const exports = Object.entries(instance.exports).map(([name, value]) => {
    const called = /^sluice:engine\/engine@[^#]+#(.+)$/.exec(name)?.[1];
    if (called === undefined || typeof value !== "function") return [name, value];
    return [
      name,
      (...args: unknown[]) => {
        calls.push(called);
        return value(...args);
      },
    ];
  });
  return { exports: Object.fromEntries(exports) } as WebAssembly.Instance;
});

/** Takes everything, but for the Services that it is told to refuse by the number of their messages. */
class Kernel implements KernelWriter {
  readonly mode = "flat";
  readonly #clock: ManualClock;
  refuseNext = false;
  /** Its batches fail, whatever they hold. */
  broken: Family | undefined;
  written: Batch[] = [];
  /** Somebody else changes rules all the time. */
  restless = false;
  /** Runs once, while rules are read back. */
  meanwhile: (() => void) | undefined;
  dumps = 0;
  isDumpRefused = false;
  /** Reading takes five minutes, and this runs in each. */
  eachMinute: (() => void) | undefined;
  /** Writes wait for it. */
  gate: Promise<void> | undefined;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  /** What was written, as it was written: `written` must not have lost anything. */
  async dump(family: Family, onPart?: () => void) {
    this.dumps++;
    for (let minute = 0; this.eachMinute !== undefined && minute < 5; minute++) {
      this.#clock.spend(59_000);
      onPart?.();
      this.eachMinute();
    }
    if (this.isDumpRefused) return { outcome: "failed", message: "told to" } as const;
    if (this.restless) this.#clock.spend(DUMP_MS);
    this.meanwhile?.();
    this.meanwhile = undefined;
    const batches = this.written.filter((batch) => batch.family === family);
    return { outcome: "dumped", pieces: batches.map(({ data }) => joinPieces(data)) } as const;
  }
  async write(batch: Batch) {
    await this.gate;
    if (batch.family === this.broken) return { outcome: "unknown", message: "told to" } as const;
    if (this.refuseNext) {
      this.refuseNext = false;
      const view = new DataView((batch.data[0] as Uint8Array).buffer, batch.data[0]?.byteOffset);
      // The second message: the first begins the batch.
      const second = view.getUint32(0, true);
      return {
        outcome: "refused",
        message: "told to",
        sequences: [view.getUint32(second + 8, true)],
        transient: false,
      } as const;
    }
    this.written.push(batch);
    return { outcome: "written" } as const;
  }
  async isEmpty(family: Family) {
    return !this.written.some((batch) => batch.family === family);
  }
  async intactness() {
    return this.restless ? "perhaps-touched" : "untouched";
  }
  async cleanup() {}
  async close() {}
}

class Running {
  readonly clock = new ManualClock();
  readonly kernel = new Kernel(this.clock);
  readonly health = new HealthState({ syncPeriodMs: 30_000, now: () => this.clock.now() });
  readonly agent: Agent;
  /** Of the log. */
  readonly lines: string[] = [];
  /** Calls of the hook, since it was looked at last. */
  synced: boolean[] = [];

  constructor(driftCheckMs: number, options = defaultOptions("flat")) {
    this.agent = new Agent(
      {
        module,
        options,
        writer: this.kernel,
        families: ["ipv4", "ipv6"],
        health: this.health,
        metrics: new Metrics({ mode: "flat", version: "0" }),
        log: openLog({ format: "json", verbosity: 2 }, { write: (line) => void this.lines.push(line) }).log,
        clock: this.clock,
        minSyncPeriodMs: 0,
        syncPeriodMs: 3_600_000,
        driftCheckMs,
      },
      { relist: () => {}, synced: async (isWhole) => void this.synced.push(isWhole), nodeChanged: () => {} },
    );
  }

  static async started(driftCheckMs = 3_600_000): Promise<Running> {
    const running = new Running(driftCheckMs);
    running.list("node", makeNode("node-a", { ips: ["192.0.2.1"] }));
    running.list("service-cidr");
    const numbers = Array.from({ length: SERVICES }, (_, n) => n);
    running.list("service", ...numbers.map((n) => makeService(`shop/service-${n}`, { ip: `10.96.1.${n}` })));
    running.list("endpoint-slice", ...numbers.map((n) => slice(n, `10.0.1.${n}`)));
    await running.settled();
    calls.length = 0;
    return running;
  }

  list(kind: Kind, ...objects: Parameters<typeof listOf>[0]): void {
    const store = this.agent.state.store(kind);
    store.beginList();
    if (objects.length > 0) store.apply(encode(JSON.stringify(listOf(objects))));
    store.endList();
  }

  async replaced(n: number, address: string): Promise<void> {
    const line = watchLine("MODIFIED", slice(n, address));
    this.agent.state.store("endpoint-slice").apply(encode(line));
    await this.settled();
  }

  /** A run takes many promises one after the other. */
  async settled(): Promise<void> {
    for (let i = 0; i < 20; i++) await this.clock.advance(50);
  }
}

function slice(n: number, address: string) {
  return makeSlice(`shop/service-${n}-1`, `service-${n}`, [address]);
}

test("a replaced endpoint calls nothing that looks at more than what has changed", async () => {
  const running = await Running.started();
  const before = running.kernel.written.length;
  await running.replaced(7, "10.0.2.7");
  assert.is(running.kernel.written.length - before, 1);
  assert.equal(
    [...new Set(calls)].filter((call) => !PER_CHANGE.includes(call)),
    [],
  );
  assert.is(calls.filter((call) => call === "apply").length, 1);
  // One plan with the change, and one that has nothing more to write.
  assert.is(calls.filter((call) => call === "continue-plan").length, 2);
  await running.agent.stop();
});

test("changes that come together are planned once", async () => {
  const running = await Running.started();
  const before = running.kernel.written.length;
  const store = running.agent.state.store("endpoint-slice");
  for (let n = 0; n < 20; n++) store.apply(encode(watchLine("MODIFIED", slice(n, `10.0.2.${n}`))));
  await running.settled();
  assert.is(running.kernel.written.length - before, 1);
  assert.is(calls.filter((call) => call === "continue-plan").length, 2);
  await running.agent.stop();
});

test("Services that the kernel refuses are looked for until none is left", async () => {
  const running = await Running.started();
  running.kernel.refuseNext = true;
  await running.replaced(7, "10.0.2.7");
  assert.ok(calls.includes("left-out"));
  assert.match(running.health.healthz().body, /refuses rules of Services: shop\/service-7/);
  // It changes, and is taken.
  await running.replaced(7, "10.0.3.7");
  assert.not.match(running.health.healthz().body, /refuses/);
  calls.length = 0;
  await running.replaced(7, "10.0.4.7");
  assert.not.ok(calls.includes("left-out"));
  await running.agent.stop();
});

test("a family that can't be written holds up nothing that follows from the other's rules", async () => {
  const running = await Running.started();
  assert.equal(running.synced.at(-1), true);
  running.kernel.broken = "ipv6";
  running.synced = [];
  const both = makeService("shop/both", { ip: "10.96.2.1,fd00::2:1" });
  running.agent.state.store("service").apply(encode(watchLine("ADDED", both)));
  await running.settled();
  assert.ok(
    running.lines.some((line) => line.includes("could not be written")),
    "IPv6 fails",
  );
  assert.ok(running.synced.length > 0 && !running.synced.includes(true), `${running.synced}`);
  running.kernel.broken = undefined;
  await running.clock.advance(60_000);
  assert.equal(running.synced.at(-1), true);
  await running.agent.stop();
});

test("as long as the lists are not there nothing is overdue; a first write that does not succeed is", async () => {
  const running = new Running(3_600_000);
  const { clock, health, kernel, agent } = running;
  running.list("node", makeNode("node-a", { ips: ["192.0.2.1"] }));
  running.list("service", makeService("shop/service-1", { ip: "10.96.1.1" }));
  await clock.advance(600_000);
  assert.is(health.livez().code, 200, "a restart would not help");
  assert.is(health.readyz().code, 503);
  kernel.isDumpRefused = true;
  running.list("service-cidr");
  running.list("endpoint-slice", slice(1, "10.0.1.1"));
  await clock.advance(59_000);
  assert.is(health.livez().code, 200);
  await clock.advance(2_000);
  assert.is(health.livez().code, 503);
  await agent.stop();
});

test("rules that take minutes to be read back fail no liveness: a restart would begin anew", async () => {
  const running = new Running(3_600_000);
  const { clock, health, kernel, agent } = running;
  const codes: number[][] = [];
  kernel.eachMinute = () => codes.push([health.livez().code, health.healthz().code]);
  running.list("node", makeNode("node-a", { ips: ["192.0.2.1"] }));
  running.list("service", makeService("shop/service-1", { ip: "10.96.1.1" }));
  running.list("service-cidr");
  running.list("endpoint-slice", slice(1, "10.0.1.1"));
  await clock.advance(1_000);
  assert.ok(codes.length >= 10, "both families");
  assert.is(codes.filter(([livez]) => livez !== 200).length, 0);
  assert.ok(
    codes.some(([, healthz]) => healthz === 503),
    "the rules are old all the same",
  );
  assert.is(health.livez().code, 200);
  await agent.stop();
});

/** As the API server would answer if it were asked for what is urgent. */
const urgent = [
  { kind: "service", objects: [makeService("default/kubernetes", { ip: "10.96.0.1" })] },
  { kind: "endpoint-slice", objects: [makeSlice("default/kubernetes", "kubernetes", ["192.0.2.1"])] },
] as const;
const urgentLists = urgent.map(({ kind, objects }) => {
  const list = { ...listOf([...objects]), metadata: { resourceVersion: "7" } };
  return { kind, data: encode(JSON.stringify(list)) };
});

test("what is urgent is written before any list; without podCIDRs, and where there are rules, it is not even asked for", async () => {
  const running = new Running(3_600_000);
  await running.agent.writeAhead(async () => urgentLists);
  assert.equal(
    running.kernel.written.map(({ family, full }) => [family, full]),
    [
      ["ipv4", true],
      ["ipv6", true],
    ],
  );
  assert.is(running.health.readyz().code, 503);
  assert.match(running.agent.debugPlan().summary, /^nothing is taken out of the kernel yet/);
  const unasked = async (): Promise<never> => {
    throw new Error("it is asked");
  };
  await running.agent.writeAhead(unasked);
  assert.not.ok(running.lines.some((line) => line.includes("it is asked")));
  await running.agent.stop();

  const nodeCidr = new Running(3_600_000, { ...defaultOptions("flat"), detectLocalMode: "node-cidr" });
  await nodeCidr.agent.writeAhead(unasked);
  assert.equal(nodeCidr.kernel.written, []);
  assert.equal(nodeCidr.lines, []);
  await nodeCidr.agent.stop();
});

test("what is urgent may fail to come, be no list, or come too late: it is said, and nothing is written", async () => {
  for (const read of [
    () => Promise.reject(new Error("told to")),
    async () => [{ kind: "service", data: encode("<html>") } as const],
    (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  ]) {
    const running = new Running(3_600_000);
    const ahead = running.agent.writeAhead(read);
    await running.clock.advance(2_000);
    await ahead;
    assert.equal(running.kernel.written, []);
    assert.is(running.lines.filter((line) => line.includes("are written when all else is known")).length, 1);
    assert.is(running.clock.timers, 1, "but for the look at the kernel");
    await running.agent.stop();
  }
});

test("an agent that ends gives up what is urgent", async () => {
  const running = new Running(3_600_000);
  const ahead = running.agent.writeAhead(
    (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  await running.agent.stop();
  await ahead;
  assert.equal(running.kernel.written, []);
  assert.is(running.clock.timers, 0);
});

test("what would be written next is told as often as it is asked, and written once", async () => {
  const running = await Running.started();
  const { agent, kernel } = running;
  assert.is(agent.debugPlan().summary, "the kernel has what it should have");
  const before = kernel.written.length;
  const line = watchLine("MODIFIED", slice(7, "10.0.2.7"));
  agent.state.store("endpoint-slice").apply(encode(line));
  for (let i = 0; i < 3; i++) {
    const [ipv4, ipv6] = agent.debugPlan().plan;
    assert.equal([ipv4?.transactions, ipv4?.services, ipv4?.names], [1, 1, ["shop/service-7"]]);
    assert.equal([ipv6?.transactions, ipv6?.names], [0, []]);
  }
  assert.match(agent.debugPlan().summary, /^something waits to be written in 0 ms: a change/);
  assert.is(kernel.written.length, before);
  await running.settled();
  assert.is(kernel.written.length, before + 1);
  assert.is(agent.debugPlan().summary, "the kernel has what it should have");
  await agent.stop();
});

test("while a run is at work nothing else plans, and its batches count", async () => {
  const running = await Running.started();
  const { agent, kernel, clock } = running;
  let go = () => {};
  kernel.gate = new Promise((resolve) => {
    go = resolve;
  });
  agent.state.store("endpoint-slice").apply(encode(watchLine("MODIFIED", slice(7, "10.0.2.7"))));
  await clock.advance(50);
  const plans = calls.filter((call) => call === "plan").length;
  const { plan, summary } = agent.debugPlan();
  assert.equal(plan, []);
  assert.match(summary, /^a run has been at work for \d+ ms$/);
  assert.is(calls.filter((call) => call === "plan").length, plans);
  const before = kernel.written.length;
  go();
  await running.settled();
  assert.is(kernel.written.length, before + 1, "it was committed, and is not written again");
  await agent.stop();
});

test("the last sum of writes has what is written while the agent ends", async () => {
  const running = await Running.started();
  const { agent, kernel, clock, lines } = running;
  let go = () => {};
  kernel.gate = new Promise((resolve) => {
    go = resolve;
  });
  agent.state.store("endpoint-slice").apply(encode(watchLine("MODIFIED", slice(7, "10.0.2.7"))));
  await clock.advance(50);
  const stopped = agent.stop();
  go();
  await stopped;
  assert.is(lines.filter((line) => /"writes":1,.*rules written in the last minute/.test(line)).length, 1);
});

test("Services that are left out, and rules that are read back first, are told", async () => {
  const running = await Running.started(2000);
  const { agent, kernel, clock } = running;
  kernel.refuseNext = true;
  await running.replaced(7, "10.0.2.7");
  const { leftOut, summary } = agent.debugPlan();
  assert.equal([leftOut.count, leftOut.services], [1, ["shop/service-7"]]);
  assert.ok(leftOut.retryMs > 0 && leftOut.retryMs <= 3_600_000);
  assert.match(summary, /1 left out/);
  kernel.isDumpRefused = true;
  kernel.restless = true;
  await clock.advance(2500);
  assert.equal(
    agent.debugPlan().plan.map(({ readFirst }) => readFirst),
    [true, true],
  );
  assert.match(
    agent.debugPlan().summary,
    /^the kernel's rules are read back in the next run, in \d+ ms: what has failed/,
  );
  await agent.stop();
});

test("where others change their rules all the time, ours are read back for a twentieth of the time at most", async () => {
  const running = await Running.started(2000);
  running.kernel.restless = true;
  const { dumps, written } = running.kernel;
  const before = written.length;
  await running.clock.advance(600_000);
  const spent = (running.kernel.dumps - dumps) * DUMP_MS;
  assert.ok(spent > 0);
  assert.ok(spent <= 600_000 / 20, `${spent} ms of reading in ten minutes`);
  assert.is(running.kernel.written.length, before, "nothing differed");
  await running.agent.stop();
});

test("somebody who does change our rules again and again is noticed in the next look each time", async () => {
  const running = await Running.started(2000);
  running.kernel.restless = true;
  for (let i = 0; i < 5; i++) {
    running.kernel.written = []; // all is gone
    const end = running.clock.now() + 2000 + 4 * DUMP_MS;
    while (running.kernel.written.length < 2 && running.clock.now() < end) await running.clock.advance(50);
    assert.ok(running.kernel.written.length >= 2, `the ${i + 1}th time`);
  }
  await running.agent.stop();
});

test("changes that come before or while rules are read back are not taken for somebody else's doing", async () => {
  const running = await Running.started(2000);
  running.kernel.restless = true;
  const store = running.agent.state.store("endpoint-slice");
  const change = (n: number) => store.apply(encode(watchLine("MODIFIED", slice(n, `10.0.5.${n}`))));
  const said = (text: string) => running.lines.filter((line) => line.includes(text)).length;
  running.kernel.meanwhile = () => change(7);
  for (let i = 0; i < 100 && said("read back while changes were on their way") === 0; i++)
    await running.clock.advance(50);
  assert.is(said("read back while changes were on their way"), 1);
  assert.is(said("somebody else"), 0);
  running.kernel.written = []; // all is gone
  change(8);
  for (let i = 0; i < 100 && said("somebody else") === 0; i++) await running.clock.advance(50);
  assert.ok(said("somebody else") > 0);
  await running.agent.stop();
});

test.run();
