// When a reflector tries again.

import type { Clock } from "../../time/clock.ts";
import { Backoff } from "./backoff.ts";
import type { Decision } from "./recovery.ts";

/** Some failures are retried at once. If the same one comes again within so long, it waits. */
const AT_ONCE_APART_MS = 5_000;
/** A server that comes and goes makes waits short again at most so often. */
const AFRESH_APART_MS = 30_000;

export class RetryDelay {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  /** When each reason came last. */
  readonly #last = new Map<string, number>();
  #lastReason = "";
  #afreshAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#backoff = new Backoff(clock);
  }

  /** Milliseconds until the next attempt. */
  waitFor({ reason, wait, atLeastMs, afresh }: Decision): number {
    const now = this.#clock.now();
    if (afresh && reason !== this.#lastReason && now - this.#afreshAt >= AFRESH_APART_MS) {
      this.#backoff.reset();
      this.#afreshAt = now;
    }
    this.#lastReason = reason;
    const last = this.#last.get(reason) ?? Number.NEGATIVE_INFINITY;
    this.#last.set(reason, now);
    if (wait === "none" && now - last >= AT_ONCE_APART_MS) return atLeastMs;
    return Math.max(this.#backoff.next(), atLeastMs);
  }
}
