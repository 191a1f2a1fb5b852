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

/** Notes a chain or set that is not needed any more. */
export function addStale(family: u32, name: usize, length: usize, isSet: bool): void {
  if (tableOf(family).find(name, length) != 0) return;
  const at = heap.alloc(offsetof<StaleChain>());
  memory.fill(at, 0, offsetof<StaleChain>());
  const chain = changetype<StaleChain>(at);
  chain.family = family;
  chain.isSet = isSet;
  tableOf(family).add(chain, name, length, 0);
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
    if (chain.state == StaleState.EMPTYING) chain.state = StaleState.RETIRED;
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
  chain.state = StaleState.RETIRED;
  return false;
}

/** All that the kernel has is confirmed: the rest is gone. */
export function dropDoubted(family: u32): void {
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; ) {
    const next = table.following(at);
    const chain = changetype<StaleChain>(at);
    if (chain.doubted && !chain.wanted) table.remove(chain);
    at = next;
  }
}

/** Puts all that is stale of the family, and not wanted again, into `list`, sorted by name. */
export function listStale(family: u32, list: Vector): void {
  list.clear();
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; at = table.following(at)) {
    const chain = changetype<StaleChain>(at);
    if (!chain.wanted && !chain.doubted) list.push(<u32>at);
  }
  sortVector(list, 0, list.length, compareEntries);
}

export function chainEmptied(at: usize, now: u64): void {
  const chain = changetype<StaleChain>(at);
  chain.state = StaleState.EMPTY;
  chain.since = now;
}

/** The batch that was to empty it has failed or was never sent. */
export function emptyingFailed(at: usize): void {
  changetype<StaleChain>(at).state = StaleState.RETIRED;
}

/** The kernel did not let it go yet. */
export function deletionFailed(at: usize, now: u64): void {
  changetype<StaleChain>(at).since = now;
}

/** The batch that was to use it again has failed or was never sent. */
export function keepFailed(at: usize): void {
  changetype<StaleChain>(at).wanted = false;
}

/** It is deleted, or in use again. */
export function forgetStale(at: usize): void {
  const chain = changetype<StaleChain>(at);
  tableOf(chain.family).remove(chain);
}

export function forgetAllStale(family: u32): void {
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; at = table.following(0)) table.remove(changetype<Entry>(at));
}
