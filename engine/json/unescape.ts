// Decodes the escapes of a string that the scanner has found to be well-formed.
import { arenaAlloc } from "../bytes/memory";

/** Length of what `unescape` has returned. */
export let unescapedLength: usize = 0;

function hexValue(at: usize): u32 {
  let value: u32 = 0;
  for (let i: usize = 0; i < 4; i++) {
    const byte = <u32>load<u8>(at + i);
    value = (value << 4) | (byte < 0x40 ? byte - 0x30 : (byte | 0x20) - 0x57);
  }
  return value;
}

function putCodePoint(to: usize, code: u32): usize {
  if (code < 0x80) {
    store<u8>(to, <u8>code);
    return to + 1;
  }
  if (code < 0x800) {
    store<u8>(to, <u8>(0xc0 | (code >> 6)));
    store<u8>(to, <u8>(0x80 | (code & 63)), 1);
    return to + 2;
  }
  if (code < 0x10000) {
    store<u8>(to, <u8>(0xe0 | (code >> 12)));
    store<u8>(to, <u8>(0x80 | ((code >> 6) & 63)), 1);
    store<u8>(to, <u8>(0x80 | (code & 63)), 2);
    return to + 3;
  }
  store<u8>(to, <u8>(0xf0 | (code >> 18)));
  store<u8>(to, <u8>(0x80 | ((code >> 12) & 63)), 1);
  store<u8>(to, <u8>(0x80 | ((code >> 6) & 63)), 2);
  store<u8>(to, <u8>(0x80 | (code & 63)), 3);
  return to + 4;
}

/**
 * Decodes `from`…`end` (between the quotes) into the arena; returns the address and sets `unescapedLength`. Half of a
 * surrogate pair becomes U+FFFD, as in Go. No escape is shorter than what it stands for.
 */
export function unescape(from: usize, end: usize): usize {
  const text = arenaAlloc(end - from, 1);
  let to = text;
  let p = from;
  while (p < end) {
    const byte = load<u8>(p++);
    if (byte != 0x5c) {
      store<u8>(to++, byte);
      continue;
    }
    const letter = <u32>load<u8>(p++);
    if (letter == 0x75) {
      let code = hexValue(p);
      p += 4;
      if ((code & 0xf800) == 0xd800) {
        let low: u32 = 0;
        if (code < 0xdc00 && end - p >= 6 && load<u16>(p) == 0x755c) low = hexValue(p + 2);
        if ((low & 0xfc00) == 0xdc00) {
          code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
          p += 6;
        } else {
          code = 0xfffd;
        }
      }
      to = putCodePoint(to, code);
      continue;
    }
    let decoded = letter; // " \ /
    if (letter == 0x6e) decoded = 0x0a;
    else if (letter == 0x74) decoded = 0x09;
    else if (letter == 0x72) decoded = 0x0d;
    else if (letter == 0x62) decoded = 0x08;
    else if (letter == 0x66) decoded = 0x0c;
    store<u8>(to++, <u8>decoded);
  }
  unescapedLength = to - text;
  return text;
}
