// Hash table of named things. Entries begin with the fields of `Entry` and are owned by whoever adds them.
import { bucketHash, compareBytes, equalBytes } from "../bytes/compare";
import { SLACK } from "../bytes/memory";
import { grown, sizeOf } from "../bytes/sizes";

/** What every entry of a table begins with. */
@unmanaged
export class Entry {
  /** Next entry of the same bucket. */
  next: usize;
  hash: u32;
  /** Number of the list in which the object was last seen. */
  listed: u32;
  /** The name, with its namespace and a slash before it where there is one; one block of its own. */
  key: usize;
  keyLength: u32;
  /** 0 without namespace. */
  namespaceLength: u32;
  /** The object's record (cluster/records.ts); 0: the name is known, the object is not. */
  record: usize;
}

@unmanaged
export class Table {
  buckets: usize = 0;
  bucketCount: u32 = 0;
  count: u32 = 0;
  /** Number of the current list; objects with a smaller `listed` have not been seen in it. */
  list: u32 = 0;

  /** The entry of that name, or 0. */
  find(key: usize, keyLength: usize): usize {
    if (this.count == 0) return 0;
    const hash = bucketHash(key, keyLength);
    let at = load<usize>(this.bucket(hash));
    while (at != 0) {
      const entry = changetype<Entry>(at);
      if (entry.hash == hash && equalBytes(entry.key, entry.keyLength, key, keyLength)) return at;
      at = entry.next;
    }
    return 0;
  }

  /** Adds an entry whose memory the caller has made and zeroed; copies the name. */
  add(entry: Entry, key: usize, keyLength: usize, namespaceLength: usize): void {
    if (this.count >= this.bucketCount) this.grow();
    const text = heap.alloc(keyLength + SLACK);
    memory.copy(text, key, keyLength);
    entry.key = text;
    entry.keyLength = <u32>keyLength;
    entry.namespaceLength = <u32>namespaceLength;
    entry.hash = bucketHash(key, keyLength);
    entry.listed = this.list;
    const bucket = this.bucket(entry.hash);
    entry.next = load<usize>(bucket);
    store<usize>(bucket, changetype<usize>(entry));
    this.count++;
  }

  /** Takes the entry out and frees it, its name and its record. */
  remove(entry: Entry): void {
    let link = this.bucket(entry.hash);
    while (load<usize>(link) != changetype<usize>(entry)) link = load<usize>(link) + offsetof<Entry>("next");
    store<usize>(link, entry.next);
    this.count--;
    if (entry.record != 0) heap.free(entry.record);
    heap.free(entry.key);
    heap.free(changetype<usize>(entry));
  }

  /** The entry after `at` in an order of no meaning, or 0; `at` = 0 gives the first. */
  following(at: usize): usize {
    let index: u32 = 0;
    if (at != 0) {
      const entry = changetype<Entry>(at);
      if (entry.next != 0) return entry.next;
      index = (entry.hash & (this.bucketCount - 1)) + 1;
    }
    for (; index < this.bucketCount; index++) {
      const first = load<usize>(this.buckets + ((<usize>index) << 2));
      if (first != 0) return first;
    }
    return 0;
  }

  private bucket(hash: u32): usize {
    return this.buckets + ((<usize>(hash & (this.bucketCount - 1))) << 2);
  }

  private grow(): void {
    const old = this.buckets;
    const oldCount = this.bucketCount;
    this.bucketCount = grown(oldCount, 0, 64);
    const size = sizeOf(this.bucketCount, 4);
    this.buckets = heap.alloc(size);
    memory.fill(this.buckets, 0, size);
    for (let i: u32 = 0; i < oldCount; i++) {
      let at = load<usize>(old + ((<usize>i) << 2));
      while (at != 0) {
        const entry = changetype<Entry>(at);
        const next = entry.next;
        const bucket = this.bucket(entry.hash);
        entry.next = load<usize>(bucket);
        store<usize>(bucket, at);
        at = next;
      }
    }
    if (old != 0) heap.free(old);
  }
}

/** Order of two entries (addresses) by their keys' bytes. */
export function compareEntries(a: u32, b: u32): i32 {
  const left = changetype<Entry>(<usize>a);
  const right = changetype<Entry>(<usize>b);
  return compareBytes(left.key, left.keyLength, right.key, right.keyLength);
}

/** Replaces the record if it differs; the new one is copied from the arena. Returns true if it differs. */
export function replaceRecord(entry: Entry, record: usize): bool {
  const size = <usize>load<u32>(record); // every record begins with its size
  if (entry.record != 0) {
    if (equalBytes(entry.record, <usize>load<u32>(entry.record), record, size)) return false;
    heap.free(entry.record);
  }
  const copy = heap.alloc(sizeOf(1, size, SLACK));
  memory.copy(copy, record, size);
  entry.record = copy;
  return true;
}
