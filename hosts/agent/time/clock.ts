// Time and random numbers behind an interface, so that tests control both.
import { setTimeout as sleep } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since some moment; it never goes back. */
  now(): number;
  /** Resolves after `ms` milliseconds (`timerMs` of them), or as soon as the signal is aborted. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Runs it once after `ms` milliseconds (0: as soon as possible) unless the returned function is called before. Keeps no process alive. */
  setTimer(ms: number, run: () => void): () => void;
  /** 0 ≤ x < 1 */
  random(): number;
}

/** Over 24 days. Node's timers hold a signed number of 32 bits, and take anything larger for a millisecond. */
const LONGEST_MS = 0x7fffffff;
/** For NaN: often enough to go on, too seldom to keep a processor busy. */
const UNKNOWN_MS = 1_000;

/**
 * A duration that Node's timers can take: 0 for negative numbers, at most 24 days, a second for NaN. So no number from
 * outside turns a wait into a busy loop.
 */
export function timerMs(ms: number): number {
  return Number.isNaN(ms) ? UNKNOWN_MS : Math.min(Math.max(ms, 0), LONGEST_MS);
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(timerMs(ms), undefined, { signal }).catch(() => {}), // it only rejects when aborted
  setTimer(wanted, run) {
    const ms = timerMs(wanted);
    if (ms === 0) {
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
