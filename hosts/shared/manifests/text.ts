// Bytes, characters, lines.
import type { Position } from "../diagnostics.ts";

/** Lines and columns of a text, both from 1; columns count UTF-16 units, as editors do. */
export class Lines {
  readonly #starts: number[] = [0];
  readonly #firstLine: number;

  /** `firstLine`: the number of the text's first line in its file. */
  constructor(text: string, firstLine = 1) {
    this.#firstLine = firstLine;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) this.#starts.push(at + 1);
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: this.#firstLine + low, column: offset - (this.#starts[low] ?? 0) + 1 };
  }
}

/** Position of a byte in UTF-8 text, found by reading all before it. */
export function bytePosition(bytes: Uint8Array, offset: number): Position {
  const end = Math.min(offset, bytes.length);
  let line = 1;
  let lineStart = 0;
  for (let at = bytes.indexOf(0x0a); at !== -1 && at < end; at = bytes.indexOf(0x0a, at + 1)) {
    line++;
    lineStart = at + 1;
  }
  // A line of a minified dump can have hundreds of megabytes: then bytes are counted.
  if (end - lineStart > 1_000_000) return { line, column: end - lineStart + 1 };
  return { line, column: new TextDecoder().decode(bytes.subarray(lineStart, end)).length + 1 };
}

/** Offset of the first byte that is not valid UTF-8; -1 if all is. */
export function invalidUtf8At(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at] as number;
    if (lead < 0x80) {
      at++;
      continue;
    }
    const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || at + length > bytes.length) return at;
    const second = bytes[at + 1] as number;
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return at;
    for (let next = at + 2; next < at + length; next++) if (((bytes[next] as number) & 0xc0) !== 0x80) return at;
    at += length;
  }
  return -1;
}

/**
 * The bytes as UTF-8 without byte order mark. UTF-16 with a mark (what PowerShell's `>` writes) is converted, as
 * kubectl does.
 */
export function toUtf8(bytes: Uint8Array): Uint8Array {
  if (hasMark(bytes, 0)) return bytes.subarray(3);
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "";
  return utf16 === "" ? bytes : new TextEncoder().encode(new TextDecoder(utf16).decode(bytes));
}

/** UTF-8's byte order mark stands there. */
export function hasMark(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;
}

export function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Offset of the first byte from `at` on that is no white space; the length if there is none. */
export function skipBlanks(bytes: Uint8Array, at = 0): number {
  let next = at;
  while (next < bytes.length && isBlank(bytes[next])) next++;
  return next;
}
