// Elements of sets and maps, in declarations, in `add element` and in rules.
import { IPV6 } from "../model/addresses";
import { nameOf } from "../model/names";

import { Op } from "../model/rules";
import { addRow, Column, columnType, deleteRow, ElementSet, MAX_COLUMNS, rowWords, setAt, Value } from "../model/sets";
import { chainNamed } from "../model/tables";
import * as icmp from "./icmp-types";
import * as literals from "./literals";
import * as numbers from "./numbers";
import { badSyntax, unknownWord } from "./problems";
import * as words from "./words";

/** 1 or 58: what is read as ports are ICMP's types; 0: they are ports. */
let icmpProtocol: u32 = 0;
export function readIcmpTypes(protocol: u32): void {
  icmpProtocol = protocol;
}

/** First and last of each column, then two words of value and the line. */
const row: usize = memory.data(64, 16);

/** From `{` to behind `}`. */
export function readElements(number: u32, isDelete: bool): void {
  const set = setAt(number);
  const line = words.line;
  words.next();
  while (words.kind != words.Kind.END && !words.isSignOf(0x7d)) {
    if (words.kind == words.Kind.NEWLINE || words.isSignOf(0x2c)) words.next();
    else if (readElement(set, isDelete)) continue;
    else skipElement(set);
  }
  if (words.kind == words.Kind.END) badSyntax(line, "the elements do not end", 0, 0);
  words.next();
}

function skipElement(set: ElementSet): void {
  set.isUnknown = true;
  unknownWord(words.line, "element", words.bytes, words.length);
  while (words.kind != words.Kind.END && !words.isSignOf(0x7d) && !words.isSignOf(0x2c)) words.next();
}

/** Reads one element; false: it is not understood, and nothing of it was added. */
function readElement(set: ElementSet, isDelete: bool): bool {
  const line = words.line;
  memory.fill(row, 0, 64);
  if (set.columns > MAX_COLUMNS) return false;
  for (let column: u32 = 0; column < set.columns; column++) {
    if (column > 0) {
      if (!words.is(".")) return false;
      words.next();
    }
    if (!readKey(columnType(set, column), row + ((<usize>column) << 3))) return false;
    if (load<u32>(row, 0) != load<u32>(row, 4)) set.isInterval = true;
    words.next();
  }
  if (!skipDetails()) return false;
  const value = row + ((<usize>set.columns) << 3);
  if (words.isSignOf(0x3a)) {
    words.next();
    if (!readValue(set, value)) return false;
    skipDetails();
  } else if (set.value != Value.NONE && !isDelete) return false;
  if (isDelete) {
    deleteRow(set, row);
    return true;
  }
  store<u32>(value, line, 8);
  memory.copy(addRow(set), row, (<usize>rowWords(set)) << 2);
  return true;
}

/** Comments, timeouts and counters, which may stand behind the key or the value. */
function skipDetails(): bool {
  while (true) {
    if (words.is("comment") || words.is("timeout") || words.is("expires")) {
      words.next();
      words.next();
    } else if (words.is("counter")) {
      words.next();
      while (words.is("packets") || words.is("bytes")) {
        words.next();
        words.next();
      }
    } else {
      return words.isSignOf(0x3a) || words.isSignOf(0x2c) || words.isSignOf(0x7d) || words.kind == words.Kind.NEWLINE;
    }
  }
}

/** The word as first and last of a column's type. */
export function readKey(type: u32, to: usize): bool {
  if (type == Column.IPV4 || type == Column.IPV6) {
    if (!literals.parseLiterals(words.bytes, words.length)) return false;
    if ((literals.family == IPV6) != (type == Column.IPV6)) return false;
    store<u32>(to, literals.first);
    store<u32>(to, literals.last, 4);
    return true;
  }
  if (type == Column.PROTOCOL) {
    if (!numbers.parseProtocols(words.bytes, words.length)) return false;
  } else if (type == Column.PORT && icmpProtocol != 0) {
    if (!icmp.parseIcmpType(words.bytes, words.length, icmpProtocol == 58)) return false;
    store<u32>(to, icmp.first);
    store<u32>(to, icmp.last, 4);
    return true;
  } else if (type == Column.PORT) {
    if (!numbers.parseRange(words.bytes, words.length, 0x2d, 0xffff)) return false;
  } else if (type == Column.NUMBER) {
    if (!numbers.parseRange(words.bytes, words.length, 0x2d, u32.MAX_VALUE)) return false;
  } else if (type == Column.INTERFACE) {
    if (words.length == 0 || load<u8>(words.bytes + words.length - 1) == 0x2a) return false;
    store<u32>(to, nameOf(words.bytes, words.length));
    store<u32>(to, load<u32>(to), 4);
    return true;
  } else {
    return false;
  }
  store<u32>(to, numbers.first);
  store<u32>(to, numbers.last, 4);
  return true;
}

/** The word is a verdict that needs nothing behind it; 0: it is not. */
export function plainVerdict(): u32 {
  if (words.is("accept")) return Op.ACCEPT;
  if (words.is("drop")) return Op.DROP;
  if (words.is("return") || words.is("continue")) return words.is("return") ? Op.RETURN : 0;
  return 0;
}

function readValue(set: ElementSet, to: usize): bool {
  if (set.value == Value.VERDICT) {
    const plain = plainVerdict();
    store<u32>(to, plain);
    if (plain == 0) {
      if (!words.is("goto") && !words.is("jump")) return false;
      store<u32>(to, words.is("goto") ? Op.GOTO : Op.JUMP);
      words.next();
      if (words.isLineEnd()) return false;
      store<u32>(to, chainNamed(set.table, nameOf(words.bytes, words.length)), 4);
    }
    words.next();
    return true;
  }
  if (set.value != Value.ENDPOINT) return false;
  if (!literals.parseLiterals(words.bytes, words.length) || literals.first != literals.last) return false;
  if (literals.family != set.valueFamily) return false;
  store<u32>(to, literals.first);
  words.next();
  if (!words.is(".")) return true;
  words.next();
  const port = numbers.parseNumber(words.bytes, words.length);
  if (port > 0xffff) return false;
  store<u32>(to, <u32>port, 4);
  words.next();
  return true;
}
