// Long work on the event loop's thread, in steps, with turns for others.
import { setImmediate as nextTurn } from "node:timers/promises";

/** Longest that the event loop is held before others have a turn, but for the step that goes over it. */
const TURN_MS = 8;

export class Turns {
  #heldMs = 0;

  /** A step of the work. */
  run<T>(step: () => T): T {
    const started = performance.now();
    try {
      return step();
    } finally {
      this.#heldMs += performance.now() - started;
    }
  }

  /** It is time to let others have theirs. */
  get isOver(): boolean {
    return this.#heldMs >= TURN_MS;
  }

  /** Lets everything run that is due. */
  async next(): Promise<void> {
    this.#heldMs = 0;
    await nextTurn();
  }
}
