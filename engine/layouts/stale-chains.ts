// Chains of the nftables layout that nothing needs any more. Kernels before 6.2 call a chain busy for a moment after the
// last element that pointed to it is gone, so a chain is emptied first and deleted at least a second later, in a
// transaction of its own (nftables.md §8).
import { Vector } from "../bytes/memory";
import { sortVector } from "../bytes/sort";
import { Entry, Table } from "../cluster/table";

/** How long a chain rests between the two. */
export const REST: u64 = 1000;

@unmanaged
export class StaleChain extends Entry {
  family: u32;
  /** When the kernel acknowledged that it is empty. */
  since: u64;
  /** The kernel has acknowledged that it is empty, or a batch before the one that deletes it will make it so. */
  flushed: bool;
  /** An open batch uses it again. */
  wanted: bool;
}

// A table per family; the key is the chain's name.
const ipv4 = new Table();
const ipv6 = new Table();

function tableOf(family: u32): Table {
  return family == 0 ? ipv4 : ipv6;
}

/** Notes a chain that the batch being written empties. */
export function addStaleChain(family: u32, name: usize, length: usize): StaleChain {
  const found = tableOf(family).find(name, length);
  if (found != 0) return changetype<StaleChain>(found);
  const at = heap.alloc(offsetof<StaleChain>());
  memory.fill(at, 0, offsetof<StaleChain>());
  const chain = changetype<StaleChain>(at);
  chain.family = family;
  tableOf(family).add(chain, name, length, 0);
  return chain;
}

/** The stale chain of that name, or 0. */
export function staleChain(family: u32, name: usize, length: usize): usize {
  return tableOf(family).find(name, length);
}

function compareNames(a: u32, b: u32): i32 {
  const left = changetype<StaleChain>(<usize>a);
  const right = changetype<StaleChain>(<usize>b);
  const order = memory.compare(left.key, right.key, min(left.keyLength, right.keyLength));
  return order != 0 ? order : <i32>left.keyLength - <i32>right.keyLength;
}

/** Puts the stale chains of the family into `list`, sorted by name. */
export function listStaleChains(family: u32, list: Vector): void {
  list.clear();
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; at = table.following(at)) list.push(<u32>at);
  sortVector(list, 0, list.length, compareNames);
}

export function chainFlushed(at: usize, now: u64): void {
  const chain = changetype<StaleChain>(at);
  chain.flushed = true;
  chain.since = now;
}

/** The kernel did not let it go yet. */
export function deletionFailed(at: usize, now: u64): void {
  changetype<StaleChain>(at).since = now;
}

export function chainDeleted(at: usize): void {
  const chain = changetype<StaleChain>(at);
  tableOf(chain.family).remove(chain);
}

/** The batch that was to use the chain again has failed. */
export function keepFailed(at: usize): void {
  changetype<StaleChain>(at).wanted = false;
}

/** Forgets all of them. */
export function forgetStaleChains(): void {
  for (let family: u32 = 0; family < 2; family++) {
    const table = tableOf(family);
    for (let at = table.following(0); at != 0; at = table.following(0)) table.remove(changetype<Entry>(at));
  }
}
