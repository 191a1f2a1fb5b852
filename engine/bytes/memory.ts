// Raw memory: the arena of one call, and growable vectors. Nothing here is a managed object, so no garbage collector
// ever has to run: what the tables own is freed when it is replaced, what a call needs is dropped when it ends.

import { grown, LARGEST_BLOCK, sizeOf } from "./sizes";

/** Every block may be read this many bytes past its end, so that 16-byte loads need no bounds check. */
export const SLACK: usize = 32;

const CHUNK: usize = 256 * 1024;

let chunk: usize = 0; // the first chunk is kept from call to call
let position: usize = 0;
let end: usize = 0;
let extra: usize = 0; // further blocks of this call, linked through their first word

function extraBlock(size: usize): usize {
  const block = heap.alloc(sizeOf(1, size, 16 + SLACK));
  store<usize>(block, extra);
  extra = block;
  return block + 16;
}

/** Memory that lives until `arenaReset`, that is until the end of the call. `align` is a power of two up to 16. */
export function arenaAlloc(size: usize, align: usize = 4): usize {
  if (size > LARGEST_BLOCK) unreachable();
  let at = (position + align - 1) & ~(align - 1);
  if (at + size + SLACK > end) {
    if (size >= CHUNK / 4) return extraBlock(size);
    if (chunk == 0) {
      chunk = heap.alloc(CHUNK);
      position = chunk;
    } else {
      position = extraBlock(CHUNK);
    }
    end = position + CHUNK;
    at = (position + align - 1) & ~(align - 1);
  }
  position = at + size;
  return at;
}

/** Drops all that the call has allocated in the arena. */
export function arenaReset(): void {
  while (extra != 0) {
    const next = load<usize>(extra);
    heap.free(extra);
    extra = next;
  }
  position = chunk;
  end = chunk == 0 ? 0 : chunk + CHUNK;
}

/** Growable array of 32-bit words (numbers, ids or pointers). */
@unmanaged
export class Vector {
  data: usize = 0;
  length: u32 = 0;
  capacity: u32 = 0;

  push(value: u32): void {
    if (this.length == this.capacity) this.reserve(this.length + 1);
    store<u32>(this.data + ((<usize>this.length) << 2), value);
    this.length++;
  }

  /** Takes the last word away; there must be one. */
  pop(): u32 {
    return this.get(--this.length);
  }

  // Most of what walks and look-ups do: as a call it was a third of a comparison's time.
  @inline
  get(index: u32): u32 {
    return load<u32>(this.data + ((<usize>index) << 2));
  }

  set(index: u32, value: u32): void {
    store<u32>(this.data + ((<usize>index) << 2), value);
  }

  /** Makes room for `count` words in all. */
  reserve(count: u32): void {
    if (count <= this.capacity) return;
    const capacity = grown(this.capacity, count, 16);
    const size = sizeOf(capacity, 4, SLACK);
    this.data = this.data == 0 ? heap.alloc(size) : heap.realloc(this.data, size);
    this.capacity = capacity;
  }

  clear(): void {
    this.length = 0;
  }
}
