// Look-ups of parts of the packet in sets and maps. Each narrows the box to the packets that it would come out the same for: a
// column that is found to a point, one that is not to the gap between its neighbours.
import { ABSENT } from "../model/pairs";
import { code, Field } from "../model/rules";
import { ElementSet, rowWords } from "../model/sets";
import { Interface, interfaceIsPrefix, interfaceName } from "./interfaces";
import { Dim, narrow, narrowByRange, Origin, packet, valueOf } from "./packet";
import { columnAt } from "./set-index";
import { inInterface, outInterface } from "./stages";
import { state } from "./state";

/** Rows that a look-up has found: from `foundFirst` to before `foundEnd`; several only where numgen chooses among them. */
export let foundFirst: u32 = 0;
export let foundEnd: u32 = 0;
/** What numgen draws from; 0: the look-up has none. */
export let modulus: u32 = 0;

/** Value of a part of the packet as it is now; `fixed` says whether it belongs to the packet no more. */
let fixed: bool = false;
let dim: u32 = 0;
function fieldValue(field: u32): u32 {
  fixed = false;
  switch (field) {
    case Field.DADDR:
      dim = Dim.DADDR;
      fixed = state.isAddressNew;
      return fixed ? state.daddr : valueOf(Dim.DADDR);
    case Field.PROTOCOL:
      dim = Dim.PROTOCOL;
      return valueOf(Dim.PROTOCOL);
    case Field.DPORT:
      dim = Dim.DPORT;
      fixed = state.isPortNew;
      return fixed ? state.dport : valueOf(Dim.DPORT);
    case Field.SADDR:
      dim = Dim.SADDR;
      return valueOf(Dim.SADDR);
    case Field.SPORT:
      dim = Dim.SPORT;
      return valueOf(Dim.SPORT);
    case Field.IIF:
      dim = Dim.IIF;
      return namedInterface(inInterface(), packet.origin == Origin.NODE);
    case Field.OIF: {
      const out = outInterface();
      dim = Dim.OIF;
      return namedInterface(out, out == Interface.NONE || (packet.origin == Origin.NODE && out == Interface.LOOPBACK));
    }
  }
  fixed = true;
  return state.mark;
}

/** Name of the class of an interface; a value that no set has if it has none. The box keeps the class alone. */
function namedInterface(number: u32, isFixed: bool): u32 {
  if (!isFixed) narrow(dim, valueOf(dim), valueOf(dim));
  fixed = true;
  return number < Interface.LOOPBACK || interfaceIsPrefix(number) ? ABSENT - 1 : interfaceName(number);
}

function word(set: ElementSet, row: u32, index: u32): u32 {
  return load<u32>(set.sorted + ((<usize>row * <usize>rowWords(set) + <usize>index) << 2));
}

/** First row from `low` to before `high` whose level is at least `value`. */
function lowerBound(set: ElementSet, level: u32, low: u32, high: u32, value: u32): u32 {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (word(set, middle, level << 1) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Looks fields up, `count` words of code from `fields` on. True: found. */
export function lookUp(set: ElementSet, fields: u32, count: u32): bool {
  modulus = 0;
  foundFirst = 0;
  foundEnd = set.sortedCount;
  if (set.isInterval) return set.columns == 1 && count == 1 ? lookUpRange(set, fields) : lookUpRows(set, fields, count);
  for (let level: u32 = 0; level < count; level++) {
    const field = code.get(fields + columnAt(set, level));
    if ((field & 0xff) == Field.NUMGEN) {
      modulus = field >> 8;
      continue;
    }
    const value = fieldValue(field & 0xff);
    const low = lowerBound(set, level, foundFirst, foundEnd, value);
    const isHere = low < foundEnd && word(set, low, level << 1) == value;
    if (!isHere) {
      if (!fixed) {
        const first = low > foundFirst ? word(set, low - 1, level << 1) + 1 : 0;
        const last = low < foundEnd ? word(set, low, level << 1) - 1 : u32.MAX_VALUE;
        narrow(dim, first, last);
      }
      return false;
    }
    if (!fixed) narrow(dim, value, value);
    // Most often the only one, or numgen's slots.
    foundFirst = low;
    foundEnd = value == u32.MAX_VALUE ? foundEnd : lowerBound(set, level, low + 1, foundEnd, value + 1);
  }
  return foundFirst < foundEnd;
}

/** One column of ranges that do not overlap. */
function lookUpRange(set: ElementSet, fields: u32): bool {
  const value = fieldValue(code.get(fields) & 0xff);
  let low: u32 = 0;
  let high = set.sortedCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (word(set, middle, 1) < value) low = middle + 1;
    else high = middle;
  }
  foundFirst = low;
  foundEnd = low + 1;
  const isHere = low < set.sortedCount && word(set, low, 0) <= value;
  if (fixed) return isHere;
  if (isHere) {
    narrow(dim, word(set, low, 0), word(set, low, 1));
    return true;
  }
  narrow(dim, low == 0 ? 0 : word(set, low - 1, 1) + 1, low < set.sortedCount ? word(set, low, 0) - 1 : u32.MAX_VALUE);
  return false;
}

/** Several columns of ranges: row by row, each of which needs one column to fail. */
function lookUpRows(set: ElementSet, fields: u32, count: u32): bool {
  for (let row: u32 = 0; row < set.sortedCount; row++) {
    let fails = false;
    for (let level: u32 = 0; level < count && !fails; level++) {
      const value = fieldValue(code.get(fields + columnAt(set, level)) & 0xff);
      const first = word(set, row, level << 1);
      const last = word(set, row, (level << 1) + 1);
      fails = value < first || value > last;
      if (fails && !fixed) narrowByRange(dim, first, last);
    }
    if (fails) continue;
    for (let level: u32 = 0; level < count; level++) {
      fieldValue(code.get(fields + columnAt(set, level)) & 0xff);
      if (!fixed) narrowByRange(dim, word(set, row, level << 1), word(set, row, (level << 1) + 1));
    }
    foundFirst = row;
    foundEnd = row + 1;
    return true;
  }
  return false;
}

/** The row from `first` to before `end` which has a slot of numgen's, or ABSENT. */
export function rowOfSlot(set: ElementSet, slot: u32, first: u32, end: u32): u32 {
  const level = set.columns - 1;
  const row = lowerBound(set, level, first, end, slot);
  return row < end && word(set, row, level << 1) == slot ? row : ABSENT;
}

/** First and second word of a row's value, and its line. */
export function rowValue(set: ElementSet, row: u32): u32 {
  return word(set, row, set.columns << 1);
}
export function rowPort(set: ElementSet, row: u32): u32 {
  return word(set, row, (set.columns << 1) + 1);
}
export function rowLine(set: ElementSet, row: u32): u32 {
  return word(set, row, (set.columns << 1) + 2);
}
