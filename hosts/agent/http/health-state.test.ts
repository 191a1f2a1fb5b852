// The answers of /healthz, /livez and /readyz, with a clock of their own.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HealthState, type WatchView } from "./health-state.ts";

const test = suite("agent: health state");

const T0 = Date.parse("2026-11-01T10:00:00.100Z");
const good = { known: true, deleting: false, toBeDeleted: false };

function start() {
  const clock = {
    now: 5_000,
    /** How far the wall clock is ahead of T0 + `now`. */
    step: -5_000,
  };
  const watches: WatchView[] = [];
  const state = new HealthState({
    syncPeriodMs: 30_000,
    now: () => clock.now,
    wallClock: () => T0 + clock.now + clock.step,
    watches: () => watches,
  });
  return { clock, state, watches };
}

test("bodies are kube-proxy's, key by key", () => {
  const { clock, state } = start();
  assert.equal(state.livez(), {
    code: 200,
    body: '{"lastUpdated":"2026-11-01T10:00:00.1Z","currentTime":"2026-11-01T10:00:00.1Z","healthy":true}',
  });
  state.node(good);
  state.updated("ipv4");
  clock.now += 900;
  state.updated("ipv6");
  clock.now += 1005;
  assert.equal(state.healthz(), {
    code: 200,
    body:
      '{"lastUpdated":"2026-11-01T10:00:02.005Z","currentTime":"2026-11-01T10:00:02.005Z","nodeEligible":true,' +
      '"healthy":true,"status":{"IPv4":{"lastUpdated":"2026-11-01T10:00:00.1Z","healthy":true},' +
      '"IPv6":{"lastUpdated":"2026-11-01T10:00:01Z","healthy":true}}}',
  });
});

test("unhealthy once a change has waited for twice the sync period, whatever was queued since", () => {
  const { clock, state } = start();
  state.node(good);
  state.updated("ipv4");
  state.updated("ipv6");
  clock.now += 1000;
  state.queued("ipv4");
  clock.now += 59_999;
  state.queued("ipv4");
  assert.is(state.livez().code, 200);
  clock.now += 1;
  const answer = state.livez();
  assert.is(answer.code, 503);
  assert.is(
    answer.body,
    '{"lastUpdated":"2026-11-01T10:00:00.1Z","currentTime":"2026-11-01T10:01:01.1Z","healthy":false,' +
      '"status":{"IPv4":{"lastUpdated":"2026-11-01T10:00:00.1Z","healthy":false},' +
      '"IPv6":{"lastUpdated":"2026-11-01T10:00:00.1Z","healthy":true}}}',
  );
  assert.is(state.healthz().code, 503);
  assert.not(state.healthy);
  state.updated("ipv4");
  assert.is(state.livez().code, 200);
});

test("what the kernel refuses fails no liveness: a restart would not cure it; readiness and health say it", () => {
  const { clock, state, watches } = start();
  state.node(good);
  for (const resource of ["services", "endpointslices"] as const) {
    watches.push({ resource, alive: true, staleSeconds: 0 });
  }
  state.updated("ipv4");
  state.updated("ipv6");
  for (let minute = 0; minute < 10; minute++) {
    clock.now += 30_000;
    state.failed("ipv4", "EPERM", false);
  }
  assert.is(state.livez().code, 200);
  assert.equal(JSON.parse(state.livez().body).status.IPv4.healthy, false);
  assert.not(state.healthy);
  const healthz = state.healthz();
  assert.is(healthz.code, 503);
  assert.equal(JSON.parse(healthz.body).warnings, ["the last write of the IPv4 rules has failed: EPERM"]);
  assert.is(state.readyz().code, 503);

  // Nobody tries any more: something hangs, and that a restart does cure.
  clock.now += 60_000;
  assert.is(state.livez().code, 503);
  state.failed("ipv4", "EPERM", false);
  assert.is(state.livez().code, 200);
  state.failed("ipv4", "answers got lost", true);
  assert.is(state.livez().code, 503);
  state.updated("ipv4");
  assert.equal([state.livez().code, state.healthz().code, state.readyz().code], [200, 200, 200]);
});

test("a long run that gets on fails no liveness, until it stands still or ends without success", () => {
  let now = 0;
  const health = new HealthState({ syncPeriodMs: 1000, families: ["ipv4"], now: () => now });
  health.queued("ipv4");
  for (now = 0; now < 10_000; now += 1500) health.progressed();
  assert.equal([health.livez().code, health.healthz().code], [200, 503]);
  now += 2000;
  assert.is(health.livez().code, 503, "nothing has happened for twice the sync period");
  health.progressed();
  assert.is(health.livez().code, 200);
  health.failed("ipv4", "it is not known what became of it");
  assert.is(health.livez().code, 503);
  health.progressed();
  health.updated("ipv4");
  assert.is(health.livez().code, 200);
});

test("what is left out is named and fails nothing", () => {
  const { state, watches } = start();
  state.node(good);
  for (const resource of ["services", "endpointslices"] as const) {
    watches.push({ resource, alive: true, staleSeconds: 0 });
  }
  state.updated("ipv4");
  state.updated("ipv6");
  state.warn("left out", "shop/web");
  for (const answer of [state.healthz(), state.readyz()]) {
    assert.is(answer.code, 200);
    assert.equal(JSON.parse(answer.body).warnings, ["shop/web"]);
  }
  assert.is(state.livez().code, 200);
  state.warn("left out", undefined);
  assert.is(JSON.parse(state.readyz().body).warnings, undefined);
});

test("a first write that never succeeds is noticed", () => {
  const { clock, state } = start();
  state.queued("ipv4");
  clock.now += 60_000;
  const answer = state.livez();
  assert.is(answer.code, 503);
  assert.match(answer.body, '{"lastUpdated":"0001-01-01T00:00:00Z"');
});

for (const days of [1, -1, 3650]) {
  test(`a clock that is set by ${days} days makes nothing overdue, and nothing young again`, () => {
    const { clock, state } = start();
    const spoken = () => JSON.parse(state.livez().body) as { lastUpdated: string; currentTime: string };
    state.updated("ipv4");
    state.queued("ipv4");
    clock.now += 1000;
    clock.step += days * 86_400_000;
    assert.is(state.livez().code, 200);
    clock.now += 59_000;
    assert.is(state.livez().code, 503);
    const { lastUpdated, currentTime } = spoken();
    assert.is(Date.parse(currentTime) - Date.parse(lastUpdated), 60_000);
    assert.is(Date.parse(currentTime), T0 + 60_000 + days * 86_400_000);
  });
}

const nodes = [
  { ...good, known: false },
  { ...good, deleting: true },
  { ...good, toBeDeleted: true },
];
for (const node of nodes) {
  test(`a Node that is no target: ${JSON.stringify(node)}`, () => {
    const { state } = start();
    state.node(good);
    assert.is(state.healthz().code, 200);
    state.node(node);
    const { code, body } = state.healthz();
    assert.is(code, 503);
    assert.match(body, '"nodeEligible":false,"healthy":true');
    assert.is(state.livez().code, 200, "the agent must not be restarted for that");
    assert.not.match(state.livez().body, "nodeEligible");
  });
}

test("a Node that nobody has spoken of is no target", () => {
  assert.is(start().state.healthz().code, 503);
});

test("staleness and warnings stand behind what kube-proxy says, in /healthz alone, and change no code", () => {
  const { state, watches } = start();
  state.node(good);
  const keys = () => Object.keys(JSON.parse(state.healthz().body));
  const plain = ["lastUpdated", "currentTime", "nodeEligible", "healthy"];
  watches.push(
    { resource: "services", alive: false, staleSeconds: 89.6 },
    { resource: "endpointslices", alive: true, staleSeconds: 299 },
    { resource: "nodes", alive: true, staleSeconds: 300 },
    { resource: "servicecidrs", alive: false, staleSeconds: undefined },
  );
  state.warn("kube-proxy", "a kube-proxy runs on this node");
  const { code, body } = state.healthz();
  assert.is(code, 200);
  assert.ok(
    body.endsWith(
      '"healthy":true,"stale":[{"resource":"services","secondsSinceLastByte":90},' +
        '{"resource":"nodes","secondsSinceLastByte":300},{"resource":"servicecidrs"}],' +
        '"warnings":["a kube-proxy runs on this node"]}',
    ),
    body,
  );
  assert.not.match(state.livez().body, "stale");
  assert.equal(JSON.parse(state.readyz().body).warnings, ["a kube-proxy runs on this node"]);
  watches.length = 0;
  assert.equal(keys(), [...plain, "warnings"]);
  state.warn("kube-proxy", undefined);
  assert.equal(keys(), plain);
});

test("what holds the rules up is a reason not to be ready, and shown in /healthz", () => {
  let holdUp = "another agent is there";
  let warning = "";
  const state = new HealthState({ syncPeriodMs: 30_000, holdUp: () => holdUp, warning: () => warning });
  assert.equal(JSON.parse(state.readyz().body).reasons[0], "another agent is there");
  assert.equal(JSON.parse(state.healthz().body).warnings, ["another agent is there"]);
  assert.is(state.livez().code, 200);
  holdUp = "";
  warning = "there may be another";
  assert.not.match(state.readyz().body, "another");
  assert.equal(JSON.parse(state.healthz().body).warnings, ["there may be another"]);
});

test("ready: both families written, the last writes good, watches alive, not stopping", () => {
  const { clock, state, watches } = start();
  const watching = (slicesToo: boolean) => {
    watches.splice(0, 2, { resource: "services", alive: true, staleSeconds: 1 });
    watches.push({ resource: "endpointslices", alive: slicesToo, staleSeconds: 1 });
  };
  const reasons = (): string[] => JSON.parse(state.readyz().body).reasons ?? [];
  assert.is(state.readyz().code, 503);
  assert.equal(reasons(), [
    "the IPv4 rules have not been written yet",
    "the IPv6 rules have not been written yet",
    "services are not being watched",
    "endpointslices are not being watched",
  ]);
  state.updated("ipv4");
  state.updated("ipv6");
  watching(true);
  assert.equal(state.readyz(), { code: 200, body: '{"currentTime":"2026-11-01T10:00:00.1Z","ready":true}' });
  state.failed("ipv4", "EPERM");
  assert.equal(reasons(), ["the last write of the IPv4 rules has failed: EPERM"]);
  clock.now += 60_000;
  assert.is(state.livez().code, 503, "a change that was refused still waits");
  state.updated("ipv4");
  assert.equal(reasons(), []);
  state.queued("ipv6");
  clock.now += 60_000;
  assert.equal(reasons(), ["a change of the IPv6 rules is overdue"]);
  state.updated("ipv6");
  watching(false);
  assert.equal(reasons(), ["endpointslices are not being watched"]);
  watching(true);
  state.stopping();
  assert.equal(reasons(), ["the agent is about to end"]);
  assert.is(state.readyz().code, 503);
  assert.is(state.livez().code, 200);
});

test.run();
