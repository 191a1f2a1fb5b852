// Collects bytes in chunks, without copying earlier ones as it grows.
/** Bytes of a chunk: some milliseconds of the engine's. */
const CHUNK = 256 << 10;

/** A place to go back to. */
export interface Mark {
  readonly chunks: number;
  readonly used: number;
}

export class ByteBuffer {
  readonly #chunks: Uint8Array[] = [];
  /** Bytes used in each chunk. */
  readonly #used: number[] = [];

  get length(): number {
    return this.#used.reduce((sum, used) => sum + used, 0);
  }

  add(bytes: Uint8Array): void {
    let last = this.#chunks.length - 1;
    let used = this.#used[last] ?? 0;
    if (last < 0 || used + bytes.length > (this.#chunks[last]?.length ?? 0)) {
      last++;
      used = 0;
      this.#chunks.push(new Uint8Array(Math.max(CHUNK, bytes.length)));
    }
    this.#chunks[last]?.set(bytes, used);
    this.#used[last] = used + bytes.length;
  }

  mark(): Mark {
    return { chunks: this.#chunks.length, used: this.#used.at(-1) ?? 0 };
  }

  /** Forgets what was added since. */
  rewind({ chunks, used }: Mark): void {
    this.#chunks.length = chunks;
    this.#used.length = chunks;
    if (chunks > 0) this.#used[chunks - 1] = used;
  }

  /** All chunks. Each addition is whole in one of them. No copies: they are the memory that is added to. */
  list(): Uint8Array[] {
    return this.#chunks.map((chunk, index) => chunk.subarray(0, this.#used[index]));
  }
}
