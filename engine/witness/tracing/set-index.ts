// Sets and maps as tracing looks them up: rows sorted column by column, with ranks for addresses.
import { SLACK, Vector } from "../../bytes/memory";
import { sizeOf } from "../../bytes/sizes";
import { sortVector } from "../../bytes/sort";
import { IPV4, IPV6, rankOf } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { Column, columnType, ElementSet, rowAt, rowWords, Value } from "../model/sets";
import { protocolRank } from "./protocol-ranks";

/** Column that stands at a level of the sorted rows. */
export function columnAt(set: ElementSet, level: u32): u32 {
  return (set.order >> (level << 2)) & 15;
}

/**
 * How a set is looked up first decides the order of its columns. A source before others comes last: after DNAT all others are
 * known, and the sources for them are next to each other.
 */
export function chooseOrder(set: ElementSet, isSourceFirst: bool): void {
  if (set.order != ABSENT) return;
  let order: u32 = 0;
  for (let level: u32 = 0; level < set.columns; level++) {
    let column = level;
    if (isSourceFirst && set.columns > 1) column = level + 1 == set.columns ? 0 : level + 1;
    order |= column << (level << 2);
  }
  set.order = order;
}

let compared: ElementSet = changetype<ElementSet>(0);
let comparedRows: usize = 0;

function compareRows(a: u32, b: u32): i32 {
  const size = (<usize>rowWords(compared)) << 2;
  const x = comparedRows + <usize>a * size;
  const y = comparedRows + <usize>b * size;
  const words = compared.columns << 1;
  for (let i: usize = 0; i < <usize>words; i++) {
    const p = load<u32>(x + (i << 2));
    const q = load<u32>(y + (i << 2));
    if (p != q) return p < q ? -1 : 1;
  }
  return 0;
}

const rows = new Vector();

/** Sorts a set's rows: first and last of each level, two words of value, line. */
export function prepareSet(set: ElementSet): void {
  chooseOrder(set, false);
  const size = (<usize>rowWords(set)) << 2;
  const bytes = sizeOf(set.rowCount, size, SLACK);
  const ranked = heap.alloc(bytes);
  for (let i: u32 = 0; i < set.rowCount; i++) {
    const from = rowAt(set, i);
    const to = ranked + <usize>i * size;
    memory.copy(to, from, size);
    for (let level: u32 = 0; level < set.columns; level++) {
      const column = columnAt(set, level);
      const type = columnType(set, column);
      let first = load<u32>(from + ((<usize>column) << 3));
      let last = load<u32>(from + ((<usize>column) << 3), 4);
      if (type == Column.IPV4 || type == Column.IPV6) {
        const family = type == Column.IPV6 ? IPV6 : IPV4;
        first = rankOf(family, first);
        last = rankOf(family, last);
      } else if (type == Column.PROTOCOL) {
        first = protocolRank(first);
        last = protocolRank(last);
      }
      store<u32>(to + ((<usize>level) << 3), first);
      store<u32>(to + ((<usize>level) << 3), last, 4);
    }
  }
  rows.clear();
  for (let i: u32 = 0; i < set.rowCount; i++) rows.push(i);
  compared = set;
  comparedRows = ranked;
  sortVector(rows, 0, rows.length, compareRows);
  if (set.sorted != 0) heap.free(set.sorted);
  set.sorted = heap.alloc(bytes);
  for (let i: u32 = 0; i < set.rowCount; i++) {
    memory.copy(set.sorted + <usize>i * size, ranked + <usize>rows.get(i) * size, size);
  }
  heap.free(ranked);
  set.sortedCount = set.rowCount;
  if (set.isInterval && set.columns == 1 && set.value == Value.NONE) mergeRanges(set, size);
}

/** nft takes overlapping ranges in a rule's own set, and the kernel gets them merged. */
function mergeRanges(set: ElementSet, size: usize): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < set.rowCount; i++) {
    const row = set.sorted + <usize>i * size;
    if (kept > 0) {
      const before = set.sorted + <usize>(kept - 1) * size;
      if (load<u32>(before, 4) >= load<u32>(row)) {
        store<u32>(before, max(load<u32>(before, 4), load<u32>(row, 4)), 4);
        continue;
      }
    }
    memory.copy(set.sorted + <usize>kept * size, row, size);
    kept++;
  }
  set.sortedCount = kept;
}
