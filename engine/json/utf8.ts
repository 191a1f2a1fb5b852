// Is it UTF-8? Asked once per object over all its bytes, strings that are skipped included, so that the scanner itself
// need not look at bytes above 0x7f.
import { arenaAlloc } from "../bytes/memory";

function isContinuation(byte: u32): bool {
  return (byte & 0xc0) == 0x80;
}

/** Length of the well-formed sequence at `at` (RFC 3629: no overlong form, no surrogate, none above U+10FFFF), or 0. */
function sequenceLength(at: usize, end: usize): u32 {
  const first = <u32>load<u8>(at);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (at + 1 >= end) return 0;
  const second = <u32>load<u8>(at, 1);
  if (!isContinuation(second)) return 0;
  if (first < 0xe0) return 2;
  if (at + 2 >= end || !isContinuation(load<u8>(at, 2))) return 0;
  if (first < 0xf0) {
    if (first == 0xe0 && second < 0xa0) return 0;
    if (first == 0xed && second > 0x9f) return 0;
    return 3;
  }
  if (at + 3 >= end || !isContinuation(load<u8>(at, 3))) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return 4;
}

/** Address of the first byte in `from`…`end` that is not part of well-formed UTF-8; `end` if there is none. */
export function invalidUTF8(from: usize, end: usize): usize {
  let at = from;
  while (at < end) {
    if (end - at >= 64) {
      const any = v128.or(v128.or(v128.load(at), v128.load(at, 16)), v128.or(v128.load(at, 32), v128.load(at, 48)));
      if (i8x16.bitmask(any) == 0) {
        at += 64;
        continue;
      }
    }
    const stop = min(at + 64, end);
    while (at < stop) {
      const length = sequenceLength(at, end);
      if (length == 0) return at;
      at += <usize>length;
    }
  }
  return end;
}

/** Address of the bytes that `wellFormed` has returned the length of. */
export let wellFormedBytes: usize = 0;

/**
 * Makes text that may be returned to a host: the bytes themselves if they are UTF-8, else a copy in the arena with `?`
 * for each byte that is not. Returns its length and sets `wellFormedBytes`.
 */
export function wellFormed(bytes: usize, length: usize): usize {
  wellFormedBytes = bytes;
  const end = bytes + length;
  let bad = invalidUTF8(bytes, end);
  if (bad == end) return length;
  const copy = arenaAlloc(length, 1);
  memory.copy(copy, bytes, length);
  while (bad < end) {
    store<u8>(copy + (bad - bytes), 0x3f);
    bad = invalidUTF8(bad + 1, end);
  }
  wellFormedBytes = copy;
  return length;
}
