// Stable sorting of pointers or numbers.
import { Vector } from "./memory";

const buffer = new Vector();

/** Sorts words `from` (inclusive) to `to` (exclusive) of `vector` by `compare`; equal ones keep their order. */
export function sortVector(vector: Vector, from: u32, to: u32, compare: (a: u32, b: u32) => i32): void {
  const RUN: u32 = 8;
  for (let start = from; start < to; start += RUN) {
    const end = min(start + RUN, to);
    for (let i = start + 1; i < end; i++) {
      const word = vector.get(i);
      let j = i;
      while (j > start && compare(vector.get(j - 1), word) > 0) {
        vector.set(j, vector.get(j - 1));
        j--;
      }
      vector.set(j, word);
    }
  }
  for (let width = RUN; width < to - from; width <<= 1) {
    for (let start = from; start + width < to; start += width << 1) {
      mergeRuns(vector, start, start + width, min(start + (width << 1), to), compare);
    }
  }
}

/** Merges the sorted runs [start, middle) and [middle, end) in place; the first run is copied aside. */
export function mergeRuns(vector: Vector, start: u32, middle: u32, end: u32, compare: (a: u32, b: u32) => i32): void {
  if (compare(vector.get(middle - 1), vector.get(middle)) <= 0) return;
  const count = middle - start;
  buffer.reserve(count);
  memory.copy(buffer.data, vector.data + ((<usize>start) << 2), (<usize>count) << 2);
  let left: u32 = 0;
  let right = middle;
  let to = start;
  while (left < count && right < end) {
    if (compare(buffer.get(left), vector.get(right)) <= 0) vector.set(to++, buffer.get(left++));
    else vector.set(to++, vector.get(right++));
  }
  while (left < count) vector.set(to++, buffer.get(left++));
}
