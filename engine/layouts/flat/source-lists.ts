// Lists of source ranges in our own layout. Services with the same list, merged, share one chain and one set. Their names
// carry a hash of the list, but a hash is not the list: two lists with one hash get two names.
import { equalLiteral } from "../../bytes/compare";
import { SLACK, Vector } from "../../bytes/memory";
import { writeDecimal, writeLiteral } from "../../bytes/out";
import { mergeRanges, rangeAt } from "../../bytes/ranges";
import { hashText } from "../../bytes/sha256";
import { sizeOf } from "../../bytes/sizes";
import { Entry, Table } from "../../cluster/table";

/** Its key is the list itself: pairs of first and last address, 32 bytes each, in order. */
@unmanaged
export class SourceList extends Entry {
  /** The FlatChain that drops what comes from outside the list. */
  chain: usize;
}

/** Characters of base32, five bits each, that a name begins with. */
const HASH_LENGTH: usize = 16;
/** Name of a list: hash, then `-` and a number if the hash alone is another list's. */
const MAX_NAME: usize = HASH_LENGTH + 11;

const ipv4 = new Table();
const ipv6 = new Table();

function tableOf(family: u32): Table {
  return family == 0 ? ipv4 : ipv6;
}

/** The list that is looked for: room and bytes in use. */
let ranges: usize = 0;
let room: usize = 0;
let size: usize = 0;

function reserve(count: u32): void {
  size = sizeOf(count, 32);
  if (size <= room) return;
  if (ranges != 0) heap.free(ranges);
  room = size;
  ranges = heap.alloc(room + SLACK);
}

/** Looks for the list that these CIDRs come to when they are merged: 0 if it is not known. */
export function findSourceList(family: u32, cidrs: Vector): usize {
  const count = mergeRanges(cidrs, family == 0 ? 4 : 16);
  reserve(count);
  for (let i: u32 = 0; i < count; i++) memory.copy(ranges + ((<usize>i) << 5), rangeAt(i), 32);
  return tableOf(family).find(ranges, size);
}

/** The same for a list that is merged already: `count` pairs of addresses. */
export function findMergedList(family: u32, merged: usize, count: u32): usize {
  reserve(count);
  memory.copy(ranges, merged, size);
  return tableOf(family).find(ranges, size);
}

/** Adds the list that was looked for last. */
export function addSourceList(family: u32): SourceList {
  const at = heap.alloc(offsetof<SourceList>());
  memory.fill(at, 0, offsetof<SourceList>());
  tableOf(family).add(changetype<SourceList>(at), ranges, size, 0);
  return changetype<SourceList>(at);
}

export function removeSourceList(family: u32, list: SourceList): void {
  tableOf(family).remove(list);
}

/** Writes the name that the list which was looked for last has if it is the `number`th with its hash; returns its end. */
export function writeListName(to: usize, number: u32): usize {
  hashText(ranges, size, to, HASH_LENGTH);
  const end = to + HASH_LENGTH;
  return number == 1 ? end : writeDecimal(writeLiteral(end, "-"), number);
}

const nameBuffer: usize = memory.data(48, 16);

/** True if `writeListName` would give that name for some number. */
export function isListName(name: usize, length: usize): bool {
  if (length < HASH_LENGTH || length > MAX_NAME) return false;
  writeListName(nameBuffer, 1);
  if (memory.compare(name, nameBuffer, HASH_LENGTH) != 0) return false;
  if (length == HASH_LENGTH) return true;
  // `-2` and so on, as they are written.
  const digits = length - HASH_LENGTH - 1;
  if (digits == 0 || digits > 9 || !equalLiteral(name + HASH_LENGTH, 1, "-")) return false;
  const first = load<u8>(name + HASH_LENGTH + 1);
  if (first == 0x30 || (digits == 1 && first == 0x31)) return false;
  for (let i: usize = 0; i < digits; i++) {
    const digit = load<u8>(name + HASH_LENGTH + 1 + i);
    if (digit < 0x30 || digit > 0x39) return false;
  }
  return true;
}
