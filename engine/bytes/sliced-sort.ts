// Stable sorting of so many words that it would hold up the host: some of it at a time. One vector at a time is sorted so.
import { Vector } from "./memory";
import { sortVector } from "./sort";

/** Words that are sorted, or merged, at once; runs of these are merged. */
const RUN: u32 = 4096;

let words: Vector = new Vector();
let compare: (a: u32, b: u32) => i32 = compareNothing;
/** Where runs of `words` are merged to; then both change places. */
const merged = new Vector();
/** The next word that is made part of a run, or of merged ones, and how long runs are; 0: they are being made. */
let next: u32 = 0;
let width: u32 = 0;
/** The next words of the two runs that are being merged. */
let left: u32 = 0;
let right: u32 = 0;

function compareNothing(a: u32, b: u32): i32 {
  return 0;
}

/** Begins to sort all words of the vector. It must not change until they are sorted. */
export function beginSort(vector: Vector, by: (a: u32, b: u32) => i32): void {
  words = vector;
  compare = by;
  next = 0;
  width = 0;
}

/** Goes on; returns how many words it has looked at, 0: they are sorted. */
export function continueSort(): u32 {
  const length = words.length;
  if (width == 0) {
    const end = min(next + RUN, length);
    const count = end - next;
    sortVector(words, next, end, compare);
    next = end;
    if (next == length) beginMerging(RUN);
    return count;
  }
  if (width >= length) return 0;
  const from = next;
  const limit = min(from + RUN, length);
  while (next < limit) {
    const start = next - (next % (width << 1));
    const middle = min(start + width, length);
    const end = min(middle + width, length);
    if (next == start) {
      left = start;
      right = middle;
    }
    for (const stop = min(end, limit); next < stop; next++) {
      const isLeft = left < middle && (right == end || compare(words.get(left), words.get(right)) <= 0);
      merged.set(next, words.get(isLeft ? left++ : right++));
    }
  }
  if (next == length) {
    exchange();
    beginMerging(width << 1);
  }
  return limit - from;
}

function beginMerging(wanted: u32): void {
  width = wanted;
  next = 0;
  if (width < words.length) merged.reserve(words.length);
}

/** What has been merged becomes the words; what these were is room for the next pass. */
function exchange(): void {
  const data = words.data;
  const capacity = words.capacity;
  words.data = merged.data;
  words.capacity = merged.capacity;
  merged.data = data;
  merged.capacity = capacity;
}
