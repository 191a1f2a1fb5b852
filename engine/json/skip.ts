// Passes over values that nobody reads: most of what an API server sends.
import {
  containerDepth,
  dataEnd,
  fail,
  failTooDeep,
  literalEnd,
  MAX_DEPTH,
  numberEnd,
  position,
  QUOTE,
  seekForward,
  spaceEnd,
  stringEnd,
} from "./scanner";

/** A key must begin at or after `from`: returns the address after its colon, or 0. */
function keyEnd(from: usize, end: usize): usize {
  let p = spaceEnd(from);
  if (p >= end || load<u8>(p) != QUOTE) return fail(p, "a key in double quotes");
  p = stringEnd(p + 1);
  if (p == 0) return 0;
  p = spaceEnd(p);
  if (p >= end || load<u8>(p) != 0x3a) return fail(p, "a colon");
  return p + 1;
}

/** `p` is where a value that is no container should begin: returns the address after it, or 0. */
function scalarEnd(p: usize, byte: u32): usize {
  if (byte == QUOTE) return stringEnd(p + 1);
  if (byte == 0x2d || byte - 0x30 < 10) return numberEnd(p);
  if (byte == 0x74) return literalEnd(p, "true");
  if (byte == 0x66) return literalEnd(p, "false");
  if (byte == 0x6e) return literalEnd(p, "null");
  return fail(p, "a value");
}

/** A value should begin at or after `from`, inside `outer` containers: returns the address after it, or 0. */
function valueEnd(from: usize, end: usize, outer: u32): usize {
  let p = from;
  let level = outer;
  let objects: u64 = 0; // one bit for each open container, the innermost last: 1 if it is an object
  while (true) {
    p = spaceEnd(p);
    if (p >= end) return fail(end, "a value");
    const byte = <u32>load<u8>(p);
    if ((byte | 0x20) == 0x7b) {
      const isObject = byte == 0x7b;
      if (level >= MAX_DEPTH) return failTooDeep(p);
      p = spaceEnd(p + 1);
      if (p >= end) return fail(end, isObject ? "a key in double quotes" : "a value");
      if (<u32>load<u8>(p) == byte + 2) {
        p++;
      } else {
        level++;
        objects = (objects << 1) | (isObject ? 1 : 0);
        if (isObject) {
          p = keyEnd(p, end);
          if (p == 0) return 0;
        }
        continue;
      }
    } else {
      p = scalarEnd(p, byte);
      if (p == 0) return 0;
    }
    // A value has ended: leave the containers that end with it.
    while (true) {
      if (level == outer) return p;
      p = spaceEnd(p);
      const inObject = (objects & 1) != 0;
      const next = p < end ? <u32>load<u8>(p) : 0;
      if (next == 0x2c) {
        p++;
        if (!inObject) break;
        p = keyEnd(p, end);
        if (p == 0) return 0;
        break;
      }
      if (next != (inObject ? 0x7d : 0x5d)) return fail(p, inObject ? "a comma or }" : "a comma or ]");
      p++;
      level--;
      objects >>= 1;
    }
  }
}

/** Takes the next value, whatever it is. */
export function skipValue(): void {
  const after = valueEnd(position(), dataEnd(), containerDepth());
  if (after != 0) seekForward(after);
}

/** Bits of the 64 bytes at `p` that equal `byte` once the bits of `fold` are set in them. */
function bitsOf(p: usize, byte: v128, fold: v128): u64 {
  const a = <u64>(<u32>i8x16.bitmask(i8x16.eq(v128.or(v128.load(p), fold), byte)));
  const b = <u64>(<u32>i8x16.bitmask(i8x16.eq(v128.or(v128.load(p, 16), fold), byte)));
  const c = <u64>(<u32>i8x16.bitmask(i8x16.eq(v128.or(v128.load(p, 32), fold), byte)));
  const d = <u64>(<u32>i8x16.bitmask(i8x16.eq(v128.or(v128.load(p, 48), fold), byte)));
  return a | (b << 16) | (c << 32) | (d << 48);
}

/** In each bit: the exclusive or of all bits up to it. Between an odd and an even quote: 1. */
function prefixXor(bits: u64): u64 {
  let x = bits;
  x ^= x << 1;
  x ^= x << 2;
  x ^= x << 4;
  x ^= x << 8;
  x ^= x << 16;
  return x ^ (x << 32);
}

const EVEN_BITS: u64 = 0x5555555555555555;

/**
 * Takes `metadata.managedFields`, about half of what an API server sends. Faster than `skipValue` by looking only for
 * brackets outside strings, 64 bytes at a time (the method of simdjson): that they balance and that the value ends
 * is all that is checked.
 */
export function skipManagedFields(): void {
  const end = dataEnd();
  let p = spaceEnd(position());
  if (p >= end || load<u8>(p) != 0x5b) {
    skipValue();
    return;
  }
  let level: i32 = 0;
  let inString: u64 = 0; // all ones if the block begins inside a string
  let escapes: u64 = 0; // 1 if the first byte of the block is escaped
  const none = i8x16.splat(0);
  const fold = i8x16.splat(0x20); // [ and ] become { and }
  for (; p + 64 <= end; p += 64) {
    const backslashes = bitsOf(p, i8x16.splat(0x5c), none);
    let quotes = bitsOf(p, i8x16.splat(0x22), none);
    if ((backslashes | escapes) != 0) {
      // A byte is escaped if an odd number of backslashes stands before it.
      const starts = backslashes & ~escapes;
      const follows = (starts << 1) | escapes;
      const oddStarts = starts & ~EVEN_BITS & ~follows;
      const sum = oddStarts + starts;
      escapes = sum < oddStarts ? 1 : 0;
      quotes &= ~((EVEN_BITS ^ (sum << 1)) & follows);
    }
    const strings = prefixXor(quotes) ^ inString;
    inString = <u64>(<i64>strings >> 63);
    const opening = bitsOf(p, i8x16.splat(0x7b), fold) & ~strings;
    const closing = bitsOf(p, i8x16.splat(0x7d), fold) & ~strings;
    const closed = <i32>popcnt(closing);
    if (closed < level) {
      level += <i32>popcnt(opening) - closed;
      continue;
    }
    let brackets = opening | closing;
    while (brackets != 0) {
      const bit = ctz(brackets);
      brackets &= brackets - 1;
      if (((opening >> bit) & 1) != 0) {
        level++;
      } else if (--level == 0) {
        seekForward(p + <usize>bit + 1);
        return;
      }
    }
  }
  // The last bytes of the data, one by one.
  let quoted = inString != 0;
  if (escapes != 0) p++;
  for (; p < end; p++) {
    const byte = <u32>load<u8>(p);
    if (byte == QUOTE) {
      quoted = !quoted;
    } else if (quoted) {
      if (byte == 0x5c) p++;
    } else if ((byte | 0x20) == 0x7b) {
      level++;
    } else if ((byte | 0x20) == 0x7d && --level == 0) {
      seekForward(p + 1);
      return;
    }
  }
  fail(end, "the end of managedFields");
}
