import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultOptions, listOf, makeService, makeSlice } from "../../../engine/test-support.ts";
import { encode, engineModule } from "../../../fixtures/support/engine.ts";
import type { Kind } from "../../shared/contract.ts";
import { EngineTrapError } from "../../shared/engine.ts";
import { fakeEngine } from "../../shared/testing/fake-engine.ts";
import { ClusterState, type ClusterStateEvents, InvalidOptionsError } from "./cluster-state.ts";

const test = suite("sync: cluster state");

function recorded(): { log: string[]; events: ClusterStateEvents } {
  const log: string[] = [];
  return {
    log,
    events: {
      changed: (kind, count) => log.push(`changed ${kind} ${count}`),
      synced: (kind) => log.push(`synced ${kind}`),
      problems: (problems) => log.push(...problems.map(({ code, name }) => `problem ${code} ${name}`)),
      lost: (error) => log.push(`lost ${error.operation}`),
    },
  };
}

function list(state: ClusterState, kind: Kind, ...objects: object[]): void {
  const sink = state.sink(kind);
  sink.beginList();
  sink.apply(encode(JSON.stringify(listOf(objects as never[]))));
  sink.endList();
}

test("lists: what changed is said, what is gone too, and a kind is synced once", () => {
  const { log, events } = recorded();
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, events);
  assert.is(state.isSynced("service"), false);
  list(state, "service", makeService("shop/web"));
  assert.equal(log.splice(0), ["changed service 1", "synced service"]);
  assert.is(state.isSynced("service"), true);
  list(state, "service", makeService("shop/web"));
  assert.equal(log.splice(0), [], "the same again is no change");
  list(state, "service");
  assert.equal(log.splice(0), ["changed service 1"]);
});

test("a bad object is said, and costs only itself", () => {
  const { log, events } = recorded();
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, events);
  const bad = makeService("shop/bad", { ports: [{ port: 70000 }] });
  list(state, "service", bad, makeService("shop/web"));
  list(state, "endpoint-slice", makeSlice("shop/web-1", "web", ["10.0.0.1"]));
  assert.equal(log, [
    "problem invalid-port bad",
    "changed service 1",
    "synced service",
    "changed endpoint-slice 1",
    "synced endpoint-slice",
  ]);
  assert.match(
    state.use((engine) => engine.render("ipv4").map((piece) => Buffer.from(piece).toString())).join(""),
    "10.0.0.1",
  );
});

test("options that the engine refuses change nothing, and say which field it is", () => {
  const state = new ClusterState(engineModule, defaultOptions("flat"), undefined, recorded().events);
  const options = { ...defaultOptions("flat"), clusterCidr: "10.0.0.0/99" };
  assert.throws(
    () => state.configure(options),
    (error: unknown) => error instanceof InvalidOptionsError && /clusterCIDR/.test(error.message),
  );
  assert.is(state.options.clusterCidr, defaultOptions("flat").clusterCidr);
});

test("an instance that traps is replaced: everything has to be listed again", () => {
  const { log, events } = recorded();
  let traps = true;
  const fake = fakeEngine({
    apply() {
      if (traps) throw new WebAssembly.RuntimeError("unreachable");
    },
  });
  const options = defaultOptions("flat");
  const state = new ClusterState(fake.module, options, undefined, events);
  state.markAbsent("service-cidr");
  log.length = 0;
  const sink = state.sink("service");
  sink.beginList();
  assert.throws(
    () => sink.apply(encode("{}")),
    (error: unknown) => error instanceof EngineTrapError,
  );
  assert.equal(log, ["lost apply"]);
  assert.is(state.generation, 1);
  assert.is(state.isSynced("service-cidr"), false);
  assert.equal(fake.log.configured, [options, options]);
  traps = false;
  sink.beginList();
  sink.apply(encode("{}"));
  sink.endList();
  assert.is(state.isSynced("service"), true, "the sink goes on with the fresh instance");
});

test.run();
