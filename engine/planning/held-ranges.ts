// Which ranges of addresses a set of the kernel's holds. The kernel dumps a range as two elements, its first address and
// the one after its last, which is marked as an end; a range up to the last address of all has no end.
import { SLACK, Vector } from "../bytes/memory";
import { predecessor, previousAddress } from "../bytes/ranges";
import { sizeOf } from "../bytes/sizes";
import { sortVector } from "../bytes/sort";
import { findAttribute, numberOf, valueEnd, valueLength, valueOf } from "../encodings/netlink-attributes";
import { Attribute } from "../encodings/netlink-numbers";
import { Named, Part } from "../encodings/netlink-objects";

/** An element: sixteen bytes of address, then whether it is an end. */
const ROW: usize = 20;
/** NFT_SET_ELEM_INTERVAL_END */
const INTERVAL_END: u32 = 1;

const rows = new Vector();
let memoryOfRows: usize = 0;
let memoryOfRanges: usize = 0;
let capacity: u32 = 0;

/** The ranges that `readRanges` has found last: pairs of first and last address, 32 bytes each, in order. */
export function heldRanges(): usize {
  return memoryOfRanges;
}

function reserve(count: u32): void {
  if (count <= capacity) return;
  if (memoryOfRows != 0) heap.free(memoryOfRows);
  if (memoryOfRanges != 0) heap.free(memoryOfRanges);
  capacity = count;
  memoryOfRows = heap.alloc(sizeOf(count, ROW, SLACK));
  memoryOfRanges = heap.alloc(sizeOf(count, 32, SLACK));
}

/** By address; an end comes before the range that begins where it is. */
function compareRows(a: u32, b: u32): i32 {
  const order = memory.compare(<usize>a, <usize>b, 16);
  return order != 0 ? order : <i32>load<u32>(<usize>b, 16) - <i32>load<u32>(<usize>a, 16);
}

function readRow(part: Part, row: usize, addressLength: usize): bool {
  const key = findAttribute(part.start, part.end, Attribute.ELEMENT_KEY);
  const value: usize = key == 0 ? 0 : findAttribute(valueOf(key), valueEnd(key), Attribute.DATA_VALUE);
  if (value == 0 || valueLength(value) != addressLength) return false;
  memory.fill(row, 0, ROW);
  memory.copy(row, valueOf(value), addressLength);
  store<u32>(row, numberOf(findAttribute(part.start, part.end, Attribute.ELEMENT_FLAGS)) & INTERVAL_END, 16);
  return true;
}

/** Reads the ranges of a set of addresses (4 or 16 bytes each); returns how many there are, 0 if it is no such set. */
export function readRanges(set: Named, addressLength: usize): u32 {
  reserve(set.count);
  rows.clear();
  for (let at = set.first; at != 0; at = changetype<Part>(at).next) {
    const row = memoryOfRows + <usize>rows.length * ROW;
    if (!readRow(changetype<Part>(at), row, addressLength)) return 0;
    rows.push(<u32>row);
  }
  sortVector(rows, 0, rows.length, compareRows);
  let count: u32 = 0;
  let first: usize = 0; // of the range that has no end yet
  for (let i: u32 = 0; i < rows.length; i++) {
    const row = <usize>rows.get(i);
    if (load<u32>(row, 16) == 0) {
      if (first == 0) first = row;
    } else if (first != 0) {
      predecessor(row, addressLength);
      addRange(count++, first, previousAddress);
      first = 0;
    }
  }
  if (first == 0) return count;
  memory.fill(previousAddress, 0, 16);
  memory.fill(previousAddress, 0xff, addressLength);
  addRange(count++, first, previousAddress);
  return count;
}

function addRange(index: u32, first: usize, last: usize): void {
  const to = memoryOfRanges + ((<usize>index) << 5);
  memory.copy(to, first, 16);
  memory.copy(to + 16, last, 16);
}
