// Userdata of nf_tables' sets and rules (libnftnl/udata.h): what nft notes there since types cannot say it. Byte orders,
// comments, and what `typeof` was given.
import { here, rawByte, rawHost32, rawText } from "./netlink-message";

/** What a set's userdata can say (libnftnl/udata.h). */
export namespace SetUserdata {
  export const KEY_BYTE_ORDER: u32 = 0;
  export const DATA_BYTE_ORDER: u32 = 1;
  export const MERGE_ELEMENTS: u32 = 2;
  export const KEY_TYPEOF: u32 = 3;
  export const DATA_TYPEOF: u32 = 4;
  export const DATA_INTERVAL: u32 = 6;
  export const COMMENT: u32 = 7;
}

export namespace ByteOrder {
  export const NONE: u32 = 0;
  export const HOST: u32 = 1;
  export const NETWORK: u32 = 2;
}

/** A value of userdata that is a number: type, length, four bytes in the order of the machine. */
export function userNumber(type: u32, value: u32): void {
  rawByte(type);
  rawByte(4);
  rawHost32(value);
}

export function userText(type: u32, value: string): void {
  rawByte(type);
  rawByte(<u32>value.length + 1);
  rawText(value);
  rawByte(0);
}

/** Begins a value of userdata that consists of others; returns what `endUserNest` needs. */
export function beginUserNest(type: u32): usize {
  rawByte(type);
  rawByte(0);
  return here();
}

export function endUserNest(at: usize): void {
  store<u8>(at - 1, <u8>(here() - at));
}

// How nft notes what `typeof` was given: an expression of kind 7 (payload), 9 (meta), 12 (verdict's place: none), 13
// (concatenation), 23 (numgen), each with data of its own.
export namespace Described {
  export const PAYLOAD: u32 = 7;
  export const META: u32 = 9;
  export const CONCATENATION: u32 = 13;
  export const NUMGEN: u32 = 23;
}

export function describe(kind: u32): usize {
  userNumber(0, kind);
  return beginUserNest(1);
}

/** A protocol header's field: the header's number and the field's. */
export function describePayload(header: u32, field: u32): void {
  const at = describe(Described.PAYLOAD);
  userNumber(0, header);
  userNumber(1, field);
  endUserNest(at);
}

export function describeSlot(): void {
  const numgen = describe(Described.NUMGEN);
  userNumber(0, 1); // random
  userNumber(1, SLOTS);
  userNumber(2, 0); // offset
  endUserNest(numgen);
}

/** One member of a concatenation. */
export function member(index: u32): usize {
  return beginUserNest(index);
}

export const IP_HEADER: u32 = 12;
export const IP6_HEADER: u32 = 13;
export const TH_HEADER: u32 = 11;
export const IP_DADDR: u32 = 12;
export const IP6_DADDR: u32 = 9;
export const TH_DPORT: u32 = 2;
export const META_L4PROTO: u32 = 16;
/** numgen random mod 65536 */
export const SLOTS: u32 = 65536;
