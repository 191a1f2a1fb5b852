// Chains of nft: what they are hooked to, and their rules in a listing.
import { Chain, ChainType, chainAt, Hook, tableAt } from "../model/tables";
import { readRule } from "./nft-rules";
import * as numbers from "./numbers";
import { badSyntax, unknownWord } from "./problems";
import * as words from "./words";

/** From behind `{` to behind `}`: `type T hook H priority P ; policy X ; comment "…" ;` */
export function readChainOptions(number: u32): void {
  while (words.kind != words.Kind.END && !words.isSignOf(0x7d)) {
    if (!readOption(chainAt(number))) {
      badSyntax(words.line, "expected type, policy or comment", words.bytes, words.length);
      words.next();
    }
  }
  words.next();
}

/** From behind `{` to behind `}`: options, and rules line by line. */
export function readChainBody(table: u32, number: u32): void {
  const line = words.line;
  while (words.kind != words.Kind.END && !words.isSignOf(0x7d)) {
    if (!readOption(chainAt(number))) readRule(table, number, words.line, false);
  }
  if (words.kind == words.Kind.END) badSyntax(line, "the chain does not end", 0, 0);
  words.next();
}

/** Reads one option, or what stands between them; false: it is none. */
function readOption(chain: Chain): bool {
  if (words.kind == words.Kind.NEWLINE || words.isSignOf(0x3b)) {
    words.next();
    return true;
  }
  if (words.is("comment")) {
    words.next();
    words.next();
    return true;
  }
  if (words.is("policy")) {
    words.next();
    chain.policyDrop = words.is("drop");
    words.next();
    return true;
  }
  if (words.is("type")) {
    readType(chain);
    return true;
  }
  return false;
}

function hookOf(): u32 {
  if (words.is("prerouting")) return Hook.PREROUTING;
  if (words.is("input")) return Hook.INPUT;
  if (words.is("forward")) return Hook.FORWARD;
  if (words.is("output")) return Hook.OUTPUT;
  if (words.is("postrouting")) return Hook.POSTROUTING;
  return Hook.NONE;
}

function readType(chain: Chain): void {
  words.next();
  if (words.is("nat")) chain.type = ChainType.NAT;
  else if (words.is("route")) chain.type = ChainType.ROUTE;
  else chain.type = ChainType.FILTER;
  words.next();
  while (!words.isLineEnd() && !words.isSignOf(0x3b) && !words.isSignOf(0x7d)) {
    if (words.is("hook")) {
      words.next();
      chain.hook = tableAt(chain.table).family == 3 ? Hook.NONE : hookOf();
      words.next();
    } else if (words.is("device") || words.is("devices")) {
      while (!words.isLineEnd() && !words.is("priority")) words.next();
    } else if (words.is("priority")) {
      words.next();
      readPriority(chain);
    } else {
      words.next();
    }
  }
}

/** `N`, `name`, `name + N`, `name - N` */
function readPriority(chain: Chain): void {
  let base: i32 = 0;
  if (words.is("raw")) base = -300;
  else if (words.is("mangle")) base = -150;
  else if (words.is("dstnat")) base = -100;
  else if (words.is("filter")) base = 0;
  else if (words.is("security")) base = 50;
  else if (words.is("srcnat")) base = 100;
  else {
    if (!readSigned()) unknownWord(words.line, "priority", words.bytes, words.length);
    chain.priority = signed;
    words.next();
    return;
  }
  words.next();
  const isPlus = words.is("+");
  if (isPlus || words.is("-")) {
    words.next();
    if (!readSigned()) unknownWord(words.line, "priority", words.bytes, words.length);
    base += isPlus ? signed : -signed;
    words.next();
  }
  chain.priority = base;
}

let signed: i32 = 0;
function readSigned(): bool {
  const isNegative = words.length > 0 && load<u8>(words.bytes) == 0x2d;
  const value = numbers.parseNumber(words.bytes + <usize>isNegative, words.length - <usize>isNegative);
  signed = isNegative ? -(<i32>value) : <i32>value;
  return value != numbers.NO_NUMBER;
}
