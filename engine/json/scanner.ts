// Pull scanner over JSON bytes: the reader of an object asks for the next key or value, and nothing is built. RFC 8259
// to the letter in all that is read or skipped (json/skip.ts has the one exception).
//
// The first thing that is no JSON ends the document: `failed` is set and the position jumps to the end, so that every
// loop over members or elements ends by itself and readers need not ask after each step. Nothing that was read from
// such a document's unfinished object may be used.
//
// Bytes after the end may be read (bytes/memory.ts, SLACK) but may be anything: each position is compared with the end
// before what was found there counts.
import { unescape, unescapedLength } from "./unescape";

/** Containers may be nested this deep. */
export const MAX_DEPTH: u32 = 64;

export const QUOTE: u32 = 0x22;
export const OBJECT: u32 = 0x7b;
export const ARRAY: u32 = 0x5b;
const COMMA: u32 = 0x2c;
const COLON: u32 = 0x3a;
const BACKSLASH: u32 = 0x5c;
const OBJECT_END: u32 = 0x7d;
const ARRAY_END: u32 = 0x5d;

export namespace Failure {
  export const NONE: u32 = 0;
  export const SYNTAX: u32 = 1;
  export const TRUNCATED: u32 = 2;
  export const TOO_DEEP: u32 = 3;
}

let begin: usize = 0;
let end: usize = 0;
let at: usize = 0;
let depth: u32 = 0;

/** Why the document cannot be read on, where, and what should have been there. */
export let failed: u32 = Failure.NONE;
export let failedAt: usize = 0;
export let expected: string = "";

/** The last string or key read, decoded: address and length. It lies in the data, or in the arena if it had escapes. */
export let stringAt: usize = 0;
export let stringLength: usize = 0;
/** Where the last value that was read begins in the data. */
export let valueAt: usize = 0;

export function beginScan(data: usize, length: usize): void {
  begin = data;
  end = data + length;
  at = data;
  depth = 0;
  failed = Failure.NONE;
}

/** Goes to `position`, `containers` deep in a document, and forgets an earlier failure. */
export function seek(position: usize, containers: u32): void {
  at = position;
  depth = containers;
  failed = Failure.NONE;
}

/** Goes on to `position`, in the same container. */
export function seekForward(position: usize): void {
  at = position;
}

export function position(): usize {
  return at;
}

export function dataEnd(): usize {
  return end;
}

export function containerDepth(): u32 {
  return depth;
}

/** Where an address in the data is, in bytes from its start. */
export function offsetOf(address: usize): u32 {
  return <u32>(address - begin);
}

/** Ends the document; returns 0. `what` should have been at `where`. */
export function fail(where: usize, what: string): usize {
  if (failed == Failure.NONE) {
    failed = where >= end ? Failure.TRUNCATED : Failure.SYNTAX;
    failedAt = min(where, end);
    expected = what;
  }
  at = end;
  return 0;
}

export function failTooDeep(where: usize): usize {
  if (failed == Failure.NONE) {
    failed = Failure.TOO_DEEP;
    failedAt = where;
  }
  at = end;
  return 0;
}

/** Address of the first byte from `from` on that is no white space, or the end. */
export function spaceEnd(from: usize): usize {
  if (load<u8>(from) > 0x20) return from; // as nearly always; callers compare with the end
  let p = from;
  while (p < end) {
    const v = v128.load(p);
    const space = v128.or(
      v128.or(i8x16.eq(v, i8x16.splat(0x20)), i8x16.eq(v, i8x16.splat(0x0a))),
      v128.or(i8x16.eq(v, i8x16.splat(0x09)), i8x16.eq(v, i8x16.splat(0x0d))),
    );
    const other = i8x16.bitmask(v128.not(space));
    if (other == 0) {
      p += 16;
      continue;
    }
    p += <usize>ctz(other);
    break;
  }
  return min(p, end);
}

/** The next byte that is no white space, which is not taken; 0 at the end. */
export function peek(): u32 {
  at = spaceEnd(at);
  return at < end ? <u32>load<u8>(at) : 0;
}

function isHex(byte: u32): bool {
  return byte - 0x30 < 10 || (byte | 0x20) - 0x61 < 6;
}

/** The backslash is at `p`: returns the address after the escape, or 0. */
function escapeEnd(p: usize): usize {
  if (p + 1 >= end) return fail(end, "the rest of an escape");
  const letter = <u32>load<u8>(p, 1);
  if (letter == 0x75) {
    for (let i: usize = 2; i < 6; i++) {
      if (p + i >= end) return fail(end, "four hexadecimal digits");
      if (!isHex(load<u8>(p + i))) return fail(p + i, "a hexadecimal digit");
    }
    return p + 6;
  }
  if (
    letter == QUOTE ||
    letter == BACKSLASH ||
    letter == 0x2f ||
    letter == 0x6e ||
    letter == 0x74 ||
    letter == 0x72 ||
    letter == 0x62 ||
    letter == 0x66
  ) {
    return p + 2;
  }
  return fail(p + 1, "a letter of an escape");
}

/** The string that `stringEnd` went through last has escapes. */
let hasEscapes: bool = false;

/** `from` is after an opening quote: returns the address after the closing one, or 0. */
export function stringEnd(from: usize): usize {
  hasEscapes = false;
  let p = from;
  while (p < end) {
    const v = v128.load(p);
    const special = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c))),
        i8x16.eq(i8x16.min_u(v, i8x16.splat(0x1f)), v),
      ),
    );
    if (special == 0) {
      p += 16;
      continue;
    }
    p += <usize>ctz(special);
    if (p >= end) break;
    const byte = <u32>load<u8>(p);
    if (byte == QUOTE) return p + 1;
    if (byte != BACKSLASH) return fail(p, "no control character in a string");
    hasEscapes = true;
    p = escapeEnd(p);
    if (p == 0) return 0;
  }
  return fail(end, "the closing quote of a string");
}

/** The opening quote is at `at`: takes the string. */
function takeString(): bool {
  const from = at + 1;
  const after = stringEnd(from);
  stringAt = from;
  stringLength = 0;
  if (after == 0) return false;
  stringLength = after - 1 - from;
  if (hasEscapes) {
    stringAt = unescape(from, after - 1);
    stringLength = unescapedLength;
  }
  at = after;
  return true;
}

/** Takes a value that `peek` has shown to be a string. */
export function readString(): bool {
  valueAt = at;
  return takeString();
}

/** Takes the next key and its colon. On failure the key is empty. */
export function readKey(): void {
  if (peek() != QUOTE) {
    fail(at, "a key in double quotes");
    stringLength = 0;
    return;
  }
  if (!takeString()) return;
  if (peek() != COLON) {
    fail(at, "a colon");
    stringLength = 0;
    return;
  }
  at++;
}

/** The last string or key is this ASCII literal. */
export function stringIs(literal: string): bool {
  const length = <usize>literal.length;
  if (stringLength != length) return false;
  const code = changetype<usize>(literal);
  for (let i: usize = 0; i < length; i += 16) {
    const narrowed = i8x16.narrow_i16x8_u(v128.load(code + (i << 1)), v128.load(code + (i << 1), 16));
    const same = <u32>i8x16.bitmask(i8x16.eq(narrowed, v128.load(stringAt + i)));
    const left = length - i;
    const wanted: u32 = left >= 16 ? 0xffff : (1 << (<u32>left)) - 1;
    if ((same & wanted) != wanted) return false;
  }
  return true;
}

/** Takes the bracket that `peek` has shown. Returns false if the container is empty (it is left at once then). */
function enter(close: u32): bool {
  valueAt = at;
  if (depth >= MAX_DEPTH) {
    failTooDeep(at);
    return false;
  }
  at++;
  if (peek() == close) {
    at++;
    return false;
  }
  depth++;
  return true;
}

/** After `peek` has shown `{`: true if members follow. Read each with `readKey` and a value, then ask `moreMembers`. */
export function enterObject(): bool {
  return enter(OBJECT_END);
}

/** After `peek` has shown `[`: true if elements follow; after each, ask `moreElements`. */
export function enterArray(): bool {
  return enter(ARRAY_END);
}

function more(close: u32, what: string): bool {
  const byte = peek();
  if (byte == COMMA && at < end) {
    at++;
    return true;
  }
  if (byte == close && at < end) {
    at++;
    depth--;
    return false;
  }
  fail(at, what);
  return false;
}

/** Takes a comma (true: a key follows) or the closing brace. */
export function moreMembers(): bool {
  return more(OBJECT_END, "a comma or }");
}

/** Takes a comma (true: a value follows) or the closing bracket. */
export function moreElements(): bool {
  return more(ARRAY_END, "a comma or ]");
}

/** `literal` must stand at `p`: returns the address after it, or 0. */
export function literalEnd(p: usize, literal: string): usize {
  const length = <usize>literal.length;
  const code = changetype<usize>(literal);
  for (let i: usize = 0; i < length; i++) {
    if (p + i >= end || load<u8>(p + i) != load<u8>(code + (i << 1))) return fail(p + i, literal);
  }
  return p + length;
}

function digitsEnd(from: usize): usize {
  let p = from;
  while (p < end && <u32>load<u8>(p) - 0x30 < 10) p++;
  return p;
}

/** A minus or digit is at `p`: returns the address after the number, or 0. */
export function numberEnd(p: usize): usize {
  if (load<u8>(p) == 0x2d) p++;
  let after = digitsEnd(p);
  if (after == p) return fail(p, "a digit");
  if (after > p + 1 && load<u8>(p) == 0x30) return fail(p + 1, "no digit after a leading 0");
  if (after < end && load<u8>(after) == 0x2e) {
    p = after + 1;
    after = digitsEnd(p);
    if (after == p) return fail(p, "a digit");
  }
  if (after < end && (load<u8>(after) | 0x20) == 0x65) {
    p = after + 1;
    if (p < end && (load<u8>(p) == 0x2b || load<u8>(p) == 0x2d)) p++;
    after = digitsEnd(p);
    if (after == p) return fail(p, "a digit");
  }
  return after;
}

/** Takes `null` if it is next. */
export function takeNull(): bool {
  if (peek() != 0x6e) return false;
  valueAt = at;
  const after = literalEnd(at, "null");
  if (after != 0) at = after;
  return true;
}
