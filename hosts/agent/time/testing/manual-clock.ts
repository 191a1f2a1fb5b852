// A clock for tests: waits cost nothing and are written down; timers run when the test lets time pass.
import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, timerMs } from "../clock.ts";

export class ManualClock implements Clock {
  /** All waits so far, in milliseconds. */
  readonly waits: number[] = [];
  /** What `random` gives. */
  chance = 0;
  /** Waits end only when they are aborted. */
  frozen = false;
  #now = 0;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.chance;
  }

  async sleep(wanted: number, signal: AbortSignal): Promise<void> {
    const ms = timerMs(wanted);
    this.waits.push(ms);
    if (this.frozen) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      return;
    }
    this.#now += ms;
    await sleep(1); // so that nothing that waits again and again holds the event loop
  }

  setTimer(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + timerMs(ms), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Time passes inside a callback, without timers. */
  spend(ms: number): void {
    this.#now += ms;
  }

  /** Timers that are not yet due. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass: timers that fall due run, in their order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    while (true) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** As `pass`, and promises and what has given others a turn go on before each timer. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      const next = Math.min(...[...this.#timers].map(({ at }) => at));
      if (next > end) break;
      this.pass(Math.max(0, next - this.#now));
    }
    this.#now = Math.max(this.#now, end);
  }
}
