// Rules in iptables' words.
import { byte, decimal, hex32, lit } from "../../bytes/out";
import { listOwner } from "../model/affinity";
import { ABSENT } from "../model/pairs";
import { code, Field, Flag, Op, RejectWith, ruleEnd, ruleStart } from "../model/rules";
import { rowAt, setAt } from "../model/sets";
import { chainAt } from "../model/tables";
import { has } from "./print-nft";
import { addresses, endpoint, name, numbers, states } from "./print-words";

export function printIptablesRule(rule: u32): void {
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const op = code.get(at) & 0xff;
    // Part of `--update`.
    if (op == Op.STICK && has(rule, Op.STICKY)) continue;
    const saysNot = op == Op.CT_STATE || op == Op.STICKY || op == Op.CHANCE || op == Op.MARK || op == Op.CT_MARK;
    if (!saysNot && ((code.get(at) >> 8) & Flag.NOT) != 0) lit(" !");
    byte(0x20);
    printStatement(rule, at, op);
  }
}

/** Digits of a fraction that the parser takes for the same: all of one of ten to a power, ten of one in k. */
function fraction(numerator: u64, denominator: u64): void {
  let rest = numerator % denominator;
  decimal(<u32>(numerator / denominator));
  byte(0x2e);
  for (let i = 0; i < 11; i++) {
    rest *= 10;
    decimal(<u32>(rest / denominator));
    rest %= denominator;
  }
}

function ports(number: u32): void {
  const set = setAt(number);
  for (let row: u32 = 0; row < set.rowCount; row++) {
    if (row > 0) byte(0x2c);
    numbers(load<u32>(rowAt(set, row)), load<u32>(rowAt(set, row), 4), 0x3a);
  }
}

function reject(reason: u32): void {
  lit("-j REJECT --reject-with ");
  if (reason == RejectWith.TCP_RESET) lit("tcp-reset");
  else if (reason == RejectWith.PORT_UNREACHABLE) lit("icmp-port-unreachable");
  else if (reason == RejectWith.HOST_UNREACHABLE) lit("icmp-host-unreachable");
  else if (reason == RejectWith.NET_UNREACHABLE) lit("icmp-net-unreachable");
  else lit(reason == RejectWith.PROTO_UNREACHABLE ? "icmp-proto-unreachable" : "icmp-admin-prohibited");
}

function target(word: string, option: string, family: u32, literal: u32, port: u32): void {
  lit("-j ");
  lit(word);
  if (literal == ABSENT && port == 0) return;
  lit(option);
  endpoint(family, literal, port);
}

function printStatement(rule: u32, at: u32, op: u32): void {
  const a = code.get(at + 1);
  const b = code.get(at + 2);
  const c = code.get(at + 3);
  const isNot = ((code.get(at) >> 8) & Flag.NOT) != 0;
  switch (op) {
    case Op.NEVER:
      lit("! -p all");
      return;
    case Op.CT_STATE:
      lit(isNot ? "-m conntrack ! --ctstate " : "-m conntrack --ctstate ");
      states(a, true);
      return;
    case Op.MARK:
      lit(isNot ? "-m mark ! --mark " : "-m mark --mark ");
      hex32(b);
      byte(0x2f);
      hex32(a);
      return;
    case Op.LOCAL:
      lit(a == Field.DADDR ? "--dst-type LOCAL" : "--src-type LOCAL");
      return;
    case Op.INTERFACE:
      lit(a == Field.IIF ? "-i " : "-o ");
      name(b);
      if (((code.get(at) >> 8) & Flag.PREFIX) != 0) byte(0x2b);
      return;
    case Op.DADDR:
    case Op.SADDR:
      lit(op == Op.DADDR ? "-d " : "-s ");
      addresses(a, b, c);
      return;
    case Op.PROTOCOL:
      lit("-p ");
      numbers(a, b);
      return;
    case Op.DPORT:
    case Op.SPORT:
      lit(op == Op.DPORT ? "--dport " : "--sport ");
      numbers(a, b, 0x3a);
      return;
    case Op.TCP_FLAGS:
      lit("--tcp-flags ");
      decimal(a);
      byte(0x20);
      decimal(b);
      return;
    case Op.CT_MARK:
      lit(isNot ? "-m connmark ! --mark " : "-m connmark --mark ");
      hex32(b);
      byte(0x2f);
      hex32(a);
      return;
    case Op.OWNER:
      lit("--uid-owner 0");
      return;
    case Op.LOOKUP:
      lit(b == Field.DPORT ? "--dports " : "--sports ");
      ports(a);
      return;
    case Op.STICKY:
      lit(isNot ? "-m recent ! " : "-m recent ");
      lit(has(rule, Op.STICK) ? "--update" : "--rcheck");
      if (b != 0) {
        lit(" --seconds ");
        decimal(b);
      }
      if (listOwner(a) == 0) return;
      lit(" --name ");
      name(listOwner(a));
      return;
    case Op.CHANCE:
      lit(isNot ? "-m statistic ! --mode random --probability " : "-m statistic --mode random --probability ");
      fraction(<u64>a | ((<u64>b) << 32), <u64>c | ((<u64>code.get(at + 4)) << 32));
      return;
    case Op.UNKNOWN:
      lit("-m ?");
      return;
    case Op.SET_CT_MARK:
      lit("-j CONNMARK --set-xmark ");
      hex32(b);
      byte(0x2f);
      hex32(a);
      return;
    case Op.SAVE_MARK:
    case Op.RESTORE_MARK:
      lit(op == Op.SAVE_MARK ? "-j CONNMARK --save-mark --nfmask " : "-j CONNMARK --restore-mark --nfmask ");
      hex32(a);
      lit(" --ctmask ");
      hex32(b);
      return;
    case Op.STICK:
      lit("-m recent --set --name ");
      name(listOwner(a));
      return;
    case Op.SET_MARK:
      lit("-j MARK --set-xmark ");
      hex32(b);
      byte(0x2f);
      hex32(a);
      return;
    case Op.ACCEPT:
      lit("-j ACCEPT");
      return;
    case Op.DROP:
      lit("-j DROP");
      return;
    case Op.RETURN:
      lit("-j RETURN");
      return;
    case Op.REJECT:
      reject(a);
      return;
    case Op.DNAT:
      target("DNAT", " --to-destination ", a, b, c);
      return;
    case Op.SNAT:
      target("SNAT", " --to-source ", a, b, 0);
      return;
    case Op.MASQUERADE:
      lit("-j MASQUERADE");
      return;
    case Op.REDIRECT:
      lit("-j REDIRECT");
      if (a == 0) return;
      lit(" --to-ports ");
      decimal(a);
      return;
    case Op.NOTRACK:
      lit("-j CT --notrack");
      return;
    case Op.UNKNOWN_TARGET:
      lit("-j NFQUEUE");
      return;
  }
  lit(op == Op.GOTO ? "-g " : "-j ");
  name(chainAt(a).name);
}
