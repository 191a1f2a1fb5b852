// Chains that the kernel holds and a plan of iptables mode does not need any more.
//
// kube-proxy's names carry 80 bits of hash. Whoever finds two of his Services or endpoints with one name must not have a chain
// deleted that is in use: the transaction, everybody's, would be refused.
import { Vector } from "../../bytes/memory";
import { outSelect, StreamName } from "../../bytes/out";
import { beginSort, continueSort } from "../../bytes/sliced-sort";
import { isSpent } from "../../bytes/slices";
import { sortVector } from "../../bytes/sort";
import { declareChain, deleteChain } from "../../encodings/iptables-restore";
import { ownedByNobody } from "../../encodings/owners";
import { isUsedOnce } from "./chain-uses";
import { CLUSTER_PREFIX, ENDPOINT_PREFIX, EXTERNAL_PREFIX, FIREWALL_PREFIX, LOCAL_PREFIX, PortChain } from "./names";

/** Rows: prefix (as bits of PortChain, 0: endpoint), hash, whether it is in use. */
const staleChains = new Vector();
const HASH: usize = 4;
const USED: usize = 20;
/** Whose answer `tellUsed` gives. */
const NUMBER: usize = 24;
const ROW_SIZE: usize = 28;

function prefixOf(chain: u32): string {
  if (chain == PortChain.EXTERNAL) return EXTERNAL_PREFIX;
  if (chain == PortChain.FIREWALL) return FIREWALL_PREFIX;
  if (chain == PortChain.CLUSTER) return CLUSTER_PREFIX;
  return chain == PortChain.LOCAL ? LOCAL_PREFIX : ENDPOINT_PREFIX;
}

const NO_PREFIX: u32 = 0xffffffff;

function isNamed(name: usize, length: usize, prefix: string): bool {
  if (length != <usize>prefix.length + 16) return false;
  for (let i = 0; i < prefix.length; i++) if (<i32>load<u8>(name + <usize>i) != prefix.charCodeAt(i)) return false;
  return true;
}

/** The prefix of a chain's whole name, as bits of PortChain. */
function prefixIn(name: usize, length: usize): u32 {
  for (let chain: u32 = PortChain.EXTERNAL; chain <= PortChain.LOCAL; chain <<= 1)
    if (isNamed(name, length, prefixOf(chain))) return chain;
  return isNamed(name, length, ENDPOINT_PREFIX) ? 0 : NO_PREFIX;
}

/** Notes a chain that is not needed any more by who had it: its sixteen characters are copied. */
export function addStale(chain: u32, hash: usize): void {
  const row = heap.alloc(ROW_SIZE);
  store<u32>(row, chain);
  memory.copy(row + HASH, hash, 16);
  store<u32>(row, 0, USED);
  staleChains.push(<u32>row);
  const bit = filterBit(row + HASH);
  const at = FILTER + <usize>(bit >> 3);
  store<u8>(at, <u8>(<u32>load<u8>(at) | (1 << (bit & 7))));
}

function compareStale(a: u32, b: u32): i32 {
  if (load<u32>(<usize>a) != load<u32>(<usize>b)) {
    return prefixOf(load<u32>(<usize>a)) < prefixOf(load<u32>(<usize>b)) ? -1 : 1;
  }
  const order = compareWords(<usize>a + HASH, <usize>b + HASH);
  return order != 0 ? order : compareWords(<usize>a + HASH + 8, <usize>b + HASH + 8);
}

/** As `memory.compare` of eight bytes. */
function compareWords(a: usize, b: usize): i32 {
  const left = bswap<u64>(load<u64>(a));
  const right = bswap<u64>(load<u64>(b));
  return left < right ? -1 : left == right ? 0 : 1;
}

/** Two bytes of hash of each stale chain, a bit for each: nearly all chains that are in use are told by it. */
const FILTER: usize = memory.data(8192, 16);
const probe: usize = memory.data(24, 16);

function filterBit(hash: usize): u32 {
  return (load<u32>(hash) * 0x9e3779b1) >> 16;
}

/** Forgets what a plan has noted that was given up. */
export function forgetStale(): void {
  for (let i = freed; i < staleChains.length; i++) heap.free(<usize>staleChains.get(i));
  clearStale();
}

/** All of it is freed. */
function clearStale(): void {
  staleChains.clear();
  freed = 0;
  memory.fill(FILTER, 0, 8192);
}

/** More than these are looked for among all others in any case. */
const ASKED_AT_MOST: u32 = 1 << 12;

/**
 * Some service port may have one of the chains, so `noteUsed` has to be called with every chain that is in use. Each has been
 * noted by a service port of which the kernel holds it.
 */
export function mayBeUsed(family: u32): bool {
  if (staleChains.length > ASKED_AT_MOST) return true;
  for (let i: u32 = 0; i < staleChains.length; i++) {
    const row = <usize>staleChains.get(i);
    if (!isUsedOnce(family, load<u32>(row), row + HASH)) return true;
  }
  return false;
}

/** What is noted is complete. */
export function beginSortingStale(): void {
  beginSort(staleChains, compareStale);
  nextStale = 0;
  lastStale = 0;
}

/** Sorts it, for a slice; true: it is sorted. */
export function sortStale(): bool {
  for (let count = continueSort(); count != 0; count = continueSort()) if (isSpent(count)) return false;
  return true;
}

/** All of that in one go; false: there are none. */
export function beginStale(): bool {
  sortVector(staleChains, 0, staleChains.length, compareStale);
  return staleChains.length != 0;
}

export function noteUsed(chain: u32, hash: usize): void {
  const bit = filterBit(hash);
  if ((<u32>load<u8>(FILTER + <usize>(bit >> 3)) & (1 << (bit & 7))) == 0) return;
  store<u32>(probe, chain);
  memory.copy(probe + HASH, hash, 16);
  let low: u32 = 0;
  let high = staleChains.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareStale(staleChains.get(middle), <u32>probe) < 0) low = middle + 1;
    else high = middle;
  }
  for (; low < staleChains.length && compareStale(staleChains.get(low), <u32>probe) == 0; low++) {
    store<u32>(<usize>staleChains.get(low), 1, USED);
  }
}

/** Makes rows of the chains that have `count` names (rows of address and length): `tellUsed` says which of them are in use. */
export function askUsed(names: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const name = load<usize>(names + ((<usize>i) << 3));
    const length = load<usize>(names + ((<usize>i) << 3), 4);
    const chain = prefixIn(name, length);
    if (chain == NO_PREFIX) continue;
    addStale(chain, name + length - 16);
    store<u32>(<usize>staleChains.get(staleChains.length - 1), i, NUMBER);
  }
}

/** After `askUsed`, `beginStale` and `noteUsed`: a byte for each of `count` names at `answers`, 1: it is in use. */
export function tellUsed(answers: usize, count: u32): void {
  memory.fill(answers, 0, count);
  for (let i: u32 = 0; i < staleChains.length; i++) {
    const row = <usize>staleChains.get(i);
    if (load<u32>(row, USED) != 0) store<u8>(answers + <usize>load<u32>(row, NUMBER), 1);
    heap.free(row);
  }
  clearStale();
}

/** A bit for each family whose plans only empty stale chains. */
let keeping: u32 = 0;

/**
 * A deletion was refused: a chain that the plan knows nothing of, of an earlier process or somebody else's, leads to one that is
 * to go. The family's plans are without deletions until the kernel has taken one, since a plan need not be sent. The host deletes
 * what nothing leads to (`chains-in-use`).
 */
export function keepStaleOnce(family: u32): void {
  keeping |= 1 << family;
}

/** The kernel has taken a batch of the family. */
export function keepStaleNoMore(family: u32): void {
  keeping &= ~(1 << family);
}

/** The next that is written, and the one before it (0: there is none); those before that one are freed. */
let nextStale: u32 = 0;
let lastStale: usize = 0;
let freed: u32 = 0;

/**
 * Stale chains are emptied with the other chains of the transaction, and deleted once nothing refers to them. Goes on for a
 * slice; true: all are written.
 */
export function writeSomeStale(family: u32): bool {
  const deletes = (keeping & (1 << family)) == 0;
  ownedByNobody();
  while (nextStale < staleChains.length) {
    const row = <usize>staleChains.get(nextStale++);
    const again = lastStale != 0 && compareStale(<u32>lastStale, <u32>row) == 0;
    if (lastStale != 0) {
      heap.free(lastStale);
      freed++;
    }
    lastStale = row;
    if (!again && load<u32>(row, USED) == 0) {
      outSelect(StreamName.NAT_CHAINS);
      declareChain(prefixOf(load<u32>(row)), row + HASH);
      if (deletes) {
        outSelect(StreamName.NAT_RULES);
        deleteChain(prefixOf(load<u32>(row)), row + HASH);
      }
    }
    if (isSpent(1) && nextStale < staleChains.length) return false;
  }
  forgetStale();
  return true;
}
