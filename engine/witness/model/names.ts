// Names of tables, chains, sets, interfaces and affinity lists: each text once, known by a number. Number 0 is the empty text.
import { bucketHash, equalBytes } from "../../bytes/compare";
import { SLACK, Vector } from "../../bytes/memory";
import { sizeOf } from "../../bytes/sizes";

const BLOCK: usize = 64 * 1024;

/** Address, length of each name. */
const entries = new Vector();
/** Buckets of number plus one; a power of two of them, at least twice the names. */
const buckets = new Vector();
let position: usize = 0;
let limit: usize = 0;

function keep(bytes: usize, length: usize): usize {
  if (position + length > limit) {
    const size = max(BLOCK, length);
    position = heap.alloc(sizeOf(1, size, SLACK));
    limit = position + size;
  }
  memory.copy(position, bytes, length);
  position += length;
  return position - length;
}

function rehash(): void {
  const capacity = max<u32>(buckets.length << 1, 256);
  buckets.reserve(capacity);
  buckets.length = capacity;
  memory.fill(buckets.data, 0, (<usize>capacity) << 2);
  for (let id: u32 = 0; id < entries.length >> 1; id++) {
    let i = bucketHash(nameBytes(id), nameLength(id)) & (capacity - 1);
    while (buckets.get(i) != 0) i = (i + 1) & (capacity - 1);
    buckets.set(i, id + 1);
  }
}

/** The number of a text; the bytes are copied. */
export function nameOf(bytes: usize, length: usize): u32 {
  if (entries.length >= buckets.length) rehash();
  const mask = buckets.length - 1;
  let i = bucketHash(bytes, length) & mask;
  while (true) {
    const found = buckets.get(i);
    if (found == 0) break;
    if (equalBytes(nameBytes(found - 1), nameLength(found - 1), bytes, length)) return found - 1;
    i = (i + 1) & mask;
  }
  const id = entries.length >> 1;
  entries.push(<u32>keep(bytes, length));
  entries.push(<u32>length);
  buckets.set(i, id + 1);
  return id;
}

const literal: usize = memory.data(64, 16);

/** The number of an ASCII literal of at most 31 characters. */
export function literalName(text: string): u32 {
  for (let i = 0; i < text.length; i++) store<u8>(literal + <usize>i, <u8>text.charCodeAt(i));
  return nameOf(literal, <usize>text.length);
}

export function nameBytes(id: u32): usize {
  return <usize>entries.get(id << 1);
}

export function nameLength(id: u32): usize {
  return <usize>entries.get((id << 1) + 1);
}

/** The empty text has number 0 from the start. */
nameOf(literal, 0);
