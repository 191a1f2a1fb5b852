// The text (or bytes) that a call returns, written piece by piece. Blocks of a megabyte are linked instead of doubling
// one buffer, so 30 MB of rules need 30 MB of memory while they are made, and nothing is copied twice.
//
// There are a few streams, because iptables-restore wants all chains of a table before its rules, while a layout writes
// both service by service. One stream is selected at a time; results are made by lining up the streams' pieces.
import { SLACK, Vector } from "./memory";
import { sizeOf } from "./sizes";

const BLOCK: usize = 1 << 20;

/** A series of blocks. The first is kept from call to call. */
@unmanaged
class Stream {
  position: usize = 0;
  limit: usize = 0;
  pieceStart: usize = 0;
  /** Lines ended so far. */
  lines: u32 = 0;
  blocks: Vector = new Vector();
  /** Address, length, address, length, … of what is finished. */
  pieces: Vector = new Vector();
}

export namespace StreamName {
  /** What is written unless something else is selected. */
  export const MAIN: u32 = 0;
  export const NAT_CHAINS: u32 = 1;
  export const NAT_RULES: u32 = 2;
}

const main = new Stream();
const natChains = new Stream();
const natRules = new Stream();

// The selected stream's fields, in globals because every token passes here.
let stream: Stream = main;
let position: usize = 0; // where the next byte goes
let limit: usize = 0; // end of the block
let pieceStart: usize = 0;
let lines: u32 = 0;

/** The pieces of all results of this call, in the canonical form of `list<list<u8>>`. */
const results = new Vector();

function streamOf(name: u32): Stream {
  return name == StreamName.MAIN ? main : name == StreamName.NAT_CHAINS ? natChains : natRules;
}

/** Selects the stream that is written from now on. */
export function outSelect(name: u32): void {
  const selected = streamOf(name);
  if (selected == stream) return;
  stream.position = position;
  stream.limit = limit;
  stream.pieceStart = pieceStart;
  stream.lines = lines;
  stream = selected;
  position = selected.position;
  limit = selected.limit;
  pieceStart = selected.pieceStart;
  lines = selected.lines;
}

/** The stream that is written now. */
export function outSelected(): u32 {
  return stream == main ? StreamName.MAIN : stream == natChains ? StreamName.NAT_CHAINS : StreamName.NAT_RULES;
}

/** Lines ended so far in the selected stream, since `outReset`. */
export function outLines(): u32 {
  return lines;
}

/** The same for each stream, in the order of `StreamName`: three words at `to`. */
export function outNoteLines(to: usize): void {
  stream.lines = lines;
  store<u32>(to, main.lines);
  store<u32>(to, natChains.lines, 4);
  store<u32>(to, natRules.lines, 8);
}

function grow(size: usize): void {
  endPiece();
  // The first block has the standard size, since `resetStream` keeps it without knowing its size.
  if (stream.blocks.length == 0 && size > BLOCK) stream.blocks.push(<u32>heap.alloc(BLOCK + SLACK));
  const capacity = max(BLOCK, size);
  const block = heap.alloc(sizeOf(1, capacity, SLACK));
  stream.blocks.push(<u32>block);
  position = block;
  pieceStart = block;
  limit = block + capacity;
}

function endPiece(): void {
  if (position != pieceStart) {
    stream.pieces.push(<u32>pieceStart);
    stream.pieces.push(<u32>(position - pieceStart));
  }
  pieceStart = position;
}

/** Number of pieces in all results so far: where the next result begins. */
export function resultStart(): u32 {
  return results.length >> 1;
}

/** Bytes in the selected stream that have not been moved to the results. */
export function outLength(): usize {
  let length = position - pieceStart;
  for (let i: u32 = 1; i < stream.pieces.length; i += 2) length += <usize>stream.pieces.get(i);
  return length;
}

/** Moves what the stream holds to the end of the results. */
export function outFlush(name: u32): void {
  outSelect(name);
  endPiece();
  const pieces = stream.pieces;
  for (let i: u32 = 0; i < pieces.length; i++) results.push(pieces.get(i));
  pieces.clear();
}

/** Address of piece number `first` of the results: pairs of address and length. */
export function resultPieces(first: u32): usize {
  return results.data + ((<usize>first) << 3);
}

function resetStream(name: u32): void {
  outSelect(name);
  const blocks = stream.blocks;
  while (blocks.length > 1) heap.free(<usize>blocks.get(--blocks.length));
  stream.pieces.clear();
  position = blocks.length == 0 ? 0 : <usize>blocks.get(0);
  limit = blocks.length == 0 ? 0 : position + BLOCK;
  pieceStart = position;
  lines = 0;
}

/** Drops everything; to be called once what was returned has been read. */
export function outReset(): void {
  results.clear();
  resetStream(StreamName.NAT_RULES);
  resetStream(StreamName.NAT_CHAINS);
  resetStream(StreamName.MAIN);
}

/** Makes sure that `size` bytes can be written at the address that it returns. */
export function outReserve(size: usize): usize {
  if (position + size > limit) grow(size);
  return position;
}

/** After `outReserve`: the bytes up to `to` have been written. */
export function outAdvance(to: usize): void {
  position = to;
}

/** Writes bytes; may read up to 32 bytes past short ones. */
export function put(bytes: usize, length: usize): void {
  if (position + length > limit) grow(length);
  const to = position;
  position = to + length;
  if (length <= 32) {
    v128.store(to, v128.load(bytes));
    if (length > 16) v128.store(to, v128.load(bytes, 16), 16);
  } else {
    memory.copy(to, bytes, length);
  }
}

/** An ASCII literal: its UTF-16 code units narrowed, 16 at a time. */
export function lit(text: string): void {
  const length = <usize>text.length;
  if (position + length > limit) grow(length);
  const to = position;
  const from = changetype<usize>(text);
  for (let i: usize = 0; i < length; i += 16) {
    v128.store(to + i, i8x16.narrow_i16x8_u(v128.load(from + (i << 1)), v128.load(from + (i << 1), 16)));
  }
  position = to + length;
}

export function byte(value: u8): void {
  if (position + 1 > limit) grow(1);
  store<u8>(position++, value);
}

/** Ends the line. */
export function newline(): void {
  if (position + 1 > limit) grow(1);
  store<u8>(position++, 0x0a);
  lines++;
}

/** An unsigned number in decimal digits. */
export function decimal(value: u32): void {
  if (position + 10 > limit) grow(10);
  position = writeDecimal(position, value);
}

const HEX: string = "0123456789abcdef";

/** `0x` and eight digits */
export function hex32(value: u32): void {
  lit("0x");
  for (let shift: i32 = 28; shift >= 0; shift -= 4) byte(<u8>HEX.charCodeAt(<i32>((value >> shift) & 15)));
}

/** Writes an ASCII literal at `to`; returns the address after it. */
export function writeLiteral(to: usize, text: string): usize {
  for (let i = 0; i < text.length; i++) store<u8>(to + <usize>i, <u8>text.charCodeAt(i));
  return to + <usize>text.length;
}

/** Writes `value` in decimal digits at `to`; returns the address after them. */
export function writeDecimal(to: usize, value: u32): usize {
  let digits: usize = 1;
  for (let rest = value; rest >= 10; rest /= 10) digits++;
  let at = to + digits;
  let rest = value;
  do {
    const tenth = rest / 10;
    store<u8>(--at, <u8>(0x30 + (rest - tenth * 10)));
    rest = tenth;
  } while (rest != 0);
  return to + digits;
}
