// Paces expensive runs: one starts at once after a quiet time, and a pause follows each. Requests meanwhile become one run.
import type { Clock } from "../time/clock.ts";

export class PacedRuns {
  readonly #clock: Clock;
  readonly #run: () => Promise<void>;
  readonly #pause: (durationMs: number) => number;
  #cancel: (() => void) | undefined;
  #notBefore = 0;
  /** Somebody has asked since the last run began. */
  #isAsked = false;
  #isClosed = false;

  /** `run` must not throw. `pause`: how long no other run begins after one that took so long, in milliseconds. */
  constructor(clock: Clock, run: () => Promise<void>, pause: (durationMs: number) => number) {
    this.#clock = clock;
    this.#run = run;
    this.#pause = pause;
  }

  /** A run begins after this call, as soon as it may. */
  ask(): void {
    this.#isAsked = true;
    if (this.#cancel !== undefined || this.#isClosed) return;
    const wait = Math.max(0, this.#notBefore - this.#clock.now());
    this.#cancel = this.#clock.setTimer(wait, () => {
      this.#isAsked = false;
      const start = this.#clock.now();
      void this.#run().then(() => {
        const end = this.#clock.now();
        this.#notBefore = end + this.#pause(end - start);
        this.#cancel = undefined;
        if (this.#isAsked) this.ask();
      });
    });
  }

  /** No other run begins; one that has begun goes on. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }
}
