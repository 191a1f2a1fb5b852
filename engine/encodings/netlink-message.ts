// Building nfnetlink messages (linux/netlink.h, linux/netfilter/nfnetlink.h): a header, then attributes of length, type
// and value, each aligned to four bytes, some of them nests of others. A message is put together in a buffer of its own
// and copied to the output when it is complete.
import { put, writeLiteral } from "../bytes/out";
import { AttributeWriter } from "./netlink-attributes";

/** Attributes count their length in sixteen bits: a list of elements is cut into messages well below that. */
export const FULL: usize = 32 * 1024;
const SIZE: usize = 256 * 1024;

const message = new AttributeWriter(SIZE);

export namespace Flag {
  export const REQUEST: u32 = 1;
  export const ACK: u32 = 4;
  export const CREATE: u32 = 0x400;
  export const APPEND: u32 = 0x800;
}

/** Sequence number of the last message. */
export let sequence: u32 = 0;

/** The message in the buffer is complete and waits, in case it turns out to be the last of its batch. */
let waiting: bool = false;
/** A message is in the buffer, complete or not. */
let begun: bool = false;

/** Bytes that are not in the output yet. */
export function heldBack(): usize {
  return begun ? messageLength() : 0;
}

/** Puts the message that waits into the output. */
export function flushMessage(): void {
  if (!waiting) return;
  waiting = false;
  begun = false;
  put(message.start, messageLength());
}

/** Begins a message: `struct nlmsghdr`, then `struct nfgenmsg`. */
export function beginMessage(type: u32, flags: u32, family: u32, resource: u32): void {
  flushMessage();
  const at = message.start;
  store<u16>(at, <u16>type, 4);
  store<u16>(at, <u16>(flags | Flag.REQUEST), 6);
  store<u32>(at, ++sequence, 8);
  store<u32>(at, 0, 12); // port id: the kernel
  store<u8>(at, <u8>family, 16);
  store<u8>(at, 0, 17);
  store<u16>(at, bswap<u16>(<u16>resource), 18);
  message.end = at + 20;
  begun = true;
}

/** Bytes of the message so far. */
export function messageLength(): usize {
  return message.end - message.start;
}

/** Adds flags to the message in the buffer, also while it waits. */
export function addMessageFlags(flags: u32): void {
  store<u16>(message.start, load<u16>(message.start, 6) | <u16>flags, 6);
}

export function endMessage(): void {
  store<u32>(message.start, <u32>messageLength());
  waiting = true;
}

/** Begins an attribute whose value is written by `raw…`; returns what `endAttribute` needs. */
export function beginAttribute(type: u32): usize {
  return message.beginAttribute(type);
}

export function endAttribute(at: usize): void {
  message.endAttribute(at);
}

/** Begins a nest of attributes. */
export function beginNest(type: u32): usize {
  return message.beginNest(type);
}

export function rawBytes(bytes: usize, length: usize): void {
  message.rawBytes(bytes, length);
}

export function rawByte(value: u32): void {
  store<u8>(message.end++, <u8>value);
}

/** In network order. */
export function raw16(value: u32): void {
  store<u16>(message.end, bswap<u16>(<u16>value));
  message.end += 2;
}

/** In the order of the machine, which is little-endian wherever this runs. */
export function rawHost32(value: u32): void {
  store<u32>(message.end, value);
  message.end += 4;
}

export function rawText(text: string): void {
  message.end = writeLiteral(message.end, text);
}

export function rawZeros(count: usize): void {
  memory.fill(message.end, 0, count);
  message.end += count;
}

export function rawProtocolAndPort(protocol: u32, port: u32): void {
  message.protocolAndPort(protocol, port);
}

/** Where the next byte goes. */
export function here(): usize {
  return message.end;
}

/** In network order. */
export function number32(type: u32, value: u32): void {
  message.number32(type, value);
}

export function number64(type: u32, value: u64): void {
  const at = beginAttribute(type);
  store<u64>(message.end, bswap<u64>(value));
  message.end += 8;
  endAttribute(at);
}

/** A text with its terminating zero. */
export function text(type: u32, value: string): void {
  name(type, value, 0, 0);
}

/** A name: a literal, then bytes, then a zero. */
export function name(type: u32, prefix: string, base: usize, length: usize): void {
  message.name(type, prefix, base, length);
}

/** Data that is a verdict. */
export function verdict(type: u32, code: u32, prefix: string, base: usize, length: usize): void {
  message.verdict(type, code, prefix, base, length);
}
