// Events (events.k8s.io/v1), for `kubectl get events`. They are sent when possible, and nothing waits for them.

import { redactText } from "../log/redact.ts";
import { type Clock, systemClock, uniform } from "../time/clock.ts";
import type { ApiClient } from "./client/api-client.ts";
import { ApiError } from "./client/api-error.ts";

/** What an event is about. */
export interface ObjectReference {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
  /** Absent: it has none, and its events are in `default`. */
  readonly namespace?: string;
  readonly uid?: string;
}

/** As kube-proxy's events have it: the name in place of the uid. */
export function nodeReference(name: string): ObjectReference {
  return { kind: "Node", name, uid: name };
}

export interface EventDetails {
  readonly regarding: ObjectReference;
  readonly type: "Normal" | "Warning";
  /** CamelCase, such as `Starting`. */
  readonly reason: string;
  /** CamelCase: what was being done, such as `StartKubeProxy`. */
  readonly action: string;
  /** At most 1,024 bytes; what is more is cut off. */
  readonly note: string;
}

export interface EventRecorderOptions {
  readonly client: ApiClient;
  /** At most 63 characters, such as `sluice`. */
  readonly reportingController: string;
  /** Such as `sluice-node-a`. */
  readonly reportingInstance: string;
  /** An event could not be sent and was given up: for logs. Must not throw. */
  readonly onDropped?: (details: EventDetails, why: string) => void;
  readonly clock?: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock?: () => number;
}

interface Series {
  /** Of the event that was sent first. */
  readonly path: string;
  readonly collection: string;
  readonly details: EventDetails;
  count: number;
  /** `count` when it was last queued. */
  reported: number;
  lastObserved: string;
  lastAt: number;
  cancelTimer: () => void;
}

interface Entry {
  readonly details: EventDetails;
  readonly method: "POST" | "PATCH";
  readonly path: string;
  readonly body: () => object;
}

const QUEUE_LIMIT = 1000;
const TRIES = 12;
const BETWEEN_TRIES_MS = 10_000;
/** The same event within six minutes makes a series. Its count is sent once in that time. */
const SERIES_MS = 360_000;
const NOTE_BYTES = 1024;

/** `event` returns at once and never throws. What can't be sent is given up. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #wallClock: () => number;
  readonly #queue: Entry[] = [];
  readonly #series = new Map<string, Series>();
  readonly #stopping = new AbortController();
  #request = new AbortController();
  #sending: Promise<void> | undefined;
  #lastNanoseconds = 0n;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#wallClock = options.wallClock ?? Date.now;
  }

  /** Events given up so far. */
  get dropped(): number {
    return this.#dropped;
  }

  event(details: EventDetails): void {
    if (this.#stopping.signal.aborted) return;
    const now = this.#clock.now();
    const key = keyOf(details);
    const series = this.#series.get(key);
    if (series !== undefined && now - series.lastAt < SERIES_MS) {
      series.count++;
      series.lastObserved = microTime(this.#wallClock());
      series.lastAt = now;
      if (series.count === 2) this.#enqueuePatch(series);
      return;
    }
    series?.cancelTimer();
    this.#begin(key, details, now);
  }

  /** Resolves when nothing waits to be sent any more, or after so many milliseconds. */
  async drain(milliseconds: number): Promise<void> {
    if (this.#sending === undefined) return;
    const late = new AbortController();
    await Promise.race([this.#sending, this.#clock.sleep(milliseconds, late.signal)]);
    late.abort();
  }

  /** Events that have not been sent by now are given up. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#request.abort(new Error("stopped"));
    for (const series of this.#series.values()) series.cancelTimer();
    this.#series.clear();
    await this.#sending;
  }

  #begin(key: string, details: EventDetails, now: number): void {
    const { regarding, type, reason, action } = details;
    const namespace = regarding.namespace ?? "default";
    const name = `${regarding.name}.${this.#uniqueNanoseconds().toString(16)}`;
    const collection = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const eventTime = microTime(this.#wallClock());
    const series: Series = {
      path: `${collection}/${encodeURIComponent(name)}`,
      collection,
      details,
      count: 1,
      reported: 1,
      lastObserved: eventTime,
      lastAt: now,
      cancelTimer: () => {},
    };
    this.#series.set(key, series);
    this.#watchSeries(key, series);
    const { reportingController, reportingInstance } = this.#options;
    this.#enqueue({
      details,
      method: "POST",
      path: collection,
      body: () => ({
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name, namespace },
        eventTime,
        reportingController,
        reportingInstance: reportingInstance.slice(0, 128),
        action: action.slice(0, 128),
        reason: reason.slice(0, 128),
        regarding,
        note: cutBytes(redactText(details.note, NOTE_BYTES), NOTE_BYTES),
        type,
      }),
    });
  }

  /** After six minutes the count of a series is sent. Without further events the series is forgotten. */
  #watchSeries(key: string, series: Series): void {
    series.cancelTimer = this.#clock.setTimer(SERIES_MS, () => {
      if (series.count > series.reported) this.#enqueuePatch(series);
      if (this.#clock.now() - series.lastAt < SERIES_MS) this.#watchSeries(key, series);
      else if (this.#series.get(key) === series) this.#series.delete(key);
    });
  }

  #enqueuePatch(series: Series): void {
    series.reported = series.count;
    this.#enqueue({
      details: series.details,
      method: "PATCH",
      path: series.path,
      body: () => ({ series: { count: series.count, lastObservedTime: series.lastObserved } }),
    });
  }

  #enqueue(entry: Entry): void {
    if (this.#queue.length >= QUEUE_LIMIT) {
      this.#drop(entry, `${QUEUE_LIMIT} events are waiting to be sent`);
      return;
    }
    this.#queue.push(entry);
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  async #send(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const entry = this.#queue.shift();
      if (entry === undefined) return;
      await this.#deliver(entry);
    }
  }

  async #deliver(entry: Entry): Promise<void> {
    const { method, path } = entry;
    const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    let why = "";
    for (let attempt = 1; attempt <= TRIES && !this.#stopping.signal.aborted; attempt++) {
      try {
        await this.#once({ method, path, contentType, body: entry.body() });
        return;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        // It exists already: an earlier attempt has succeeded, and only its answer was lost.
        if (error instanceof ApiError && error.status === 409 && attempt > 1) return;
        if (error instanceof ApiError && isFinal(error.status)) break;
        if (attempt < TRIES) await this.#pause(error);
      }
    }
    if (!this.#stopping.signal.aborted) this.#drop(entry, why);
  }

  async #once(request: { method: "POST" | "PATCH"; path: string; contentType: string; body: object }): Promise<void> {
    this.#request = new AbortController();
    const expired = this.#clock.setTimer(30_000, () => this.#request.abort(new Error("no answer within 30 s")));
    try {
      const { body } = await this.#options.client.open({ ...request, signal: this.#request.signal });
      for await (const _ of body) {
        // Nothing in the answer matters, but the connection is free again when it has been read.
      }
    } finally {
      expired();
    }
  }

  async #pause(error: unknown): Promise<void> {
    const retryAfter = error instanceof ApiError ? error.retryAfterMs : 0;
    const ms = Math.max(retryAfter, uniform(this.#clock, BETWEEN_TRIES_MS, BETWEEN_TRIES_MS * 1.2));
    await this.#clock.sleep(ms, this.#stopping.signal);
  }

  #drop({ details }: Entry, why: string): void {
    this.#dropped++;
    this.#options.onDropped?.(details, why);
  }

  #uniqueNanoseconds(): bigint {
    const now = BigInt(Math.floor(this.#wallClock())) * 1_000_000n;
    this.#lastNanoseconds = now > this.#lastNanoseconds ? now : this.#lastNanoseconds + 1n;
    return this.#lastNanoseconds;
  }
}

/** Another attempt would get the same answer. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 408, 429].includes(status);
}

function keyOf({ regarding, type, reason, action }: EventDetails): string {
  return JSON.stringify([
    regarding.kind,
    regarding.namespace ?? "",
    regarding.name,
    regarding.uid ?? "",
    type,
    reason,
    action,
  ]);
}

/** Servers want exactly six digits of a second. */
export function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/Z$/, "000Z");
}

/** Cuts where a character ends. */
function cutBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let end = limit;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}
