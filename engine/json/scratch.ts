// Lists that a reader fills while it goes through an object, used again for the next one.
import { arenaAlloc } from "../bytes/memory";
import { grown, LARGEST_BLOCK, sizeOf } from "../bytes/sizes";

/** Growable list of items of one size. Lives in the arena: `release` it when a call begins. */
@unmanaged
export class Scratch {
  data: usize = 0;
  length: u32 = 0;
  capacity: u32 = 0;
  size: usize = 0;

  /** `size` is that of an item in bytes. */
  constructor(size: usize) {
    this.size = size;
  }

  /** Appends an item of zero bytes; returns its address, good until the next `add`. */
  add(): usize {
    if (this.length == this.capacity) {
      const capacity = grown(this.capacity, this.length, 16);
      const room = arenaAlloc(sizeOf(capacity, this.size, 16), 8);
      memory.copy(room, this.data, <usize>this.length * this.size);
      this.data = room;
      this.capacity = capacity;
    }
    const item = this.data + <usize>this.length * this.size;
    this.length++;
    // Up to 12 bytes too many: of the next item, or of the 16 spare ones.
    for (let i: usize = 0; i < this.size; i += 16) v128.store(item + i, i64x2.splat(0));
    return item;
  }

  at(index: u32): usize {
    return this.data + <usize>index * this.size;
  }

  clear(): void {
    this.length = 0;
  }

  /** Forgets the memory, which the arena has taken back or will. */
  release(): void {
    this.data = 0;
    this.length = 0;
    this.capacity = 0;
  }
}

/** A string of the input and where its value begins in the data. */
@unmanaged
export class Text {
  bytes: usize;
  length: usize;
  valueAt: usize;
}

export const TEXT_SIZE: usize = offsetof<Text>();

/** A Text that lives as long as the instance. */
export function newText(): Text {
  const text = changetype<Text>(heap.alloc(TEXT_SIZE));
  clearText(text);
  return text;
}

/** Makes it absent: no bytes, and `valueAt` 0. */
export function clearText(text: Text): void {
  text.bytes = 0;
  text.length = 0;
  text.valueAt = 0;
}

let room: usize = 0;
let roomSize: usize = 0;

/** `size` bytes, all zero, for the record of the object at hand; the next record gets the same ones. */
export function recordRoom(size: usize): usize {
  if (size > roomSize) {
    roomSize = max(size, min<usize>(roomSize << 1, LARGEST_BLOCK));
    room = arenaAlloc(roomSize, 16);
  }
  memory.fill(room, 0, size);
  return room;
}

export function releaseRecordRoom(): void {
  room = 0;
  roomSize = 0;
}
