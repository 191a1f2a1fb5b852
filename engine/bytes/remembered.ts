// Whether something is what it was: it is written down as bytes and compared with the bytes of the time before.
import { equalBytes, hashBytes } from "./compare";
import { SLACK } from "./memory";
import { grown, sizeOf } from "./sizes";

/** What it is goes by a number, which another state of it never gets. */
@unmanaged
export class Remembered {
  number: u32 = 0;
  bytes: usize = 0;
  length: u32 = 0;
  private capacity: u32 = 0;
  // The state before, which may come back; and the one that is being written.
  private numberBefore: u32 = 0;
  private bytesBefore: usize = 0;
  private lengthBefore: u32 = 0;
  private capacityBefore: u32 = 0;
  private made: usize = 0;
  private madeLength: u32 = 0;
  private madeCapacity: u32 = 0;
  private last: u32 = 0;

  /** Begins to write down what it is now. */
  begin(): void {
    this.madeLength = 0;
  }

  private reserve(more: u32): usize {
    const wanted = this.madeLength + more;
    if (wanted > this.madeCapacity) {
      this.madeCapacity = grown(this.madeCapacity, wanted, 128);
      const size = sizeOf(this.madeCapacity, 1, SLACK);
      this.made = this.made == 0 ? heap.alloc(size) : heap.realloc(this.made, size);
    }
    const at = this.made + <usize>this.madeLength;
    this.madeLength = wanted;
    return at;
  }

  word(value: u32): void {
    store<u32>(this.reserve(4), value);
  }

  /** Bytes of any number, with their number. */
  text(bytes: usize, length: usize): void {
    this.word(<u32>length);
    memory.copy(this.reserve(<u32>length), bytes, length);
  }

  /** All is written. True if it is another state than before. */
  end(): bool {
    if (this.number != 0 && equalBytes(this.made, this.madeLength, this.bytes, this.length)) return false;
    const back = this.numberBefore != 0 && equalBytes(this.made, this.madeLength, this.bytesBefore, this.lengthBefore);
    const number = back ? this.numberBefore : ++this.last;
    const bytes = this.bytesBefore;
    const capacity = this.capacityBefore;
    this.numberBefore = this.number;
    this.bytesBefore = this.bytes;
    this.lengthBefore = this.length;
    this.capacityBefore = this.capacity;
    this.number = number;
    this.bytes = this.made;
    this.length = this.madeLength;
    this.capacity = this.madeCapacity;
    this.made = bytes;
    this.madeCapacity = capacity;
    return true;
  }

  /** A hash for people to compare: nothing may depend on it. */
  hash(): u64 {
    return hashBytes(this.bytes, this.length);
  }
}
