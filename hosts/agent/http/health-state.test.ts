// The answers of /healthz, /livez and /readyz, with a clock of their own.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { HealthState } from "./health-state.ts";

const test = suite("agent: health state");

const T0 = Date.parse("2026-11-01T10:00:00.100Z");
const good = { known: true, deleting: false, toBeDeleted: false };

function start() {
  const clock = { now: T0 };
  const state = new HealthState({ syncPeriodMs: 30_000, now: () => clock.now });
  return { clock, state };
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

test("a first write that never succeeds is noticed", () => {
  const { clock, state } = start();
  state.queued("ipv4");
  clock.now += 60_000;
  const answer = state.livez();
  assert.is(answer.code, 503);
  assert.match(answer.body, '{"lastUpdated":"0001-01-01T00:00:00Z"');
});

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
  const { clock, state } = start();
  state.node(good);
  state.watching("services", true);
  state.watching("endpointslices", true);
  const plain = state.healthz();
  assert.equal(Object.keys(JSON.parse(plain.body)), ["lastUpdated", "currentTime", "nodeEligible", "healthy"]);
  state.warn("kube-proxy", "a kube-proxy runs on this node");
  state.watching("services", false);
  clock.now += 90_000;
  const { code, body } = state.healthz();
  assert.is(code, 200);
  assert.match(
    body,
    /"healthy":true,"stale":\[\{"resource":"services","secondsSinceLastByte":90\}\],"warnings":\["a kube-proxy runs on this node"\]\}$/,
  );
  assert.not.match(state.livez().body, "stale");
  clock.now += 210_000;
  assert.equal(
    JSON.parse(state.healthz().body).stale.map((each: { resource: string }) => each.resource),
    ["services", "endpointslices"],
    "a watch that says nothing for five minutes",
  );
  state.heard("endpointslices");
  state.watching("services", true);
  state.warn("kube-proxy", undefined);
  assert.equal(Object.keys(JSON.parse(state.healthz().body)), Object.keys(JSON.parse(plain.body)));
  clock.now += 5000;
  assert.equal(
    [...state.staleness()],
    [
      ["services", 5],
      ["endpointslices", 5],
    ],
  );
});

test("ready: both families written, the last writes good, watches alive, not stopping", () => {
  const { clock, state } = start();
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
  state.watching("services", true);
  state.watching("endpointslices", true);
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
  state.watching("endpointslices", false);
  assert.equal(reasons(), ["endpointslices are not being watched"]);
  state.watching("endpointslices", true);
  state.stopping();
  assert.equal(reasons(), ["the agent is about to end"]);
  assert.is(state.readyz().code, 503);
  assert.is(state.livez().code, 200);
});

test.run();
