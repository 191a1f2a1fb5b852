// Rules of nft: matches and statements, one after the other.
import { setList } from "../model/affinity";
import { literalName, nameBytes, nameOf } from "../model/names";
import { ABSENT } from "../model/pairs";
import {
  beginRule,
  CtStatus,
  code,
  dropRule,
  endRule,
  Field,
  Flag,
  hasEffect,
  hasMatch,
  Op,
  RejectWith,
  statement,
  statement1,
  statement2,
} from "../model/rules";
import { findSet, setAt } from "../model/sets";
import { chainAt, chainNamed, isListedTwice, tableAt } from "../model/tables";
import { ctStatusOf, readCtStates } from "./ct-states";
import { plainVerdict } from "./nft-elements";
import { fieldCount, isField, readFields } from "./nft-fields";
import { readMark, readMatch } from "./nft-matches";
import { readDnat, readRedirect, readSnat } from "./nft-nat";
import * as numbers from "./numbers";
import { badSyntax, unknownWord } from "./problems";
import { rejectReason } from "./reject-reasons";
import * as words from "./words";

let table: u32 = 0;
let inChain: u32 = 0;
let line: u32 = 0;
/** Some set was found to be dynamic by a rule alone: JSON of nft before 1.0.7 does not say it. */
let isLate: bool = false;

/** Look-ups of the source that were read before it was known that the set is dynamic. To be called when all is read. */
export function settleDynamic(): void {
  if (!isLate) return;
  isLate = false;
  for (let at: u32 = 0; at < code.length; at += (code.get(at) >> 16) + 1) {
    const word = code.get(at);
    if ((word & 0xff) != Op.LOOKUP || word >> 16 != 2 || code.get(at + 2) != Field.SADDR) continue;
    const set = code.get(at + 1);
    if (!setAt(set).isDynamic) continue;
    code.set(at, (word & ~0xff) | Op.STICKY);
    code.set(at + 1, setList(set));
    code.set(at + 2, 0);
  }
}

/** Reads a rule up to the end of its line, or of the block that it stands in. */
export function readRule(ofTable: u32, chain: u32, atLine: u32, isInsert: bool): void {
  table = ofTable;
  inChain = chain;
  line = atLine;
  const depth = words.depth;
  beginRule();
  while (!words.isLineEnd() && !words.isSignOf(0x7d) && !words.isSignOf(0x3b)) {
    if (readStatement()) continue;
    // From here on nobody knows what the rule does, unless it fails before.
    // What iptables-save has told in its own words is read from there.
    if (!isListedTwice(tableAt(table))) unknownWord(line, "statement", words.bytes, words.length);
    statement(Op.UNKNOWN_TARGET, 0);
    skipRule(depth);
  }
  if (!hasEffect()) dropRule();
  else endRule(chain, line, isInsert);
}

/** To the end of the line, or of the block that the rule stands in; `depth`: how many braces are open there. */
function skipRule(depth: i32): void {
  if (words.depth < depth && words.isSignOf(0x7d)) return;
  // One word at least, or the same one would stop the reader again.
  if (words.kind != words.Kind.NEWLINE) words.next();
  while (words.kind != words.Kind.END && words.depth >= depth) {
    if (words.kind == words.Kind.NEWLINE && words.depth == depth) return;
    words.next();
  }
}

/** Reads a match or a statement; false: it is not understood, and the word at hand is where that is seen. */
function readStatement(): bool {
  const verdict = plainVerdict();
  if (verdict != 0) {
    statement(verdict, 0);
    words.next();
    return true;
  }
  if (words.is("jump") || words.is("goto")) return readJump();
  if (words.is("comment")) {
    words.next();
    words.next();
    return true;
  }
  if (words.is("counter")) return readCounter();
  if (words.is("log")) return skipLog();
  // An element or rule that goes on.
  if (words.is("continue")) {
    words.next();
    return true;
  }
  if (words.is("reject")) return readReject();
  if (words.is("masquerade")) return readMasquerade();
  if (words.is("dnat")) return readDnat(table, line);
  if (words.is("snat")) return readSnat();
  if (words.is("redirect")) return readRedirect();
  if (words.is("notrack")) {
    statement(Op.NOTRACK, 0);
    words.next();
    return true;
  }
  if (words.is("update") || words.is("add")) return readUpdate();
  if (words.is("ct")) return readCt();
  if (words.is("fib")) return readFib();
  if (isField()) return readMatch(table, line);
  return false;
}

function readJump(): bool {
  const op = words.is("jump") ? Op.JUMP : Op.GOTO;
  words.next();
  if (words.isLineEnd()) {
    badSyntax(line, "the line ends before the chain's name", 0, 0);
    return true;
  }
  statement1(op, 0, chainNamed(table, nameOf(words.bytes, words.length)));
  words.next();
  return true;
}

/** `counter [packets N bytes N]`, `counter name "…"` */
function readCounter(): bool {
  words.next();
  while (words.is("packets") || words.is("bytes") || words.is("name")) {
    words.next();
    words.next();
  }
  return true;
}

function skipLog(): bool {
  words.next();
  while (
    words.is("prefix") ||
    words.is("level") ||
    words.is("group") ||
    words.is("snaplen") ||
    words.is("queue-threshold") ||
    words.is("flags")
  ) {
    words.next();
    words.next();
    while (words.isSignOf(0x2c)) {
      words.next();
      words.next();
    }
    // `flags tcp sequence,options`, `flags all`
    if (words.is("sequence") || words.is("options")) words.next();
  }
  return true;
}

const TCP: u32 = 6;

function readReject(): bool {
  words.next();
  if (!words.is("with")) {
    statement1(Op.REJECT, 0, RejectWith.PORT_UNREACHABLE);
    return true;
  }
  words.next();
  let reason: u32;
  if (words.is("tcp")) {
    words.next();
    if (!words.is("reset")) return false;
    reason = RejectWith.TCP_RESET;
  } else {
    words.next();
    if (words.is("type")) words.next();
    reason = rejectReason();
    if (reason == u32.MAX_VALUE) return false;
  }
  words.next();
  // nft adds the match where it is not written, and does not list it.
  if (reason == RejectWith.TCP_RESET && !hasMatch(Op.PROTOCOL)) statement2(Op.PROTOCOL, 0, TCP, TCP);
  statement1(Op.REJECT, 0, reason);
  return true;
}

function readMasquerade(): bool {
  words.next();
  while (
    words.is("to") ||
    words.is("random") ||
    words.is("fully-random") ||
    words.is("persistent") ||
    words.isSignOf(0x2c)
  ) {
    const isTo = words.is("to");
    words.next();
    if (isTo) words.next();
  }
  if (words.length > 1 && words.kind == words.Kind.WORD && load<u8>(words.bytes) == 0x3a) words.next();
  statement(Op.MASQUERADE, 0);
  return true;
}

/** `update @set { ip saddr [timeout T] }`: the client sticks. */
function readUpdate(): bool {
  words.next();
  if (words.length < 2 || load<u8>(words.bytes) != 0x40) return false;
  const set = findSet(table, nameOf(words.bytes + 1, words.length - 1));
  words.next();
  if (set == ABSENT || !words.isSignOf(0x7b)) return false;
  if (!setAt(set).isDynamic) {
    setAt(set).isDynamic = true;
    isLate = true;
  }
  words.next();
  if (!readFields()) return false;
  let seconds: u64 = 0;
  if (words.is("timeout")) {
    words.next();
    seconds = numbers.parseDuration(words.bytes, words.length);
    if (seconds == numbers.NO_NUMBER) return false;
    words.next();
  }
  if (fieldCount() != 1 || !words.isSignOf(0x7d)) return false;
  words.next();
  statement2(Op.STICK, 0, setList(set), seconds == 0 ? setAt(set).timeout : <u32>seconds);
  return true;
}

/** The chain is one of iptables-nft: nft lists its rules in a translation that loses some. */
function isTranslated(): bool {
  const name = tableAt(table).name;
  if (name != literalName("filter") && name != literalName("nat") && name != literalName("mangle")) return false;
  const first = load<u8>(nameBytes(chainAt(inChain).name));
  return first >= 0x41 && first <= 0x5a;
}

/** `ct state new,established`, `ct state { … }`, `ct status dnat`; all else of ct is not followed. */
function readCt(): bool {
  words.mark();
  words.next();
  const isState = words.is("state");
  if (words.is("mark")) return readMark(Op.CT_MARK, Op.SET_CT_MARK);
  if (!isState && !words.is("status")) {
    words.back();
    return readMatch(table, line);
  }
  // Of `! --ctstate RELATED,ESTABLISHED,DNAT`, as KUBE-FIREWALL has it, nft's listing leaves `ct status dnat`: the opposite.
  if (!isState && isTranslated()) return false;
  words.next();
  if (isState && words.is("vmap")) return readCtStateMap();
  let flags: u32 = 0;
  if (words.is("!=")) flags = Flag.NOT;
  if (words.is("!=") || words.is("==")) words.next();
  const inBraces = words.isSignOf(0x7b);
  if (inBraces) words.next();
  let bits: u32 = 0;
  while (true) {
    const bit = isState ? readCtStates(words.bytes, words.length) : ctStatusOf(words.bytes, words.length);
    if (bit == 0) return false;
    bits |= bit;
    words.next();
    if (!words.isSignOf(0x2c)) break;
    words.next();
  }
  if (inBraces) {
    if (!words.isSignOf(0x7d)) return false;
    words.next();
  }
  if (!isState && (bits & CtStatus.OTHER) != 0) return false;
  // `ct state vmap { … }` and the like begin with no state.
  statement1(isState ? Op.CT_STATE : Op.CT_STATUS, flags, bits);
  return true;
}

/** `ct state vmap { established : accept, invalid : drop }` */
function readCtStateMap(): bool {
  words.next();
  if (!words.isSignOf(0x7b)) return false;
  const start = code.length;
  statement(Op.CT_STATE_VMAP, 0);
  if (!readCtStateVerdicts()) {
    code.length = start;
    return false;
  }
  words.next();
  code.set(start, Op.CT_STATE_VMAP | ((code.length - start - 1) << 16));
  return true;
}

function readCtStateVerdicts(): bool {
  do {
    words.next();
    const states = readCtStates(words.bytes, words.length);
    words.next();
    if (states == 0 || !words.isSignOf(0x3a)) return false;
    words.next();
    let verdict = plainVerdict();
    let chain: u32 = 0;
    if (verdict == 0) {
      if (!words.is("jump") && !words.is("goto")) return false;
      verdict = words.is("jump") ? Op.JUMP : Op.GOTO;
      words.next();
      chain = chainNamed(table, nameOf(words.bytes, words.length));
    }
    words.next();
    code.push(states);
    code.push(verdict);
    code.push(chain);
  } while (words.isSignOf(0x2c));
  return words.isSignOf(0x7d);
}

/** `fib daddr type local`, `fib saddr type != local` */
function readFib(): bool {
  words.mark();
  if (readLocal()) return true;
  // It is named as a whole.
  words.back();
  return false;
}

function readLocal(): bool {
  words.next();
  const field = words.is("daddr") ? Field.DADDR : Field.SADDR;
  if (!words.is("daddr") && !words.is("saddr")) return false;
  words.next();
  if (!words.is("type")) return false;
  words.next();
  let flags: u32 = 0;
  if (words.is("!=")) flags = Flag.NOT;
  if (words.is("!=") || words.is("==")) words.next();
  if (!words.is("local")) return false;
  words.next();
  statement1(Op.LOCAL, flags, field);
  return true;
}
