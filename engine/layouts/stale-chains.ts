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

/** Puts all that is stale of the family, and not wanted again, into `list`, sorted by name. */
export function listStale(family: u32, list: Vector): void {
  list.clear();
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; at = table.following(at)) {
    if (!changetype<StaleChain>(at).wanted) list.push(<u32>at);
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
