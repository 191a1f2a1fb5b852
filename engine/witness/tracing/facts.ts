// What is taken for granted about the node: which addresses are its own, and whose packets never come here.
import { Vector } from "../../bytes/memory";
import { sortVector } from "../../bytes/sort";
import { IPV4, IPV6, rankOf } from "../model/addresses";

/** Ranges by first and last literal, and by rank once they are prepared: sorted, without overlap. */
@unmanaged
class Ranges {
  literals: Vector = new Vector();
  ranks: Vector = new Vector();
}

const local4 = new Ranges();
const local6 = new Ranges();
const absent4 = new Ranges();
const absent6 = new Ranges();

function localOf(family: u32): Ranges {
  return family == IPV4 ? local4 : local6;
}
function absentOf(family: u32): Ranges {
  return family == IPV4 ? absent4 : absent6;
}

export function clearFacts(): void {
  local4.literals.clear();
  local6.literals.clear();
  absent4.literals.clear();
  absent6.literals.clear();
}

/** These addresses are the node's own. */
export function addLocal(family: u32, first: u32, last: u32): void {
  localOf(family).literals.push(first);
  localOf(family).literals.push(last);
}

/** No packet comes in from these: pods of other nodes, whose own node has translated what they send to Services. */
export function addAbsent(family: u32, first: u32, last: u32): void {
  absentOf(family).literals.push(first);
  absentOf(family).literals.push(last);
}

export function prepareFacts(): void {
  prepare(local4, IPV4);
  prepare(local6, IPV6);
  prepare(absent4, IPV4);
  prepare(absent6, IPV6);
}

const order = new Vector();
let sortedLiterals: Vector = order;
let sortedFamily: u32 = 0;

function compareFirst(a: u32, b: u32): i32 {
  const x = rankOf(sortedFamily, sortedLiterals.get(a));
  const y = rankOf(sortedFamily, sortedLiterals.get(b));
  return x < y ? -1 : x > y ? 1 : 0;
}

function prepare(ranges: Ranges, family: u32): void {
  order.clear();
  for (let i: u32 = 0; i < ranges.literals.length; i += 2) order.push(i);
  sortedLiterals = ranges.literals;
  sortedFamily = family;
  sortVector(order, 0, order.length, compareFirst);
  const ranks = ranges.ranks;
  ranks.clear();
  for (let i: u32 = 0; i < order.length; i++) {
    const first = rankOf(family, ranges.literals.get(order.get(i)));
    const last = rankOf(family, ranges.literals.get(order.get(i) + 1));
    if (ranks.length > 0 && first <= ranks.get(ranks.length - 1) + 1) {
      if (last > ranks.get(ranks.length - 1)) ranks.set(ranks.length - 1, last);
    } else {
      ranks.push(first);
      ranks.push(last);
    }
  }
}

/** What `isIn` has found: the range with the rank, or the gap between ranges. */
export let rangeFirst: u32 = 0;
export let rangeLast: u32 = 0;

function isIn(ranks: Vector, rank: u32): bool {
  let low: u32 = 0;
  let high = ranks.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranks.get((middle << 1) | 1) < rank) low = middle + 1;
    else high = middle;
  }
  // The first range that does not end before the rank.
  if (low < ranks.length >> 1 && ranks.get(low << 1) <= rank) {
    rangeFirst = ranks.get(low << 1);
    rangeLast = ranks.get((low << 1) | 1);
    return true;
  }
  rangeFirst = low == 0 ? 0 : ranks.get((low << 1) - 1) + 1;
  rangeLast = low < ranks.length >> 1 ? ranks.get(low << 1) - 1 : u32.MAX_VALUE;
  return false;
}

export function isLocal(family: u32, rank: u32): bool {
  return isIn(localOf(family).ranks, rank);
}

export function isAbsent(family: u32, rank: u32): bool {
  return isIn(absentOf(family).ranks, rank);
}
