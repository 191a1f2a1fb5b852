// How long to wait before the next attempt. As in client-go's reflectors, but waits become short again after half a minute
// instead of two: a watch that has lived for so long was good, and during a long wait nothing new is known.
import { type Clock, uniform } from "../../time/clock.ts";

const FIRST_MS = 800;
const LONGEST_MS = 30_000;
/** After so long without a wait, the next one is as short as the first. */
const RESET_AFTER_MS = 30_000;

/** 0.8 s, doubled each time up to 30 s, each multiplied by a random number from 1 to 2 so that a fleet spreads out. */
export class Backoff {
  readonly #clock: Clock;
  #next = FIRST_MS;
  #last: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next wait is the first again. */
  reset(): void {
    this.#next = FIRST_MS;
  }

  /** Milliseconds to wait now. */
  next(): number {
    const now = this.#clock.now();
    if (this.#last !== undefined && now - this.#last >= RESET_AFTER_MS) this.#next = FIRST_MS;
    const wait = this.#next * uniform(this.#clock, 1, 2);
    this.#next = Math.min(this.#next * 2, LONGEST_MS);
    this.#last = now + wait;
    return wait;
  }
}
