// Sets and maps, named and anonymous, with their elements.
import { SLACK, Vector } from "../../bytes/memory";
import { sizeOf } from "../../bytes/sizes";
import { ABSENT, PairMap } from "./pairs";

export namespace Column {
  export const IPV4: u32 = 0;
  export const IPV6: u32 = 1;
  export const PROTOCOL: u32 = 2;
  export const PORT: u32 = 3;
  export const INTERFACE: u32 = 4;
  /** A mark, or the number that numgen draws. */
  export const NUMBER: u32 = 5;
  /** What we do not follow: no element of such a set is known. */
  export const OTHER: u32 = 6;
}

export namespace Value {
  export const NONE: u32 = 0;
  /** Operation (Op.ACCEPT and the like), chain. */
  export const VERDICT: u32 = 1;
  /** Literal, port; or one of them alone (ABSENT; 0). */
  export const ENDPOINT: u32 = 2;
  export const OTHER: u32 = 3;
}

export const MAX_COLUMNS: u32 = 6;

/** Elements are rows of words: first and last of each column, two words of value, line. Addresses are literals' numbers. */
@unmanaged
export class ElementSet {
  table: u32 = 0;
  /** 0: an anonymous one. */
  name: u32 = 0;
  line: u32 = 0;
  columns: u32 = 0;
  /** Four bits each. */
  types: u32 = 0;
  value: u32 = Value.NONE;
  /** Family of the addresses that a map holds. */
  valueFamily: u32 = 0;
  isInterval: bool = false;
  isDynamic: bool = false;
  /** Some element or the declaration is not understood. */
  isUnknown: bool = false;
  timeout: u32 = 0;
  rows: usize = 0;
  rowCount: u32 = 0;
  rowCapacity: u32 = 0;
  // Made by tracing/set-index.ts.
  prepared: u32 = 0;
  sorted: usize = 0;
  sortedCount: u32 = 0;
  /** Column that stands at each level of `sorted`, four bits each; 0 columns looked up yet: ABSENT. */
  order: u32 = ABSENT;
}

const sets = new Vector();
const numbers = new PairMap();

export function setCount(): u32 {
  return sets.length;
}
export function setAt(number: u32): ElementSet {
  return changetype<ElementSet>(<usize>sets.get(number));
}

/** Adds a set without elements. `name` 0: an anonymous one. */
export function addSet(table: u32, name: u32, line: u32): u32 {
  const set = changetype<ElementSet>(heap.alloc(sizeOf(1, offsetof<ElementSet>())));
  memory.fill(changetype<usize>(set), 0, offsetof<ElementSet>());
  set.table = table;
  set.name = name;
  set.line = line;
  set.order = ABSENT;
  sets.push(<u32>changetype<usize>(set));
  if (name != 0) numbers.set(table, name, sets.length - 1);
  return sets.length - 1;
}

export function findSet(table: u32, name: u32): u32 {
  return numbers.get(table, name);
}

/** The set of that name; one that is not declared yet has line 0. */
export function setNamed(table: u32, name: u32): u32 {
  const found = findSet(table, name);
  return found != ABSENT ? found : addSet(table, name, 0);
}

export function columnType(set: ElementSet, column: u32): u32 {
  return (set.types >> (column << 2)) & 15;
}

export function setColumnType(set: ElementSet, column: u32, type: u32): void {
  set.types = (set.types & ~((<u32>15) << (column << 2))) | (type << (column << 2));
}

/** Words of a row. */
export function rowWords(set: ElementSet): u32 {
  return set.columns * 2 + 3;
}

export function rowAt(set: ElementSet, row: u32): usize {
  return set.rows + ((<usize>row * <usize>rowWords(set)) << 2);
}

/** Adds an element; returns where its words go. */
export function addRow(set: ElementSet): usize {
  const bytes = (<usize>rowWords(set)) << 2;
  if (set.rowCount == set.rowCapacity) {
    set.rowCapacity = max<u32>(set.rowCapacity << 1, 4);
    const size = sizeOf(set.rowCapacity, bytes, SLACK);
    set.rows = set.rows == 0 ? heap.alloc(size) : heap.realloc(set.rows, size);
  }
  set.prepared = 0;
  set.rowCount++;
  return set.rows + <usize>(set.rowCount - 1) * bytes;
}

/** Takes away the element whose key is in `key` (first and last of each column). */
export function deleteRow(set: ElementSet, key: usize): void {
  const keyBytes = (<usize>set.columns) << 3;
  for (let i: u32 = 0; i < set.rowCount; i++) {
    if (memory.compare(rowAt(set, i), key, keyBytes) != 0) continue;
    memory.copy(rowAt(set, i), rowAt(set, --set.rowCount), (<usize>rowWords(set)) << 2);
    set.prepared = 0;
    return;
  }
}

/** Takes all elements away. */
export function flushSet(number: u32): void {
  const set = setAt(number);
  set.rowCount = 0;
  set.prepared = 0;
}
