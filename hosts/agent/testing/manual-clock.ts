import type { Clock, Timer } from "../sync/clock.ts";

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now = 0;
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, milliseconds: number): Timer {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.push(timer);
    return {
      clear: () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      },
    };
  }

  /** Time passes inside a callback, without timers. */
  spend(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** Lets time pass: timers that are due are called in order, and promises go on after each. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    for (;;) {
      await settle();
      const [next] = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = Math.max(this.#now, until);
  }
}

/** Promises that are already settled go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
