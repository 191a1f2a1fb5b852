import { printable } from "../../shared/printable.ts";
import type { Io } from "../io.ts";

/** Reading shorter than this shows nothing. */
const patienceMs = 500;
/** A file of this size will take longer than that, and nothing can be shown while the engine reads it. */
const bigFile = 64_000_000;

/** One line on a terminal that says what is being read, and goes when the reading is done. */
export class Progress {
  readonly #io: Io;
  readonly #started = performance.now();
  #shown = false;

  constructor(io: Io) {
    this.#io = io;
  }

  reading(file: string, bytes: number): void {
    if (this.#io.stderr.isTTY !== true) return;
    if (performance.now() - this.#started < patienceMs && bytes < bigFile) return;
    const size = bytes < 1_000_000 ? "" : ` (${Math.round(bytes / 1_000_000)} MB)`;
    this.#io.stderr.write(`\r\u001b[Kreading ${printable(file, 60)}${size}…`);
    this.#shown = true;
  }

  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#io.stderr.write("\r\u001b[K");
  }
}
