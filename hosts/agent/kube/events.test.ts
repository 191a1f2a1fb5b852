import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer, type ApiServerOptions } from "../../../fixtures/api-server/api-server.ts";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { ApiClient } from "./client/api-client.ts";
import { type EventDetails, EventRecorder, microTime } from "./events.ts";
import { plainAccess, until } from "./testing/reflecting.ts";

const test = suite("events");

const starting: EventDetails = {
  regarding: { kind: "Node", name: "node-a", uid: "node-a" },
  type: "Normal",
  reason: "Starting",
  action: "StartKubeProxy",
  note: "",
};

interface Setting {
  server: ApiServer;
  recorder: EventRecorder;
  clock: ManualClock;
  dropped: string[];
}

async function recording(options: ApiServerOptions, run: (setting: Setting) => Promise<void>): Promise<void> {
  const server = await ApiServer.start(options);
  const client = new ApiClient(plainAccess(server.url), { userAgent: "sluice/test" });
  const clock = new ManualClock();
  const dropped: string[] = [];
  const recorder = new EventRecorder({
    client,
    clock,
    reportingController: "sluice",
    reportingInstance: "sluice-node-a",
    wallClock: () => Date.UTC(2026, 10, 1, 10, 0, 0, 25),
    onDropped: (_, why) => dropped.push(why),
  });
  try {
    await run({ server, recorder, clock, dropped });
  } finally {
    await recorder.stop();
    await client.close();
    await server.close();
  }
  assert.is(clock.timers, 0, "no timer is left");
}

test("an event has all fields, and times to the microsecond", () =>
  recording({}, async ({ server, recorder }) => {
    recorder.event(starting);
    await until("it is there", () => server.objects("Event").length === 1);
    const { metadata, ...event } = server.objects("Event")[0] as ReturnType<ApiServer["objects"]>[0];
    assert.match(metadata.name, /^node-a\.[0-9a-f]+$/);
    assert.is(metadata.namespace, "default");
    assert.equal(event, {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      eventTime: "2026-11-01T10:00:00.025000Z",
      reportingController: "sluice",
      reportingInstance: "sluice-node-a",
      action: "StartKubeProxy",
      reason: "Starting",
      regarding: { kind: "Node", name: "node-a", uid: "node-a" },
      note: "",
      type: "Normal",
    });
  }));

test("a namespaced object's events are in its namespace; long notes are cut between characters", () =>
  recording({}, async ({ server, recorder }) => {
    recorder.event({
      ...starting,
      regarding: { kind: "Service", namespace: "shop", name: "web" },
      note: "ä".repeat(600),
    });
    await until("it is there", () => server.objects("Event").length === 1);
    const event = server.objects("Event")[0] as ReturnType<ApiServer["objects"]>[0];
    assert.is(event.metadata.namespace, "shop");
    assert.is(event.note, "ä".repeat(512));
  }));

test("the same event again becomes a series", () =>
  recording({}, async ({ server, recorder, clock }) => {
    const series = () => server.objects("Event").map((event) => (event.series as { count: number } | undefined)?.count);
    recorder.event(starting);
    recorder.event({ ...starting, note: "again" });
    await until("it is a series", () => series().join() === "2");
    for (let n = 0; n < 5; n++) recorder.event(starting);
    await sleep(20);
    assert.equal(series(), [2], "the rest is told later");
    clock.pass(360_000);
    await until("the count is told", () => series().join() === "7");
    recorder.event({ ...starting, reason: "Other" });
    await until("another reason is another event", () => server.objects("Event").length === 2);
    clock.pass(800_000);
    recorder.event(starting);
    await until("after six minutes of quiet it is a new one", () => server.objects("Event").length === 3);
  }));

test("it tries twelve times, about ten seconds apart, and gives up", () =>
  recording({}, async ({ server, recorder, clock, dropped }) => {
    server.misbehave({ fault: "status", code: 503 }, { times: 12 });
    recorder.event(starting);
    await until("it is given up", () => dropped.length === 1);
    assert.is(server.requests.length, 12);
    assert.equal(clock.waits, Array(11).fill(10_000));
    assert.is(recorder.dropped, 1);
    recorder.event({ ...starting, reason: "Next" });
    await until("the next is there", () => server.objects("Event").length === 1);
  }));

test("what is forbidden is not tried again, and connections that break are", () =>
  recording({}, async ({ server, recorder, dropped }) => {
    server.misbehave({ fault: "status", code: 403 });
    recorder.event(starting);
    await until("it is given up", () => dropped.length === 1);
    assert.is(server.requests.length, 1);
    server.misbehave({ fault: "reset", afterBytes: 0 }, { times: 3 });
    recorder.event({ ...starting, reason: "Next" });
    await until("it is there", () => server.objects("Event").length === 1);
  }));

test("beyond a thousand that wait, more are dropped, and nothing blocks or throws", () =>
  recording({}, async ({ server, recorder, dropped }) => {
    server.misbehave({ fault: "silence", afterBytes: 0 });
    for (let n = 0; n < 1100; n++) recorder.event({ ...starting, reason: `R${n}` });
    assert.is(dropped.length, 99, "one is on its way");
  }));

test("whoever is about to end can wait for what is on its way, but not for ever", () =>
  recording({}, async ({ server, recorder, clock }) => {
    await recorder.drain(1000);
    assert.equal(clock.waits, [], "there is nothing to wait for");
    recorder.event(starting);
    clock.frozen = true;
    await recorder.drain(1000);
    assert.is(server.objects("Event").length, 1);
    clock.frozen = false;
    server.misbehave({ fault: "silence", afterBytes: 0 }, { verb: "create" });
    recorder.event({ ...starting, reason: "Another" });
    await recorder.drain(1000);
    assert.equal(clock.waits.slice(-1), [1000]);
  }));

test("times have six digits after the second", () => {
  assert.is(microTime(0), "1970-01-01T00:00:00.000000Z");
});

test.run();
