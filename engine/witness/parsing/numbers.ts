// Numbers as rule text has them.
import { NO_PROTOCOL, protocolOf } from "../model/protocols";

/** What is no number. */
export const NO_NUMBER: u64 = u64.MAX_VALUE;

/** Decimal, or hexadecimal after `0x`, up to 32 bits. */
export function parseNumber(bytes: usize, length: usize): u64 {
  let value: u64 = 0;
  if (length > 2 && load<u8>(bytes) == 0x30 && (load<u8>(bytes + 1) | 0x20) == 0x78) {
    if (length > 10) return NO_NUMBER;
    for (let i: usize = 2; i < length; i++) {
      const c = <u32>load<u8>(bytes + i);
      const digit = c - 0x30 <= 9 ? c - 0x30 : (c | 0x20) - 0x61 + 10;
      if (digit > 15) return NO_NUMBER;
      value = (value << 4) | <u64>digit;
    }
    return value;
  }
  if (length == 0 || length > 10) return NO_NUMBER;
  for (let i: usize = 0; i < length; i++) {
    const digit = <u32>load<u8>(bytes + i) - 0x30;
    if (digit > 9) return NO_NUMBER;
    value = value * 10 + <u64>digit;
  }
  return value <= <u64>u32.MAX_VALUE ? value : NO_NUMBER;
}

/** Position of a byte in a text, or its length. */
export function indexOf(bytes: usize, length: usize, byte: u32): usize {
  let i: usize = 0;
  while (i < length && <u32>load<u8>(bytes + i) != byte) i++;
  return i;
}

/** What `parseRange` and `parseProtocols` have read. */
export let first: u32 = 0;
export let last: u32 = 0;

/** `N`, or `A` to `B` with `separator` in between; either end may be left out. */
export function parseRange(bytes: usize, length: usize, separator: u32, highest: u32): bool {
  const at = indexOf(bytes, length, separator);
  const low = at == 0 ? 0 : parseNumber(bytes, at);
  let high = low;
  if (at < length) high = at + 1 == length ? <u64>highest : parseNumber(bytes + at + 1, length - at - 1);
  if (low > <u64>highest || high > <u64>highest || (at == 0 && at == length)) return false;
  first = <u32>low;
  last = <u32>high;
  return true;
}

/** One protocol, by name or number, or `A-B`. */
export function parseProtocols(bytes: usize, length: usize): bool {
  const one = protocolOf(bytes, length);
  if (one != NO_PROTOCOL) {
    first = one;
    last = one;
    return true;
  }
  const at = indexOf(bytes, length, 0x2d);
  if (at == length) return false;
  first = protocolOf(bytes, at);
  last = protocolOf(bytes + at + 1, length - at - 1);
  return first != NO_PROTOCOL && last != NO_PROTOCOL;
}

/** nft's durations: `1h30m`, `10s`, `500ms`, plain seconds. In seconds, rounded up. */
export function parseDuration(bytes: usize, length: usize): u64 {
  let seconds: u64 = 0;
  let value: u64 = 0;
  let digits = false;
  for (let i: usize = 0; i < length; i++) {
    const c = <u32>load<u8>(bytes + i);
    if (c - 0x30 <= 9) {
      value = value * 10 + <u64>(c - 0x30);
      digits = true;
      if (value > <u64>u32.MAX_VALUE) return NO_NUMBER;
      continue;
    }
    if (!digits) return NO_NUMBER;
    if (c == 0x6d && i + 1 < length && load<u8>(bytes + i + 1) == 0x73) {
      seconds += (value + 999) / 1000;
      i++;
    } else if (c == 0x64) seconds += value * 86400;
    else if (c == 0x68) seconds += value * 3600;
    else if (c == 0x6d) seconds += value * 60;
    else if (c == 0x73) seconds += value;
    else return NO_NUMBER;
    value = 0;
    digits = false;
  }
  if (digits) seconds += value;
  return length == 0 || seconds > <u64>u32.MAX_VALUE ? NO_NUMBER : seconds;
}
