// nft text: scripts of commands (`add rule …`) and listings (`table ip x { … }`), which may be mixed.
import { nameOf } from "../model/names";
import { ABSENT } from "../model/pairs";
import { addSet, findSet, flushSet, setAt } from "../model/sets";
import {
  chainAt,
  chainNamed,
  deleteChain,
  deleteTable,
  flushChain,
  TableFamily,
  tableAt,
  tableCount,
  tableNamed,
} from "../model/tables";
import { readChainBody, readChainOptions } from "./nft-chains";
import { readElements } from "./nft-elements";
import { readRule, settleDynamic } from "./nft-rules";
import { readSetBody } from "./nft-sets";
import { badSyntax, setPlace, unknownWord } from "./problems";
import * as words from "./words";

let ruleset: u32 = 0;
/** What a command names: family, table, and the object's name. */
let family: u32 = 0;
let table: u32 = 0;
let tableName: u32 = 0;
let name: u32 = 0;

/** Reads the whole text that `words.openText` was given. */
export function parseNft(intoRuleset: u32): void {
  ruleset = intoRuleset;
  while (true) {
    words.next();
    if (words.kind == words.Kind.END) break;
    if (words.kind == words.Kind.NEWLINE || words.isSignOf(0x3b)) continue;
    setPlace(0, 0);
    readCommand();
  }
  settleDynamic();
  setPlace(0, 0);
}

function readCommand(): void {
  const line = words.line;
  if (words.is("table")) {
    words.next();
    readTableBlock(line);
    return;
  }
  const isAdd = words.is("add") || words.is("create") || words.is("insert");
  const isInsert = words.is("insert");
  const isDelete = words.is("delete") || words.is("destroy");
  const isFlush = words.is("flush");
  if (!isAdd && !isDelete && !isFlush) {
    badSyntax(line, "expected a table or a command", words.bytes, words.length);
    words.skipLine();
    return;
  }
  words.next();
  if (words.is("ruleset")) {
    if (isFlush) flushRuleset();
    words.next();
    return;
  }
  if (words.is("table")) {
    words.next();
    if (!isAdd) {
      if (!readTableName(line)) return;
      if (isDelete) deleteTable(table);
      else emptyTable();
    } else readTableBlock(line);
    return;
  }
  if (words.is("rule")) {
    words.next();
    if (!readNames(line)) return;
    if (isAdd) addRule(line, isInsert);
    else unsupported(line);
  } else if (words.is("chain")) {
    words.next();
    if (!readNames(line)) return;
    if (isAdd) addChain(line);
    else if (isFlush) flushChain(chainNamed(table, name));
    else deleteChain(chainNamed(table, name));
  } else if (words.is("set") || words.is("map")) {
    const isMap = words.is("map");
    words.next();
    if (!readNames(line)) return;
    if (isAdd) declareSet(line, isMap);
    else if (findSet(table, name) != ABSENT) {
      flushSet(findSet(table, name));
      if (isDelete) setAt(findSet(table, name)).line = 0;
    }
  } else if (words.is("element")) {
    words.next();
    if (!readNames(line)) return;
    changeElements(line, isDelete);
  } else if (words.is("counter") || words.is("quota") || words.is("limit") || words.is("ct") || words.is("flowtable")) {
    // Nothing that decides where a packet goes.
    skipCommand();
  } else {
    badSyntax(line, "expected table, chain, rule, set, map or element", words.bytes, words.length);
    words.skipLine();
  }
}

/** What cannot be followed in a script: rules by handle. */
function unsupported(line: u32): void {
  unknownWord(line, "command", words.bytes, words.length);
  words.skipLine();
}

function skipCommand(): void {
  while (!words.isLineEnd()) {
    if (words.isSignOf(0x7b)) skipBlock();
    else words.next();
  }
}

/** From `{` to behind its `}`. */
function skipBlock(): void {
  let depth = 0;
  while (words.kind != words.Kind.END) {
    if (words.isSignOf(0x7b)) depth++;
    else if (words.isSignOf(0x7d) && --depth == 0) {
      words.next();
      return;
    }
    words.next();
  }
}

function readFamily(): void {
  family = TableFamily.IP;
  if (words.is("ip")) family = TableFamily.IP;
  else if (words.is("ip6")) family = TableFamily.IP6;
  else if (words.is("inet")) family = TableFamily.INET;
  else if (words.is("arp") || words.is("bridge") || words.is("netdev")) family = TableFamily.OTHER;
  else return;
  words.next();
}

/** `[family] table` */
function readTableName(line: u32): bool {
  readFamily();
  if (words.kind != words.Kind.WORD && words.kind != words.Kind.STRING) {
    badSyntax(line, "the table's name is missing", words.bytes, words.length);
    return false;
  }
  tableName = nameOf(words.bytes, words.length);
  table = tableNamed(ruleset, family, tableName, false);
  setPlace(tableName, 0);
  words.next();
  return true;
}

/** `[family] table name` */
function readNames(line: u32): bool {
  if (!readTableName(line)) return false;
  if (words.kind != words.Kind.WORD && words.kind != words.Kind.STRING) {
    badSyntax(line, "a name is missing", words.bytes, words.length);
    return false;
  }
  name = nameOf(words.bytes, words.length);
  setPlace(tableName, name);
  words.next();
  return true;
}

function flushRuleset(): void {
  const count = tableCount();
  for (let i: u32 = 0; i < count; i++) {
    const each = tableAt(i);
    if (each.ruleset == ruleset && !each.isIptables && !each.isOff) deleteTable(i);
  }
}

/** `flush table`: rules go, the rest stays. */
function emptyTable(): void {
  unknownWord(words.line, "command", words.bytes, 0);
}

function addRule(line: u32, isInsert: bool): void {
  // position, handle, index N
  if (words.is("position") || words.is("handle") || words.is("index")) {
    words.next();
    words.next();
  }
  const chain = declared(line);
  readRule(table, chain, line, isInsert);
}

function declared(line: u32): u32 {
  const chain = chainNamed(table, name);
  if (chainAt(chain).line == 0) chainAt(chain).line = line;
  return chain;
}

function addChain(line: u32): void {
  const chain = declared(line);
  if (!words.isSignOf(0x7b)) return;
  words.next();
  readChainOptions(chain);
}

function declareSet(line: u32, isMap: bool): void {
  let number = findSet(table, name);
  if (number == ABSENT) number = addSet(table, name, line);
  if (setAt(number).line == 0) setAt(number).line = line;
  if (words.isSignOf(0x7b)) readSetBody(number, isMap);
}

function changeElements(line: u32, isDelete: bool): void {
  const set = findSet(table, name);
  if (set == ABSENT) {
    badSyntax(line, "the set of these elements is not declared", 0, 0);
    skipCommand();
    return;
  }
  if (!words.isSignOf(0x7b)) {
    badSyntax(line, "expected elements in braces", words.bytes, words.length);
    words.skipLine();
    return;
  }
  readElements(set, isDelete);
}

function readTableBlock(line: u32): void {
  if (!readTableName(line)) {
    words.skipLine();
    return;
  }
  if (!words.isSignOf(0x7b)) return;
  words.next();
  while (words.kind != words.Kind.END && !words.isSignOf(0x7d)) readTableItem();
  if (words.kind == words.Kind.END) badSyntax(line, "the table does not end", 0, 0);
}

function readTableItem(): void {
  const line = words.line;
  setPlace(tableName, 0);
  if (words.kind == words.Kind.NEWLINE || words.isSignOf(0x3b)) {
    words.next();
    return;
  }
  if (words.is("comment")) {
    words.next();
    words.next();
    return;
  }
  if (words.is("flags")) {
    words.next();
    while (!words.isLineEnd() && !words.isSignOf(0x3b)) {
      if (words.is("dormant")) tableAt(table).isOff = true;
      words.next();
    }
    return;
  }
  const isChain = words.is("chain");
  const isSet = words.is("set") || words.is("map") || words.is("meter");
  const isMap = words.is("map");
  words.next();
  if (!isChain && !isSet) {
    // counter, quota, limit, ct helper, flowtable, …: name and block
    while (!words.isLineEnd() && !words.isSignOf(0x7b)) words.next();
    if (words.isSignOf(0x7b)) skipBlock();
    return;
  }
  if (words.isLineEnd()) {
    badSyntax(line, "a name is missing", 0, 0);
    return;
  }
  name = nameOf(words.bytes, words.length);
  setPlace(tableName, name);
  words.next();
  if (!words.isSignOf(0x7b)) {
    badSyntax(line, "expected {", words.bytes, words.length);
    words.skipLine();
    return;
  }
  if (isChain) {
    words.next();
    readChainBody(table, declared(line));
  } else declareSet(line, isMap);
}
