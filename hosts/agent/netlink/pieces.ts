// Collects bytes of unknown number without copying them again and again.
const CHUNK = 1 << 20;
/** Milliseconds of copying before timers get their turn. */
const TURN = 5;

/** A place to go back to. */
export interface Mark {
  readonly chunks: number;
  readonly used: number;
}

export class Pieces {
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

  /** All of it in one piece: a copy. The event loop runs meanwhile: the first touch of so much memory takes its time. */
  async join(): Promise<Uint8Array> {
    const joined = new Uint8Array(this.length);
    let offset = 0;
    let end = performance.now() + TURN;
    for (const [index, chunk] of this.#chunks.entries()) {
      joined.set(chunk.subarray(0, this.#used[index]), offset);
      offset += this.#used[index] ?? 0;
      if (performance.now() < end) continue;
      await new Promise((resolve) => setImmediate(resolve));
      end = performance.now() + TURN;
    }
    return joined;
  }
}
