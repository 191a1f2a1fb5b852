// Writes many lines at once: a write costs as much as making several lines.
import type { DestinationStream } from "pino";

/** Lines that come so soon after a write are written together. */
const PACE_MS = 50;

export interface FlushableStream extends DestinationStream {
  flushSync(): void;
}

/** After a quiet time a line is written at once; those that follow within 50 ms wait for each other. */
export class BufferedOutput implements FlushableStream {
  readonly #output: FlushableStream;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(output: FlushableStream) {
    this.#output = output;
  }

  write(line: string): void {
    if (this.#timer !== undefined) {
      this.#waiting.push(line);
      return;
    }
    this.#output.write(line);
    this.#pace();
  }

  /** Before the process ends. */
  flushSync(): void {
    this.#writeWaiting();
    this.#output.flushSync();
  }

  #pace(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#writeWaiting()) this.#pace();
    }, PACE_MS);
    this.#timer.unref();
  }

  #writeWaiting(): boolean {
    if (this.#waiting.length === 0) return false;
    const lines = this.#waiting;
    this.#waiting = [];
    this.#output.write(lines.join(""));
    return true;
  }
}
