// Chains and sets of an nftables table that nothing needs any more, by name, until the kernel is rid of them. Kernels
// before 6.2 call a chain busy for a moment after the last element that pointed to it is gone, so a chain is emptied
// first and deleted at least a second later, in a transaction of its own. A set goes with the emptying of the chains
// that refer to it.
//
//   retired ──(batch open)──▶ emptying ──(acknowledged)──▶ empty ──(deleting batch acknowledged)──▶ forgotten
//      ▲                          │ failed, or never sent
//      └──────────────────────────┘
import { Vector } from "../bytes/memory";
import { sortVector } from "../bytes/sort";
import { compareEntries, Entry, Table } from "../cluster/table";
import { journal } from "./batches";
import { deletionKind, journalKind } from "./journal";

/** How many milliseconds an empty chain rests before it is deleted. */
export const REST: u64 = 1000;

export namespace StaleState {
  export const RETIRED: u32 = 0;
  export const EMPTYING: u32 = 1;
  export const EMPTY: u32 = 2;
}

@unmanaged
export class StaleChain extends Entry {
  family: u32;
  /** Its neighbours in the list that it is in. */
  before: usize;
  after: usize;
  /** It is in the list of those that rest. */
  rests: bool;
  state: u32;
  /** When the kernel acknowledged that it is empty. */
  since: u64;
  /** It is a set. */
  isSet: bool;
  /** An open batch uses it again. */
  wanted: bool;
  /** Whether the kernel still has it is being found out. */
  doubted: bool;
}

// A table per family; the key is the name, which is never both a chain's and a set's.
const ipv4 = new Table();
const ipv6 = new Table();

function tableOf(family: u32): Table {
  return family == 0 ? ipv4 : ipv6;
}

/** Stale chains and sets in the order in which they came to it. */
class StaleList {
  first: usize = 0;
  last: usize = 0;

  add(chain: StaleChain): void {
    const at = changetype<usize>(chain);
    chain.before = this.last;
    chain.after = 0;
    if (this.last == 0) this.first = at;
    else changetype<StaleChain>(this.last).after = at;
    this.last = at;
  }

  take(chain: StaleChain): void {
    if (chain.before == 0) this.first = chain.after;
    else changetype<StaleChain>(chain.before).after = chain.after;
    if (chain.after == 0) this.last = chain.before;
    else changetype<StaleChain>(chain.after).before = chain.before;
  }
}

// There may be tens of thousands, and no plan looks at more of them than it writes: what is retired is in one list of each
// family; what is being emptied, or is empty, rests in another, in the order in which it may go.
const retiredIPv4 = new StaleList();
const retiredIPv6 = new StaleList();
const restingIPv4 = new StaleList();
const restingIPv6 = new StaleList();

function listOf(chain: StaleChain): StaleList {
  if (chain.family == 0) return chain.rests ? restingIPv4 : retiredIPv4;
  return chain.rests ? restingIPv6 : retiredIPv6;
}

/** Puts it at the end of the list that it belongs to by its new state. */
function setState(chain: StaleChain, state: u32): void {
  listOf(chain).take(chain);
  chain.state = state;
  chain.rests = state != StaleState.RETIRED;
  listOf(chain).add(chain);
}

function remove(chain: StaleChain): void {
  listOf(chain).take(chain);
  tableOf(chain.family).remove(chain);
}

/** Notes a chain or set that is not needed any more. */
export function addStale(family: u32, name: usize, length: usize, isSet: bool): void {
  if (tableOf(family).find(name, length) != 0) return;
  const at = heap.alloc(offsetof<StaleChain>());
  memory.fill(at, 0, offsetof<StaleChain>());
  const chain = changetype<StaleChain>(at);
  chain.family = family;
  chain.isSet = isSet;
  tableOf(family).add(chain, name, length, 0);
  listOf(chain).add(chain);
}

/** Nothing of the family is stale. */
export function nothingStale(family: u32): bool {
  return tableOf(family).count == 0;
}

/** The stale chain or set of that name, or 0. */
export function staleNamed(family: u32, name: usize, length: usize): usize {
  return tableOf(family).find(name, length);
}

/** The kernel is being read: what is stale of the family counts only once `confirmStale` is called. */
export function doubtStale(family: u32): void {
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; at = table.following(at)) {
    const chain = changetype<StaleChain>(at);
    chain.doubted = true;
    if (chain.state == StaleState.EMPTYING) setState(chain, StaleState.RETIRED);
  }
}

/**
 * The kernel has a chain (with or without rules) or set of that name. True if it is as this file has it: it is ours, and
 * due to go.
 */
export function confirmStale(family: u32, name: usize, length: usize, isSet: bool, isEmpty: bool): bool {
  const found = tableOf(family).find(name, length);
  if (found == 0) return false;
  const chain = changetype<StaleChain>(found);
  if (!chain.doubted) return false;
  if (chain.isSet != isSet) {
    forgetStale(found);
    return false;
  }
  chain.doubted = false;
  if (chain.state != StaleState.EMPTY || isEmpty) return true;
  setState(chain, StaleState.RETIRED);
  return false;
}

/** All that the kernel has is confirmed: the rest is gone. */
export function dropDoubted(family: u32): void {
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; ) {
    const next = table.following(at);
    const chain = changetype<StaleChain>(at);
    if (chain.doubted && !chain.wanted) remove(chain);
    at = next;
  }
}

/** What is to go: neither wanted again nor in doubt. */
function isToGo(chain: StaleChain): bool {
  return !chain.wanted && !chain.doubted;
}

/** Puts all that is retired of the family into `list`, sorted by name. */
export function listRetired(family: u32, list: Vector): void {
  list.clear();
  for (let at = family == 0 ? retiredIPv4.first : retiredIPv6.first; at != 0; at = changetype<StaleChain>(at).after) {
    if (isToGo(changetype<StaleChain>(at))) list.push(<u32>at);
  }
  sortVector(list, 0, list.length, compareEntries);
}

/** When it has rested, if what a plan of this moment empties is empty at once. */
export function restedAt(chain: StaleChain, now: u64): u64 {
  return (chain.state == StaleState.EMPTY ? chain.since : now) + REST;
}

/**
 * Puts what rests of the family into `list`, sorted by name: that which has rested (`due`), or that which has not. So many
 * at most, those that may go first.
 */
export function listResting(family: u32, now: u64, due: bool, most: u32, list: Vector): void {
  list.clear();
  let at = family == 0 ? restingIPv4.first : restingIPv6.first;
  for (; at != 0 && list.length < most; at = changetype<StaleChain>(at).after) {
    const chain = changetype<StaleChain>(at);
    if (isToGo(chain) && restedAt(chain, now) <= now == due) list.push(<u32>at);
  }
  sortVector(list, 0, list.length, compareEntries);
}

function emptied(at: usize, now: u64): void {
  const chain = changetype<StaleChain>(at);
  setState(chain, StaleState.EMPTY);
  chain.since = now;
}

function emptyingFailed(at: usize, _now: u64): void {
  setState(changetype<StaleChain>(at), StaleState.RETIRED);
}

const EMPTY = journalKind(emptied, emptyingFailed);

/** The batch that is being written empties it. */
export function journalEmptying(chain: StaleChain): void {
  setState(chain, StaleState.EMPTYING);
  journal(EMPTY, changetype<usize>(chain));
}

function forget(at: usize, _now: u64): void {
  forgetStale(at);
}

/** The kernel did not let it go yet. */
function deletionFailed(at: usize, now: u64): void {
  const chain = changetype<StaleChain>(at);
  chain.since = now;
  setState(chain, chain.state);
}

const DELETE = deletionKind(forget, deletionFailed);

/** The batch that is being written deletes it. */
export function journalDeletion(chain: StaleChain): void {
  journal(DELETE, changetype<usize>(chain));
}

function keepingFailed(at: usize, _now: u64): void {
  changetype<StaleChain>(at).wanted = false;
}

const KEEP = journalKind(forget, keepingFailed);

/** The batch that is being written uses it again. */
export function journalKeeping(chain: StaleChain): void {
  chain.wanted = true;
  journal(KEEP, changetype<usize>(chain));
}

/** It is deleted, or in use again. */
export function forgetStale(at: usize): void {
  remove(changetype<StaleChain>(at));
}

export function forgetAllStale(family: u32): void {
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; ) {
    const next = table.following(at);
    remove(changetype<StaleChain>(at));
    at = next;
  }
}
