// Notices when nothing has come for too long.
import type { Clock } from "../../time/clock.ts";

/** Nothing has come for too long. */
export class SilenceError extends Error {
  override readonly name = "SilenceError";
  /** What was waited for. */
  readonly phase: string;

  constructor(phase: string, ms: number) {
    super(`${phase}: nothing for ${Math.round(ms / 1000)} s`);
    this.phase = phase;
  }
}

export class Watchdog {
  readonly #clock: Clock;
  readonly #expired: (error: SilenceError) => void;
  #phase = "";
  #limit = 0;
  #last = 0;
  #cancel: () => void = () => {};

  constructor(clock: Clock, expired: (error: SilenceError) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** From now on something must come every `limit` milliseconds. */
  expect(phase: string, limit: number): void {
    this.#phase = phase;
    this.#limit = limit;
    this.#last = this.#clock.now();
    this.#arm(limit);
  }

  /** Something has come. */
  touch(): void {
    this.#last = this.#clock.now();
  }

  /** Too long, whatever has come. */
  expire(phase: string, ms: number): void {
    this.#expired(new SilenceError(phase, ms));
  }

  stop(): void {
    this.#cancel();
  }

  #arm(ms: number): void {
    this.#cancel();
    this.#cancel = this.#clock.setTimer(ms, () => {
      const silent = this.#clock.now() - this.#last;
      if (silent >= this.#limit) this.#expired(new SilenceError(this.#phase, this.#limit));
      else this.#arm(this.#limit - silent);
    });
  }
}
