// The matches of an iptables rule, by their options.

import { literalBytes } from "../../abi/problems";
import { IPV6 } from "../model/addresses";
import { listSeconds, recentList, setListSeconds } from "../model/affinity";
import { nameOf } from "../model/names";
import { code, Field, Flag, noteIcmp, Op, statement, statement1, statement2, statement3 } from "../model/rules";
import { addRow, addSet, Column, setAt, setColumnType, setCount } from "../model/sets";
import { tableAt } from "../model/tables";
import { writeChance } from "./chances";
import { readCtStates } from "./ct-states";
import * as icmp from "./icmp-types";
import * as literals from "./literals";
import * as numbers from "./numbers";
import { badSyntax, unknownWord } from "./problems";
import { parseTcpFlags } from "./tcp-flags";
import * as words from "./words";

let table: u32 = 0;
let family: u32 = 0;
let line: u32 = 0;
/** Extensions whose options are other extensions' words with another meaning. */
let isConnmark: bool = false;
let isUnknown: bool = false;
// xt_recent's options come in any order.
let recentName: u32 = 0;
let recentSeconds: u32 = 0;
let recentCheck: bool = false;
let recentSet: bool = false;
let recentNot: bool = false;
// xt_statistic's, too.
let nth: bool = false;
let chanceNot: bool = false;

export function beginMatches(ofTable: u32, ofFamily: u32, atLine: u32): void {
  table = ofTable;
  family = ofFamily;
  line = atLine;
  isConnmark = false;
  isUnknown = false;
  recentName = 0;
  recentSeconds = 0;
  recentCheck = false;
  recentSet = false;
  recentNot = false;
  nth = false;
  chanceNot = false;
}

/** What is complete only with the rule. */
export function endMatches(): void {
  if (isUnknown) statement(Op.UNKNOWN, 0);
  if (!recentCheck && !recentSet) return;
  const list = recentList(tableAt(table).ruleset, family, recentName);
  if (recentCheck) {
    statement2(Op.STICKY, recentNot ? Flag.NOT : 0, list, recentSeconds);
    if (recentSeconds != 0 && listSeconds(list) == 0) setListSeconds(list, recentSeconds);
  }
  if (recentSet) statement2(Op.STICK, 0, list, 0);
}

/** Goes on to the option's value; false: the line ends before. */
function value(): bool {
  words.next();
  if (!words.isLineEnd()) return true;
  badSyntax(line, "the line ends before an option's value", 0, 0);
  return false;
}

function bad(what: string): bool {
  badSyntax(line, what, words.bytes, words.length);
  return false;
}

/** What cannot be followed: one warning a rule. */
function unknown(what: string): void {
  if (!isUnknown) unknownWord(line, what, words.bytes, words.length);
  isUnknown = true;
}

/** Reads the option at hand with its value, and goes to the word after it. False: the line is broken, and that is reported. */
export function readMatch(not: bool): bool {
  const flags = not ? Flag.NOT : 0;
  if (words.is("-m") || words.is("--match")) return readModule();
  if (words.is("-c") || words.is("--set-counters")) {
    if (!value() || !value()) return false;
  } else if (words.is("--comment") || words.is("--nfacct-name")) {
    if (!value()) return false;
  } else if (words.is("-s") || words.is("--source") || words.is("-d") || words.is("--destination")) {
    const op = words.is("-s") || words.is("--source") ? Op.SADDR : Op.DADDR;
    if (!value()) return false;
    if (numbers.indexOf(words.bytes, words.length, 0x2c) < words.length) unknown("list");
    else if (!literals.parseLiterals(words.bytes, words.length)) return bad("expected an address or CIDR");
    else if (literals.family != family) return bad("expected an address of the table's family");
    else statement3(op, flags, literals.family, literals.first, literals.last);
  } else if (words.is("-p") || words.is("--protocol")) {
    if (!value()) return false;
    if (words.is("all") || words.is("0")) {
      if (not) statement(Op.NEVER, 0);
    } else if (!numbers.parseProtocols(words.bytes, words.length)) return bad("expected a protocol");
    else statement2(Op.PROTOCOL, flags, numbers.first, numbers.last);
  } else if (words.is("-i") || words.is("--in-interface") || words.is("-o") || words.is("--out-interface")) {
    const field = words.is("-i") || words.is("--in-interface") ? Field.IIF : Field.OIF;
    if (!value()) return false;
    const isPrefix = words.length > 0 && load<u8>(words.bytes + words.length - 1) == 0x2b;
    const name = nameOf(words.bytes, words.length - <usize>isPrefix);
    statement2(Op.INTERFACE, flags | (isPrefix ? Flag.PREFIX : 0), field, name);
  } else if (
    words.is("--dport") ||
    words.is("--destination-port") ||
    words.is("--sport") ||
    words.is("--source-port")
  ) {
    const op = words.is("--dport") || words.is("--destination-port") ? Op.DPORT : Op.SPORT;
    if (!value()) return false;
    if (!numbers.parseRange(words.bytes, words.length, 0x3a, 0xffff)) return bad("expected a port");
    statement2(op, flags, numbers.first, numbers.last);
  } else if (
    words.is("--dports") ||
    words.is("--destination-ports") ||
    words.is("--sports") ||
    words.is("--source-ports")
  ) {
    const field = words.is("--dports") || words.is("--destination-ports") ? Field.DPORT : Field.SPORT;
    return readPorts(field, flags);
  } else if (words.is("--ctstate") || words.is("--state")) {
    if (!value()) return false;
    const states = readCtStates(words.bytes, words.length);
    if (states == 0) return bad("expected states of conntrack");
    statement1(Op.CT_STATE, flags, states);
  } else if (words.is("--mark")) {
    if (!value()) return false;
    if (!readMark(isConnmark ? Op.CT_MARK : Op.MARK, flags)) return bad("expected a mark");
  } else if (words.is("--icmp-type") || words.is("--icmpv6-type")) {
    if (!value()) return false;
    if (!icmp.parseIcmpType(words.bytes, words.length, family == IPV6)) return bad("expected a type of ICMP");
    noteIcmp();
    statement2(Op.DPORT, flags | Flag.ICMP, icmp.first, icmp.last);
  } else if (words.is("--syn")) {
    statement2(Op.TCP_FLAGS, flags, 0x17, 0x02);
  } else if (words.is("--tcp-flags")) {
    if (!value()) return false;
    const mask = parseTcpFlags(words.bytes, words.length);
    if (!value()) return false;
    const set = parseTcpFlags(words.bytes, words.length);
    if ((mask | set) > 255) return bad("expected flags of TCP");
    statement2(Op.TCP_FLAGS, flags, mask, set);
  } else if (words.is("--uid-owner") || words.is("--gid-owner")) {
    if (!value()) return false;
    statement(Op.OWNER, 0, flags);
  } else if (words.is("--socket-exists") || words.is("--suppl-groups")) {
    // `! --socket-exists` is what packets of others are.
    if (words.is("--socket-exists")) statement(Op.OWNER, 0, flags);
  } else if (words.is("--dst-type") || words.is("--src-type")) {
    const field = words.is("--dst-type") ? Field.DADDR : Field.SADDR;
    if (!value()) return false;
    if (words.is("LOCAL")) statement1(Op.LOCAL, flags, field);
    else if (words.is("MULTICAST")) {
      const multicast = family == IPV6 ? "ff00::/8" : "224.0.0.0/4";
      literals.parseLiterals(literalBytes(multicast), <usize>multicast.length);
      const op = field == Field.DADDR ? Op.DADDR : Op.SADDR;
      statement3(op, flags, family, literals.first, literals.last);
    } else {
      // One other type: the node's own addresses are not of it.
      const isOne = numbers.indexOf(words.bytes, words.length, 0x2c) == words.length;
      if (isOne && !not) statement1(Op.LOCAL, Flag.NOT, field);
      unknown("address type");
    }
  } else if (words.is("--rcheck") || words.is("--update") || words.is("--set")) {
    if (!words.is("--set")) {
      recentCheck = true;
      recentNot = not;
    }
    if (!words.is("--rcheck")) recentSet = true;
  } else if (words.is("--name")) {
    if (!value()) return false;
    recentName = nameOf(words.bytes, words.length);
  } else if (words.is("--hitcount")) {
    if (!value()) return false;
    unknown("hitcount");
  } else if (words.is("--seconds")) {
    if (!value()) return false;
    const seconds = numbers.parseNumber(words.bytes, words.length);
    if (seconds == numbers.NO_NUMBER) return bad("expected seconds");
    recentSeconds = <u32>seconds;
  } else if (words.is("--mask")) {
    if (!value()) return false;
    const isWhole = family == IPV6 ? words.is("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") : words.is("255.255.255.255");
    if (!isWhole) unknown("mask of recent");
  } else if (words.is("--mode")) {
    if (!value()) return false;
    nth = words.is("nth");
    if (!nth && !words.is("random")) unknown("mode of statistic");
    chanceNot = not;
  } else if (words.is("--probability")) {
    if (!value()) return false;
    if (!writeChance(words.bytes, words.length, not || chanceNot)) return bad("expected a probability");
  } else if (words.is("--every")) {
    if (!value()) return false;
    const every = numbers.parseNumber(words.bytes, words.length);
    if (every == 0 || every == numbers.NO_NUMBER) return bad("expected a number of packets");
    // One packet of so many: whose turn it is nobody knows.
    statement(Op.CHANCE, 4, not || chanceNot ? Flag.NOT : 0);
    pushFraction(1, every);
  } else if (words.is("--packet")) {
    if (!value()) return false;
  } else if (!words.is("--reap") && !words.is("--rsource")) {
    unknown("match");
    skipUnknown();
    return true;
  }
  words.next();
  return true;
}

function pushFraction(numerator: u64, denominator: u64): void {
  writeWords(numerator);
  writeWords(denominator);
}

function writeWords(value: u64): void {
  code.push(<u32>value);
  code.push(<u32>(value >> 32));
}

/** `-m NAME`: those that have no effect of their own, or whose options are read above. */
function readModule(): bool {
  if (!value()) return false;
  if (words.is("rt")) return skipRoutingHeader();
  isConnmark = words.is("connmark");
  const isKnown =
    words.is("comment") ||
    words.is("tcp") ||
    words.is("udp") ||
    words.is("sctp") ||
    words.is("conntrack") ||
    words.is("state") ||
    words.is("mark") ||
    words.is("addrtype") ||
    words.is("statistic") ||
    words.is("recent") ||
    words.is("nfacct") ||
    words.is("multiport") ||
    words.is("icmp") ||
    words.is("icmp6") ||
    words.is("owner") ||
    isConnmark;
  if (!isKnown) unknown("match");
  words.next();
  return true;
}

/** `-m rt …`: packets that are followed have no extension headers, and without one it never matches, negated or not. */
function skipRoutingHeader(): bool {
  statement(Op.NEVER, 0);
  words.next();
  while (words.is("--rt-type") || words.is("--rt-segsleft") || words.is("--rt-len")) {
    if (!value()) return false;
    words.next();
  }
  return true;
}

/** To the next option that can be read. */
function skipUnknown(): void {
  words.next();
  while (!words.isLineEnd()) {
    if (words.is("!") || words.is("-j") || words.is("-g") || words.is("-m") || words.is("--jump")) return;
    words.next();
  }
}

/** `A,B,C:D` */
function readPorts(field: u32, flags: u32): bool {
  if (!value()) return false;
  const set = setAt(addSet(table, 0, line));
  set.columns = 1;
  set.isInterval = true;
  setColumnType(set, 0, Column.PORT);
  let bytes = words.bytes;
  let length = words.length;
  while (true) {
    const comma = numbers.indexOf(bytes, length, 0x2c);
    if (!numbers.parseRange(bytes, comma, 0x3a, 0xffff)) return bad("expected ports");
    const row = addRow(set);
    memory.fill(row, 0, 20);
    store<u32>(row, numbers.first);
    store<u32>(row, numbers.last, 4);
    store<u32>(row, line, 16);
    if (comma == length) break;
    bytes += comma + 1;
    length -= comma + 1;
  }
  statement2(Op.LOOKUP, flags, setCount() - 1, field);
  words.next();
  return true;
}

/** `VALUE` or `VALUE/MASK` */
function readMark(op: u32, flags: u32): bool {
  const slash = numbers.indexOf(words.bytes, words.length, 0x2f);
  const mark = numbers.parseNumber(words.bytes, slash);
  let mask: u64 = u32.MAX_VALUE;
  if (slash < words.length) mask = numbers.parseNumber(words.bytes + slash + 1, words.length - slash - 1);
  if (mark == numbers.NO_NUMBER || mask == numbers.NO_NUMBER) return false;
  statement2(op, flags, <u32>mask, <u32>mark);
  return true;
}
