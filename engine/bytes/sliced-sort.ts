// Stable sorting of so many words that it would hold up the host: some of it at a time. One vector at a time is sorted so.
import { Vector } from "./memory";
import { mergeRuns, sortVector } from "./sort";

/** Words that are sorted at once; runs of these are merged. */
const RUN: u32 = 4096;

let words: Vector = new Vector();
let compare: (a: u32, b: u32) => i32 = compareNothing;
/** The next word, and how long runs are; 0: they are being made. */
let next: u32 = 0;
let width: u32 = 0;

function compareNothing(a: u32, b: u32): i32 {
  return 0;
}

/** Begins to sort all words of the vector. */
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
    if (next == length) nextWidth(RUN);
    return count;
  }
  while (width < length) {
    const start = next;
    const middle = start + width;
    if (middle >= length) {
      nextWidth(width << 1);
      continue;
    }
    next = min(middle + width, length);
    mergeRuns(words, start, middle, next, compare);
    return next - start;
  }
  return 0;
}

function nextWidth(wanted: u32): void {
  width = wanted;
  next = 0;
}
