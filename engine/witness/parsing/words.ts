// The words of rule text: one reader for iptables' lines and nft's scripts and listings.
import { equalLiteral } from "../../bytes/compare";

export namespace Kind {
  export const END: u32 = 0;
  export const NEWLINE: u32 = 1;
  export const WORD: u32 = 2;
  /** In quotes; the text is what stands between. */
  export const STRING: u32 = 3;
  /** One of { } ; , and `:` and `=` that stand alone. */
  export const SIGN: u32 = 4;
}

export let kind: u32 = Kind.END;
export let bytes: usize = 0;
export let length: usize = 0;
/** Line of the word, counted from the number that `openText` was given. */
export let line: u32 = 1;

/** How many braces are open behind the word at hand. */
export let depth: i32 = 0;

let at: usize = 0;
let end: usize = 0;
let nextLine: u32 = 1;
/** iptables: nothing but blanks and quotes parts words. */
let plain: bool = false;

export function openText(from: usize, size: usize, isPlain: bool, firstLine: u32 = 1): void {
  at = from;
  end = from + size;
  nextLine = firstLine;
  line = firstLine;
  depth = 0;
  plain = isPlain;
  kind = Kind.NEWLINE;
}

function isSign(c: u32): bool {
  return c == 0x7b || c == 0x7d || c == 0x3b || c == 0x2c;
}

function isBlank(c: u32): bool {
  return c == 0x20 || c == 0x09 || c == 0x0d;
}

/** Reads the next word into `kind`, `bytes`, `length` and `line`. */
export function next(): void {
  while (true) {
    while (at < end && isBlank(load<u8>(at))) at++;
    // nft: a line that ends with a backslash goes on.
    if (!plain && at + 1 < end && load<u16>(at) == 0x0a5c) {
      at += 2;
      nextLine++;
      continue;
    }
    break;
  }
  line = nextLine;
  bytes = at;
  length = 0;
  if (at >= end) {
    kind = Kind.END;
    return;
  }
  const c = <u32>load<u8>(at);
  if (c == 0x0a) {
    at++;
    nextLine++;
    kind = Kind.NEWLINE;
    return;
  }
  if (c == 0x22) {
    readString();
    return;
  }
  if (!plain) {
    if (c == 0x23) {
      skipToLineEnd();
      next();
      return;
    }
    if (isSign(c) || ((c == 0x3a || c == 0x3d) && (at + 1 == end || !isWordPart(load<u8>(at + 1))))) {
      kind = Kind.SIGN;
      length = 1;
      if (c == 0x7b) depth++;
      if (c == 0x7d) depth--;
      at++;
      return;
    }
  }
  kind = Kind.WORD;
  while (at < end) {
    const part = <u32>load<u8>(at);
    if (part == 0x0a || isBlank(part)) break;
    if (!plain) {
      if (isSign(part)) break;
      // `key :value` and `key: value`: a colon at the end belongs to no word.
      if (part == 0x3a && (at + 1 == end || load<u8>(at + 1) <= 0x20) && !endsWithColon()) break;
    }
    at++;
  }
  length = at - bytes;
}

/** `fd00::` is an address: its last colon follows another. */
function endsWithColon(): bool {
  return at > bytes && load<u8>(at - 1) == 0x3a;
}

function isWordPart(c: u32): bool {
  return c > 0x20 && !isSign(c);
}

function readString(): void {
  at++;
  bytes = at;
  kind = Kind.STRING;
  while (at < end) {
    const c = <u32>load<u8>(at);
    if (c == 0x0a) {
      // Half a line: it ends here.
      length = at - bytes;
      return;
    }
    if (c == 0x5c && plain && at + 1 < end && load<u8>(at + 1) != 0x0a) at++;
    else if (c == 0x22) break;
    at++;
  }
  length = at - bytes;
  if (at < end) at++;
}

/** Goes on to the end of the line that the word at hand stands in, without reading it. */
export function skipLine(): void {
  if (kind != Kind.NEWLINE) skipToLineEnd();
}

function skipToLineEnd(): void {
  while (at < end && load<u8>(at) != 0x0a) at++;
}

/** The word is this one, without quotes. */
export function is(literal: string): bool {
  return kind == Kind.WORD && equalLiteral(bytes, length, literal);
}

/** The word is this one, quoted or not. */
export function reads(literal: string): bool {
  return kind >= Kind.WORD && kind <= Kind.STRING && equalLiteral(bytes, length, literal);
}

export function isSignOf(c: u32): bool {
  return kind == Kind.SIGN && <u32>load<u8>(bytes) == c;
}

export function isLineEnd(): bool {
  return kind <= Kind.NEWLINE;
}

let savedAt: usize = 0;
let savedKind: u32 = 0;
let savedBytes: usize = 0;
let savedLength: usize = 0;
let savedLine: u32 = 0;
let savedNextLine: u32 = 0;
let savedDepth: i32 = 0;

/** Remembers where the reader is, for `back`. */
export function mark(): void {
  savedAt = at;
  savedKind = kind;
  savedBytes = bytes;
  savedLength = length;
  savedLine = line;
  savedNextLine = nextLine;
  savedDepth = depth;
}

export function back(): void {
  at = savedAt;
  kind = savedKind;
  bytes = savedBytes;
  length = savedLength;
  line = savedLine;
  nextLine = savedNextLine;
  depth = savedDepth;
}
