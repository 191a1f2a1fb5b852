// When to synchronise: at once on a change, not more often than it costs, again after a failure.
import type { Clock } from "../time/clock.ts";

/** What a run says about the next one. */
export interface RunOutcome {
  /** Something could not be written: run again after the back-off. */
  readonly failed: boolean;
  /** Not all families have failed: changes of the others do not wait for the back-off. */
  readonly othersGoOn?: boolean;
  /** Milliseconds from now at which there is more to write, if nothing changes until then. */
  readonly dueIn?: number | undefined;
  /**
   * Milliseconds that the run has spent on a portion of a heavy Service. If there is more of it, it goes on after a pause of
   * the same length. Nothing else waits for that pause.
   */
  readonly portionMs?: number;
}

/** When the next run begins, for people. */
export type NextRun =
  | { readonly state: "at work"; readonly forMs: number }
  | { readonly state: "due"; readonly inMs: number; readonly why: string }
  /** With the next request. */
  | { readonly state: "not asked for" };

export interface ScheduleOptions {
  readonly clock: Clock;
  /** Milliseconds from the end of one run to the start of the next, at least (minSyncPeriod). */
  readonly minIntervalMs: number;
  /** The longest pause that the cost of a run may cause. */
  readonly maxPauseMs?: number;
  readonly firstRetryMs?: number;
  readonly maxRetryMs?: number;
}

/** One run. `retries`: families that have failed are tried again, too; else their back-off is not over. */
export type Run = (retries: boolean) => Promise<RunOutcome>;

/**
 * Calls `run`, never twice at the same time. Requests that come while it waits or runs become one. After a run of d
 * milliseconds the next one starts at least d milliseconds later. So under churn half of the time is left to other work, and
 * the changes of that time are written together. A change after a quiet time is written at once. The time for portions of
 * heavy Services delays only further portions.
 */
export class Schedule {
  readonly #run: Run;
  readonly #clock: Clock;
  readonly #maxPause: number;
  readonly #firstRetry: number;
  readonly #maxRetry: number;
  readonly #minInterval: number;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  #startedAt = 0;
  #requested = false;
  #stopped = false;
  #notBefore = 0;
  #failures = 0;
  /** The end of the back-off; 0: nothing has failed. */
  #retryAt = 0;

  constructor(run: Run, options: ScheduleOptions) {
    this.#run = run;
    this.#clock = options.clock;
    this.#minInterval = options.minIntervalMs;
    this.#maxPause = options.maxPauseMs ?? 1000;
    this.#firstRetry = options.firstRetryMs ?? 500;
    this.#maxRetry = options.maxRetryMs ?? 30_000;
  }

  /** Failed runs since the last that succeeded. */
  get failures(): number {
    return this.#failures;
  }

  get next(): NextRun {
    const now = this.#clock.now();
    if (this.#running !== undefined) return { state: "at work", forMs: Math.round(now - this.#startedAt) };
    if (this.#cancelTimer === undefined) return { state: "not asked for" };
    return { state: "due", inMs: Math.max(0, Math.round(this.#timerAt - now)), why: this.#why() };
  }

  /** There is something to write. While runs fail, the back-off holds, unless others go on. */
  request(): void {
    this.#requested = true;
    if (this.#running === undefined) this.#wakeAt(this.#notBefore);
  }

  /** No run starts after this; resolves when the one at work has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    await this.#running;
  }

  #wakeAt(time: number): void {
    if (this.#stopped || time >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = time;
    this.#cancelTimer = this.#clock.setTimer(Math.max(0, Math.ceil(time - this.#clock.now())), () => this.#wake());
  }

  #wake(): void {
    this.#cancelTimer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#stopped || this.#running !== undefined) return;
    this.#requested = false;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      if (this.#requested) this.#wakeAt(this.#notBefore);
    });
  }

  #why(): string {
    if (this.#failures > 0 && this.#timerAt >= this.#retryAt) return "what has failed is tried again, ever later";
    if (!this.#requested) return "what nothing leads to any more may be deleted then";
    return "a change or a look at the kernel is due, and the least time between two runs is kept";
  }

  async #work(): Promise<void> {
    const start = this.#clock.now();
    this.#startedAt = start;
    const retries = start >= this.#retryAt;
    const { failed, othersGoOn = false, dueIn, portionMs } = await this.#run(retries);
    const end = this.#clock.now();
    const pause = Math.min(end - start - (portionMs ?? 0), this.#maxPause);
    this.#notBefore = end + Math.max(this.#minInterval, pause);
    if (!failed) {
      this.#failures = 0;
      this.#retryAt = 0;
    } else {
      if (retries || !othersGoOn) {
        this.#retryAt = end + Math.min(this.#firstRetry * 2 ** this.#failures, this.#maxRetry);
        this.#failures++;
      }
      if (!othersGoOn) this.#notBefore = this.#retryAt;
      this.#wakeAt(Math.max(this.#notBefore, this.#retryAt));
    }
    if (dueIn !== undefined) this.#wakeAt(Math.max(this.#notBefore, end + dueIn));
    if (portionMs !== undefined) this.#wakeAt(Math.max(this.#notBefore, end + Math.min(portionMs, this.#maxPause)));
  }
}
