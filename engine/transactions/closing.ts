// What becomes of batches: acknowledged, failed, or never sent. Until the kernel has acknowledged a batch, what it makes of
// the kernel is only planned.
import { Vector } from "../bytes/memory";
import { isSpentOnOne } from "../bytes/slices";
import { beginTriggerPlan, closeTriggers } from "../cluster/trigger-times";
import { batchAt, batchCount, clearBatches, indexOf } from "./batches";
import {
  batchOf,
  beginOrder,
  clearEntries,
  commitEntry,
  dropCommitted,
  endOrder,
  entryWords,
  failEntry,
  isRouting,
  moveEntry,
  takeBackEntry,
} from "./journal";
import { forgetPlannedServices } from "./planned-services";

/** Where each batch's entries begin and end once they are in order, those that are closed left out; empty until then. */
const ranges = new Vector();

/**
 * Closes one batch. Ids that are not open are ignored: a batch of an earlier plan was never sent. Batches of a family
 * rely on those before them: what stood before an acknowledged one and is still open, and what stands after one that
 * failed, counts as failed.
 */
export function closeBatch(id: u32, acknowledged: bool, now: u64): void {
  const index = indexOf(id);
  if (index == batchCount()) return;
  const family = batchAt(index).family;
  for (let i: u32 = 0; i < batchCount(); i++) {
    if (i != index && batchAt(i).family == family && i > index != acknowledged) closeRange(i, false, now);
  }
  closeRange(index, acknowledged, now);
}

/**
 * What is closed, in this order: rows of the words of the journal from which to which, whether they were acknowledged, and when
 * (two words).
 */
const closings = new Vector();
const CLOSING_WORDS: u32 = 5;
/** Words of those rows that are done with. */
let closed: u32 = 0;

/**
 * Does what follows from what `closeBatch` was told, for a slice: a batch may be about a million keys. True: all is done. Until
 * then it is as if the rest were still under way.
 */
export function closeSome(): bool {
  while (closed < closings.length) {
    let at = closings.get(closed);
    const end = closings.get(closed + 1);
    const acknowledged = closings.get(closed + 2) != 0;
    const now = <u64>closings.get(closed + 3) | ((<u64>closings.get(closed + 4)) << 32);
    while (at < end) {
      if (acknowledged) commitEntry(at, now);
      else failEntry(at, now);
      at += 3;
      if (isSpentOnOne(at)) {
        closings.set(closed, at);
        return false;
      }
    }
    closed += CLOSING_WORDS;
  }
  closings.clear();
  closed = 0;
  return true;
}

function closeAll(): void {
  while (!closeSome()) {}
}

// How far `orderEntries` has come.
namespace Order {
  export const NOT: u32 = 0;
  /** Each batch's entries are counted. */
  export const COUNT: u32 = 1;
  export const MOVE: u32 = 2;
  export const DONE: u32 = 3;
}

let order: u32 = Order.NOT;
/** How many words of the journal were counted, or moved, and the batch that the last of them belongs to. */
let seen: u32 = 0;
let seenBatch: u32 = 0;
/** They are in the order of their batches already. */
let isInOrder: bool = true;
/** The last batch of each family that changes what packets meet: its id; 0: there is none. */
let lastOfRoutingIPv4: u32 = 0;
let lastOfRoutingIPv6: u32 = 0;

/**
 * When all batches are written: puts entries in the order of their batches, so that to close one doesn't mean to look
 * through those of all. False: there is more to do, for the next slice.
 */
export function orderEntries(): bool {
  if (order == Order.NOT) {
    order = Order.COUNT;
    seen = 0;
    seenBatch = 0;
    isInOrder = true;
    lastOfRoutingIPv4 = 0;
    lastOfRoutingIPv6 = 0;
    // What belongs to no batch comes last.
    for (let i: u32 = 0; i <= batchCount(); i++) {
      ranges.push(0);
      ranges.push(0);
    }
  }
  if (order == Order.COUNT) {
    if (!countEntries()) return false;
    findRanges();
    order = isInOrder ? Order.DONE : Order.MOVE;
    seen = 0;
    seenBatch = 0;
    if (!isInOrder) beginOrder();
  }
  if (order == Order.MOVE) {
    if (!moveAll()) return false;
    endOrder();
    order = Order.DONE;
  }
  return true;
}

function countEntries(): bool {
  while (seen < entryWords()) {
    const index = indexOf(batchOf(seen), seenBatch);
    if (index < seenBatch) isInOrder = false;
    seenBatch = index;
    const end = (index << 1) + 1;
    ranges.set(end, ranges.get(end) + 3);
    if (isRouting(seen) && index < batchCount()) noteRouting(index);
    seen += 3;
    if (isSpentOnOne(seen)) return false;
  }
  return true;
}

/** The batch brings entries of service ports or keys. */
function noteRouting(index: u32): void {
  const batch = batchAt(index);
  if (batch.family == 0) lastOfRoutingIPv4 = max(lastOfRoutingIPv4, batch.id);
  else lastOfRoutingIPv6 = max(lastOfRoutingIPv6, batch.id);
}

/** Each batch's entries begin where those of the batch before it end. */
function findRanges(): void {
  let total: u32 = 0;
  for (let i: u32 = 0; i < ranges.length; i += 2) {
    const length = ranges.get(i + 1);
    ranges.set(i, total);
    ranges.set(i + 1, isInOrder ? total + length : total);
    total += length;
  }
}

function moveAll(): bool {
  while (seen < entryWords()) {
    seenBatch = indexOf(batchOf(seen), seenBatch);
    const end = (seenBatch << 1) + 1;
    const to = ranges.get(end);
    moveEntry(seen, to);
    ranges.set(end, to + 3);
    seen += 3;
    if (isSpentOnOne(seen)) return false;
  }
  return true;
}

/** What is journalled of one batch is to be committed, or has failed, if it is not closed yet. */
function closeRange(index: u32, acknowledged: bool, now: u64): void {
  closeTriggers(batchAt(index).id, acknowledged);
  const start = ranges.get(index << 1);
  const end = ranges.get((index << 1) + 1);
  if (start == end) return;
  closings.push(start);
  closings.push(end);
  closings.push(<u32>acknowledged);
  closings.push(<u32>now);
  closings.push(<u32>(now >> 32));
  ranges.set(index << 1, end);
}

/** After `orderEntries`: the last batch of the family that changes what packets meet; 0 if there is none. */
export function lastBatchOfRouting(family: u32): u32 {
  return family == 0 ? lastOfRoutingIPv4 : lastOfRoutingIPv6;
}

function takeBack(from: u32, to: u32, now: u64): void {
  for (let i = from; i < to; i += 3) takeBackEntry(i, now);
}

/** Takes back all batches that are not closed, and begins a new plan. */
export function beginPlan(now: u64): void {
  beginTriggerPlan();
  closeAll();
  dropCommitted();
  if (ranges.length == 0) {
    takeBack(0, entryWords(), now);
  } else {
    for (let i: u32 = 0; i < ranges.length; i += 2) takeBack(ranges.get(i), ranges.get(i + 1), now);
  }
  clearEntries();
  ranges.clear();
  clearBatches();
  order = Order.NOT;
  forgetPlannedServices();
}
