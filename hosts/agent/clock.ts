// Time and chance, so that tests need not wait for either.
import { setTimeout as sleep } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since some moment; it never goes back. */
  now(): number;
  /** Resolves after `ms` milliseconds, or as soon as the signal is aborted. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Runs it once after `ms` milliseconds (0: as soon as possible) unless the returned function is called before. Keeps no process alive. */
  setTimer(ms: number, run: () => void): () => void;
  /** 0 ≤ x < 1 */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}), // it only rejects when aborted
  setTimer(ms, run) {
    if (ms <= 0) {
      // A timer would wait for a whole millisecond.
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

/** least ≤ x < most */
export function uniform(clock: Clock, least: number, most: number): number {
  return least + clock.random() * (most - least);
}
