// Building nfnetlink messages (linux/netlink.h, linux/netfilter/nfnetlink.h): a header, then attributes of length, type
// and value, each aligned to four bytes, some of them nests of others. A message is put together in a buffer of its own
// and copied to the output when it is complete.
import { put } from "../bytes/out";

/** Attributes count their length in sixteen bits: a list of elements is cut into messages well below that. */
export const FULL: usize = 32 * 1024;
const SIZE: usize = 256 * 1024;

const message: usize = heap.alloc(SIZE);
let end: usize = message;

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

/** Puts the message that waits into the output. */
export function flushMessage(): void {
  if (!waiting) return;
  waiting = false;
  put(message, end - message);
}

/** Begins a message: `struct nlmsghdr`, then `struct nfgenmsg`. */
export function beginMessage(type: u32, flags: u32, protocolFamily: u32, resource: u32): void {
  flushMessage();
  store<u16>(message, <u16>type, 4);
  store<u16>(message, <u16>(flags | Flag.REQUEST), 6);
  store<u32>(message, ++sequence, 8);
  store<u32>(message, 0, 12); // port id: the kernel
  store<u8>(message, <u8>protocolFamily, 16);
  store<u8>(message, 0, 17);
  store<u16>(message, bswap<u16>(<u16>resource), 18);
  end = message + 20;
}

/** Bytes of the message so far. */
export function messageLength(): usize {
  return end - message;
}

/** Adds flags to the message in the buffer, also while it waits. */
export function addMessageFlags(flags: u32): void {
  store<u16>(message, load<u16>(message, 6) | <u16>flags, 6);
}

export function endMessage(): void {
  store<u32>(message, <u32>(end - message));
  waiting = true;
}

function align(): void {
  while (((end - message) & 3) != 0) store<u8>(end++, 0);
}

/** Begins an attribute whose value is written by `raw…`; returns what `endAttribute` needs. */
export function beginAttribute(type: u32): usize {
  const at = end;
  store<u16>(at, <u16>type, 2);
  end = at + 4;
  return at;
}

export function endAttribute(at: usize): void {
  store<u16>(at, <u16>(end - at));
  align();
}

/** Begins a nest of attributes. */
export function beginNest(type: u32): usize {
  return beginAttribute(type | 0x8000);
}

export function rawBytes(bytes: usize, length: usize): void {
  memory.copy(end, bytes, length);
  end += length;
}

export function rawByte(value: u32): void {
  store<u8>(end++, <u8>value);
}

/** In network order. */
export function raw16(value: u32): void {
  store<u16>(end, bswap<u16>(<u16>value));
  end += 2;
}

/** In network order. */
export function raw32(value: u32): void {
  store<u32>(end, bswap<u32>(value));
  end += 4;
}

/** In the order of the machine, which is little-endian wherever this runs. */
export function rawHost32(value: u32): void {
  store<u32>(end, value);
  end += 4;
}

export function rawText(text: string): void {
  for (let i = 0; i < text.length; i++) store<u8>(end++, <u8>text.charCodeAt(i));
}

export function rawZeros(count: usize): void {
  memory.fill(end, 0, count);
  end += count;
}

/** Where the next byte goes. */
export function here(): usize {
  return end;
}

export function number32(type: u32, value: u32): void {
  const at = beginAttribute(type);
  raw32(value);
  endAttribute(at);
}

export function number64(type: u32, value: u64): void {
  const at = beginAttribute(type);
  store<u64>(end, bswap<u64>(value));
  end += 8;
  endAttribute(at);
}

/** A text with its terminating zero. */
export function text(type: u32, value: string): void {
  name(type, value, 0, 0);
}

/** A name: a literal, then bytes, then a zero. */
export function name(type: u32, prefix: string, base: usize, length: usize): void {
  const at = beginAttribute(type);
  rawText(prefix);
  rawBytes(base, length);
  rawByte(0);
  endAttribute(at);
}
