// Strings that many endpoints share (node names, zones, hint lists), each kept once under a small id while something
// refers to it. Ids of strings that nothing refers to any more are used again.
import { bucketHash, equalBytes } from "../bytes/compare";
import { SLACK, Vector } from "../bytes/memory";
import { grown, sizeOf } from "../bytes/sizes";

/** Id of the absent string. */
export const NO_STRING: u32 = 0;

const texts = new Vector(); // by id: address of the bytes
const lengths = new Vector();
const references = new Vector();
const nexts = new Vector(); // by id: next of the same bucket, or of the free ids
let free: u32 = NO_STRING;
let used: u32 = 0;

let buckets: usize = 0;
let bucketCount: u32 = 0;

texts.push(0); // id 0
lengths.push(0);
references.push(0);
nexts.push(0);

function bucketOf(bytes: usize, length: usize): usize {
  return buckets + ((<usize>(bucketHash(bytes, length) & (bucketCount - 1))) << 2);
}

function rehash(count: u32): void {
  if (buckets != 0) heap.free(buckets);
  buckets = heap.alloc(sizeOf(count, 4));
  memory.fill(buckets, 0, (<usize>count) << 2);
  bucketCount = count;
  for (let id: u32 = 1; id < texts.length; id++) {
    if (references.get(id) == 0) continue;
    const bucket = bucketOf(<usize>texts.get(id), <usize>lengths.get(id));
    nexts.set(id, load<u32>(bucket));
    store<u32>(bucket, id);
  }
}

/** The id of these bytes, with one reference more. The bytes are copied if they are new. */
export function internString(bytes: usize, length: usize): u32 {
  if (used >= bucketCount) rehash(grown(bucketCount, 0, 64));
  const bucket = bucketOf(bytes, length);
  for (let id = load<u32>(bucket); id != NO_STRING; id = nexts.get(id)) {
    if (!equalBytes(bytes, length, <usize>texts.get(id), <usize>lengths.get(id))) continue;
    references.set(id, references.get(id) + 1);
    return id;
  }
  const text = heap.alloc(length + SLACK);
  memory.copy(text, bytes, length);
  let id = free;
  if (id != NO_STRING) {
    free = nexts.get(id);
  } else {
    id = texts.length;
    texts.push(0);
    lengths.push(0);
    references.push(0);
    nexts.push(0);
  }
  texts.set(id, <u32>text);
  lengths.set(id, <u32>length);
  references.set(id, 1);
  nexts.set(id, load<u32>(bucket));
  store<u32>(bucket, id);
  used++;
  return id;
}

/** Gives one reference back. */
export function releaseString(id: u32): void {
  if (id == NO_STRING) return;
  const left = references.get(id) - 1;
  references.set(id, left);
  if (left != 0) return;
  const text = <usize>texts.get(id);
  const bucket = bucketOf(text, <usize>lengths.get(id));
  if (load<u32>(bucket) == id) {
    store<u32>(bucket, nexts.get(id));
  } else {
    let before = load<u32>(bucket);
    while (nexts.get(before) != id) before = nexts.get(before);
    nexts.set(before, nexts.get(id));
  }
  heap.free(text);
  nexts.set(id, free);
  free = id;
  used--;
}

export function stringBytes(id: u32): usize {
  return <usize>texts.get(id);
}

export function stringLength(id: u32): usize {
  return <usize>lengths.get(id);
}
