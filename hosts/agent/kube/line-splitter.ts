// Cuts a stream of bytes at line feeds. Lines may be larger than any chunk; they are joined once.

/** A line is longer than anything that an API server sends. */
export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";

  constructor(limit: number) {
    super(`a line of the watch is longer than ${limit} bytes`);
  }
}

export class LineSplitter {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #size = 0;

  /** @param limit bytes that a line may have */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes of a line that has not ended. */
  get pending(): number {
    return this.#size;
  }

  /** All whole lines that there are now, with their line feeds; undefined if there are none. */
  push(chunk: Uint8Array): Uint8Array | undefined {
    const end = chunk.lastIndexOf(0x0a) + 1;
    if (end === 0) {
      this.#keep(chunk);
      return undefined;
    }
    const first = this.#size === 0 ? 0 : chunk.indexOf(0x0a) + 1;
    if (this.#size + first > this.#limit) throw new LineTooLongError(this.#limit);
    const whole = chunk.subarray(0, end);
    const lines = this.#size === 0 ? whole : Buffer.concat([...this.#parts, whole]);
    this.#parts = [];
    this.#size = 0;
    if (end < chunk.length) this.#keep(chunk.subarray(end));
    return lines;
  }

  #keep(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > this.#limit) throw new LineTooLongError(this.#limit);
    this.#parts.push(part);
  }
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
