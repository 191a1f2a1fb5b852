// Long work on the event loop's thread, in steps, that yields to other work in between. All long work shares one budget: two
// lists and a plan at the same time hold the loop no longer than one of them.

/** The event loop is yielded after so many milliseconds, at the end of the step that exceeds them. */
const TURN_MS = 8;

/** Milliseconds that steps have taken since the last yield. */
let heldMs = 0;
/** First come, first served; one in each turn of the event loop. */
const waiting: (() => void)[] = [];

/** Runs a step of long work, and counts its time. */
export function step<T>(run: () => T): T {
  const started = performance.now();
  try {
    return run();
  } finally {
    heldMs += performance.now() - started;
  }
}

/** To be called before each step. Lets everything run that is due, if the budget is spent. */
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
