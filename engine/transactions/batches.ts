// Batches and what becomes of them: until the kernel has acknowledged a batch, what it makes of the kernel is only
// planned. A journal says which service ports, keys and chains a batch is about.

import { Vector } from "../bytes/memory";
import { outFlush, resultPieces, resultStart, StreamName } from "../bytes/out";
import { beginTriggerPlan, closeTriggers } from "../cluster/trigger-times";
import { nft } from "../encodings/nft";
import { FlatChain } from "../layouts/flat/chains";
import { joinKeys } from "../layouts/flat/elements";
import { holdNeeds } from "../layouts/flat/needs";
import { commitPartOfEntries, commitPartOfKey, commitPartOfMaps, failPartOfKey } from "../layouts/flat/partial-writes";
import { forgetSignatures, mergeSnapshots } from "../layouts/nft/snapshots";
import { commitPartOfAffinity } from "../layouts/nftables/affinity-parts";
import { noteKeySettled, notePortSettled } from "../routing/flow-checks";
import { Mode, options } from "../routing/options";
import { Key, noteKeyChange } from "../routing/ownership";
import { markStale } from "../routing/refresh";
import { FamilyPort } from "../routing/service-ports";
import { forgetPlannedServices, notePlannedService } from "./planned-services";
import { forgetMessages } from "./refusals";
import { isSpentOnOne } from "./slices";
import { chainEmptied, deletionFailed, emptyingFailed, forgetStale, keepFailed } from "./stale-chains";

/** `record batch` as the canonical ABI lays it out. */
@unmanaged
export class Batch {
  id: u32;
  family: u8;
  notBefore: u32;
  data: usize;
  dataLength: u32;
  services: u32;
  /** A bool, with the padding after it: rows are aligned to words. */
  full: u32;
}

export namespace JournalKind {
  /** A FamilyPort: what is planned becomes what is committed. */
  export const PORT: u32 = 0;
  /** A Key, likewise. */
  export const KEY: u32 = 1;
  /** A StaleChain is emptied. */
  export const EMPTY: u32 = 2;
  /** A StaleChain (chain or set) is deleted. */
  export const DELETE: u32 = 3;
  /** A StaleChain is in use again. */
  export const KEEP: u32 = 4;
  /** A family's stock rules. */
  export const STOCK: u32 = 5;
  /** A FlatChain is made. */
  export const MAKE_SHARED: u32 = 6;
  /** A FlatChain is gone. */
  export const DROP_SHARED: u32 = 7;
  /** A FamilyPort's own chains and maps are written, ahead of its elements. */
  export const OWN_CHAINS: u32 = 8;
  /** A Key has no slots any more; or none for the Local policy. */
  export const EMPTY_SLOTS: u32 = 9;
  export const EMPTY_LOCAL_SLOTS: u32 = 10;
  /** New connections of a family are led to the chain that looks for firewalls; or no longer. */
  export const CHECK_FIREWALLS: u32 = 11;
  export const SKIP_FIREWALLS: u32 = 12;
  /** A transaction ends within a service port (layouts/flat/partial-writes.ts): a PartOfMaps, a PartOfKey, a FamilyPort. */
  export const PART_OF_MAPS: u32 = 13;
  export const PART_OF_KEY: u32 = 14;
  export const PART_OF_ENTRIES: u32 = 15;
  /** A FamilyPort's `external-X` is as it should be again (layouts/nftables/closed-chains.ts). */
  export const CLOSED_CHAIN: u32 = 16;
  /** Some of a FamilyPort's chains of endpoints are written (layouts/nftables/affinity-parts.ts): a PartOfAffinity. */
  export const PART_OF_AFFINITY: u32 = 17;
  /** A FlatChain is there without rules, and some elements of its set. */
  export const BEGIN_SHARED: u32 = 18;
}

/** Rows of seven words: Batches of the last plan, whether closed or not. */
const batches = new Vector();
const BATCH_WORDS: u32 = <u32>(offsetof<Batch>() >> 2);

/** Batch id, kind, object, …: as they were journalled, and from `orderEntries` on batch by batch. */
let entries = new Vector();
/** Where each batch's entries begin and end then, those that are closed left out; empty until then. */
const ranges = new Vector();

let lastId: u32 = 0;
let current: u32 = 0; // row of the batch that is being written
let firstPiece: u32 = 0;

let dirtyStock: u32 = 3; // a bit per family
let knownStock: u32 = 0; // families whose stock rules the kernel has had from us
let forgotten: u32 = 0; // families of which the kernel may hold anything
let checking: u32 = 0; // families whose new connections are led to the chain that looks for firewalls

/** The stock rules of the family have to be written. */
export function stockIsDirty(family: u32): bool {
  return (dirtyStock & (1 << family)) != 0;
}

/** The kernel holds stock rules that we have written. */
export function stockIsKnown(family: u32): bool {
  return (knownStock & (1 << family)) != 0;
}

/** Flat: new connections are led to the chain that looks for firewalls. */
export function checksFirewalls(family: u32): bool {
  return (checking & (1 << family)) != 0;
}

export function setStockDirty(): void {
  dirtyStock = 3;
}

/** The stock rules of one family have to be written. */
export function setFamilyStockDirty(family: u32): void {
  dirtyStock |= 1 << family;
}

/** What the kernel holds of the family must go before anything is written. */
export function isForgotten(family: u32): bool {
  return (forgotten & (1 << family)) != 0;
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

/** Hands the next batches out, when all are written; true: there are no more. */
export function handOut(): bool {
  firstHanded = endHanded;
  let length: usize = 0;
  while (endHanded < batchCount() && length < BYTES_AT_ONCE) {
    const batch = batchAt(endHanded++);
    length += lengthOf(batch);
    // Pieces may have moved while later ones were added: their addresses are filled in last.
    batch.data = resultPieces(<u32>batch.data);
  }
  return endHanded == batchCount();
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
  for (let piece: u32 = 0; piece < batch.dataLength; piece++) {
    length += <usize>load<u32>(resultPieces(<u32>batch.data + piece), 4);
  }
  return length;
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
  return lastId;
}

/** Ends the batch. One without any text is dropped, and counts as acknowledged. */
export function endBatch(services: u32, full: bool): void {
  const batch = changetype<Batch>(batches.data + ((<usize>current) << 2));
  if (resultStart() == firstPiece) {
    const family = batch.family;
    const id = batch.id;
    batches.length = current;
    // What it was about holds as soon as the kernel has the batch before it.
    if (current != 0) {
      const before = changetype<Batch>(batches.data + ((<usize>(current - BATCH_WORDS)) << 2));
      if (before.family == family) {
        for (let i: u32 = 0; i < entries.length; i += 3) if (entries.get(i) == id) entries.set(i, before.id);
        return;
      }
    }
    commitDropped(id);
    return;
  }
  batch.data = <usize>firstPiece;
  batch.dataLength = resultStart() - firstPiece;
  batch.services = services;
  batch.full = <u32>full;
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
  for (let i: u32 = 0; i < entries.length; i += 3) entries.set(i, id);
  return id;
}

/** The batch that is being written gets an id that `mergeBatches` has given. */
export function resumeBatch(id: u32): void {
  changetype<Batch>(batches.data + ((<usize>current) << 2)).id = id;
}

/** As endNftBatch, for a resumed batch. Without any text of its own it is one with the batch before it, if there is one. */
export function endResumedBatch(): void {
  finishNft();
  const batch = changetype<Batch>(batches.data + ((<usize>current) << 2));
  if (resultStart() != firstPiece || current == 0) {
    endBatch(0, false);
    return;
  }
  changetype<Batch>(batches.data + ((<usize>(current - BATCH_WORDS)) << 2)).id = batch.id;
  batches.length = current;
}

/** The kernel may hold anything of the family: its table has to be made anew. */
export function forgetStock(family: u32): void {
  dirtyStock |= 1 << family;
  knownStock &= ~(1 << family);
  forgotten |= 1 << family;
  checking &= ~(1 << family);
}

/** The kernel has no table of the family: nothing has to go before it is made. */
export function tableIsAbsent(family: u32): void {
  forgotten &= ~(1 << family);
}

/** The stock rules of the family have to be looked at, but its table is ours. */
export function adoptStock(family: u32): void {
  dirtyStock |= 1 << family;
  knownStock |= 1 << family;
  forgotten &= ~(1 << family);
}

/** Id of the batch that is being written. */
export function currentBatch(): u32 {
  return changetype<Batch>(batches.data + ((<usize>current) << 2)).id;
}

export function journal(batch: u32, kind: u32, object: usize): void {
  entries.push(batch);
  entries.push(kind);
  entries.push(<u32>object);
}

/** The service port is on its way to that snapshot. */
export function holdPlanned(port: FamilyPort, snapshot: usize): void {
  if (port.planned != 0 && port.planned != snapshot) heap.free(port.planned);
  port.planned = snapshot;
}

function dropPlanned(port: FamilyPort): void {
  if (port.planned != 0) heap.free(port.planned);
  port.planned = 0;
}

/** The batch being written takes the service port's own chains and maps to that snapshot. */
export function journalOwnChains(port: FamilyPort, snapshot: usize): void {
  holdPlanned(port, snapshot);
  notePlannedService(port.port.service, port.family);
  journal(currentBatch(), JournalKind.OWN_CHAINS, changetype<usize>(port));
}

/** The batch being written takes the service port to that snapshot (0: nothing of it is left). */
export function journalPort(port: FamilyPort, snapshot: usize): void {
  holdPlanned(port, snapshot);
  port.open = true;
  notePlannedService(port.port.service, port.family);
  journal(currentBatch(), JournalKind.PORT, changetype<usize>(port));
}

/** The batch being written takes the key to its `planned…` fields. */
export function journalKey(key: Key): void {
  key.open = true;
  journal(currentBatch(), JournalKind.KEY, changetype<usize>(key));
}

/** That batch leaves nothing under the key that is kept by key. */
export function journalEmptyKey(batch: u32, key: Key): void {
  key.plannedChain = 0;
  key.plannedFirewall = 0;
  key.plannedNoEndpoints = 0;
  key.plannedLocalhost = false;
  key.plannedPool = 0;
  key.plannedSlots = 0;
  key.plannedLocalSlots = 0;
  key.open = true;
  journal(batch, JournalKind.KEY, changetype<usize>(key));
}

/** Service ports that have been committed and may be gone: to be looked at by `forgetGone`. */
export const settledPorts = new Vector();
/** Keys likewise, each once. */
export const settledKeys = new Vector();

/** Nothing may be left of the key: it is looked at when the call ends. */
export function settleKey(key: Key): void {
  if (key.settled) return;
  key.settled = true;
  settledKeys.push(<u32>changetype<usize>(key));
}

function commitEntry(kind: u32, object: usize, now: u64): void {
  if (kind == JournalKind.PORT) {
    const port = changetype<FamilyPort>(object);
    if (port.committed != 0) heap.free(port.committed);
    port.committed = port.planned;
    port.planned = 0;
    port.open = false;
    if (options().mode == Mode.FLAT && port.committed != 0) joinKeys(port);
    notePortSettled(port);
    holdNeeds(port);
    settledPorts.push(<u32>object);
  } else if (kind == JournalKind.KEY) {
    const key = changetype<Key>(object);
    key.committedChain = key.plannedChain;
    key.committedFirewall = key.plannedFirewall;
    key.committedNoEndpoints = key.plannedNoEndpoints;
    key.committedLocalhost = key.plannedLocalhost;
    key.committedOwner = key.plannedOwner;
    key.committedPool = key.plannedPool;
    key.committedSlots = key.plannedSlots;
    key.committedLocalSlots = key.plannedLocalSlots;
    key.open = false;
    noteKeySettled(key);
    settleKey(key);
  } else if (kind == JournalKind.OWN_CHAINS) {
    const port = changetype<FamilyPort>(object);
    const merged = mergeSnapshots(port.committed, port.planned);
    if (port.committed != 0) heap.free(port.committed);
    port.committed = merged;
  } else if (kind == JournalKind.EMPTY_SLOTS || kind == JournalKind.EMPTY_LOCAL_SLOTS) {
    const key = changetype<Key>(object);
    if (kind == JournalKind.EMPTY_SLOTS) key.committedSlots = 0;
    else key.committedLocalSlots = 0;
    settleKey(key);
  } else if (kind == JournalKind.PART_OF_MAPS) {
    commitPartOfMaps(object);
  } else if (kind == JournalKind.PART_OF_AFFINITY) {
    commitPartOfAffinity(object);
  } else if (kind == JournalKind.PART_OF_KEY) {
    commitPartOfKey(object);
  } else if (kind == JournalKind.PART_OF_ENTRIES) {
    commitPartOfEntries(changetype<FamilyPort>(object));
  } else if (kind == JournalKind.CHECK_FIREWALLS) {
    checking |= 1 << (<u32>object);
  } else if (kind == JournalKind.SKIP_FIREWALLS) {
    checking &= ~(1 << (<u32>object));
  } else if (kind == JournalKind.CLOSED_CHAIN) {
    // Its snapshot says so already.
  } else if (kind == JournalKind.EMPTY) {
    chainEmptied(object, now);
  } else if (kind == JournalKind.DELETE || kind == JournalKind.KEEP) {
    forgetStale(object);
  } else if (kind == JournalKind.MAKE_SHARED || kind == JournalKind.DROP_SHARED) {
    const chain = changetype<FlatChain>(object);
    chain.committed = kind == JournalKind.MAKE_SHARED;
    chain.open = false;
    chain.begun = false;
  } else if (kind == JournalKind.BEGIN_SHARED) {
    changetype<FlatChain>(object).begun = true;
  } else {
    dirtyStock &= ~(1 << (<u32>object));
    knownStock |= 1 << (<u32>object);
    forgotten &= ~(1 << (<u32>object));
  }
}

function failEntry(kind: u32, object: usize, now: u64): void {
  if (kind == JournalKind.PORT) {
    const port = changetype<FamilyPort>(object);
    dropPlanned(port);
    port.open = false;
    markStale(port);
  } else if (kind == JournalKind.OWN_CHAINS) {
    dropPlanned(changetype<FamilyPort>(object));
    markStale(changetype<FamilyPort>(object));
  } else if (kind == JournalKind.KEY) {
    const key = changetype<Key>(object);
    key.open = false;
    noteKeyChange(key);
  } else if (kind == JournalKind.EMPTY_SLOTS || kind == JournalKind.EMPTY_LOCAL_SLOTS) {
    noteKeyChange(changetype<Key>(object));
  } else if (kind == JournalKind.PART_OF_MAPS || kind == JournalKind.PART_OF_AFFINITY) {
    heap.free(object);
  } else if (kind == JournalKind.PART_OF_KEY) {
    failPartOfKey(object);
  } else if (kind == JournalKind.CLOSED_CHAIN) {
    forgetSignatures(changetype<FamilyPort>(object).committed);
    markStale(changetype<FamilyPort>(object));
  } else if (kind == JournalKind.EMPTY) {
    emptyingFailed(object);
  } else if (kind == JournalKind.KEEP) {
    keepFailed(object);
  } else if (kind == JournalKind.MAKE_SHARED || kind == JournalKind.DROP_SHARED) {
    changetype<FlatChain>(object).open = false;
  } else if (kind == JournalKind.DELETE) {
    deletionFailed(object, now);
  }
}

/** Which of the plan's batches has that id; their number if none has. `likely` is looked at first. */
function indexOf(id: u32, likely: u32 = 0): u32 {
  const count = batchCount();
  if (likely < count && batchAt(likely).id == id) return likely;
  if (likely + 1 < count && batchAt(likely + 1).id == id) return likely + 1;
  for (let i: u32 = 0; i < count; i++) if (batchAt(i).id == id) return i;
  return count;
}

function batchAt(index: u32): Batch {
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

// How far `orderEntries` has come.
namespace Order {
  export const NOT: u32 = 0;
  /** Each batch's entries are counted. */
  export const COUNT: u32 = 1;
  export const MOVE: u32 = 2;
  export const DONE: u32 = 3;
}

let order: u32 = Order.NOT;
/** How many words of `entries` were counted, or moved, and the batch that the last of them belongs to. */
let seen: u32 = 0;
let seenBatch: u32 = 0;
/** They are in the order of their batches already. */
let isInOrder: bool = true;
let moved = new Vector();
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
    if (!isInOrder) moved.reserve(entries.length);
  }
  if (order == Order.MOVE) {
    if (!moveEntries()) return false;
    const before = entries;
    moved.length = before.length;
    entries = moved;
    moved = before;
    order = Order.DONE;
  }
  return true;
}

function countEntries(): bool {
  while (seen < entries.length) {
    const index = indexOf(entries.get(seen), seenBatch);
    if (index < seenBatch) isInOrder = false;
    seenBatch = index;
    const end = (index << 1) + 1;
    ranges.set(end, ranges.get(end) + 3);
    if (entries.get(seen + 1) <= JournalKind.KEY && index < batchCount()) noteRouting(index);
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

function moveEntries(): bool {
  while (seen < entries.length) {
    seenBatch = indexOf(entries.get(seen), seenBatch);
    const end = (seenBatch << 1) + 1;
    const to = ranges.get(end);
    for (let word: u32 = 0; word < 3; word++) moved.set(to + word, entries.get(seen + word));
    ranges.set(end, to + 3);
    seen += 3;
    if (isSpentOnOne(seen)) return false;
  }
  return true;
}

/** Commits or fails what is journalled of one batch, if it is not closed yet. */
function closeRange(index: u32, acknowledged: bool, now: u64): void {
  closeTriggers(batchAt(index).id, acknowledged);
  const end = ranges.get((index << 1) + 1);
  for (let i = ranges.get(index << 1); i < end; i += 3) {
    if (acknowledged) commitEntry(entries.get(i + 1), <usize>entries.get(i + 2), now);
    else failEntry(entries.get(i + 1), <usize>entries.get(i + 2), now);
  }
  ranges.set(index << 1, end);
}

/** The batch is dropped while the plan is being made: what is journalled of it holds already. */
function commitDropped(id: u32): void {
  closeTriggers(id, true);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < entries.length; i += 3) {
    const batch = entries.get(i);
    const kind = entries.get(i + 1);
    const object = <usize>entries.get(i + 2);
    if (batch == id) {
      commitEntry(kind, object, 0);
      continue;
    }
    entries.set(kept++, batch);
    entries.set(kept++, kind);
    entries.set(kept++, <u32>object);
  }
  entries.length = kept;
}

/** After `orderEntries`: the last batch of the family that changes what packets meet; 0 if there is none. */
export function lastBatchOfRouting(family: u32): u32 {
  return family == 0 ? lastOfRoutingIPv4 : lastOfRoutingIPv6;
}

function takeBack(from: u32, to: u32, now: u64): void {
  for (let i = from; i < to; i += 3) {
    // A batch that was never sent did not fail: what it would have deleted may go as soon as it was due.
    const kind = entries.get(i + 1);
    if (kind != JournalKind.DELETE) failEntry(kind, <usize>entries.get(i + 2), now);
  }
}

/** Takes back all batches that are not closed, and begins a new plan. */
export function beginPlan(now: u64): void {
  beginTriggerPlan();
  if (ranges.length == 0) {
    takeBack(0, entries.length, now);
  } else {
    for (let i: u32 = 0; i < ranges.length; i += 2) takeBack(ranges.get(i), ranges.get(i + 1), now);
  }
  entries.clear();
  ranges.clear();
  batches.clear();
  order = Order.NOT;
  endHanded = 0;
  forgetPlannedServices();
  forgetMessages();
}
