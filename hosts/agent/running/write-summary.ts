// What was written in a minute, in one line: an administrator wants to see that the agent is at work, not each change.

import type { Log } from "../log/log.ts";
import type { FamilyReport } from "../sync/family-run.ts";
import type { Clock } from "../time/clock.ts";

const PERIOD_MS = 60_000;

interface Sum {
  readonly writes: number;
  readonly transactions: number;
  readonly bytes: number;
  /** A Service counts each time. */
  readonly services: number;
  readonly slowestMilliseconds: number;
}

const NOTHING: Sum = { writes: 0, transactions: 0, bytes: 0, services: 0, slowestMilliseconds: 0 };

/** A minute begins with the first write after a quiet time. */
export class WriteSummary {
  readonly #log: Pick<Log, "info">;
  readonly #clock: Clock;
  #sum: Sum = NOTHING;
  #cancelTimer: (() => void) | undefined;

  constructor(log: Pick<Log, "info">, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  add({
    transactions,
    bytes,
    services,
    milliseconds,
  }: Omit<Sum, "writes" | "slowestMilliseconds"> & Pick<FamilyReport, "milliseconds">): void {
    const { writes, slowestMilliseconds, ...before } = this.#sum;
    this.#sum = {
      writes: writes + 1,
      transactions: before.transactions + transactions,
      bytes: before.bytes + bytes,
      services: before.services + services,
      slowestMilliseconds: Math.max(slowestMilliseconds, Math.round(milliseconds * 100) / 100),
    };
    this.#cancelTimer ??= this.#clock.setTimer(PERIOD_MS, () => this.#logSummary());
  }

  /** Logs what has come since the last line. */
  close(): void {
    if (this.#cancelTimer !== undefined) this.#logSummary();
  }

  #logSummary(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#log.info({ ...this.#sum }, "rules written in the last minute (-v 2 has each change)");
    this.#sum = NOTHING;
  }
}
