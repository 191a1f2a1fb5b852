// iptables-save and iptables-restore text: tables, chains and rules of one family.
import { Vector } from "../../bytes/memory";
import { IPV4, IPV6 } from "../model/addresses";
import { literalName, nameOf } from "../model/names";
import { ABSENT } from "../model/pairs";
import { beginRule, dropRule, endRule, hasEffect } from "../model/rules";
import {
  Chain,
  ChainType,
  chainAt,
  chainNamed,
  deleteChain,
  flushChain,
  Hook,
  TableFamily,
  tableNamed,
} from "../model/tables";
import { beginMatches, endMatches, readMatch } from "./iptables-matches";
import { beginTarget, readTarget, writeTarget } from "./iptables-targets";
import { badSyntax, setPlace } from "./problems";
import * as words from "./words";

const FILTER = literalName("filter");
const NAT = literalName("nat");
const MANGLE = literalName("mangle");
const RAW = literalName("raw");
const SECURITY = literalName("security");
/** Names of the built-in chains, by Hook. */
const hooks = new Vector();
hooks.push(literalName("PREROUTING"));
hooks.push(literalName("INPUT"));
hooks.push(literalName("FORWARD"));
hooks.push(literalName("OUTPUT"));
hooks.push(literalName("POSTROUTING"));

let table: u32 = 0;
let tableName: u32 = 0;
let family: u32 = IPV4;

/** Reads the whole text that `words.openText` was given. */
export function parseIptables(ruleset: u32, textFamily: u32): void {
  family = textFamily;
  tableName = 0;
  table = ABSENT;
  while (true) {
    words.next();
    if (words.kind == words.Kind.END) break;
    if (words.kind != words.Kind.NEWLINE) readLine(ruleset);
    // What is left of the line belongs to nothing.
    words.skipLine();
  }
  setPlace(0, 0);
}

function readLine(ruleset: u32): void {
  const first: u32 = load<u8>(words.bytes);
  if (words.kind == words.Kind.STRING) {
    badSyntax(words.line, "a line begins with *table, :chain or an option", words.bytes, words.length);
  } else if (first == 0x23) {
    return;
  } else if (first == 0x2a) {
    tableName = nameOf(words.bytes + 1, words.length - 1);
    const tableFamily = family == IPV4 ? TableFamily.IP : TableFamily.IP6;
    table = tableNamed(ruleset, tableFamily, tableName, true);
    setPlace(tableName, 0);
  } else if (words.is("COMMIT")) {
    table = ABSENT;
  } else if (table == ABSENT) {
    badSyntax(words.line, "a table begins with *table", words.bytes, words.length);
  } else if (first == 0x3a) {
    declare(nameOf(words.bytes + 1, words.length - 1));
  } else {
    // Counters before a rule: [packets:bytes]
    if (first == 0x5b) words.next();
    readCommand();
  }
}

/** `:CHAIN POLICY [counters]`: made anew, or emptied. */
function declare(name: u32): void {
  const line = words.line;
  words.next();
  const number = declared(name, line);
  flushChain(number);
  const chain = chainAt(number);
  chain.policyDrop = words.is("DROP");
  if (!words.is("ACCEPT") && !words.is("DROP") && !words.is("-")) {
    setPlace(tableName, name);
    badSyntax(line, "a chain has the policy ACCEPT, DROP or -", words.bytes, words.length);
  }
}

/** The chain; a built-in one gets its hook. */
function declared(name: u32, line: u32): u32 {
  const number = chainNamed(table, name);
  const chain = chainAt(number);
  if (chain.line == 0) chain.line = line;
  for (let hook: u32 = 0; hook < Hook.NONE; hook++) {
    if (hooks.get(hook) == name) setHook(chain, hook);
  }
  return number;
}

function setHook(chain: Chain, hook: u32): void {
  chain.hook = hook;
  chain.type = tableName == NAT ? ChainType.NAT : ChainType.FILTER;
  if (tableName == FILTER) chain.priority = 0;
  else if (tableName == NAT) chain.priority = hook == Hook.PREROUTING || hook == Hook.OUTPUT ? -100 : 100;
  else if (tableName == MANGLE) chain.priority = -150;
  else if (tableName == RAW) chain.priority = -300;
  else if (tableName == SECURITY) chain.priority = 50;
}

function readCommand(): void {
  const line = words.line;
  const isAppend = words.is("-A") || words.is("--append");
  const isInsert = words.is("-I") || words.is("--insert");
  const isNew = words.is("-N") || words.is("--new-chain");
  const isFlush = words.is("-F") || words.is("--flush");
  const isDelete = words.is("-X") || words.is("--delete-chain");
  const isPolicy = words.is("-P") || words.is("--policy");
  if (!isAppend && !isInsert && !isNew && !isFlush && !isDelete && !isPolicy) {
    badSyntax(line, "expected -A, -I, -N, -F, -X or -P", words.bytes, words.length);
    return;
  }
  words.next();
  if (words.isLineEnd()) {
    badSyntax(line, "the line ends before the chain's name", 0, 0);
    return;
  }
  const name = nameOf(words.bytes, words.length);
  setPlace(tableName, name);
  const chain = declared(name, line);
  if (isFlush) flushChain(chain);
  else if (isDelete) deleteChain(chain);
  else if (isPolicy) {
    words.next();
    chainAt(chain).policyDrop = words.is("DROP");
  } else if (!isNew) readRule(chain, line, isInsert);
}

function readRule(chain: u32, line: u32, insert: bool): void {
  beginRule();
  beginMatches(table, family, line);
  beginTarget(table, family);
  let not = false;
  words.next();
  // The position to insert at: only the first is followed.
  if (insert && words.length == 1 && load<u8>(words.bytes) == 0x31) words.next();
  while (!words.isLineEnd()) {
    if (words.is("!")) {
      not = !not;
      words.next();
      continue;
    }
    if (words.is("-j") || words.is("--jump") || words.is("-g") || words.is("--goto")) {
      readTarget(line, words.is("-g") || words.is("--goto"));
    } else if (!readMatch(not)) {
      dropRule();
      return;
    }
    not = false;
  }
  endMatches();
  writeTarget();
  // Nothing happens in it, understood or not: counters and logs.
  if (!hasEffect()) dropRule();
  else endRule(chain, line, insert);
}

/** What the text says of its family: addresses with colons, and names that only IPv6 has. Otherwise `assumed`. */
export function detectFamily(bytes: usize, length: usize, assumed: u32): u32 {
  const end = bytes + length;
  for (let at = bytes; at + 8 < end; at++) {
    const c = load<u8>(at);
    // `ip6tables-save`, `icmp6-port-unreachable`; `-s x` and `-d x`
    if (c == 0x36 && at >= bytes + 4) {
      if (load<u16>(at - 2) == 0x7069 && load<u8>(at + 1) == 0x74) return IPV6;
      if (load<u32>(at - 4) == 0x706d6369 && load<u8>(at + 1) == 0x2d) return IPV6;
    }
    if (c != 0x20 || load<u8>(at + 1) != 0x2d) continue;
    const option: u32 = load<u8>(at + 2);
    if ((option != 0x73 && option != 0x64) || load<u8>(at + 3) != 0x20) continue;
    for (let i = at + 4; i < end && load<u8>(i) > 0x20; i++) {
      if (load<u8>(i) == 0x3a) return IPV6;
      if (load<u8>(i) == 0x2e) return IPV4;
    }
  }
  return assumed;
}
