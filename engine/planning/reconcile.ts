// From what the kernel has dumped of a table to what it should hold, by the smallest write. What it should hold is
// planned as for an empty table and then not sent: its messages are read back like the kernel's, and compared.
//
// Nothing may fall into a hole on the way, so there are three steps, each in as many transactions as it takes: chains and sets
// that are missing, with the rules of those that Services share; then Service by Service what differs of it, after which
// nothing leads to what should not be there; and its deletion, which later plans take over.
//
// What the kernel can't change in place: type, hook and priority of a base chain, which is therefore deleted and made in
// one transaction (nothing can refer to it); flags, types and size of a set, or that a chain others go to is no base
// chain, for which the table is made anew.
import { outSelect, resultPieces, resultStart, StreamName } from "../bytes/out";
import { isSpent, isSpentOnOne } from "../bytes/slices";
import { comparedElements, isBaseChain, sameElement } from "../encodings/netlink-compare";
import { Message } from "../encodings/netlink-numbers";
import { Named, Part } from "../encodings/netlink-objects";
import { allowCutsWithin, cutIfLong, isLimited } from "../layouts/nft/cuts";
import { isOwnMap, isSlotMap } from "../layouts/nft/names";
import { planDeletions, writeRetired } from "../layouts/nft/retiring";
import { beginBatch, endNftBatch, endResumedBatch, mergeBatches, resumeBatch } from "../transactions/batches";
import { commitSomeEntries } from "../transactions/journal";
import { addStale, confirmStale, dropDoubted } from "../transactions/stale-chains";
import {
  deleteBaseChain,
  deleteOthers,
  fillSharedChains,
  findUnchangeable,
  forgetChains,
  mustRebuild,
  wakeTable,
  writeCounters,
  writeObject,
  writeRanges,
} from "./difference-chains";
import {
  endElements,
  forgetElements,
  isMessageFull,
  writeElement,
  writeForOwnerOf,
  writeForService,
} from "./difference-messages";
import { drift, noteName } from "./drift";
import { counterpartOf, hasRanges, isUnnamed, kernel, ours } from "./dump";
import {
  beginServiceDifferences,
  collectDifferences,
  isSurplus,
  writeDifferences,
  writeUnclaimed,
} from "./service-differences";

// ---- slots

/** The set, its index among ours or the kernel's, and its element that a slice has come to (0: it has not begun). */
let slotSet: u32 = 0;
let slotElement: usize = 0;

/** Slots that are looked at between two places where a slice may end. */
const SLOTS_AT_ONCE: u32 = 256;

/**
 * Slots that are missing, ahead of all rules and verdicts and in as many transactions as it takes: no packet looks for a
 * slot before its entry point leads to a chain that has so many. `ownOnly`: those in maps of service ports' own. Goes on
 * for a slice; true: all are written.
 */
function writeMissingSlots(family: u32, ownOnly: bool): bool {
  for (; slotSet < ours.names.length; slotSet++) {
    const wanted = changetype<Named>(<usize>ours.names.get(slotSet));
    if (!wanted.isSet || isUnnamed(wanted) || !isSlotMap(wanted.name, wanted.nameLength)) continue;
    if (ownOnly && !isOwnMap(wanted.name, wanted.nameLength)) continue;
    if (slotElement == 0) slotElement = wanted.first;
    while (slotElement != 0) {
      const before = drift.missing;
      let count: u32 = 0;
      for (; slotElement != 0 && count < SLOTS_AT_ONCE; count++) {
        const part = changetype<Part>(slotElement);
        slotElement = part.next;
        if (counterpartOf(part) != 0) continue;
        drift.missing++;
        part.seen = true;
        if (isMessageFull()) {
          endElements();
          cutIfLong(family, false);
        }
        writeForOwnerOf(part);
        writeElement(Message.NEW_ELEMENT, wanted, part);
      }
      if (drift.missing != before) noteName(wanted);
      if (isSpent(count) && slotElement != 0) return false;
    }
  }
  endElements();
  return true;
}

/** The slots that nothing leads to any more. Goes on for a slice; true: all are written. */
function writeSurplusSlots(family: u32): bool {
  for (; slotSet < kernel.names.length; slotSet++) {
    const held = changetype<Named>(<usize>kernel.names.get(slotSet));
    if (!held.isSet || !held.seen || !isSlotMap(held.name, held.nameLength)) continue;
    if (slotElement == 0) slotElement = held.first;
    while (slotElement != 0) {
      const part = changetype<Part>(slotElement);
      slotElement = part.next;
      if (isSurplus(part)) {
        if (isLimited() && isMessageFull()) {
          endElements();
          cutIfLong(family, false);
        }
        writeElement(Message.DELETE_ELEMENT, held, part);
      }
      if (isSpent(1) && slotElement != 0) return false;
    }
  }
  endElements();
  return true;
}

function isLeftOver(held: Named): bool {
  return !held.seen && !isUnnamed(held);
}

/**
 * Chains and sets that should not be there go as those go that a plan does not need any more; base chains, which nothing
 * can refer to, at once. What has been waiting for its deletion anyway is no drift.
 */
function retireLeftOvers(family: u32): void {
  for (let i: u32 = 0; i < kernel.names.length; i++) {
    const held = changetype<Named>(<usize>kernel.names.get(i));
    if (!isLeftOver(held)) continue;
    if (
      confirmStale(
        family,
        held.name,
        held.nameLength,
        held.isSet,
        held.count == 0 || isOwnMap(held.name, held.nameLength),
      )
    )
      continue;
    drift.extra++;
    noteName(held);
    if (!held.isSet && isBaseChain(held)) deleteBaseChain(held);
    else addStale(family, held.name, held.nameLength, held.isSet);
  }
  dropDoubted(family);
  writeRetired(family);
}

// ---- all of it, in slices

/** What a call of `continueDifference` has come to. */
export namespace Difference {
  export const MORE: u32 = 0;
  /** The batches with the difference are there. */
  export const WRITTEN: u32 = 1;
  /** The table has to be made anew: nothing was replaced. */
  export const REBUILT: u32 = 2;
}

namespace Stage {
  /** The messages that were planned are read. */
  export const READ: u32 = 0;
  /** What can't be changed in place is looked for. */
  export const REBUILD: u32 = 1;
  /** Chains and sets are compared, without the elements of sets. */
  export const OBJECTS: u32 = 2;
  export const MISSING_SLOTS: u32 = 3;
  export const RANGES: u32 = 4;
  export const COLLECT: u32 = 5;
  export const SERVICES: u32 = 6;
  export const UNCLAIMED: u32 = 7;
  /** Nothing differs but slots that are too many: what was planned is what the kernel has. */
  export const COMMIT: u32 = 8;
  export const SURPLUS_SLOTS: u32 = 9;
}

let stage: u32 = Stage.READ;
/** What is planned now will be compared. */
let comparing: bool = false;
/** How many pieces of what was planned have been read, and where in the next (0: at its start). */
let readPieces: u32 = 0;
let readAt: usize = 0;
/** So many chains and sets have been compared, or written. */
let compared: u32 = 0;
/** The batch that all of the plan's journal has gone to. */
let writtenBatch: u32 = 0;

/** The family is going to be planned as for an empty table, to be compared with the dump. */
export function beginDifference(): void {
  comparing = true;
  stage = Stage.READ;
  allowCutsWithin(false);
  readPieces = 0;
  readAt = 0;
  readSet = 0;
  forgetChains();
  forgetElements();
  ours.reset(0);
}

/** A reconciliation begins: nothing is compared until there is something to compare with. */
export function forgetDifference(): void {
  comparing = false;
}

export function isComparing(): bool {
  return comparing;
}

function enter(next: u32): void {
  stage = next;
  compared = 0;
  slotSet = 0;
  slotElement = 0;
}

/** Replaces the batches of that plan by ones with the difference to what the kernel holds. Goes on for a slice. */
export function continueDifference(family: u32, now: u64): u32 {
  if (stage == Stage.READ) {
    if (readPlanned()) enter(Stage.REBUILD);
  } else if (stage == Stage.REBUILD) {
    if (!findUnchangeable()) return Difference.MORE;
    if (mustRebuild) {
      drift.rebuilt = true;
      comparing = false;
      return Difference.REBUILT;
    }
    writtenBatch = mergeBatches(0);
    outSelect(StreamName.MAIN);
    wakeTable(family);
    beginBatch(family, 0);
    writeCounters();
    enter(Stage.OBJECTS);
  } else if (stage == Stage.OBJECTS) {
    if (compareObjects(family)) enter(Stage.MISSING_SLOTS);
  } else if (stage == Stage.MISSING_SLOTS) {
    // Chains that are there already may look into maps that are not.
    if (writeMissingSlots(family, !isLimited())) enter(Stage.RANGES);
  } else if (stage == Stage.RANGES) {
    if (!writeAllRanges(family)) return Difference.MORE;
    fillSharedChains(family);
    endNftBatch(0, false);
    beginBatch(family, 0);
    beginServiceDifferences(family, writtenBatch);
    enter(Stage.COLLECT);
  } else if (stage == Stage.COLLECT) {
    if (collectDifferences()) enter(Stage.SERVICES);
  } else if (stage == Stage.SERVICES) {
    if (writeDifferences()) enter(Stage.UNCLAIMED);
  } else if (stage == Stage.UNCLAIMED) {
    if (!writeUnclaimed()) return Difference.MORE;
    writeForService(0);
    resumeBatch(writtenBatch);
    retireLeftOvers(family);
    deleteOthers();
    if (endResumedBatch()) beginSurplusSlots(family);
    else enter(Stage.COMMIT);
  } else if (stage == Stage.COMMIT) {
    if (commitSomeEntries()) beginSurplusSlots(family);
  } else if (writeSurplusSlots(family)) {
    endNftBatch(0, false);
    allowCutsWithin(true);
    planDeletions(family, now, false);
    comparing = false;
    return Difference.WRITTEN;
  }
  return Difference.MORE;
}

function beginSurplusSlots(family: u32): void {
  beginBatch(family, 0);
  enter(Stage.SURPLUS_SLOTS);
}

/** Compares chains and sets, without their elements, for a slice; true: all are compared. Nothing leads to those that are missing. */
function compareObjects(family: u32): bool {
  while (compared < ours.names.length) {
    const wanted = changetype<Named>(<usize>ours.names.get(compared++));
    const before = comparedElements;
    writeObject(wanted);
    cutIfLong(family, false);
    // A rule may look into a set without a name that has thousands of ranges.
    if (isSpent(wanted.isSet ? 1 : 1 + wanted.count + (comparedElements - before) / 4)) return false;
  }
  return true;
}

/** Writes sets of ranges for a slice; true: all are written. */
function writeAllRanges(family: u32): bool {
  while (compared < ours.names.length) {
    const set = changetype<Named>(<usize>ours.names.get(compared++));
    writeRanges(set, family);
    if (set.isSet && hasRanges(set) ? isSpent(1 + set.count) : isSpentOnOne(compared)) return false;
  }
  return true;
}

/** Reads the messages that were planned, for a slice; true: all are read. */
function readPlanned(): bool {
  while (readPieces < resultStart()) {
    const piece = <usize>load<u32>(resultPieces(readPieces));
    const end = piece + <usize>load<u32>(resultPieces(readPieces), 4);
    const from = readAt == 0 ? piece : readAt;
    readAt = ours.read(from, end, takeDiffering);
    if (readAt == 0) readPieces++;
    // An element and its attributes take some 60 bytes.
    if (isSpent(readAt == 0 ? 1 : 1 + <u32>(readAt - from) / 64)) return false;
  }
  return true;
}

/** The set whose elements are being read, and what the kernel has of that name (0: nothing to compare with). */
let readSet: usize = 0;
let heldSet: usize = 0;

/**
 * Called with each element that was planned: false if the kernel has it just so; then it is marked there, and that is all.
 * Elements of sets that are compared as a whole are all taken up.
 */
function takeDiffering(set: Named, start: usize, end: usize): bool {
  if (changetype<usize>(set) != readSet) {
    readSet = changetype<usize>(set);
    const whole = isUnnamed(set) || hasRanges(set);
    heldSet = whole ? 0 : kernel.find(true, set.name, set.nameLength);
  }
  if (heldSet == 0) return true;
  const found = kernel.findElement(changetype<Named>(heldSet), start, end);
  if (found == 0 || !sameElement(changetype<Part>(found), start, end)) return true;
  changetype<Part>(found).seen = true;
  return false;
}
