// Every address that some rule, element or fact names, once, and what is between them. Rules refer to addresses by number.
//
// For tracing and comparing, addresses are replaced by ranks: the sorted literals of a family, L0 < L1 < …, have the ranks 1,
// 3, 5, …, and all addresses between two of them share the even rank between. No rule can tell these apart, so IPv4 and
// IPv6 go through the same code on 32-bit numbers.
import { formatIPv4, formatIPv6 } from "../../bytes/address";
import { bucketHash } from "../../bytes/compare";
import { Vector } from "../../bytes/memory";
import { nextAddress, predecessor, previousAddress, successor } from "../../bytes/ranges";
import { grown, sizeOf } from "../../bytes/sizes";
import { sortVector } from "../../bytes/sort";

export const IPV4: u32 = 0;
export const IPV6: u32 = 1;

/** Bytes of an address of the family. */
export function addressLength(family: u32): usize {
  return family == IPV4 ? 4 : 16;
}

/** The literals of one family, each in sixteen bytes (IPv4 in the first four). */
@unmanaged
class Literals {
  data: usize = 0;
  count: u32 = 0;
  capacity: u32 = 0;
  buckets: Vector = new Vector();
  /** Number by rank: the literal with rank 2i+1 stands at i. */
  order: Vector = new Vector();
  /** Rank by number. */
  ranks: Vector = new Vector();
  ranked: u32 = 0;
}

const ipv4 = new Literals();
const ipv6 = new Literals();

function literalsOf(family: u32): Literals {
  return family == IPV4 ? ipv4 : ipv6;
}

/** How many literals there are of a family. */
export function addressCount(family: u32): u32 {
  return literalsOf(family).count;
}

/** Address of the sixteen bytes of a literal. */
export function addressAt(family: u32, id: u32): usize {
  return literalsOf(family).data + ((<usize>id) << 4);
}

/** The number of an address. */
export function addressId(family: u32, bytes: usize): u32 {
  const all = literalsOf(family);
  if (all.count << 1 >= all.buckets.length) rehash(all);
  const mask = all.buckets.length - 1;
  let i = bucketHash(bytes, 16) & mask;
  const low = load<u64>(bytes);
  const high = load<u64>(bytes, 8);
  while (true) {
    const found = all.buckets.get(i);
    if (found == 0) break;
    const at = all.data + ((<usize>(found - 1)) << 4);
    if (load<u64>(at) == low && load<u64>(at, 8) == high) return found - 1;
    i = (i + 1) & mask;
  }
  if (all.count == all.capacity) {
    all.capacity = grown(all.capacity, all.count + 1, 256);
    const size = sizeOf(all.capacity, 16, 32);
    all.data = all.data == 0 ? heap.alloc(size) : heap.realloc(all.data, size);
  }
  memory.copy(all.data + ((<usize>all.count) << 4), bytes, 16);
  all.buckets.set(i, ++all.count);
  return all.count - 1;
}

function rehash(all: Literals): void {
  const capacity = max<u32>(all.buckets.length << 1, 1024);
  all.buckets.reserve(capacity);
  all.buckets.length = capacity;
  memory.fill(all.buckets.data, 0, (<usize>capacity) << 2);
  for (let id: u32 = 0; id < all.count; id++) {
    let i = bucketHash(all.data + ((<usize>id) << 4), 16) & (capacity - 1);
    while (all.buckets.get(i) != 0) i = (i + 1) & (capacity - 1);
    all.buckets.set(i, id + 1);
  }
}

let comparedData: usize = 0;
function compareLiterals(a: u32, b: u32): i32 {
  return memory.compare(comparedData + ((<usize>a) << 4), comparedData + ((<usize>b) << 4), 16);
}

/** Gives all literals their ranks; to be called when some may have been added. */
export function rankAddresses(): void {
  rank(ipv4);
  rank(ipv6);
}

function rank(all: Literals): void {
  if (all.ranked == all.count) return;
  all.order.clear();
  all.order.reserve(all.count);
  for (let id: u32 = 0; id < all.count; id++) all.order.push(id);
  comparedData = all.data;
  sortVector(all.order, 0, all.count, compareLiterals);
  all.ranks.reserve(all.count);
  all.ranks.length = all.count;
  for (let i: u32 = 0; i < all.count; i++) all.ranks.set(all.order.get(i), (i << 1) | 1);
  all.ranked = all.count;
}

export function rankOf(family: u32, id: u32): u32 {
  return literalsOf(family).ranks.get(id);
}

/** The highest rank: addresses above all literals. */
export function lastRank(family: u32): u32 {
  return literalsOf(family).count << 1;
}

/** The literal that has an odd rank. */
export function idOfRank(family: u32, rank: u32): u32 {
  return literalsOf(family).order.get(rank >> 1);
}

/** Rank of any address, a literal or not. */
export function rankOfBytes(family: u32, bytes: usize): u32 {
  const all = literalsOf(family);
  let low: u32 = 0;
  let high = all.order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = memory.compare(all.data + ((<usize>all.order.get(middle)) << 4), bytes, 16);
    if (order == 0) return (middle << 1) | 1;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return low << 1;
}

const first: usize = memory.data(16, 16);
const last: usize = memory.data(16, 16);

/** Puts the first address of a rank into `rankFirst`; false if no address has it (two literals that follow each other). */
export function firstOfRank(family: u32, rank: u32): bool {
  const all = literalsOf(family);
  const length = addressLength(family);
  const index = rank >> 1;
  if ((rank & 1) == 1) {
    memory.copy(first, addressAt(family, all.order.get(index)), 16);
    return true;
  }
  memory.fill(first, 0, 16);
  if (index > 0) {
    if (!successor(addressAt(family, all.order.get(index - 1)), length)) return false;
    memory.copy(first, nextAddress, 16);
  }
  return index == all.count || memory.compare(first, addressAt(family, all.order.get(index)), 16) != 0;
}

/** Puts the last address of a rank that some address has into `rankLast`. */
export function lastOfRank(family: u32, rank: u32): void {
  const all = literalsOf(family);
  const length = addressLength(family);
  const index = rank >> 1;
  if ((rank & 1) == 1) {
    memory.copy(last, addressAt(family, all.order.get(index)), 16);
  } else if (index < all.count) {
    predecessor(addressAt(family, all.order.get(index)), length);
    memory.copy(last, previousAddress, 16);
  } else {
    memory.fill(last, 0, 16);
    memory.fill(last, 0xff, length);
  }
}

/** What `firstOfRank` and `lastOfRank` have found. */
export const rankFirst: usize = first;
export const rankLast: usize = last;

/** Writes an address as text; returns the end. */
export function formatAddress(family: u32, to: usize, bytes: usize): usize {
  return family == IPV4 ? formatIPv4(to, bytes) : formatIPv6(to, bytes);
}
