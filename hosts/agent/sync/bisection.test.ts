import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { type Attempt, findCulprits, LARGEST_GROUP, MOST_TRIALS } from "./bisection.ts";

/** Refuses whatever has one of these numbers among it. */
function refusing(bad: ReadonlySet<number>, trials: [number, number][] = []): Attempt {
  return async (first, count) => {
    trials.push([first, count]);
    for (let i = first; i < first + count; i++) if (bad.has(i)) return { outcome: "refused", reason: `of ${first}` };
    return { outcome: "taken" };
  };
}
const numbers = (found: readonly { number: number }[]) => found.map(({ number }) => number);

test("every culprit is found, and nobody else; one among thousands costs no more than writing all of them once", async () => {
  const random = new Random(seedFromEnvironment());
  for (let round = 0; round < 200; round++) {
    const count = 1 + random.below(300);
    const bad = new Set(Array.from({ length: random.below(5) }, () => random.below(count)));
    const found = await findCulprits(count, refusing(bad));
    assert.equal(
      numbers(found),
      [...bad].sort((a, b) => a - b),
      `${count} ${[...bad]}`,
    );
    for (const { number, reason } of found) assert.is(reason, `of ${number}`);
  }
  for (const at of [0, 4_999, 9_999]) {
    const trials: [number, number][] = [];
    assert.equal(numbers(await findCulprits(10_000, refusing(new Set([at]), trials))), [at]);
    assert.ok(trials.length < 32, `${trials.length}`);
    assert.ok(trials.reduce((sum, [, size]) => sum + size, 0) <= 20_000);
    assert.ok(trials.every(([, size]) => size <= LARGEST_GROUP));
  }
});

test("where nothing is taken, or only all together are refused, nobody is blamed", async () => {
  assert.equal(await findCulprits(10, async () => ({ outcome: "refused", reason: "all" })), []);
  const together: Attempt = async (_, count) =>
    count > 4 ? { outcome: "refused", reason: "too many" } : { outcome: "taken" };
  assert.equal(await findCulprits(10, together), []);
  assert.equal(await findCulprits(0, refusing(new Set())), []);
});

test("what fails for another reason in the middle of the search makes nobody a culprit", async () => {
  for (const outcome of ["unclear", "refused"] as const) {
    let calls = 0;
    const found = await findCulprits(64, async (first, count) => {
      if (++calls > 4) return { outcome, reason: "broken" };
      return refusing(new Set([5]))(first, count);
    });
    assert.equal(found, [], outcome);
  }
});

test("a search ends, and what it has found is named", async () => {
  const trials: [number, number][] = [];
  const found = await findCulprits(10_000, refusing(new Set(Array.from({ length: 10_000 }, (_, i) => i)), trials));
  assert.is(trials.length, MOST_TRIALS + 10 + 2);
  assert.ok(found.length > 10 && found.length < MOST_TRIALS);
});

test.run();
