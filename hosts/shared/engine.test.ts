import { test } from "uvu";
import * as assert from "uvu/assert";
import { EngineTrapError, joinPieces } from "./engine.ts";
import { RestartingEngine } from "./restarting-engine.ts";
import { fakeEngine } from "./testing/fake-engine.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("joinPieces joins any number of pieces in order", () => {
  assert.is(new TextDecoder().decode(joinPieces([bytes("ab"), bytes(""), bytes("c")])), "abc");
  assert.is(joinPieces([]).length, 0);
  const one = bytes("x");
  assert.is(joinPieces([one]), one);
});

test("an instance that has trapped is never entered again", () => {
  let calls = 0;
  const { module } = fakeEngine({
    apply() {
      calls++;
      // jco itself goes on after a stack overflow.
      throw new RangeError("Maximum call stack size exceeded");
    },
  });
  const engine = module.create();
  for (let round = 0; round < 2; round++) {
    try {
      engine.apply(bytes("{}"));
      assert.unreachable();
    } catch (error) {
      assert.instance(error, EngineTrapError);
      assert.is((error as EngineTrapError).operation, "apply");
    }
  }
  assert.is(calls, 1);
  assert.not(engine.usable);
});

test("after a trap a fresh instance is replayed and asked again", () => {
  let trapsLeft = 1;
  const { module, log } = fakeEngine({
    apply(text) {
      if (text === "{}" && trapsLeft-- > 0) throw new WebAssembly.RuntimeError("unreachable");
    },
  });
  const restarts: string[] = [];
  const engine = new RestartingEngine(
    module,
    (fresh) => void fresh.apply(bytes('{"kind":"Service","metadata":{"name":"replayed"}}')),
    (error) => restarts.push(error.message),
  );
  const result = engine.call((instance) => instance.apply(bytes("{}")));
  assert.is(result.problems.length, 0);
  assert.is(log.instances, 2);
  assert.is(log.applied.length, 2);
  assert.match(log.applied[0] ?? "", "replayed");
  assert.equal(restarts, ["the engine stopped in apply: unreachable"]);
  assert.is(engine.restarts, 1);
});

test("a second trap is the caller's, and the call after it gets a fresh instance", () => {
  const { module, log } = fakeEngine({
    apply(text) {
      if (text === "[]") throw new WebAssembly.RuntimeError("unreachable");
    },
  });
  const engine = new RestartingEngine(
    module,
    () => {},
    () => {},
  );
  assert.throws(
    () => engine.call((instance) => instance.apply(bytes("[]"))),
    (error: unknown) => error instanceof EngineTrapError,
  );
  engine.call((instance) => instance.apply(bytes("{}")));
  assert.is(engine.restarts, 2);
  assert.is(log.instances, 3);
});

test("errors of the caller's own code are no traps", () => {
  const { module, log } = fakeEngine();
  const engine = new RestartingEngine(
    module,
    () => {},
    () => {},
  );
  assert.throws(
    () =>
      engine.call(() => {
        throw new Error("mine");
      }),
    /^mine$/,
  );
  assert.is(log.instances, 1);
});

test.run();
