// Ranges of addresses: merging CIDRs that overlap or touch.
import { Vector } from "./memory";
import { sizeOf } from "./sizes";
import { sortVector } from "./sort";

/** What `successor` has made last: sixteen bytes. */
export const nextAddress: usize = memory.data(16, 16);

/** Puts the address after `ip` (the first `length` of sixteen bytes) into `nextAddress`; false if there is none. */
export function successor(ip: usize, length: usize): bool {
  memory.copy(nextAddress, ip, 16);
  for (let i = length; i > 0; i--) {
    const value = load<u8>(nextAddress + i - 1) + 1;
    store<u8>(nextAddress + i - 1, value);
    if (value != 0) return true;
  }
  return false;
}

/** What `predecessor` has made last: sixteen bytes. */
export const previousAddress: usize = memory.data(16, 16);

/** Puts the address before `ip` (the first `length` of sixteen bytes), which is not the first of all, into `previousAddress`. */
export function predecessor(ip: usize, length: usize): void {
  memory.copy(previousAddress, ip, 16);
  for (let i = length; i > 0; i--) {
    const value = load<u8>(previousAddress + i - 1);
    store<u8>(previousAddress + i - 1, value - 1);
    if (value != 0) return;
  }
}

const rows = new Vector();
let memoryOfRows: usize = 0;
let capacity: u32 = 0;

/** A range that `mergeRanges` has found last: first and last address, sixteen bytes each. */
export function rangeAt(index: u32): usize {
  return <usize>rows.get(index);
}

function compareRanges(a: u32, b: u32): i32 {
  return memory.compare(<usize>a, <usize>b, 32);
}

/**
 * Merges CIDRs (addresses of sixteen bytes and a prefix length; one beyond the address is a single address) into ranges
 * that neither overlap nor touch, in order; returns how many. `length`: 4 or 16 bytes of address.
 */
export function mergeRanges(cidrs: Vector, length: usize): u32 {
  if (cidrs.length > capacity) {
    if (memoryOfRows != 0) heap.free(memoryOfRows);
    capacity = cidrs.length;
    memoryOfRows = heap.alloc(sizeOf(capacity, 32));
  }
  rows.clear();
  for (let i: u32 = 0; i < cidrs.length; i++) {
    const row = memoryOfRows + ((<usize>i) << 5);
    const from = <usize>cidrs.get(i);
    memory.copy(row, from, 16);
    memory.copy(row + 16, from, 16);
    for (let bit = load<u32>(from, 16); bit < (<u32>length) << 3; bit++) {
      const at = row + 16 + <usize>(bit >> 3);
      store<u8>(at, <u8>(<u32>load<u8>(at) | (0x80 >> (bit & 7))));
    }
    rows.push(<u32>row);
  }
  sortVector(rows, 0, rows.length, compareRanges);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < rows.length; i++) {
    const row = <usize>rows.get(i);
    if (kept > 0) {
      const before = <usize>rows.get(kept - 1);
      const touches = !successor(before + 16, length) || memory.compare(row, nextAddress, length) <= 0;
      if (touches) {
        if (memory.compare(row + 16, before + 16, length) > 0) memory.copy(before + 16, row + 16, 16);
        continue;
      }
    }
    rows.set(kept++, <u32>row);
  }
  rows.length = kept;
  return kept;
}
