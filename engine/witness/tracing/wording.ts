// Matches and verdicts in plain words, as parts of JSON strings.
import { byte, decimal, hex32, lit, outAdvance, outReserve } from "../../bytes/out";
import { addressAt, formatAddress } from "../model/addresses";
import { nameBytes, nameLength } from "../model/names";
import { ABSENT } from "../model/pairs";
import {
  CtState,
  CtStatus,
  code,
  FIRST_STATEMENT,
  Field,
  Flag,
  Op,
  RejectWith,
  ruleEnd,
  ruleStart,
} from "../model/rules";
import { setAt } from "../model/sets";
import { chainAt } from "../model/tables";

/** A name inside a JSON string: what would need escapes becomes `?`. */
export function nameText(name: u32): void {
  const bytes = nameBytes(name);
  for (let i: usize = 0; i < nameLength(name); i++) {
    const c = load<u8>(bytes + i);
    if (c < 0x20 || c == 0x22 || c == 0x5c) byte(0x3f);
    else byte(c);
  }
}

export function literalText(family: u32, id: u32): void {
  outAdvance(formatAddress(family, outReserve(64), addressAt(family, id)));
}

function rangeText(family: u32, first: u32, last: u32): void {
  literalText(family, first);
  if (first == last) return;
  byte(0x2d);
  literalText(family, last);
}

function numbersText(first: u32, last: u32): void {
  decimal(first);
  if (first == last) return;
  byte(0x2d);
  decimal(last);
}

export function protocolText(protocol: u32): void {
  if (protocol == 6) lit("tcp");
  else if (protocol == 17) lit("udp");
  else if (protocol == 132) lit("sctp");
  else if (protocol == 1) lit("icmp");
  else if (protocol == 58) lit("icmpv6");
  else if (protocol > 255) lit("other");
  else decimal(protocol);
}

export function rejectText(reason: u32): void {
  switch (reason) {
    case RejectWith.TCP_RESET:
      lit("tcp-reset");
      return;
    case RejectWith.HOST_UNREACHABLE:
      lit("host-unreachable");
      return;
    case RejectWith.NET_UNREACHABLE:
      lit("net-unreachable");
      return;
    case RejectWith.PROTO_UNREACHABLE:
      lit("proto-unreachable");
      return;
    case RejectWith.ADMIN_PROHIBITED:
      lit("admin-prohibited");
      return;
  }
  lit("port-unreachable");
}

function statesText(bits: u32): void {
  let first = true;
  for (let bit: u32 = 1; bit <= CtState.SNAT; bit <<= 1) {
    if ((bits & bit) == 0) continue;
    if (!first) byte(0x2c);
    first = false;
    if (bit == CtState.NEW) lit("new");
    else if (bit == CtState.ESTABLISHED) lit("established");
    else if (bit == CtState.RELATED) lit("related");
    else if (bit == CtState.INVALID) lit("invalid");
    else if (bit == CtState.UNTRACKED) lit("untracked");
    else lit(bit == CtState.DNAT ? "dnat" : "snat");
  }
}

function fieldText(field: u32): void {
  switch (field & 0xff) {
    case Field.DADDR:
      lit("destination");
      return;
    case Field.PROTOCOL:
      lit("protocol");
      return;
    case Field.DPORT:
      lit("port");
      return;
    case Field.SADDR:
      lit("source");
      return;
    case Field.SPORT:
      lit("source port");
      return;
    case Field.IIF:
      lit("in-interface");
      return;
    case Field.OIF:
      lit("out-interface");
      return;
    case Field.MARK:
      lit("mark");
      return;
  }
  lit("a random number below ");
  decimal(field >> 8);
}

function setText(at: u32): void {
  for (let i = at + 2; i <= at + (code.get(at) >> 16); i++) {
    if (i > at + 2) lit(" and ");
    fieldText(code.get(i));
  }
}

function setNameText(number: u32): void {
  const name = setAt(number).name;
  if (name == 0) {
    lit(" in the rule's own set");
    return;
  }
  lit(" in ");
  nameText(name);
}

/** One match. */
function matchText(at: u32): void {
  const word = code.get(at);
  const op = word & 0xff;
  const not = ((word >> 8) & Flag.NOT) != 0;
  const first = code.get(at + 1);
  switch (op) {
    case Op.FAMILY:
      lit(first == 0 ? "IPv4" : "IPv6");
      return;
    case Op.CT_STATE:
      lit(not ? "connection not " : "connection ");
      statesText(first);
      return;
    case Op.CT_STATUS:
      lit(not ? "no " : "");
      lit((first & CtStatus.DNAT) != 0 ? "destination translated" : "source translated");
      return;
    case Op.MARK:
      lit(not ? "mark without " : "mark ");
      hex32(code.get(at + 2));
      byte(0x2f);
      hex32(first);
      return;
    case Op.LOCAL:
      lit(first == Field.DADDR ? "destination " : "source ");
      lit(not ? "not the node's own" : "the node's own");
      return;
    case Op.INTERFACE:
      lit(first == Field.IIF ? "came in by " : "leaves by ");
      if (not) lit("other than ");
      nameText(code.get(at + 2));
      if (((word >> 8) & Flag.PREFIX) != 0) byte(0x2a);
      return;
    case Op.DADDR:
    case Op.SADDR:
      lit(op == Op.DADDR ? "destination " : "source ");
      if (not) lit("not ");
      rangeText(first, code.get(at + 2), code.get(at + 3));
      return;
    case Op.PROTOCOL:
      if (not) lit("not ");
      protocolText(first);
      if (first != code.get(at + 2)) {
        byte(0x2d);
        protocolText(code.get(at + 2));
      }
      return;
    case Op.DPORT:
    case Op.SPORT:
      if (((word >> 8) & Flag.ICMP) != 0) {
        lit(not ? "ICMP type not " : "ICMP type ");
        numbersText(first >> 8, code.get(at + 2) >> 8);
        return;
      }
      lit(op == Op.DPORT ? "port " : "source port ");
      if (not) lit("not ");
      numbersText(first, code.get(at + 2));
      return;
    case Op.TCP_FLAGS:
      lit(not ? "TCP flags not " : "TCP flags ");
      hex32(code.get(at + 2));
      byte(0x2f);
      hex32(first);
      return;
    case Op.CT_MARK:
      lit(not ? "the connection's mark not " : "the connection's mark ");
      hex32(code.get(at + 2));
      byte(0x2f);
      hex32(first);
      return;
    case Op.OWNER:
      lit("the process that sends it");
      return;
    case Op.LOOKUP:
      setText(at);
      if (not) lit(" not");
      setNameText(first);
      return;
    case Op.STICKY:
      lit(not ? "the client does not stick" : "the client sticks to this endpoint");
      return;
    case Op.CHANCE:
      lit(not ? "not by chance" : "by chance");
      return;
  }
  lit("something that is not understood");
}

/** All matches of a rule, and what it looks up in a map, as strings of a JSON array without its brackets. */
export function matchesText(rule: u32): void {
  let first = true;
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const op = code.get(at) & 0xff;
    const isMap = op == Op.VMAP || op == Op.DNAT_MAP;
    if (op >= FIRST_STATEMENT && !isMap) continue;
    if (!first) byte(0x2c);
    first = false;
    byte(0x22);
    if (isMap) {
      setText(at);
      setNameText(code.get(at + 1));
    } else {
      matchText(at);
    }
    byte(0x22);
  }
}

export function verdictText(op: u32, chain: u32): void {
  if (op == Op.ACCEPT) lit("accept");
  else if (op == Op.DROP) lit("drop");
  else if (op == Op.RETURN) lit("return");
  else {
    lit(op == Op.JUMP ? "jump " : "goto ");
    nameText(chainAt(chain).name);
  }
}

/** `A:P`, `[A]:P`, `A` */
export function endpointText(family: u32, literal: u32, port: u32): void {
  const brackets = family != 0 && port != 0;
  if (brackets) byte(0x5b);
  if (literal != ABSENT) literalText(family, literal);
  if (brackets) byte(0x5d);
  if (port == 0) return;
  byte(0x3a);
  decimal(port);
}

/** What a rule's statements do; for a look-up, what it has found is told by who asks. */
export function statementsText(rule: u32): void {
  let first = true;
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const op = code.get(at) & 0xff;
    if (op < FIRST_STATEMENT || op == Op.VMAP || op == Op.DNAT_MAP) continue;
    if (!first) lit(", ");
    first = false;
    statementText(op, at);
  }
}

function statementText(op: u32, at: u32): void {
  const a = code.get(at + 1);
  switch (op) {
    case Op.SET_MARK:
      lit("set mark ");
      hex32(code.get(at + 2));
      byte(0x2f);
      hex32(a);
      return;
    case Op.SET_CT_MARK:
      lit("set the connection's mark ");
      hex32(code.get(at + 2));
      byte(0x2f);
      hex32(a);
      return;
    case Op.SAVE_MARK:
      lit("save the mark in the connection's");
      return;
    case Op.RESTORE_MARK:
      lit("restore the mark from the connection's");
      return;
    case Op.STICK:
      lit("remember the client");
      return;
    case Op.REJECT:
      lit("reject with ");
      rejectText(a);
      return;
    case Op.DNAT:
      lit("DNAT to ");
      endpointText(a, code.get(at + 2), code.get(at + 3));
      return;
    case Op.MASQUERADE:
      lit("masquerade");
      return;
    case Op.SNAT:
      lit("SNAT to ");
      endpointText(a, code.get(at + 2), 0);
      return;
    case Op.REDIRECT:
      lit("redirect to this node");
      return;
    case Op.NOTRACK:
      lit("do not track");
      return;
    case Op.CT_STATE_VMAP:
      lit("a verdict by the state of the connection");
      return;
    case Op.UNKNOWN_TARGET:
      lit("something that is not understood");
      return;
  }
  verdictText(op, a);
}
