import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode, engineModule } from "../../../fixtures/support/engine.ts";
import { defaultOptions, listOf, makeNode, makeService } from "../../../fixtures/support/engine-tests.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import type { Kind, Options } from "../../shared/contract.ts";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { ClusterState } from "./cluster-state.ts";
import { FirstState } from "./first-state.ts";

const test = suite("sync: first state");

class Start {
  readonly clock = new ManualClock();
  readonly state: ClusterState;
  readonly first: FirstState;
  ready: readonly string[] | undefined;

  constructor(options: Partial<Options> = {}) {
    const ignore = () => {};
    this.state = new ClusterState(engineModule, { ...defaultOptions("flat"), ...options }, undefined, {
      changed: () => this.first.check(),
      synced: () => this.first.check(),
      progressed: () => {},
      problems: ignore,
      trapping: ignore,
      lost: ignore,
    });
    this.first = new FirstState(this.state, this.clock, (missing) => {
      this.ready = missing;
    });
  }

  list(kind: Kind, ...objects: KubernetesObject[]): void {
    const store = this.state.store(kind);
    store.beginList();
    store.apply(encode(JSON.stringify(listOf(objects))));
    store.endList();
  }
}

const node = makeNode("node-a", { ips: ["192.0.2.1"] });

test("Services, EndpointSlices, the Node and ServiceCIDRs: the last one makes it ready, in any order", () => {
  const lists: [Kind, KubernetesObject[]][] = [
    ["node", [node]],
    ["service", [makeService("shop/web")]],
    ["service-cidr", []],
    ["endpoint-slice", []],
  ];
  for (let turn = 0; turn < lists.length; turn++) {
    const start = new Start();
    const order = [...lists.slice(turn), ...lists.slice(0, turn)];
    for (const [kind, objects] of order) {
      assert.is(start.ready, undefined);
      assert.is(start.first.waitingFor().length > 0, true);
      start.list(kind, ...objects);
    }
    assert.equal(start.ready, []);
    assert.equal(start.first.waitingFor(), []);
  }
});

test("no waiting helps against missing Services or EndpointSlices", async () => {
  const start = new Start();
  start.list("node", node);
  start.list("service-cidr");
  start.list("service");
  await start.clock.advance(3_600_000);
  assert.is(start.ready, undefined);
  assert.equal(start.first.waitingFor(), ["EndpointSlices"]);
});

test("the Node is waited for half a minute, then it goes on without", async () => {
  const start = new Start();
  for (const kind of ["node", "service-cidr", "service", "endpoint-slice"] as const) start.list(kind);
  await start.clock.advance(29_999);
  assert.is(start.ready, undefined);
  await start.clock.advance(1);
  assert.equal(start.ready, ["the addresses of Node node-a"]);
});

test("a Node that appears while it is waited for ends the waiting", async () => {
  const start = new Start();
  for (const kind of ["node", "service-cidr", "service", "endpoint-slice"] as const) start.list(kind);
  await start.clock.advance(10_000);
  start.list("node", node);
  assert.equal(start.ready, []);
});

test("podCIDRs are waited for where pods are told by them, five minutes", async () => {
  const start = new Start({ detectLocalMode: "node-cidr" });
  start.list("node", node);
  for (const kind of ["service-cidr", "service", "endpoint-slice"] as const) start.list(kind);
  await start.clock.advance(299_999);
  assert.is(start.ready, undefined);
  await start.clock.advance(1);
  assert.equal(start.ready, ["the podCIDRs of Node node-a"]);

  const quick = new Start({ detectLocalMode: "node-cidr" });
  quick.list("node", makeNode("node-a", { ips: ["192.0.2.1"], podCIDRs: ["10.244.0.0/24"] }));
  for (const kind of ["service-cidr", "service", "endpoint-slice"] as const) quick.list(kind);
  assert.equal(quick.ready, []);
});

test("ServiceCIDRs are waited for five seconds; where there are none, not at all", async () => {
  const start = new Start();
  start.list("node", node);
  for (const kind of ["service", "endpoint-slice"] as const) start.list(kind);
  await start.clock.advance(5000);
  assert.equal(start.ready, ["ServiceCIDRs"]);
  const absent = new Start();
  absent.list("node", node);
  for (const kind of ["service", "endpoint-slice"] as const) absent.list(kind);
  absent.state.markAbsent("service-cidr");
  assert.equal(absent.ready, []);
});

test("a fresh engine instance has to be filled anew", () => {
  const start = new Start();
  for (const kind of ["service-cidr", "service", "endpoint-slice"] as const) start.list(kind);
  start.list("node", node);
  assert.is(start.first.isReady, true);
  start.first.restart();
  assert.is(start.first.isReady, false);
});

test.run();
