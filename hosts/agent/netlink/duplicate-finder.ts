// Tells whether a key was seen before, by 64 bits of hash: 8 bytes for each key, no allocation for each.
const FIRST_SLOTS = 1 << 12;

export class DuplicateFinder {
  /** Two words a slot; both zero: free. */
  #slots = new Uint32Array(FIRST_SLOTS * 2);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /**
   * Looks at the bytes from `start` to `end`. True when the same bytes were added before (or, once in 10^7 sets of a
   * million keys, others with the same hash).
   */
  add(bytes: DataView, start: number, end: number): boolean {
    let low = 0x811c9dc5;
    let high = 0x9e3779b9;
    let offset = start;
    for (; offset + 4 <= end; offset += 4) {
      const word = bytes.getUint32(offset, true);
      low = Math.imul(low ^ word, 0x85ebca6b);
      low ^= low >>> 13;
      high = Math.imul(high ^ word, 0xc2b2ae35);
      high ^= high >>> 15;
    }
    for (; offset < end; offset++) {
      low = Math.imul(low ^ bytes.getUint8(offset), 0x01000193);
      high = Math.imul(high ^ bytes.getUint8(offset), 0x27d4eb2f);
    }
    low = (low ^ (low >>> 16)) >>> 0;
    high = (high ^ (high >>> 16)) >>> 0 || 1;
    if (this.#insert(this.#slots, low, high)) return true;
    this.#count++;
    if (this.#count * 4 > this.#slots.length) this.#grow();
    return false;
  }

  #insert(slots: Uint32Array, low: number, high: number): boolean {
    const mask = slots.length / 2 - 1;
    let slot = low & mask;
    while (slots[slot * 2 + 1] !== 0) {
      if (slots[slot * 2] === low && slots[slot * 2 + 1] === high) return true;
      slot = (slot + 1) & mask;
    }
    slots[slot * 2] = low;
    slots[slot * 2 + 1] = high;
    return false;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    for (let at = 0; at < this.#slots.length; at += 2) {
      const high = this.#slots[at + 1] ?? 0;
      if (high !== 0) this.#insert(slots, this.#slots[at] ?? 0, high);
    }
    this.#slots = slots;
  }
}
