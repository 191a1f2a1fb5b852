/** Time as the agent sees it; tests give their own. */
export interface Clock {
  /** Milliseconds that only go forward, whatever happens to the time of day. */
  now(): number;
  setTimeout(callback: () => void, milliseconds: number): Timer;
}

export interface Timer {
  clear(): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout(callback, milliseconds) {
    if (milliseconds <= 0) {
      // A timer would wait for a whole millisecond.
      const immediate = setImmediate(callback);
      return { clear: () => clearImmediate(immediate) };
    }
    const timer = setTimeout(callback, milliseconds);
    return { clear: () => clearTimeout(timer) };
  },
};
