// Declarations of sets and maps.
import { IPV4, IPV6 } from "../model/addresses";
import { Field } from "../model/rules";
import { Column, ElementSet, MAX_COLUMNS, setAt, setColumnType, Value } from "../model/sets";
import { readElements } from "./nft-elements";
import { fieldAt, fieldCount, fieldFamily, fieldsAreKnown, isIcmp, readFields } from "./nft-fields";
import * as numbers from "./numbers";
import { badSyntax, unknownWord } from "./problems";
import * as words from "./words";

/** From `{` to behind `}`. */
export function readSetBody(number: u32, isMap: bool): void {
  const line = words.line;
  words.next();
  while (words.kind != words.Kind.END && !words.isSignOf(0x7d)) readItem(number, isMap);
  if (words.kind == words.Kind.END) badSyntax(line, "the set does not end", 0, 0);
  words.next();
}

function readItem(number: u32, isMap: bool): void {
  const set = setAt(number);
  if (words.kind == words.Kind.NEWLINE || words.isSignOf(0x3b)) words.next();
  else if (words.is("type") || words.is("typeof")) readDeclaredType(set, isMap);
  else if (words.is("flags")) readFlags(set);
  else if (words.is("timeout")) {
    words.next();
    const seconds = numbers.parseDuration(words.bytes, words.length);
    if (seconds == numbers.NO_NUMBER) unknownWord(words.line, "timeout", words.bytes, words.length);
    else set.timeout = <u32>seconds;
    words.next();
  } else if (words.is("elements")) {
    words.next();
    if (words.isSignOf(0x3d)) words.next();
    if (words.isSignOf(0x7b)) readElements(number, false);
    else badSyntax(words.line, "expected elements in braces", words.bytes, words.length);
  } else {
    // comment, size, policy, gc-interval, auto-merge, counter: nothing that decides what is in the set
    words.next();
    while (!words.isLineEnd() && !words.isSignOf(0x3b) && !words.isSignOf(0x7d)) words.next();
  }
}

/** A set that is declared again has its elements still, unless its type is another one: then nobody knows what it holds. */
function readDeclaredType(set: ElementSet, isMap: bool): void {
  const columns = set.columns;
  const types = set.types;
  const value = set.value;
  const family = set.valueFamily;
  if (words.is("type")) readType(set, isMap);
  else readTypeof(set, isMap);
  if (set.rowCount == 0) return;
  if (set.columns == columns && set.types == types && set.value == value && set.valueFamily == family) return;
  heap.free(set.rows);
  set.rows = 0;
  set.rowCount = 0;
  set.rowCapacity = 0;
  set.isUnknown = true;
}

function readFlags(set: ElementSet): void {
  words.next();
  while (!words.isLineEnd() && !words.isSignOf(0x3b) && !words.isSignOf(0x7d)) {
    if (words.is("interval")) set.isInterval = true;
    if (words.is("dynamic")) set.isDynamic = true;
    words.next();
  }
}

function columnNamed(): u32 {
  if (words.is("ipv4_addr")) return Column.IPV4;
  if (words.is("ipv6_addr")) return Column.IPV6;
  if (words.is("inet_proto")) return Column.PROTOCOL;
  if (words.is("inet_service")) return Column.PORT;
  if (words.is("ifname")) return Column.INTERFACE;
  if (words.is("mark") || words.is("integer")) return Column.NUMBER;
  return Column.OTHER;
}

/** `a . b [: value]` */
function readType(set: ElementSet, isMap: bool): void {
  words.next();
  readColumns(set);
  if (!isMap || !words.isSignOf(0x3a)) return;
  words.next();
  if (words.is("verdict")) {
    set.value = Value.VERDICT;
    words.next();
    return;
  }
  const value = columnNamed();
  setValue(set, value == Column.IPV4 || value == Column.IPV6 ? value : Column.OTHER);
  while (!words.isLineEnd() && !words.isSignOf(0x3b)) words.next();
}

function setValue(set: ElementSet, column: u32): void {
  set.value = column == Column.OTHER ? Value.OTHER : Value.ENDPOINT;
  set.valueFamily = column == Column.IPV6 ? IPV6 : IPV4;
}

function readColumns(set: ElementSet): void {
  set.columns = 0;
  while (!words.isLineEnd() && !words.isSignOf(0x3b) && !words.isSignOf(0x3a)) {
    if (!words.is(".")) addColumn(set, columnNamed());
    words.next();
  }
}

function addColumn(set: ElementSet, type: u32): void {
  if (set.columns == MAX_COLUMNS) {
    set.isUnknown = true;
    return;
  }
  if (type == Column.OTHER) set.isUnknown = true;
  setColumnType(set, set.columns++, type);
}

function columnOf(field: u32, family: u32): u32 {
  switch (field & 0xff) {
    case Field.DADDR:
    case Field.SADDR:
      return family == IPV6 ? Column.IPV6 : Column.IPV4;
    case Field.PROTOCOL:
      return Column.PROTOCOL;
    case Field.DPORT:
    case Field.SPORT:
      return Column.PORT;
    case Field.IIF:
    case Field.OIF:
      return Column.INTERFACE;
    case Field.MARK:
    case Field.NUMGEN:
      return Column.NUMBER;
  }
  return Column.OTHER;
}

/** `typeof ip daddr . meta l4proto [: ip daddr . th dport]`, `typeof … : verdict` */
function readTypeof(set: ElementSet, isMap: bool): void {
  words.next();
  set.columns = 0;
  if (!readFields()) set.isUnknown = true;
  if (!fieldsAreKnown()) set.isUnknown = true;
  for (let i: u32 = 0; i < fieldCount(); i++) {
    addColumn(set, isIcmp(i) ? Column.OTHER : columnOf(fieldAt(i), fieldFamily(i)));
  }
  if (!isMap || !words.isSignOf(0x3a)) return;
  words.next();
  if (words.is("verdict")) {
    set.value = Value.VERDICT;
    words.next();
    return;
  }
  if (!readFields()) set.isUnknown = true;
  const isAddress = fieldCount() > 0 && (fieldAt(0) == Field.DADDR || fieldAt(0) == Field.SADDR);
  setValue(set, isAddress ? columnOf(fieldAt(0), fieldFamily(0)) : Column.OTHER);
}
