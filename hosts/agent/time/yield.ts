// Long work on the event loop's thread, in steps, with turns for others. All of it shares one measure: two lists and a plan
// at the same time hold the loop no longer than one of them.

/** Longest that the event loop is held before others have a turn, but for the step that goes over it. */
const TURN_MS = 8;

/** By steps since the last turn. */
let heldMs = 0;
/** First come, first served; one in each turn. */
const waiting: (() => void)[] = [];

/** A step of long work. */
export function step<T>(run: () => T): T {
  const started = performance.now();
  try {
    return run();
  } finally {
    heldMs += performance.now() - started;
  }
}

/** Before a step: if it is time for it, everything that is due runs first. */
export async function yieldIfDue(): Promise<void> {
  if (heldMs < TURN_MS && waiting.length === 0) return;
  await new Promise<void>((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(next);
  });
}

function next(): void {
  heldMs = 0;
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(next);
}
