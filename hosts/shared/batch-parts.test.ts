import { test } from "uvu";
import * as assert from "uvu/assert";
import { BatchParts, type GivenProgress } from "./batch-parts.ts";

const piece = (...bytes: number[]) => new Uint8Array(bytes);
const part = (id: number, goesOn: boolean, ...data: Uint8Array[]) =>
  ({ id, family: "ipv4", notBeforeMs: 0, data, services: 1, full: false, goesOn }) as const;
const some = (...val: ReturnType<typeof part>[]): GivenProgress => ({ tag: "some-batches", val });

/** Ids and data of the batches that are complete. */
function added(parts: BatchParts, given: GivenProgress): [number, number[]][] | string {
  const progress = parts.add(given);
  if (progress.tag !== "some-batches" && progress.tag !== "batches") return progress.tag;
  for (const batch of progress.val) assert.not("goesOn" in batch);
  return progress.val.map(({ id, data }) => [id, data.flatMap((bytes) => [...bytes])]);
}

test("a batch is there once its last part has come, behind those before it", () => {
  const parts = new BatchParts();
  assert.equal(added(parts, some(part(1, false, piece(1)), part(2, true, piece(2), piece(3)))), [[1, [1]]]);
  assert.equal(added(parts, some(part(2, true, piece(4)))), []);
  assert.equal(added(parts, { tag: "batches", val: [part(2, false, piece(5)), part(3, false, piece(6))] }), [
    [2, [2, 3, 4, 5]],
    [3, [6]],
  ]);
});

test("what was begun of a plan that is given up is no part of the next one", () => {
  const parts = new BatchParts();
  added(parts, some(part(1, true, piece(1))));
  assert.is(added(parts, { tag: "abandoned" }), "abandoned");
  added(parts, some(part(2, true, piece(2))));
  assert.equal(added(parts, { tag: "batches", val: [part(5, false, piece(3))] }), [[5, [3]]]);
});

test.run();
