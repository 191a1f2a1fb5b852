// When a reflector tries again.

import type { Clock } from "../clock.ts";
import { Backoff } from "./backoff.ts";
import type { Decision } from "./recovery.ts";

/** What is mended at once the first time waits when it comes again so soon. */
const AT_ONCE_APART_MS = 5_000;

export class Pacing {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  /** When a reason for going on was there last. */
  readonly #last = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#backoff = new Backoff(clock);
  }

  /** Milliseconds until the next attempt. */
  waitFor({ reason, wait, atLeastMs }: Decision): number {
    const now = this.#clock.now();
    const last = this.#last.get(reason) ?? Number.NEGATIVE_INFINITY;
    this.#last.set(reason, now);
    if (wait === "none" && now - last >= AT_ONCE_APART_MS) return atLeastMs;
    return Math.max(this.#backoff.next(), atLeastMs);
  }
}
