// Tells whether a key was seen before, without an allocation for each key. Tenants choose keys (addresses, ports). So the keys
// themselves are compared, and the hash has a random seed: otherwise a tenant could choose keys that collide.
import { getRandomValues } from "node:crypto";

const FIRST_SLOTS = 1 << 12;
/** Longer keys than those of our sets (a nest with 32 bytes) use numbers again. */
const HALVES = 64;

export class DuplicateFinder {
  /** By hash: one more than the number of a key; 0: free. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #hashes = new Uint32Array(FIRST_SLOTS / 2);
  /** Where each key ends in `#bytes`; it begins where the one before it ends. */
  #ends = new Uint32Array(FIRST_SLOTS / 2);
  #bytes = new Uint8Array(FIRST_SLOTS * 8);
  #used = 0;
  #count = 0;
  readonly #secret = getRandomValues(new Uint32Array(2 * HALVES));

  get count(): number {
    return this.#count;
  }

  /** Looks at the bytes from `start` to `end`. True when the same bytes were added before. */
  add(bytes: DataView, start: number, end: number): boolean {
    const hash = this.#hash(bytes, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let number = this.#slots[slot] ?? 0; number !== 0; number = this.#slots[slot] ?? 0) {
      if (this.#hashes[number - 1] === hash && this.#equals(number - 1, bytes, start, end)) return true;
      slot = (slot + 1) & mask;
    }
    this.#keep(bytes, start, end);
    this.#hashes[this.#count] = hash;
    this.#ends[this.#count] = this.#used;
    this.#slots[slot] = ++this.#count;
    if (this.#count * 2 === this.#slots.length) this.#grow();
    return false;
  }

  /**
   * Two sums of sixteen bits each: of any two keys, one in 2^32 choices of the secret makes both equal (multiply-shift for
   * vectors, Dietzfelbinger 1996).
   */
  #hash(bytes: DataView, start: number, end: number): number {
    const secret = this.#secret;
    let first = end - start;
    let second = first;
    for (let offset = start, i = 0; offset < end; offset += 2, i = (i + 1) % HALVES) {
      const half = offset + 1 < end ? bytes.getUint16(offset, true) : bytes.getUint8(offset);
      first = (first + Math.imul(secret[2 * i] ?? 0, half)) | 0;
      second = (second + Math.imul(secret[2 * i + 1] ?? 0, half)) | 0;
    }
    return ((first & 0xffff0000) | (second >>> 16)) >>> 0;
  }

  #equals(number: number, bytes: DataView, start: number, end: number): boolean {
    const from = number === 0 ? 0 : (this.#ends[number - 1] ?? 0);
    const length = end - start;
    if ((this.#ends[number] ?? 0) - from !== length) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[from + i] !== bytes.getUint8(start + i)) return false;
    return true;
  }

  #keep(bytes: DataView, start: number, end: number): void {
    if (this.#used + end - start > this.#bytes.length) {
      const more = new Uint8Array(Math.max(2 * this.#bytes.length, this.#used + end - start));
      more.set(this.#bytes);
      this.#bytes = more;
    }
    for (let offset = start; offset < end; offset++) this.#bytes[this.#used++] = bytes.getUint8(offset);
  }

  #grow(): void {
    const length = this.#slots.length * 2;
    this.#slots = new Uint32Array(length);
    const ends = new Uint32Array(length / 2);
    ends.set(this.#ends);
    this.#ends = ends;
    const hashes = new Uint32Array(length / 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    for (let number = 0; number < this.#count; number++) {
      let slot = (hashes[number] ?? 0) & (length - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (length - 1);
      this.#slots[slot] = number + 1;
    }
  }
}
