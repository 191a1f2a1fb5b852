// Which clients source ranges let in, whatever way they are written.
import { type Cidr, cidrText, contains, parseCidr } from "../cidr.ts";

/** Sorted, without ranges in others, and neighbours as one. What is no CIDR is left out. */
export function normalRanges(texts: readonly string[]): Cidr[] {
  const sorted = texts
    .map(parseCidr)
    .filter((cidr) => cidr !== undefined)
    .sort((a, b) => compare(a, b));
  const merged: Cidr[] = [];
  for (const cidr of sorted) {
    if (merged.some((other) => holds(other, cidr))) continue;
    merged.push(cidr);
    while (mergeLast(merged));
  }
  return merged;
}

export type RangeChange = "same" | "widened" | "narrowed" | "changed";

/** Empty lists let everybody in. */
export function rangeChange(before: readonly string[], after: readonly string[]): RangeChange {
  if (before.length === 0 || after.length === 0) {
    return before.length === after.length ? "same" : after.length === 0 ? "widened" : "narrowed";
  }
  const [old, now] = [normalRanges(before), normalRanges(after)];
  const grows = !now.every((cidr) => old.some((other) => holds(other, cidr)));
  const shrinks = !old.every((cidr) => now.some((other) => holds(other, cidr)));
  if (grows) return shrinks ? "changed" : "widened";
  return shrinks ? "narrowed" : "same";
}

export function rangesText(texts: readonly string[]): string {
  return texts.length === 0 ? "anywhere" : normalRanges(texts).map(cidrText).join(", ");
}

function compare(a: Cidr, b: Cidr): number {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1;
  return a.base === b.base ? a.prefix - b.prefix : a.base < b.base ? -1 : 1;
}

function holds(outer: Cidr, { family, base, prefix }: Cidr): boolean {
  return outer.prefix <= prefix && contains(outer, { family, value: base });
}

/** Two halves of one range become it. */
function mergeLast(ranges: Cidr[]): boolean {
  const [a, b] = ranges.slice(-2);
  if (a === undefined || b === undefined || a.family !== b.family || a.prefix !== b.prefix) return false;
  const size = 2n * a.size;
  if (a.base % size !== 0n || b.base !== a.base + a.size) return false;
  ranges.splice(-2, 2, { ...a, size, prefix: a.prefix - 1 });
  return true;
}
