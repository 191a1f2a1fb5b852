// Words of rule text, for the printer.
import { byte, decimal, lit, outAdvance, outReserve, put } from "../../bytes/out";
import { addressAt, formatAddress, IPV6 } from "../model/addresses";
import { nameBytes, nameLength } from "../model/names";
import { ABSENT } from "../model/pairs";
import { CtState } from "../model/rules";
import { Column } from "../model/sets";

export function name(id: u32): void {
  put(nameBytes(id), nameLength(id));
}

export function address(family: u32, literal: u32): void {
  outAdvance(formatAddress(family, outReserve(64), addressAt(family, literal)));
}

/** `A` or `A-B` */
export function addresses(family: u32, first: u32, last: u32): void {
  address(family, first);
  if (first == last) return;
  byte(0x2d);
  address(family, last);
}

export function numbers(first: u32, last: u32, between: u8 = 0x2d): void {
  decimal(first);
  if (first == last) return;
  byte(between);
  decimal(last);
}

/** `A`, `A:P`, `[A]:P` or `:P` */
export function endpoint(family: u32, literal: u32, port: u32): void {
  const brackets = family == IPV6 && literal != ABSENT && port != 0;
  if (brackets) byte(0x5b);
  if (literal != ABSENT) address(family, literal);
  if (brackets) byte(0x5d);
  if (port == 0) return;
  byte(0x3a);
  decimal(port);
}

/** One key of a set's column. */
export function key(type: u32, first: u32, last: u32): void {
  if (type == Column.IPV4 || type == Column.IPV6) addresses(type == Column.IPV6 ? IPV6 : 0, first, last);
  else if (type == Column.INTERFACE) {
    byte(0x22);
    name(first);
    byte(0x22);
  } else numbers(first, last);
}

/** iptables' words, in upper case, or nft's. */
export function states(bits: u32, isUpper: bool): void {
  let isFirst = true;
  for (let bit: u32 = 1; bit <= CtState.SNAT; bit <<= 1) {
    if ((bits & bit) == 0) continue;
    if (!isFirst) byte(0x2c);
    isFirst = false;
    if (bit == CtState.NEW) lit(isUpper ? "NEW" : "new");
    else if (bit == CtState.ESTABLISHED) lit(isUpper ? "ESTABLISHED" : "established");
    else if (bit == CtState.RELATED) lit(isUpper ? "RELATED" : "related");
    else if (bit == CtState.INVALID) lit(isUpper ? "INVALID" : "invalid");
    else if (bit == CtState.UNTRACKED) lit(isUpper ? "UNTRACKED" : "untracked");
    else lit(bit == CtState.DNAT ? "DNAT" : "SNAT");
  }
}

export function hook(number: u32): void {
  if (number == 0) lit("prerouting");
  else if (number == 1) lit("input");
  else if (number == 2) lit("forward");
  else lit(number == 3 ? "output" : "postrouting");
}
