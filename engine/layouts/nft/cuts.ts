// Where the transactions of an nftables layout end: how long they may be, and what has to be done before one ends while
// others follow.
import { outLength } from "../../bytes/out";
import { heldBack } from "../../encodings/netlink-message";
import { beginBatch, endNftBatch, longestBatch } from "../../transactions/batches";
import { fullText } from "./full-text";
import { leftoverCount, writeLeftovers } from "./leftovers";

/** Services per transaction of a big load: the kernel's cost grows with anonymous maps times commands. */
const SERVICES_PER_BATCH: u32 = 1000;

/** A longer transaction would keep the kernel from other ones, and the host from all else, for too long. */
const LONGEST: usize = 2 << 20;
/** What ends a batch, and a little more. */
const END: usize = 64;
/** An element that is left over goes from up to three maps. */
const LEFTOVER: usize = 200;

/** Bytes at which a transaction ends, and that the kernel takes at most; 0: any number. */
let preferred: usize = 0;
let largest: usize = 0;
/** Bytes at which a transaction ends within a Service; 0: any number. */
let bound: usize = 0;

/** The contract's `set-batch-limits`. */
export function setBatchLimits(wanted: u32, most: u32): void {
  preferred = <usize>wanted;
  largest = <usize>most;
  bound = most == 0 ? 0 : min(largest, max(preferred, LONGEST));
}

export function isLimited(): bool {
  return preferred != 0;
}

/** What should better be one transaction has turned out to be too long for one. */
export let mayCut: bool = false;

export function allowCuts(allow: bool): void {
  mayCut = allow;
}

/** The kernel would not take one of the planned batches. */
export function isTooLong(): bool {
  return largest != 0 && longestBatch() > largest;
}

/** Bytes that the open transaction has to have room for when it ends. */
let reserved: usize = 0;

export function reserve(bytes: usize): void {
  reserved += bytes;
}

/** What it was for is not written after all. */
export function releaseReserved(): void {
  reserved = 0;
}

function batchLength(): usize {
  return outLength() + heldBack() + reserved + <usize>leftoverCount() * LEFTOVER;
}

function isLong(): bool {
  return preferred != 0 && batchLength() >= preferred;
}

/** Transactions of the plan that is being made may end within a Service. */
let cuts: bool = false;
/** Called before one does. */
let beforeCut: () => void = noteNothing;

function noteNothing(): void {}

/** Says what notes how far the kernel is when a transaction ends within what is being written. */
export function whenCut(note: () => void): void {
  beforeCut = note;
}

/** Called with each transaction that ends while others follow: writes what it can't do without. */
let finishing: () => void = noteNothing;

/** Says what does that until the family is planned. */
export function whenTransactionEnds(finish: () => void): void {
  finishing = finish;
}

/** Nothing that is being written depends on where transactions end. */
export function cutAnywhere(): void {
  beforeCut = noteNothing;
}

/** No transaction ends before this is called with true. */
export function allowCutsWithin(allow: bool): void {
  cuts = allow;
}

/** True if so many bytes more fit into the open transaction, or if it must not end here. */
export function hasRoom(bytes: usize): bool {
  if (bound == 0 || !cuts || fullText) return true;
  return batchLength() + bytes + END <= bound;
}

/** Of the open transaction: its family, when it may be sent, its Services, and whether it has the stock rules. */
let openFamily: u32 = 0;
let openWait: u32 = 0;
let openServices: u32 = 0;
let openFull: bool = false;

/** Begins a family's first transaction, which may end within a Service. `full`: it has the stock rules. */
export function beginFirstTransaction(family: u32, full: bool): void {
  openFamily = family;
  openWait = 0;
  countServices(full);
  cuts = true;
  reserved = 0;
  cutAnywhere();
  whenTransactionEnds(noteNothing);
  beginBatch(family, 0);
}

/** Begins a transaction that may be sent after so many milliseconds, outside of what `writeParts` has left open. */
export function beginTransaction(family: u32, wait: u32): void {
  openFamily = family;
  openWait = wait;
  countServices(false);
  beginBatch(family, wait);
}

/** The open transaction has no Services yet. `full`: it has the stock rules. */
export function countServices(full: bool): void {
  openServices = 0;
  openFull = full;
}

/** One more Service is written into the open transaction. */
export function countService(): void {
  openServices++;
}

/** The open transaction has as many Services or bytes as one should have. */
export function isFull(): bool {
  return openServices >= SERVICES_PER_BATCH || isLong();
}

/** Ends the open transaction, with what is left over of the elements in it: the last one. */
export function endTransaction(): void {
  writeLeftovers();
  endNftBatch(openServices, openFull);
}

/** Ends the open transaction and begins another. */
export function cut(): void {
  beforeCut();
  finishing();
  reserved = 0;
  endTransaction();
  beginBatch(openFamily, openWait);
  countServices(false);
}

/** Sees to it that so many bytes fit into the open transaction, if they fit into any. */
export function makeRoom(bytes: usize): void {
  if (!hasRoom(bytes) && batchLength() != 0) cut();
}

/** The same for what should not be torn apart, though nothing is lost if it is: half a transaction is kept for it. */
export function makeRoomForAll(bytes: usize): void {
  makeRoom(min(bytes, bound >> 1));
}

/** How many bytes a transaction has at most; 0: any number. */
export function longestTransaction(): usize {
  return bound;
}

/** So many bytes fit into a transaction of their own. */
export function fitsAlone(bytes: usize): bool {
  return bytes + END <= bound;
}

/**
 * Ends the open transaction and begins another, if it is as long as transactions should be, or if so many bytes to come fit into
 * one of their own and not into this.
 */
export function cutBefore(family: u32, bytes: usize): void {
  if (batchLength() == 0) return;
  if (!isLong() && (bound == 0 || fitsAlone(batchLength() + bytes))) return;
  endNftBatch(0, false);
  beginBatch(family, 0);
}

/** Ends the open transaction and begins another, if it is as long as transactions should be. */
export function cutIfLong(family: u32, full: bool): void {
  if (!isLong()) return;
  endNftBatch(0, full);
  beginBatch(family, 0);
}
