// Rules: runs of statements in one vector of words, in the order in which they are carried out.
//
// A statement is a word `operation | flags << 8 | words << 16`, followed by that many words. What each means is said at its
// operation. Matches are sorted by what they cost a comparison to fail: see `sortMatches`.
import { Vector } from "../../bytes/memory";
import { ABSENT } from "./pairs";
import { chainAt } from "./tables";

export namespace Op {
  // Matches, in the order in which they are tried: a rule needs one reason to fail, and the first narrows a comparison least.
  /** Never matches, for this family: no words. */
  export const NEVER: u32 = 1;
  /** The packet's family: IPV4 or IPV6. */
  export const FAMILY: u32 = 2;
  /** ct state: bits of CtState. */
  export const CT_STATE: u32 = 3;
  /** ct status: bits of CtStatus. */
  export const CT_STATUS: u32 = 4;
  /** mark: mask, value. */
  export const MARK: u32 = 5;
  /** Destination local: which address, Field.DADDR or Field.SADDR. */
  export const LOCAL: u32 = 6;
  /** An interface: Field.IIF or OIF, name; flag PREFIX. */
  export const INTERFACE: u32 = 7;
  /** Family, first and last literal. */
  export const DADDR: u32 = 8;
  /** First and last protocol. */
  export const PROTOCOL: u32 = 9;
  /** First and last port. */
  export const DPORT: u32 = 10;
  /** Family, first and last literal. */
  export const SADDR: u32 = 11;
  export const SPORT: u32 = 12;
  /** TCP's flags: mask, value. */
  export const TCP_FLAGS: u32 = 13;
  /** Mark of the connection: mask, value. */
  export const CT_MARK: u32 = 14;
  /** A socket's owner, which only what the node sends has: no words. */
  export const OWNER: u32 = 15;
  /** Set, fields. */
  export const LOOKUP: u32 = 16;
  /** xt_recent --rcheck, or a look-up of the source in a dynamic set: affinity list, seconds (0: the set's). */
  export const STICKY: u32 = 17;
  /** Numerator and denominator, two words each. */
  export const CHANCE: u32 = 18;
  /** What is not understood, before the rule's end: no words. */
  export const UNKNOWN: u32 = 19;

  // Statements that always go on, and then verdicts.
  /** mark = (mark & ~mask) ^ value: mask, value. */
  export const SET_MARK: u32 = 20;
  /** The client sticks from here on: affinity list, seconds (0: the set's). */
  export const STICK: u32 = 21;
  /** The connection's mark = (its mark & ~mask) ^ value: mask, value. */
  export const SET_CT_MARK: u32 = 22;
  /** The connection's mark = (its mark & ~ctmask) ^ (mark & nfmask): nfmask, ctmask. */
  export const SAVE_MARK: u32 = 23;
  /** mark = (mark & ~nfmask) ^ (the connection's mark & ctmask): nfmask, ctmask. */
  export const RESTORE_MARK: u32 = 24;
  export const ACCEPT: u32 = 25;
  export const DROP: u32 = 26;
  /** RejectWith */
  export const REJECT: u32 = 27;
  export const RETURN: u32 = 28;
  export const JUMP: u32 = 29;
  export const GOTO: u32 = 30;
  /** Family, literal or ABSENT, port or 0. */
  export const DNAT: u32 = 31;
  /** Set, fields. */
  export const DNAT_MAP: u32 = 32;
  /** Set, fields. */
  export const VMAP: u32 = 33;
  export const MASQUERADE: u32 = 34;
  /** Family, literal or ABSENT. */
  export const SNAT: u32 = 35;
  /** Port or 0, literals of 127.0.0.1 and ::1. */
  export const REDIRECT: u32 = 36;
  export const NOTRACK: u32 = 37;
  /** A verdict by the connection's state: states, operation, chain of each. */
  export const CT_STATE_VMAP: u32 = 38;
  /** A target that is not understood: no words. */
  export const UNKNOWN_TARGET: u32 = 39;
}

/** The first operation that is no match. */
export const FIRST_STATEMENT: u32 = Op.SET_MARK;

export namespace Flag {
  /** The match is negated. */
  export const NOT: u32 = 1;
  /** An interface name that ends with a wildcard. */
  export const PREFIX: u32 = 2;
  /** What is compared as a port is an ICMP type × 256 + code. */
  export const ICMP: u32 = 4;
}

/** Some rule asks for types of ICMP: only then a comparison tells them apart. */
export let asksForIcmp: bool = false;
export function noteIcmp(): void {
  asksForIcmp = true;
}

/** Parts of a packet that look-ups are made of. */
export namespace Field {
  export const DADDR: u32 = 0;
  export const PROTOCOL: u32 = 1;
  export const DPORT: u32 = 2;
  export const SADDR: u32 = 3;
  export const SPORT: u32 = 4;
  export const IIF: u32 = 5;
  export const OIF: u32 = 6;
  export const MARK: u32 = 7;
  /** `numgen random mod N`, or `inc`: the word is NUMGEN | N << 8. */
  export const NUMGEN: u32 = 8;
  /** Something that we do not follow. */
  export const OTHER: u32 = 9;
}

export namespace CtState {
  export const NEW: u32 = 1;
  export const ESTABLISHED: u32 = 2;
  export const RELATED: u32 = 4;
  export const INVALID: u32 = 8;
  export const UNTRACKED: u32 = 16;
  /** iptables has it among the states: translated by DNAT. */
  export const DNAT: u32 = 32;
  export const SNAT: u32 = 64;
}

export namespace CtStatus {
  export const DNAT: u32 = 1;
  export const SNAT: u32 = 2;
  /** Others: not followed. */
  export const OTHER: u32 = 4;
}

export namespace RejectWith {
  export const PORT_UNREACHABLE: u32 = 0;
  export const TCP_RESET: u32 = 1;
  export const HOST_UNREACHABLE: u32 = 2;
  export const NET_UNREACHABLE: u32 = 3;
  export const PROTO_UNREACHABLE: u32 = 4;
  export const ADMIN_PROHIBITED: u32 = 5;
}

/** Of each rule: next rule of its chain, line, start and end of its statements. */
const RULE: u32 = 4;
const rules = new Vector();
export const code = new Vector();

export function ruleCount(): u32 {
  return rules.length / RULE;
}
export function nextRule(rule: u32): u32 {
  return rules.get(rule * RULE);
}
export function ruleLine(rule: u32): u32 {
  return rules.get(rule * RULE + 1);
}
export function ruleStart(rule: u32): u32 {
  return rules.get(rule * RULE + 2);
}
export function ruleEnd(rule: u32): u32 {
  return rules.get(rule * RULE + 3);
}

let start: u32 = 0;

/** A rule begins. */
export function beginRule(): void {
  start = code.length;
}

/** A statement begins, with so many words to be pushed to `code`. */
export function statement(op: u32, words: u32, flags: u32 = 0): void {
  code.push(op | (flags << 8) | (words << 16));
}

export function statement1(op: u32, flags: u32, a: u32): void {
  statement(op, 1, flags);
  code.push(a);
}

export function statement2(op: u32, flags: u32, a: u32, b: u32): void {
  statement(op, 2, flags);
  code.push(a);
  code.push(b);
}

export function statement3(op: u32, flags: u32, a: u32, b: u32, c: u32): void {
  statement(op, 3, flags);
  code.push(a);
  code.push(b);
  code.push(c);
}

/** Whether anything in the rule that is being made has an effect. */
export function hasEffect(): bool {
  for (let at = start; at < code.length; at += (code.get(at) >> 16) + 1) {
    if ((code.get(at) & 0xff) >= FIRST_STATEMENT) return true;
  }
  return false;
}

/** Whether the rule that is being made holds something that is not understood. */
export function hasUnknown(): bool {
  for (let at = start; at < code.length; at += (code.get(at) >> 16) + 1) {
    const op = code.get(at) & 0xff;
    if (op == Op.UNKNOWN || op == Op.UNKNOWN_TARGET) return true;
  }
  return false;
}

/** Whether the rule that is being made has such a match. */
export function hasMatch(op: u32): bool {
  for (let at = start; at < code.length; at += (code.get(at) >> 16) + 1) {
    if ((code.get(at) & 0xff) == op) return true;
  }
  return false;
}

export function dropRule(): void {
  code.length = start;
}

const sorted = new Vector();

/** Sorts the matches before the first statement by operation; those of one operation stay in order. */
function sortMatches(): void {
  let end = start;
  let highest: u32 = 0;
  let inOrder = true;
  while (end < code.length) {
    const op = code.get(end) & 0xff;
    if (op >= FIRST_STATEMENT) break;
    if (op < highest) inOrder = false;
    highest = max(highest, op);
    end += (code.get(end) >> 16) + 1;
  }
  if (inOrder) return;
  sorted.clear();
  for (let op: u32 = 1; op < FIRST_STATEMENT; op++) {
    for (let at = start; at < end; at += (code.get(at) >> 16) + 1) {
      if ((code.get(at) & 0xff) != op) continue;
      const words = (code.get(at) >> 16) + 1;
      for (let i: u32 = 0; i < words; i++) sorted.push(code.get(at + i));
    }
  }
  memory.copy(code.data + ((<usize>start) << 2), sorted.data, (<usize>sorted.length) << 2);
}

/** The rule that was begun is complete; it goes to the end of the chain, or to its beginning. */
export function endRule(chainNumber: u32, line: u32, insert: bool = false): void {
  sortMatches();
  const rule = ruleCount();
  const chain = chainAt(chainNumber);
  rules.push(insert ? chain.firstRule : ABSENT);
  rules.push(line);
  rules.push(start);
  rules.push(code.length);
  if (chain.firstRule == ABSENT) {
    chain.firstRule = rule;
    chain.lastRule = rule;
  } else if (insert) {
    chain.firstRule = rule;
  } else {
    rules.set(chain.lastRule * RULE, rule);
    chain.lastRule = rule;
  }
  chain.ruleCount++;
}
