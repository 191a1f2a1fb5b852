// The target of an iptables rule.
import { nameOf } from "../model/names";
import { ABSENT } from "../model/pairs";
import { Op, RejectWith, statement, statement1, statement2, statement3 } from "../model/rules";
import { chainNamed } from "../model/tables";
import * as literals from "./literals";
import * as numbers from "./numbers";
import { badSyntax, unknownWord } from "./problems";
import { rejectReason } from "./reject-reasons";
import * as words from "./words";

let table: u32 = 0;
let family: u32 = 0;
/** Operation of the target; 0: none that has an effect. */
let op: u32 = 0;
let first: u32 = 0;
let second: u32 = 0;

export function beginTarget(ofTable: u32, ofFamily: u32): void {
  table = ofTable;
  family = ofFamily;
  op = 0;
}

/** Reads `-j TARGET` with its options; the next word is none of them, or nothing is left. */
export function readTarget(line: u32, isGoto: bool): void {
  words.next();
  if (words.isLineEnd()) {
    badSyntax(line, "the line ends before the target", 0, 0);
    return;
  }
  first = 0;
  second = 0;
  if (words.is("ACCEPT")) op = Op.ACCEPT;
  else if (words.is("DROP")) op = Op.DROP;
  else if (words.is("RETURN")) op = Op.RETURN;
  else if (words.is("REJECT")) op = Op.REJECT;
  else if (words.is("MARK")) op = Op.SET_MARK;
  else if (words.is("CONNMARK")) {
    op = Op.SET_CT_MARK;
    first = u32.MAX_VALUE;
    second = u32.MAX_VALUE;
  } else if (words.is("DNAT")) {
    op = Op.DNAT;
    first = ABSENT;
  } else if (words.is("SNAT")) {
    op = Op.SNAT;
    first = ABSENT;
  } else if (words.is("MASQUERADE")) op = Op.MASQUERADE;
  else if (words.is("REDIRECT")) op = Op.REDIRECT;
  else if (isWithoutEffect()) op = 0;
  else if (words.is("CT")) op = Op.NOTRACK;
  else if (isExtension()) {
    op = Op.UNKNOWN_TARGET;
    unknownWord(line, "target", words.bytes, words.length);
  } else {
    op = isGoto ? Op.GOTO : Op.JUMP;
    first = chainNamed(table, nameOf(words.bytes, words.length));
    words.next();
    return;
  }
  words.next();
  readOptions(line);
}

/** Extensions that change nothing that decides where a packet goes. */
function isWithoutEffect(): bool {
  return (
    words.is("LOG") ||
    words.is("NFLOG") ||
    words.is("ULOG") ||
    words.is("TRACE") ||
    words.is("AUDIT") ||
    words.is("TCPMSS") ||
    words.is("CHECKSUM") ||
    words.is("CLASSIFY") ||
    words.is("DSCP") ||
    words.is("TOS") ||
    words.is("TTL") ||
    words.is("HL") ||
    words.is("IDLETIMER") ||
    words.is("LED") ||
    words.is("RATEEST") ||
    words.is("SECMARK") ||
    words.is("CONNSECMARK") ||
    words.is("TCPOPTSTRIP") ||
    words.is("SET") ||
    words.is("HMARK")
  );
}

/** Other extensions, so that they are not taken for chains. */
function isExtension(): bool {
  return (
    words.is("TPROXY") ||
    words.is("NFQUEUE") ||
    words.is("QUEUE") ||
    words.is("NETMAP") ||
    words.is("TEE") ||
    words.is("SYNPROXY") ||
    words.is("CLUSTERIP") ||
    words.is("SNPT") ||
    words.is("DNPT") ||
    words.is("ECN")
  );
}

function readOptions(line: u32): void {
  while (!words.isLineEnd()) {
    if (op == 0 || op == Op.UNKNOWN_TARGET) {
      words.next();
      continue;
    }
    if (words.is("--random-fully") || words.is("--random") || words.is("--persistent") || words.is("--notrack")) {
      words.next();
      continue;
    }
    if (op == Op.REJECT && words.is("--reject-with")) {
      words.next();
      first = rejectReason();
      if (first > RejectWith.ADMIN_PROHIBITED) giveUp(line, "reason to reject");
    } else if (words.is("--save-mark") && op == Op.SET_CT_MARK) op = Op.SAVE_MARK;
    else if (words.is("--restore-mark") && op == Op.SET_CT_MARK) op = Op.RESTORE_MARK;
    else if (op == Op.SAVE_MARK || op == Op.RESTORE_MARK) {
      if (!readMasks()) giveUp(line, "mask");
    } else if (op == Op.SET_MARK || op == Op.SET_CT_MARK) {
      if (!readMark()) giveUp(line, "mark");
    } else if ((op == Op.DNAT && words.is("--to-destination")) || (op == Op.SNAT && words.is("--to-source"))) {
      if (!readEndpoint()) giveUp(line, "address");
    } else if (op == Op.REDIRECT && words.is("--to-ports")) {
      words.next();
      if (numbers.parseRange(words.bytes, words.length, 0x2d, 0xffff) && numbers.first == numbers.last) {
        first = numbers.first;
      } else giveUp(line, "port");
    } else if (op == Op.MASQUERADE && words.is("--to-ports")) words.next();
    else if (words.is("-m") || words.is("!")) return;
    else giveUp(line, "option");
    if (words.isLineEnd()) return;
    words.next();
  }
}

function giveUp(line: u32, what: string): void {
  if (op != Op.UNKNOWN_TARGET) unknownWord(line, what, words.bytes, words.length);
  op = Op.UNKNOWN_TARGET;
}

/** Sets `first` to the mask and `second` to the value of `mark = (mark & ~mask) ^ value`. */
function readMark(): bool {
  const isXset = words.is("--set-xmark");
  const isSet = words.is("--set-mark");
  const isOr = words.is("--or-mark");
  const isAnd = words.is("--and-mark");
  const isXor = words.is("--xor-mark");
  if (!isXset && !isSet && !isOr && !isAnd && !isXor) return false;
  words.next();
  const slash = numbers.indexOf(words.bytes, words.length, 0x2f);
  const value = numbers.parseNumber(words.bytes, slash);
  let mask: u64 = u32.MAX_VALUE;
  if (slash < words.length) mask = numbers.parseNumber(words.bytes + slash + 1, words.length - slash - 1);
  if (value == numbers.NO_NUMBER || mask == numbers.NO_NUMBER) return false;
  const v = <u32>value;
  const m = <u32>mask;
  if (isXset) {
    first = m;
    second = v;
  } else if (isSet) {
    first = m | v;
    second = v;
  } else if (isOr) {
    first = v;
    second = v;
  } else if (isAnd) {
    first = ~v;
    second = 0;
  } else {
    first = 0;
    second = v;
  }
  return true;
}

/** `--nfmask M`, `--ctmask M`, `--mask M` */
function readMasks(): bool {
  const isNf = words.is("--nfmask");
  const isCt = words.is("--ctmask");
  if (!isNf && !isCt && !words.is("--mask")) return false;
  words.next();
  const mask = numbers.parseNumber(words.bytes, words.length);
  if (mask == numbers.NO_NUMBER) return false;
  if (!isCt) first = <u32>mask;
  if (!isNf) second = <u32>mask;
  return true;
}

function readEndpoint(): bool {
  words.next();
  if (!literals.parseEndpoint(words.bytes, words.length)) {
    // `:80` is a port alone.
    const isPort = words.length > 1 && load<u8>(words.bytes) == 0x3a;
    const port = isPort ? numbers.parseNumber(words.bytes + 1, words.length - 1) : numbers.NO_NUMBER;
    if (port > 0xffff) return false;
    first = ABSENT;
    second = <u32>port;
    return true;
  }
  if (literals.family != family) return false;
  first = literals.first;
  second = literals.port;
  return true;
}

function isOfConnection(): bool {
  return op == Op.SET_CT_MARK || op == Op.SAVE_MARK || op == Op.RESTORE_MARK;
}

/** Adds the target's statement, if it has an effect. */
export function writeTarget(): void {
  if (op == 0) return;
  if (op == Op.JUMP || op == Op.GOTO || op == Op.REJECT) statement1(op, 0, first);
  else if (op == Op.REDIRECT) statement3(op, 0, first, literals.loopback(0), literals.loopback(1));
  else if (op == Op.SET_MARK || isOfConnection()) statement2(op, 0, first, second);
  else if (op == Op.DNAT) statement3(op, 0, family, first, second);
  else if (op == Op.SNAT) statement2(op, 0, family, first);
  else statement(op, 0);
}
