// Whether a rule's matches hold for the packet as it is now, and what that says of packets beside it.
import { Vector } from "../../bytes/memory";
import { rankOf } from "../model/addresses";
import { listAddress, listPort } from "../model/affinity";
import { ABSENT } from "../model/pairs";
import { CtState, CtStatus, code, FIRST_STATEMENT, Field, Flag, Op } from "../model/rules";
import { setAt } from "../model/sets";
import { isLocal, rangeFirst, rangeLast } from "./facts";
import { Interface, interfaceMatches } from "./interfaces";
import { lookUp } from "./lookups";
import { Dim, narrow, narrowByRange, Origin, packet, valueOf } from "./packet";
import { protocolRank } from "./protocol-ranks";
import { inInterface, outInterface, Stage } from "./stages";
import { state } from "./state";

export namespace Outcome {
  export const NO: u32 = 0;
  export const YES: u32 = 1;
  export const UNKNOWN: u32 = 2;
  /** By chance: the match's words say how likely. */
  export const CHANCE: u32 = 3;
}

/** Lists that were asked whether the client sticks to their endpoint. */
export const asked = new Vector();

function isInRange(value: u32, first: u32, last: u32): bool {
  return value >= first && value <= last;
}

/** State of the connection as rules see it now. */
export function ctStateBits(): u32 {
  let bits = state.isUntracked ? CtState.UNTRACKED : packet.ctState;
  if (state.isTranslated || (packet.ctStatus & CtStatus.DNAT) != 0) bits |= CtState.DNAT;
  if (state.isMasqueraded || state.snat != 0 || (packet.ctStatus & CtStatus.SNAT) != 0) bits |= CtState.SNAT;
  return bits;
}

/** The statement at `at`, without its negation. `narrows`: the box keeps the packets for which it comes out the same. */
function holds(at: u32, narrows: bool): bool {
  const op = code.get(at) & 0xff;
  switch (op) {
    case Op.NEVER:
      return false;
    case Op.FAMILY:
      return code.get(at + 1) == packet.family;
    case Op.CT_STATE:
      return (ctStateBits() & code.get(at + 1)) != 0;
    case Op.CT_STATUS: {
      const bits = ctStateBits();
      const wanted = code.get(at + 1);
      return (
        ((wanted & CtStatus.DNAT) != 0 && (bits & CtState.DNAT) != 0) ||
        ((wanted & CtStatus.SNAT) != 0 && (bits & CtState.SNAT) != 0)
      );
    }
    case Op.MARK:
      return (state.mark & code.get(at + 1)) == code.get(at + 2);
    case Op.LOCAL:
      return isAddressLocal(code.get(at + 1), narrows);
    case Op.INTERFACE:
      return isInterface(at, narrows);
    case Op.DADDR: {
      if (code.get(at + 1) != packet.family) return false;
      const first = rankOf(packet.family, code.get(at + 2));
      const last = rankOf(packet.family, code.get(at + 3));
      if (state.isAddressNew) return isInRange(state.daddr, first, last);
      if (narrows) narrowByRange(Dim.DADDR, first, last);
      return isInRange(valueOf(Dim.DADDR), first, last);
    }
    case Op.SADDR: {
      if (code.get(at + 1) != packet.family) return false;
      const first = rankOf(packet.family, code.get(at + 2));
      const last = rankOf(packet.family, code.get(at + 3));
      if (narrows) narrowByRange(Dim.SADDR, first, last);
      return isInRange(valueOf(Dim.SADDR), first, last);
    }
    case Op.PROTOCOL: {
      const first = protocolRank(code.get(at + 1));
      const last = protocolRank(code.get(at + 2));
      if (narrows) narrowByRange(Dim.PROTOCOL, first, last);
      return isInRange(valueOf(Dim.PROTOCOL), first, last);
    }
    case Op.DPORT:
      if (state.isPortNew) return isInRange(state.dport, code.get(at + 1), code.get(at + 2));
      return isPlain(Dim.DPORT, at, narrows);
    case Op.SPORT:
      return isPlain(Dim.SPORT, at, narrows);
  }
  // STICKY: the client is on the list.
  const list = code.get(at + 1);
  packet.askedStuck = true;
  asked.push(list);
  return (
    packet.stuckAddress != ABSENT && listAddress(list) == packet.stuckAddress && listPort(list) == packet.stuckPort
  );
}

/** The statement looks up a mark that is not known. */
export function isByUnknownMark(at: u32): bool {
  if (state.unknownMark == 0) return false;
  for (let i = at + 2; i <= at + (code.get(at) >> 16); i++) if (code.get(i) == Field.MARK) return true;
  return false;
}

/**
 * Whether TCP packets in the connection's state have these flags. A new connection begins with SYN; an established one has
 * those combinations that conntrack lets pass (nf_conntrack_proto_tcp.c, tcp_valid_flags); an invalid packet may have any.
 */
function tcpFlags(mask: u32, value: u32): u32 {
  let some = false;
  let all = true;
  for (let flags: u32 = 0; flags < 256; flags++) {
    // Without PSH, ECE and CWR.
    const kind = flags & 0x37;
    if (packet.ctState == CtState.NEW && kind != 0x02) continue;
    const isValid =
      kind == 0x02 || kind == 0x22 || kind == 0x12 || kind == 0x04 || kind == 0x14 || (kind & 0x16) == 0x10;
    if (packet.ctState == CtState.ESTABLISHED && !isValid) continue;
    if ((flags & mask) == value) some = true;
    else all = false;
  }
  return all ? Outcome.YES : some ? Outcome.UNKNOWN : Outcome.NO;
}

/** A match whose outcome may be unknown for what the packet's history is; ABSENT: it is none of these. */
function byHistory(at: u32, op: u32): u32 {
  const mask = code.get(at + 1);
  if (op == Op.TCP_FLAGS) return tcpFlags(mask, code.get(at + 2));
  if (op == Op.CT_MARK) {
    if ((mask & state.unknownCtMark) != 0) return Outcome.UNKNOWN;
    return (state.ctMark & mask) == code.get(at + 2) ? Outcome.YES : Outcome.NO;
  }
  if (op == Op.MARK && (mask & state.unknownMark) != 0) return Outcome.UNKNOWN;
  // What comes in has a socket at most where it is already known to belong to one of the node's.
  if (op == Op.OWNER) {
    const mayHave = packet.ctState == CtState.ESTABLISHED && state.stage == Stage.INPUT;
    return packet.origin == Origin.NODE || mayHave ? Outcome.UNKNOWN : Outcome.NO;
  }
  return ABSENT;
}

function isPlain(dim: u32, at: u32, narrows: bool): bool {
  if (narrows) narrowByRange(dim, code.get(at + 1), code.get(at + 2));
  return isInRange(valueOf(dim), code.get(at + 1), code.get(at + 2));
}

function isAddressLocal(field: u32, narrows: bool): bool {
  const dim = field == Field.DADDR ? Dim.DADDR : Dim.SADDR;
  if (dim == Dim.DADDR && state.isAddressNew) return isLocal(packet.family, state.daddr);
  const is = isLocal(packet.family, valueOf(dim));
  if (narrows) narrow(dim, rangeFirst, rangeLast);
  return is;
}

function isInterface(at: u32, narrows: bool): bool {
  const isIn = code.get(at + 1) == Field.IIF;
  const number = isIn ? inInterface() : outInterface();
  const isPrefix = ((code.get(at) >> 8) & Flag.PREFIX) != 0;
  if (narrows) {
    const dim = isIn ? Dim.IIF : Dim.OIF;
    const isPackets = isIn ? packet.origin == Origin.NETWORK : number != Interface.NONE && number == valueOf(dim);
    if (isPackets) narrow(dim, number, number);
  }
  return interfaceMatches(number, code.get(at + 2), isPrefix);
}

/** The match at `at`, negated or not. */
export function matches(at: u32, narrows: bool): u32 {
  const word = code.get(at);
  const op = word & 0xff;
  const not = ((word >> 8) & Flag.NOT) != 0;
  if (op == Op.UNKNOWN) return Outcome.UNKNOWN;
  if (op == Op.CHANCE) return Outcome.CHANCE;
  if (op == Op.LOOKUP) {
    const set = setAt(code.get(at + 1));
    if (set.isUnknown || isByUnknownMark(at)) return Outcome.UNKNOWN;
    // A look-up narrows by itself: as a rule has one at most, it is tried last.
    return lookUp(set, at + 2, (word >> 16) - 1) != not ? Outcome.YES : Outcome.NO;
  }
  const known = byHistory(at, op);
  if (known == Outcome.UNKNOWN) return Outcome.UNKNOWN;
  if (known != ABSENT) return (known == Outcome.YES) != not ? Outcome.YES : Outcome.NO;
  return holds(at, narrows) != not ? Outcome.YES : Outcome.NO;
}

/** Where the statements begin of the rule that `tryRule` has tried. */
export let firstStatement: u32 = 0;
/** Where its chance stands; ABSENT: it has none. */
export let chance: u32 = ABSENT;

/** Tries the matches before a rule's first statement. */
export function tryRule(start: u32, end: u32): u32 {
  let at = start;
  chance = ABSENT;
  let result: u32 = Outcome.YES;
  while (at < end) {
    const word = code.get(at);
    if ((word & 0xff) >= FIRST_STATEMENT) break;
    const outcome = matches(at, false);
    if (outcome == Outcome.NO) {
      // One reason to fail is enough: only this match narrows the box.
      matches(at, true);
      return Outcome.NO;
    }
    if (outcome == Outcome.UNKNOWN) result = Outcome.UNKNOWN;
    if (outcome == Outcome.CHANCE) {
      // One chance a rule is followed.
      if (chance != ABSENT) result = Outcome.UNKNOWN;
      chance = at;
    }
    at += (word >> 16) + 1;
  }
  firstStatement = at;
  for (let i = start; i < at; i += (code.get(i) >> 16) + 1) matches(i, true);
  return result;
}
