// What batches are about, until the kernel has acknowledged them: rows of a batch's id, a kind and an object of that kind.
// Whoever owns a kind says what becomes of its objects; the journal knows nothing of them.
import { Vector } from "../bytes/memory";
import { isSpentOnOne } from "../bytes/slices";

/** What becomes of an object: `now` is the host's time in milliseconds. */
type Outcome = (object: usize, now: u64) => void;

const MOST_KINDS: u32 = 32;
const commits = new StaticArray<Outcome>(MOST_KINDS);
const failures = new StaticArray<Outcome>(MOST_KINDS);
/** Of kinds that mean nothing while their batch was never sent. */
const onlyOnceSent = new StaticArray<bool>(MOST_KINDS);
/** Of kinds that change what packets meet. */
const routing = new StaticArray<bool>(MOST_KINDS);
let kindCount: u32 = 0;

/** For kinds that have nothing to do when their batch is acknowledged, or has failed. */
export function doNothing(object: usize, now: u64): void {}

/** A new kind. `commit` is called when the kernel has acknowledged the batch; `fail` when it has not, or it was never sent. */
export function journalKind(commit: Outcome, fail: Outcome): u32 {
  commits[kindCount] = commit;
  failures[kindCount] = fail;
  return kindCount++;
}

/** The same for what changes what packets meet: a service port's rules, a key's elements. */
export function routingKind(commit: Outcome, fail: Outcome): u32 {
  routing[kindCount] = true;
  return journalKind(commit, fail);
}

/** The same for a deletion: a batch that was never sent did not fail, what it would have deleted may go as soon as it was due. */
export function deletionKind(commit: Outcome, fail: Outcome): u32 {
  onlyOnceSent[kindCount] = true;
  return journalKind(commit, fail);
}

/** Batch id, kind, object, …: as they were journalled, and from `orderEntries` (closing.ts) on batch by batch. */
let entries = new Vector();

export function addEntry(batch: u32, kind: u32, object: usize): void {
  entries.push(batch);
  entries.push(kind);
  entries.push(<u32>object);
}

/** How many words all entries have: three each. */
export function entryWords(): u32 {
  return entries.length;
}

/** The batch of the entry that begins at that word. */
export function batchOf(at: u32): u32 {
  return entries.get(at);
}

/** The entry changes what packets meet. */
export function isRouting(at: u32): bool {
  return routing[entries.get(at + 1)];
}

export function commitEntry(at: u32, now: u64): void {
  commits[entries.get(at + 1)](<usize>entries.get(at + 2), now);
}

export function failEntry(at: u32, now: u64): void {
  failures[entries.get(at + 1)](<usize>entries.get(at + 2), now);
}

/** Of a batch that was never sent. */
export function takeBackEntry(at: u32, now: u64): void {
  if (!onlyOnceSent[entries.get(at + 1)]) failEntry(at, now);
}

/** What one batch was about, another one is. */
export function moveEntries(from: u32, to: u32): void {
  for (let i: u32 = 0; i < entries.length; i += 3) if (entries.get(i) == from) entries.set(i, to);
}

/** What all batches were about, one is. */
export function moveAllEntries(to: u32): void {
  for (let i: u32 = 0; i < entries.length; i += 3) entries.set(i, to);
}

/** The batch is dropped while the plan is being made: what is journalled of it holds already. */
export function commitEntries(batch: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < entries.length; i += 3) {
    if (entries.get(i) == batch) {
      commitEntry(i, 0);
      continue;
    }
    for (let word: u32 = 0; word < 3; word++) entries.set(kept + word, entries.get(i + word));
    kept += 3;
  }
  entries.length = kept;
}

/** The batch that `commitSomeEntries` goes on with; the words up to which it has looked, and those of them that stay. */
let committedBatch: u32 = 0;
let looked: u32 = 0;
let kept: u32 = 0;

/** Begins to do the same in slices. */
export function beginCommit(batch: u32): void {
  committedBatch = batch;
  looked = 0;
  kept = 0;
}

/** Goes on for a slice; true: all is committed. Until then no entry may be added. */
export function commitSomeEntries(): bool {
  while (looked < entries.length) {
    if (entries.get(looked) == committedBatch) {
      commitEntry(looked, 0);
    } else {
      for (let word: u32 = 0; word < 3; word++) entries.set(kept + word, entries.get(looked + word));
      kept += 3;
    }
    looked += 3;
    if (isSpentOnOne(looked)) return false;
  }
  dropCommitted();
  return true;
}

/** What has been committed in slices is out of the journal, though the rest may not be committed: the plan is given up. */
export function dropCommitted(): void {
  if (kept == looked) return;
  const rest = entries.length - looked;
  memory.copy(entries.data + ((<usize>kept) << 2), entries.data + ((<usize>looked) << 2), (<usize>rest) << 2);
  entries.length = kept + rest;
  looked = 0;
  kept = 0;
}

/** Where `moveEntry` puts entries. */
let moved = new Vector();

/** Entries are going to be put in another order. */
export function beginOrder(): void {
  moved.reserve(entries.length);
}

/** The entry at `from` stands at `to` in the new order. */
export function moveEntry(from: u32, to: u32): void {
  for (let word: u32 = 0; word < 3; word++) moved.set(to + word, entries.get(from + word));
}

/** All are moved. */
export function endOrder(): void {
  const before = entries;
  moved.length = before.length;
  entries = moved;
  moved = before;
}

export function clearEntries(): void {
  entries.clear();
  looked = 0;
  kept = 0;
}
