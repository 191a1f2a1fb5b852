// Cuts a stream of bytes at line feeds. All bytes are copied once, into two buffers that are used in turn. So a list of 50 MB
// does not leave 50 MB for the garbage collector.

/** Buffers that had to be larger for a long line are not kept. */
const KEPT_BYTES = 256 * 1024;

export class LineSplitter {
  readonly #limit: number;
  readonly #replace: (beginning: Uint8Array) => Uint8Array;
  #buffer: Uint8Array = new Uint8Array(0);
  #spare: Uint8Array = new Uint8Array(0);
  #size = 0;
  /** Bytes of whole lines at the beginning. */
  #whole = 0;
  /** The current line has been replaced: the rest of it is skipped. */
  #isSkipping = false;

  /**
   * @param limit bytes that a line may have
   * @param replace gets the beginning of a longer one, valid during the call, and returns the line that takes its place
   */
  constructor(limit: number, replace: (beginning: Uint8Array) => Uint8Array) {
    this.#limit = limit;
    this.#replace = replace;
  }

  /** Bytes that it holds. */
  get buffered(): number {
    return this.#size;
  }

  /** Bytes of a line that has not ended. */
  get pending(): number {
    return this.#size - this.#whole;
  }

  /** @throws what `replace` throws */
  push(chunk: Uint8Array): void {
    const first = chunk.indexOf(0x0a) + 1;
    if (this.#isSkipping) {
      if (first === 0) return;
      this.#isSkipping = false;
      this.push(chunk.subarray(first));
    } else if (this.pending + (first || chunk.length) > this.#limit) {
      this.#append(chunk.subarray(0, this.#limit - this.pending));
      const line = this.#replace(this.#buffer.subarray(this.#whole, this.#size));
      this.#size = this.#whole;
      this.#append(line);
      this.#whole = this.#size;
      this.#isSkipping = true;
      this.push(first === 0 ? chunk.subarray(chunk.length) : chunk.subarray(first - 1));
    } else if (first > 0 && chunk.length > this.#limit) {
      // Further lines in it may be too long.
      this.#append(chunk.subarray(0, first));
      this.#whole = this.#size;
      this.push(chunk.subarray(first));
    } else {
      const start = this.#size;
      this.#append(chunk);
      if (first > 0) this.#whole = start + chunk.lastIndexOf(0x0a) + 1;
    }
  }

  #append(bytes: Uint8Array): void {
    this.#buffer = withRoom(this.#buffer, this.#size, bytes.length);
    this.#buffer.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /** All whole lines that there are now, with their line feeds; undefined if there are none. Valid until the next call. */
  take(): Uint8Array | undefined {
    if (this.#whole === 0) return undefined;
    const taken = this.#buffer;
    const lines = taken.subarray(0, this.#whole);
    const rest = taken.subarray(this.#whole, this.#size);
    this.#buffer = withRoom(this.#spare, 0, rest.length);
    this.#buffer.set(rest);
    this.#size = rest.length;
    this.#whole = 0;
    this.#spare = taken.length > KEPT_BYTES ? new Uint8Array(0) : taken;
    return lines;
  }
}

/** A buffer with the first `used` bytes of this one, and room for `more` behind them. */
function withRoom(buffer: Uint8Array, used: number, more: number): Uint8Array {
  if (used + more <= buffer.length) return buffer;
  const grown = new Uint8Array(Math.max(KEPT_BYTES / 2, buffer.length * 2, used + more));
  grown.set(buffer.subarray(0, used));
  return grown;
}

/** Cuts whole lines into slices of whole lines, of at most `size` bytes each unless a single line is longer. */
export function* slicesOf(lines: Uint8Array, size: number): Generator<Uint8Array> {
  let at = 0;
  while (lines.length - at > size) {
    let end = lines.lastIndexOf(0x0a, at + size - 1) + 1;
    if (end <= at) end = lines.indexOf(0x0a, at + size) + 1;
    if (end <= at) break;
    yield lines.subarray(at, end);
    at = end;
  }
  if (at < lines.length) yield lines.subarray(at);
}
