// A hash table from two words to one: chains by table and name, literals by set, and the like.
import { mix } from "../../bytes/compare";
import { grown, sizeOf } from "../../bytes/sizes";

/** What `PairMap.get` returns for a key that is not there. */
export const ABSENT: u32 = u32.MAX_VALUE;

const ROW: usize = 12;

/** Open addressing, at most half full; rows of three words: both of the key, and the value plus one. */
@unmanaged
export class PairMap {
  private rows: usize = 0;
  private capacity: u32 = 0;
  count: u32 = 0;

  private slot(a: u32, b: u32): usize {
    const mask = this.capacity - 1;
    let i = <u32>mix(0, ((<u64>a) << 32) | <u64>b) & mask;
    while (true) {
      const row = this.rows + <usize>i * ROW;
      if (load<u32>(row, 8) == 0 || (load<u32>(row) == a && load<u32>(row, 4) == b)) return row;
      i = (i + 1) & mask;
    }
  }

  get(a: u32, b: u32): u32 {
    if (this.count == 0) return ABSENT;
    return load<u32>(this.slot(a, b), 8) - 1;
  }

  set(a: u32, b: u32, value: u32): void {
    if (this.count >= this.capacity >> 1) this.grow();
    const row = this.slot(a, b);
    if (load<u32>(row, 8) == 0) this.count++;
    store<u32>(row, a);
    store<u32>(row, b, 4);
    store<u32>(row, value + 1, 8);
  }

  private grow(): void {
    const old = this.rows;
    const oldCapacity = this.capacity;
    this.capacity = grown(oldCapacity, oldCapacity + 1, 64);
    const size = sizeOf(this.capacity, ROW);
    this.rows = heap.alloc(size);
    memory.fill(this.rows, 0, size);
    if (old == 0) return;
    for (let i: u32 = 0; i < oldCapacity; i++) {
      const row = old + <usize>i * ROW;
      if (load<u32>(row, 8) != 0) memory.copy(this.slot(load<u32>(row), load<u32>(row, 4)), row, ROW);
    }
    heap.free(old);
  }

  clear(): void {
    if (this.capacity != 0) memory.fill(this.rows, 0, <usize>this.capacity * ROW);
    this.count = 0;
  }
}
