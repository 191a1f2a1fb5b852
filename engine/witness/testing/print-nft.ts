// Rules in nft's words.
import { byte, decimal, hex32, lit } from "../../bytes/out";
import { IPV6 } from "../model/addresses";
import { listOwner } from "../model/affinity";
import { CtStatus, code, Field, Flag, Op, RejectWith, ruleEnd, ruleStart } from "../model/rules";
import { Column, columnType, ElementSet, rowAt, setAt, Value } from "../model/sets";
import { chainAt, TableFamily, tableAt } from "../model/tables";
import { addresses, endpoint, key, name, numbers, states } from "./print-words";

export function printNftRule(table: u32, rule: u32): void {
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const op = code.get(at) & 0xff;
    if (op == Op.FAMILY && isImplied(table, rule, code.get(at + 1))) continue;
    if (op == Op.PROTOCOL && code.get(at + 1) == 6 && has(rule, Op.TCP_FLAGS)) continue;
    byte(0x20);
    printStatement(at, op);
  }
}

/** `tcp flags` is a match on TCP, too. */
export function has(rule: u32, op: u32): bool {
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    if ((code.get(at) & 0xff) == op) return true;
  }
  return false;
}

/** In a table of both families, an address is a match on its family, too. */
function isImplied(table: u32, rule: u32, family: u32): bool {
  if (tableAt(table).family != TableFamily.INET) return false;
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const op = code.get(at) & 0xff;
    if ((op == Op.DADDR || op == Op.SADDR) && code.get(at + 1) == family) return true;
    if (op == Op.STICKY && columnType(setAt(listOwner(code.get(at + 1))), 0) == (family == IPV6 ? 1 : 0)) return true;
    if (op != Op.LOOKUP && op != Op.VMAP && op != Op.DNAT_MAP) continue;
    const set = setAt(code.get(at + 1));
    for (let i: u32 = 0; i + 1 < code.get(at) >> 16; i++) {
      const field = code.get(at + 2 + i) & 0xff;
      const isAddress = field == Field.DADDR || field == Field.SADDR;
      if (isAddress && (columnType(set, i) == Column.IPV6) == (family == IPV6)) return true;
    }
  }
  return false;
}

function not(at: u32): void {
  if (((code.get(at) >> 8) & Flag.NOT) != 0) lit("!= ");
}

function family(number: u32): void {
  lit(number == IPV6 ? "ip6 " : "ip ");
}

function field(word: u32, column: u32): void {
  switch (word & 0xff) {
    case Field.DADDR:
    case Field.SADDR:
      family(column == Column.IPV6 ? IPV6 : 0);
      lit((word & 0xff) == Field.DADDR ? "daddr" : "saddr");
      return;
    case Field.PROTOCOL:
      lit("meta l4proto");
      return;
    case Field.DPORT:
      lit("th dport");
      return;
    case Field.SPORT:
      lit("th sport");
      return;
    case Field.IIF:
      lit("iifname");
      return;
    case Field.OIF:
      lit("oifname");
      return;
    case Field.MARK:
      lit("meta mark");
      return;
    case Field.NUMGEN:
      lit("numgen random mod ");
      decimal(word >> 8);
      return;
  }
  lit("?");
}

function fields(at: u32): void {
  const set = setAt(code.get(at + 1));
  for (let i: u32 = 0; i + 1 < code.get(at) >> 16; i++) {
    if (i > 0) lit(" . ");
    field(code.get(at + 2 + i), columnType(set, i));
  }
  byte(0x20);
}

function reference(number: u32): void {
  const set = setAt(number);
  if (set.name != 0) {
    byte(0x40);
    name(set.name);
  } else printElements(set);
}

export function printElements(set: ElementSet): void {
  lit("{ ");
  for (let row: u32 = 0; row < set.rowCount; row++) {
    if (row > 0) lit(", ");
    const at = rowAt(set, row);
    for (let column: u32 = 0; column < set.columns; column++) {
      if (column > 0) lit(" . ");
      const words = at + ((<usize>column) << 3);
      key(columnType(set, column), load<u32>(words), load<u32>(words, 4));
    }
    if (set.value == Value.NONE) continue;
    lit(" : ");
    const value = at + ((<usize>set.columns) << 3);
    if (set.value == Value.VERDICT) verdict(load<u32>(value), load<u32>(value, 4));
    else {
      endpoint(set.valueFamily, load<u32>(value), 0);
      if (load<u32>(value, 4) != 0) {
        lit(" . ");
        decimal(load<u32>(value, 4));
      }
    }
  }
  if (set.isUnknown) lit(set.rowCount > 0 ? ", ?" : "?");
  lit(" }");
}

export function verdict(op: u32, chain: u32): void {
  if (op == Op.ACCEPT) lit("accept");
  else if (op == Op.DROP) lit("drop");
  else if (op == Op.RETURN) lit("return");
  else {
    lit(op == Op.JUMP ? "jump " : "goto ");
    name(chainAt(chain).name);
  }
}

function reject(reason: u32): void {
  if (reason == RejectWith.TCP_RESET) lit("reject with tcp reset");
  else {
    lit("reject with icmpx type ");
    if (reason == RejectWith.PORT_UNREACHABLE) lit("port-unreachable");
    else if (reason == RejectWith.HOST_UNREACHABLE) lit("host-unreachable");
    else if (reason == RejectWith.NET_UNREACHABLE) lit("no-route");
    else lit(reason == RejectWith.PROTO_UNREACHABLE ? "prot-unreachable" : "admin-prohibited");
  }
}

function printStatement(at: u32, op: u32): void {
  const a = code.get(at + 1);
  const b = code.get(at + 2);
  const c = code.get(at + 3);
  switch (op) {
    case Op.FAMILY:
      lit(a == IPV6 ? "meta nfproto ipv6" : "meta nfproto ipv4");
      return;
    case Op.CT_STATE:
      lit("ct state ");
      not(at);
      states(a, false);
      return;
    case Op.CT_STATUS:
      lit("ct status ");
      not(at);
      if ((a & CtStatus.DNAT) != 0) lit("dnat");
      if ((a & CtStatus.DNAT) != 0 && (a & CtStatus.SNAT) != 0) byte(0x2c);
      if ((a & CtStatus.SNAT) != 0) lit("snat");
      return;
    case Op.MARK:
      lit("meta mark & ");
      hex32(a);
      byte(0x20);
      not(at);
      hex32(b);
      return;
    case Op.LOCAL:
      lit(a == Field.DADDR ? "fib daddr type " : "fib saddr type ");
      not(at);
      lit("local");
      return;
    case Op.INTERFACE:
      lit(a == Field.IIF ? "iifname " : "oifname ");
      not(at);
      byte(0x22);
      name(b);
      if (((code.get(at) >> 8) & Flag.PREFIX) != 0) byte(0x2a);
      byte(0x22);
      return;
    case Op.DADDR:
    case Op.SADDR:
      family(a);
      lit(op == Op.DADDR ? "daddr " : "saddr ");
      not(at);
      addresses(a, b, c);
      return;
    case Op.PROTOCOL:
      lit("meta l4proto ");
      not(at);
      numbers(a, b);
      return;
    case Op.DPORT:
    case Op.SPORT:
      lit(op == Op.DPORT ? "th dport " : "th sport ");
      not(at);
      numbers(a, b);
      return;
    case Op.TCP_FLAGS:
      lit("tcp flags & ");
      decimal(a);
      byte(0x20);
      lit(((code.get(at) >> 8) & Flag.NOT) != 0 ? "!= " : "== ");
      decimal(b);
      return;
    case Op.CT_MARK:
      lit("ct mark & ");
      hex32(a);
      byte(0x20);
      not(at);
      hex32(b);
      return;
    case Op.OWNER:
      lit("meta skuid 0");
      return;
    case Op.LOOKUP:
      fields(at);
      not(at);
      reference(a);
      return;
    case Op.STICKY:
      family(columnType(setAt(listOwner(a)), 0) == Column.IPV6 ? IPV6 : 0);
      lit("saddr ");
      not(at);
      reference(listOwner(a));
      return;
    case Op.CHANCE:
      lit("numgen random mod ");
      decimal(c);
      byte(0x20);
      not(at);
      numbers(0, a - 1);
      return;
    case Op.SET_MARK:
      lit("meta mark set meta mark & ");
      hex32(~a);
      lit(" ^ ");
      hex32(b);
      return;
    case Op.SET_CT_MARK:
      lit("ct mark set ct mark & ");
      hex32(~a);
      lit(" ^ ");
      hex32(b);
      return;
    case Op.SAVE_MARK:
      lit("ct mark set meta mark & ");
      hex32(a);
      return;
    case Op.RESTORE_MARK:
      lit("meta mark set ct mark & ");
      hex32(b);
      return;
    case Op.STICK:
      lit("update ");
      reference(listOwner(a));
      lit(" { ");
      family(columnType(setAt(listOwner(a)), 0) == Column.IPV6 ? IPV6 : 0);
      lit("saddr");
      if (b != 0) {
        lit(" timeout ");
        decimal(b);
        byte(0x73);
      }
      lit(" }");
      return;
    case Op.REJECT:
      reject(a);
      return;
    case Op.DNAT:
      lit("dnat ");
      family(a);
      lit("to ");
      endpoint(a, b, c);
      return;
    case Op.SNAT:
      lit("snat to ");
      endpoint(a, b, 0);
      return;
    case Op.DNAT_MAP:
      lit("dnat ");
      family(setAt(a).valueFamily);
      lit("to ");
      fields(at);
      lit("map ");
      reference(a);
      return;
    case Op.VMAP:
      fields(at);
      lit("vmap ");
      reference(a);
      return;
    case Op.MASQUERADE:
      lit("masquerade");
      return;
    case Op.REDIRECT:
      lit("redirect");
      if (a == 0) return;
      lit(" to ");
      endpoint(0, u32.MAX_VALUE, a);
      return;
    case Op.NOTRACK:
      lit("notrack");
      return;
    case Op.CT_STATE_VMAP:
      lit("ct state vmap { ");
      for (let i = at + 1; i <= at + (code.get(at) >> 16); i += 3) {
        if (i > at + 1) lit(", ");
        states(code.get(i), false);
        lit(" : ");
        verdict(code.get(i + 1), code.get(i + 2));
      }
      lit(" }");
      return;
    case Op.UNKNOWN_TARGET:
      lit("?");
      return;
  }
  verdict(op, a);
}
