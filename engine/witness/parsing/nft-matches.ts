// Matches of nft on parts of a packet, verdict maps on them, and the setting of marks.
import { setList } from "../model/affinity";
import { nameOf } from "../model/names";
import { ABSENT } from "../model/pairs";
import { code, Field, Flag, Op, statement, statement2, statement3 } from "../model/rules";
import { addSet, Column, findSet, setAt, setColumnType, Value } from "../model/sets";
import { TableFamily, tableAt } from "../model/tables";
import { readElements, readIcmpTypes, readKey } from "./nft-elements";
import {
  ANY_PROTOCOL,
  fieldAt,
  fieldCount,
  fieldFamily,
  fieldProtocol,
  fieldsAreKnown,
  isIcmp,
  readFields,
} from "./nft-fields";
import * as numbers from "./numbers";
import { missing } from "./problems";
import { readTcpFlags } from "./tcp-flags";
import * as words from "./words";

const range: usize = memory.data(8, 8);

let table: u32 = 0;
let line: u32 = 0;

/** Reads a match, a `vmap`, or `mark set …`; false: it is not understood. */
export function readMatch(ofTable: u32, atLine: u32): bool {
  table = ofTable;
  line = atLine;
  if (words.is("meta")) {
    words.mark();
    words.next();
    if (words.is("nfproto")) return readFamily();
    if (words.is("skuid") || words.is("skgid")) return readOwner();
    if (!words.is("mark")) return readMetaField();
    if (looksMarkUp()) return readMetaField();
  }
  if (words.is("mark")) return readMark(Op.MARK, Op.SET_MARK);
  if (words.is("tcp")) {
    words.mark();
    words.next();
    if (words.is("flags")) return readTcpFlagMatch();
    words.back();
  }
  return readFieldMatch(readFields());
}

/** `meta skuid [!=] N`: what comes in from outside has no owner, and matches neither. */
function readOwner(): bool {
  words.next();
  if (words.is("!=") || words.is("==")) words.next();
  if (words.kind != words.Kind.WORD && words.kind != words.Kind.STRING) return false;
  words.next();
  if (words.isSignOf(0x2c)) return false;
  statement(Op.OWNER, 0);
  return true;
}

/** `mark { … }`, `mark @s`, `mark vmap …`, `mark . …`: what follows the word at hand, which stays there if it is none of these. */
function looksMarkUp(): bool {
  // Texts have slack behind them.
  const end = words.bytes + words.length;
  let at = end;
  while (load<u8>(at) == 0x20 && at < end + 4) at++;
  const c = load<u8>(at);
  return at > end && (c == 0x7b || c == 0x40 || c == 0x76 || c == 0x2e);
}

/** `meta nfproto ipv4` */
function readFamily(): bool {
  words.next();
  let not = words.is("!=");
  if (not || words.is("==")) words.next();
  if (words.is("ipv6")) not = !not;
  else if (!words.is("ipv4")) return false;
  words.next();
  // The whole space of one family: an address of it and no other's.
  statement(Op.FAMILY, 1);
  code.push(not ? 1 : 0);
  return true;
}

/** Column of a set that a field is looked up in. */
export function columnFor(index: u32): u32 {
  switch (fieldAt(index) & 0xff) {
    case Field.DADDR:
    case Field.SADDR:
      return fieldFamily(index) == 1 ? Column.IPV6 : Column.IPV4;
    case Field.PROTOCOL:
      return Column.PROTOCOL;
    case Field.DPORT:
    case Field.SPORT:
      return Column.PORT;
    case Field.IIF:
    case Field.OIF:
      return Column.INTERFACE;
  }
  return Column.NUMBER;
}

/** The families and protocols that fields imply, as matches of their own. */
export function writeImplied(): void {
  const isBoth = tableAt(table).family == TableFamily.INET;
  for (let i: u32 = 0; i < fieldCount(); i++) {
    const field = fieldAt(i) & 0xff;
    if (isBoth && (field == Field.DADDR || field == Field.SADDR)) {
      statement(Op.FAMILY, 1);
      code.push(fieldFamily(i));
    }
    if (fieldProtocol(i) != ANY_PROTOCOL) statement2(Op.PROTOCOL, 0, fieldProtocol(i), fieldProtocol(i));
  }
}

/** The set at hand, `@name` or `{ … }`, whose keys are the fields that were read; ABSENT: it is not understood. */
export function readSetReference(value: u32, valueFamily: u32): u32 {
  if (words.length > 1 && load<u8>(words.bytes) == 0x40) {
    const name = nameOf(words.bytes + 1, words.length - 1);
    let set = findSet(table, name);
    if (set == ABSENT) {
      missing(line, "set", name);
      set = addSet(table, name, 0);
      setAt(set).isUnknown = true;
    }
    words.next();
    return set;
  }
  if (!words.isSignOf(0x7b)) return ABSENT;
  const number = addSet(table, 0, line);
  const set = setAt(number);
  set.columns = fieldCount();
  set.value = value;
  set.valueFamily = valueFamily;
  for (let i: u32 = 0; i < fieldCount(); i++) setColumnType(set, i, columnFor(i));
  readElements(number, false);
  return number;
}

/** For readSetReference from other files. */
export function setPlaceOfSets(ofTable: u32, atLine: u32): void {
  table = ofTable;
  line = atLine;
}

/** Adds a statement that looks the fields up. */
export function writeLookup(op: u32, flags: u32, set: u32): void {
  statement(op, 1 + fieldCount(), flags);
  code.push(set);
  for (let i: u32 = 0; i < fieldCount(); i++) code.push(fieldAt(i));
}

/** Behind `meta`, which has been read. */
function readMetaField(): bool {
  words.back();
  return readFieldMatch(readFields());
}

function readFieldMatch(isRead: bool): bool {
  if (!isRead || !fieldsAreKnown()) return false;
  let icmp: u32 = 0;
  for (let i: u32 = 0; i < fieldCount(); i++) if (isIcmp(i)) icmp = fieldProtocol(i);
  if (icmp != 0 && fieldCount() > 1) return false;
  readIcmpTypes(icmp);
  const isMatch = readFieldValue(icmp != 0 ? Flag.ICMP : 0);
  readIcmpTypes(0);
  return isMatch;
}

function readFieldValue(kind: u32): bool {
  let flags: u32 = 0;
  if (words.is("vmap")) {
    words.next();
    const set = readSetReference(Value.VERDICT, 0);
    if (set == ABSENT) return false;
    writeImplied();
    writeLookup(Op.VMAP, 0, set);
    return true;
  }
  if (words.is("!=")) flags = Flag.NOT;
  if (words.is("!=") || words.is("==")) words.next();
  if (words.isSignOf(0x7b) || (words.length > 1 && load<u8>(words.bytes) == 0x40)) {
    const set = readSetReference(Value.NONE, 0);
    if (set == ABSENT) return false;
    writeImplied();
    const isClients = fieldCount() == 1 && fieldAt(0) == Field.SADDR && setAt(set).isDynamic;
    if (isClients) statement2(Op.STICKY, flags, setList(set), 0);
    else writeLookup(Op.LOOKUP, flags, set);
    return true;
  }
  if (fieldCount() != 1) return false;
  return readValue(fieldAt(0), flags | kind);
}

/** A single value, prefix or range. */
function readValue(field: u32, flags: u32): bool {
  if (field == Field.IIF || field == Field.OIF) {
    const isPrefix = words.length > 0 && load<u8>(words.bytes + words.length - 1) == 0x2a;
    const name = nameOf(words.bytes, words.length - <usize>isPrefix);
    words.next();
    statement2(Op.INTERFACE, flags | (isPrefix ? Flag.PREFIX : 0), field, name);
    return true;
  }
  if ((field & 0xff) == Field.NUMGEN) return readChance(field >> 8, flags);
  const column = columnFor(0);
  if (column == Column.NUMBER || !readKey(column, range)) return false;
  words.next();
  if (words.isSignOf(0x2c)) return false;
  const first = load<u32>(range);
  const last = load<u32>(range, 4);
  writeImplied();
  if (field == Field.DADDR) statement3(Op.DADDR, flags, fieldFamily(0), first, last);
  else if (field == Field.SADDR) statement3(Op.SADDR, flags, fieldFamily(0), first, last);
  else if (field == Field.PROTOCOL) statement2(Op.PROTOCOL, flags, first, last);
  else if (field == Field.DPORT) statement2(Op.DPORT, flags, first, last);
  else if (field == Field.SPORT) statement2(Op.SPORT, flags, first, last);
  else return false;
  return true;
}

/** `numgen random mod N V` or `A-B`: one or some of N equal chances. */
function readChance(modulus: u32, flags: u32): bool {
  if (!numbers.parseRange(words.bytes, words.length, 0x2d, u32.MAX_VALUE)) return false;
  if (numbers.last < numbers.first || numbers.last >= modulus) return false;
  words.next();
  statement(Op.CHANCE, 4, flags);
  code.push(numbers.last - numbers.first + 1);
  code.push(0);
  code.push(modulus);
  code.push(0);
  return true;
}

/** Behind `tcp`: `flags syn`, `flags syn / syn,rst`, `flags & (syn | rst) == syn` */
function readTcpFlagMatch(): bool {
  words.next();
  let mask: u32 = 256;
  if (words.is("&") || words.is("and")) {
    words.next();
    mask = readTcpFlags();
  }
  let flags = words.is("!=") ? Flag.NOT : 0;
  const isExact = words.is("!=") || words.is("==");
  if (isExact) words.next();
  let value = readTcpFlags();
  if (value > 255) return false;
  if (words.is("/")) {
    words.next();
    mask = readTcpFlags();
    if (mask > 255) return false;
  } else if (mask > 255) {
    // `!= a,b` has meant two things. Without an operator: any of them.
    if (flags != 0) return false;
    mask = isExact ? 255 : value;
    if (!isExact) {
      value = 0;
      flags = Flag.NOT;
    }
  }
  statement2(Op.PROTOCOL, 0, 6, 6);
  statement2(Op.TCP_FLAGS, flags, mask, value);
  return true;
}

/** `[ct] mark [& MASK] [!=] VALUE`, `[ct] mark set …`; by the operations for that. */
export function readMark(op: u32, setOp: u32): bool {
  words.next();
  if (words.is("set")) return readMarkSet(setOp);
  let mask: u32 = u32.MAX_VALUE;
  if (words.is("&") || words.is("and")) {
    words.next();
    const value = numbers.parseNumber(words.bytes, words.length);
    if (value == numbers.NO_NUMBER) return false;
    mask = <u32>value;
    words.next();
  }
  const flags = words.is("!=") ? Flag.NOT : 0;
  if (words.is("!=") || words.is("==")) words.next();
  // `0x00000000/1`: the first bit alone
  const slash = numbers.indexOf(words.bytes, words.length, 0x2f);
  const value = numbers.parseNumber(words.bytes, slash);
  if (value == numbers.NO_NUMBER) return false;
  if (slash < words.length) {
    const bits = numbers.parseNumber(words.bytes + slash + 1, words.length - slash - 1);
    if (bits > 32) return false;
    mask &= bits == 0 ? 0 : u32.MAX_VALUE << (<u32>(32 - bits));
  }
  words.next();
  statement2(op, flags, mask, <u32>value);
  return true;
}

/** `set VALUE`, `set [meta|ct] mark | VALUE [& VALUE …]` */
function readMarkSet(op: u32): bool {
  words.next();
  const isOfConnection = op == Op.SET_CT_MARK;
  const isFromConnection = words.is("ct");
  if (isFromConnection || (isOfConnection && (words.is("meta") || words.is("mark")))) {
    if (!words.is("mark")) words.next();
    if (!words.is("mark")) return false;
    if (isFromConnection != isOfConnection) return readMarkCopy(isFromConnection);
  }
  // mark = (mark & ~mask) ^ value
  let mask: u32 = u32.MAX_VALUE;
  let value: u32 = 0;
  if (words.is("meta")) words.next();
  if (words.is("mark")) {
    mask = 0;
  } else {
    const constant = numbers.parseNumber(words.bytes, words.length);
    if (constant == numbers.NO_NUMBER) return false;
    value = <u32>constant;
  }
  words.next();
  while (true) {
    const isOr = words.is("|") || words.is("or");
    const isAnd = words.is("&") || words.is("and");
    const isXor = words.is("^") || words.is("xor");
    if (!isOr && !isAnd && !isXor) break;
    words.next();
    const number = numbers.parseNumber(words.bytes, words.length);
    if (number == numbers.NO_NUMBER) return false;
    words.next();
    const operand = <u32>number;
    if (isOr) {
      mask |= operand;
      value |= operand;
    } else if (isAnd) {
      mask |= ~operand;
      value &= operand;
    } else {
      value ^= operand;
    }
  }
  statement2(op, 0, mask, value);
  return true;
}

/** `mark [& MASK]`, which goes from the connection to the packet or back. */
function readMarkCopy(isFromConnection: bool): bool {
  words.next();
  let mask: u64 = u32.MAX_VALUE;
  if (words.is("&") || words.is("and")) {
    words.next();
    mask = numbers.parseNumber(words.bytes, words.length);
    if (mask == numbers.NO_NUMBER) return false;
    words.next();
  }
  if (words.is("|") || words.is("^") || words.is("or") || words.is("xor") || words.is("&")) return false;
  if (isFromConnection) statement2(Op.RESTORE_MARK, 0, u32.MAX_VALUE, <u32>mask);
  else statement2(Op.SAVE_MARK, 0, <u32>mask, u32.MAX_VALUE);
  return true;
}
