// TCP's flags by name.
import { equalLiteral } from "../../bytes/compare";
import { NO_NUMBER, parseNumber } from "./numbers";
import * as words from "./words";

function flagOf(bytes: usize, length: usize): u32 {
  if (equalLiteral(bytes, length, "fin") || equalLiteral(bytes, length, "FIN")) return 1;
  if (equalLiteral(bytes, length, "syn") || equalLiteral(bytes, length, "SYN")) return 2;
  if (equalLiteral(bytes, length, "rst") || equalLiteral(bytes, length, "RST")) return 4;
  if (equalLiteral(bytes, length, "psh") || equalLiteral(bytes, length, "PSH")) return 8;
  if (equalLiteral(bytes, length, "ack") || equalLiteral(bytes, length, "ACK")) return 16;
  if (equalLiteral(bytes, length, "urg") || equalLiteral(bytes, length, "URG")) return 32;
  if (equalLiteral(bytes, length, "ecn")) return 64;
  if (equalLiteral(bytes, length, "cwr")) return 128;
  if (equalLiteral(bytes, length, "ALL")) return 63;
  const number = parseNumber(bytes, length);
  return number == NO_NUMBER || number > 255 ? 256 : <u32>number;
}

/** Flags joined by `,`, `|` or brackets: their bits; above 255: some is none. */
export function parseTcpFlags(bytes: usize, length: usize): u32 {
  if (equalLiteral(bytes, length, "NONE")) return 0;
  let bits: u32 = 0;
  let start: usize = 0;
  for (let i: usize = 0; i <= length; i++) {
    const c: u32 = i < length ? load<u8>(bytes + i) : 0x2c;
    if (c != 0x2c && c != 0x7c && c != 0x28 && c != 0x29) continue;
    if (i > start) bits |= flagOf(bytes + start, i - start);
    start = i + 1;
  }
  return bits;
}

/** nft's `syn`, `syn,ack`, `syn | ack`, `(syn | ack)`, up to the word behind. */
export function readTcpFlags(): u32 {
  let bits: u32 = 0;
  while (true) {
    if (words.kind != words.Kind.WORD) return 256;
    bits |= parseTcpFlags(words.bytes, words.length);
    words.next();
    if (!words.isSignOf(0x2c) && !words.is("|")) return bits;
    words.next();
  }
}
