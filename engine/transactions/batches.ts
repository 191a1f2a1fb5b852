// The batches of a plan, as the host gets them. What a batch is about stands in the journal (journal.ts); what becomes of
// it once it is sent, or is not, in closing.ts.
import { Vector } from "../bytes/memory";
import { outFlush, resultPieces, resultStart, StreamName } from "../bytes/out";
import { closeTriggers } from "../cluster/trigger-times";
import { nft } from "../encodings/nft";
import { addEntry, beginCommit, commitEntries, moveAllEntries, moveEntries } from "./journal";

/** `record batch` as the canonical ABI lays it out. */
@unmanaged
export class Batch {
  id: u32;
  family: u8;
  notBefore: u32;
  data: usize;
  dataLength: u32;
  services: u32;
  full: bool;
  /** Its other pieces are handed out with the next call. Padding follows: rows are aligned to words. */
  goesOn: bool;
  padding: u16;
}

/** Rows of seven words: Batches of the last plan, whether closed or not. */
const batches = new Vector();
const BATCH_WORDS: u32 = <u32>(offsetof<Batch>() >> 2);

let lastId: u32 = 0;
let current: u32 = 0; // row of the batch that is being written
let firstPiece: u32 = 0;
/** Something may stand in the journal about it. */
let isJournalled: bool = false;

/** A batch has been made since the engine was: before that nothing is known of what the kernel holds. */
export function hasMadeBatches(): bool {
  return lastId != 0;
}

/** Number of batches of the plan. */
export function batchCount(): u32 {
  return batches.length / BATCH_WORDS;
}

/** A call hands batches out until they have so many bytes: to copy them takes the host about a millisecond. */
const BYTES_AT_ONCE: usize = 4 << 20;

/** The batches that are handed out: the first, and the one after the last. */
let firstHanded: u32 = 0;
let endHanded: u32 = 0;
/** The first piece that is not handed out of the batch that is next, and how many there are; none: it has not begun. */
let restPiece: u32 = 0;
let restCount: u32 = 0;

/** Hands the next batches out, or a part of one, when all are written; true: there are no more. */
export function handOut(): bool {
  firstHanded = restCount == 0 ? endHanded : endHanded - 1;
  endHanded = firstHanded;
  let length: usize = 0;
  while (endHanded < batchCount() && length < BYTES_AT_ONCE) {
    const batch = batchAt(endHanded++);
    if (restCount == 0) {
      restPiece = <u32>batch.data;
      restCount = batch.dataLength;
    }
    let count: u32 = 0;
    while (count < restCount && length < BYTES_AT_ONCE) length += lengthOfPiece(restPiece + count++);
    // Pieces may have moved while later ones were added: their addresses are filled in last.
    batch.data = resultPieces(restPiece);
    batch.dataLength = count;
    restPiece += count;
    restCount -= count;
    batch.goesOn = restCount != 0;
  }
  return endHanded == batchCount() && restCount == 0;
}

/** The batches that `handOut` has handed out, in the canonical form of `list<batch>`; and their number. */
export function handedTable(): usize {
  return batches.data + <usize>firstHanded * offsetof<Batch>();
}

export function handedCount(): u32 {
  return endHanded - firstHanded;
}

/** Bytes of a batch that is not handed out. */
function lengthOf(batch: Batch): usize {
  let length: usize = 0;
  for (let piece: u32 = 0; piece < batch.dataLength; piece++) length += lengthOfPiece(<u32>batch.data + piece);
  return length;
}

function lengthOfPiece(piece: u32): usize {
  return <usize>load<u32>(resultPieces(piece), 4);
}

/** Bytes of the longest batch. */
export function longestBatch(): usize {
  let longest: usize = 0;
  for (let i: u32 = 0; i < batchCount(); i++) longest = max(longest, lengthOf(batchAt(i)));
  return longest;
}

/** Begins a batch whose text is what goes into the results until `endBatch`. Returns its id. */
export function beginBatch(family: u32, notBefore: u32): u32 {
  current = batches.length;
  for (let i: u32 = 0; i < BATCH_WORDS; i++) batches.push(0);
  const batch = changetype<Batch>(batches.data + ((<usize>current) << 2));
  batch.id = ++lastId;
  batch.family = <u8>family;
  batch.notBefore = notBefore;
  firstPiece = resultStart();
  isJournalled = false;
  return lastId;
}

/** Ends the batch. One without any text is dropped, and counts as acknowledged. */
export function endBatch(services: u32, full: bool): void {
  const batch = changetype<Batch>(batches.data + ((<usize>current) << 2));
  if (resultStart() == firstPiece) {
    const family = batch.family;
    const id = batch.id;
    batches.length = current;
    // To look for it would mean to go over millions of entries.
    if (!isJournalled) return;
    // What it was about holds as soon as the kernel has the batch before it.
    if (current != 0) {
      const before = changetype<Batch>(batches.data + ((<usize>(current - BATCH_WORDS)) << 2));
      if (before.family == family) {
        moveEntries(id, before.id);
        return;
      }
    }
    closeTriggers(id, true);
    commitEntries(id);
    return;
  }
  batch.data = <usize>firstPiece;
  batch.dataLength = resultStart() - firstPiece;
  batch.services = services;
  batch.full = full;
}

/** Ends a batch of an nftables layout, with what the encoding holds back. */
export function endNftBatch(services: u32, full: bool): void {
  finishNft();
  endBatch(services, full);
}

function finishNft(): void {
  nft.finish();
  outFlush(StreamName.MAIN);
}

/**
 * Takes the batches from `first` on back, as text, and lets all that was journalled since belong to one batch that is
 * still to be made: its id is returned.
 */
export function mergeBatches(first: u32): u32 {
  batches.length = first * BATCH_WORDS;
  const id = ++lastId;
  moveAllEntries(id);
  return id;
}

/** The batch that is being written gets an id that `mergeBatches` has given. */
export function resumeBatch(id: u32): void {
  changetype<Batch>(batches.data + ((<usize>current) << 2)).id = id;
  isJournalled = true;
}

/**
 * As endNftBatch, for a resumed batch. Without any text of its own it is one with the batch before it. If there is none, all that
 * it is about holds already: then false is returned, and `commitSomeEntries` has to be called until that is settled.
 */
export function endResumedBatch(): bool {
  finishNft();
  const batch = changetype<Batch>(batches.data + ((<usize>current) << 2));
  if (resultStart() != firstPiece) {
    endBatch(0, false);
    return true;
  }
  const id = batch.id;
  batches.length = current;
  if (current == 0) {
    closeTriggers(id, true);
    beginCommit(id);
    return false;
  }
  changetype<Batch>(batches.data + ((<usize>(current - BATCH_WORDS)) << 2)).id = id;
  return true;
}

/** Id of the batch that is being written. */
export function currentBatch(): u32 {
  return changetype<Batch>(batches.data + ((<usize>current) << 2)).id;
}

/** Which of the plan's batches has that id; their number if none has. `likely` is looked at first. */
export function indexOf(id: u32, likely: u32 = 0): u32 {
  const count = batchCount();
  if (likely < count && batchAt(likely).id == id) return likely;
  if (likely + 1 < count && batchAt(likely + 1).id == id) return likely + 1;
  for (let i: u32 = 0; i < count; i++) if (batchAt(i).id == id) return i;
  return count;
}

/** Before `handOut` they may move with the next `beginBatch`. */
export function batchAt(index: u32): Batch {
  return changetype<Batch>(batches.data + <usize>index * offsetof<Batch>());
}

/** The family of a batch of the last plan; 0 if it has none with that id. */
export function familyOfBatch(id: u32): u32 {
  const index = indexOf(id);
  return index == batchCount() ? 0 : <u32>batchAt(index).family;
}

/** The last plan has a batch with that id. */
export function isPlanned(id: u32): bool {
  return indexOf(id) < batchCount();
}

/** What the batch that is being written is about: `kind` is one of `journalKind`'s. */
export function journal(kind: u32, object: usize): void {
  isJournalled = true;
  addEntry(currentBatch(), kind, object);
}

/** Begins a new plan. */
export function clearBatches(): void {
  batches.clear();
  endHanded = 0;
  restCount = 0;
}
