// When to check whether somebody else has touched our rules.
import type { Clock } from "../time/clock.ts";

/**
 * Others change their own rules too. Each time ours have to be read back to find out whether they were touched. That
 * takes at most a twentieth of the time.
 */
const CHECK_SHARE = 20;

export interface DriftTimerOptions {
  readonly clock: Clock;
  /** Milliseconds between two checks. */
  readonly periodMs: number;
  /** No check waits longer than this, however long the one before has taken. */
  readonly longestMs: number;
  /** A check is due. False: it can't be made now. */
  readonly due: () => boolean;
}

export class DriftTimer {
  readonly #options: DriftTimerOptions;
  #cancel: (() => void) | undefined;
  #at: number | undefined;
  #isDue = false;
  #hasStopped = false;

  constructor(options: DriftTimerOptions) {
    this.#options = options;
    this.#wait(0);
  }

  /** By the clock; undefined once it has stopped. */
  get at(): number | undefined {
    return this.#at;
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  /** The check that is due begins. */
  begun(): void {
    this.#isDue = false;
  }

  /** The run with the check is over. `fruitlessMs`: how long it took if the rules were read back and nothing differed; else 0. */
  done(fruitlessMs: number): void {
    this.#wait(CHECK_SHARE * fruitlessMs);
  }

  stop(): void {
    this.#hasStopped = true;
    this.#cancel?.();
  }

  #wait(pauseMs: number): void {
    this.#cancel?.();
    if (this.#hasStopped) return;
    const { clock, periodMs, longestMs, due } = this.#options;
    const wait = Math.max(periodMs, Math.min(pauseMs, longestMs));
    this.#at = clock.now() + wait;
    this.#cancel = clock.setTimer(wait, () => {
      this.#isDue = true;
      if (!due()) this.#wait(0);
    });
  }
}
