// Keeps a store in step with one resource of the API server: lists, then watches, for ever.
//
// Objects leave the store only when the server says that they are gone. Whatever fails between one list and the next, what is
// known stays.
import type { Readable } from "node:stream";
import type { ApplyResult } from "../../../shared/contract.ts";
import { type Clock, systemClock, uniform } from "../../time/clock.ts";
import { step, yieldIfDue } from "../../time/yield.ts";
import type { ApiClient } from "../client/api-client.ts";
import { ApiError } from "../client/api-error.ts";
import { isServed } from "../client/discovery.ts";
import { retryAfterMs } from "../client/retry-after.ts";
import { bodyChunks } from "../decoding/body-chunks.ts";
import { Decoder } from "../decoding/decoder.ts";
import { StoreError } from "../decoding/decoding-errors.ts";
import { LineSplitter } from "../decoding/line-splitter.ts";
import { ListSplitter } from "../decoding/list-splitter.ts";
import { OBJECT_LIMIT, OversizedObjects } from "../decoding/oversized-objects.ts";
import type { ReflectorStore } from "../decoding/reflector-store.ts";
import { AttemptHistory } from "./attempt-history.ts";
import { confirmationQuery, listQuery, streamingListQuery, watchQuery } from "./list-watch-queries.ts";
import { type Decision, HEAD, HistoryLostError, type Phase, RelistRequest, StreamEndedError } from "./recovery.ts";
import type { Progress, ReflectorState } from "./reflector-state.ts";
import { isOlder } from "./resource-version.ts";
import type { Resource } from "./resources.ts";
import { RetryDelay } from "./retry-delay.ts";
import { Watchdog } from "./watchdog.ts";

export interface ReflectorOptions {
  readonly client: ApiClient;
  readonly resource: Resource;
  readonly store: ReflectorStore;
  /** Called after each step. An error that it throws counts as one of the store. */
  readonly onProgress?: (progress: Progress) => void;
  /** For tests. */
  readonly clock?: Clock;
}

const HEAD_MS = 30_000;
/** The server may compute a list for a while before it begins to answer. */
const LIST_HEAD_MS = 60_000;
const LIST_SILENCE_MS = 60_000;
const INITIAL_SILENCE_MS = 10_000;
const INITIAL_EVENTS_MS = 60_000;
/** Bookmarks come about once a minute. */
const WATCH_SILENCE_MS = 180_000;
const WATCH_SECONDS = [300, 600] as const;
const ABSENT_MS = [600_000, 1_200_000] as const;
export class Reflector {
  readonly resource: Resource;
  /** Resolves when the store has been given the first complete state. Never rejects; stays open if stopped before. */
  readonly whenSynced: Promise<void>;
  readonly #client: ApiClient;
  readonly #decoder: Decoder;
  readonly #clock: Clock;
  readonly #retryDelay: RetryDelay;
  readonly #oversized: OversizedObjects;
  readonly #history: AttemptHistory;
  readonly #onProgress: (progress: Progress) => void;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #markSynced: () => void = () => {};
  #synced = false;

  /** One list or watch. Aborting it cuts its connection. */
  #attempt = new AbortController();
  /** A wait. Aborting it ends it. */
  #waiting = new AbortController();
  #relistRequest: RelistRequest | undefined;
  #phase: Phase = "list";
  #asked = "";
  #next: "watch" | "list" = "list";
  #resourceVersion = "";
  #connected = false;
  #lastByteAt: number | undefined;
  #waitingUntil: number | undefined;
  #lists = 0;
  #watches = 0;
  readonly #relists: Record<string, number> = {};
  #lastError = "";

  constructor({ client, resource, store, onProgress = () => {}, clock = systemClock }: ReflectorOptions) {
    this.resource = resource;
    this.#client = client;
    this.#decoder = new Decoder(store);
    this.#clock = clock;
    this.#retryDelay = new RetryDelay(clock);
    this.#history = new AttemptHistory(resource, clock);
    this.#onProgress = onProgress;
    this.#oversized = new OversizedObjects((object) => this.#report({ kind: "left out", object }));
    this.whenSynced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  /** Begins; a second call does nothing. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is open any more. It can't be started again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#attempt.abort(new Error("stopped"));
    this.#waiting.abort();
    await this.#running;
  }

  /** Lists anew, as after the loss of an engine. `reason` in one or two words: it is counted. */
  relist(reason: string): void {
    this.#relistRequest = new RelistRequest(reason);
    this.#attempt.abort(this.#relistRequest);
    this.#waiting.abort();
  }

  /** The store has been given a complete state. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Objects that are too long to be taken, for people. */
  get oversized(): readonly string[] {
    return this.#oversized.names;
  }

  state(): ReflectorState {
    const now = this.#clock.now();
    return {
      resource: this.resource.name,
      synced: this.#synced,
      connected: this.#connected,
      absent: this.#history.absent,
      lastByteAgeMs: this.#lastByteAt === undefined ? undefined : now - this.#lastByteAt,
      resourceVersion: this.#resourceVersion,
      waitingMs: this.#waitingUntil === undefined ? 0 : Math.max(0, this.#waitingUntil - now),
      lists: this.#lists,
      watches: this.#watches,
      relists: { ...this.#relists },
      lastError: this.#lastError,
    };
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (this.#relistRequest !== undefined) await this.#recover(this.#relistRequest);
      this.#relistRequest = undefined;
      if (this.#stopping.signal.aborted) return;
      const attempt = new AbortController();
      this.#attempt = attempt;
      const watchdog = new Watchdog(this.#clock, (error) => attempt.abort(error));
      try {
        if (this.#next === "watch" && this.#history.lostWatch) await this.#confirm(attempt.signal, watchdog);
        if (this.#next === "watch") await this.#watch(attempt.signal, watchdog);
        else if (this.#history.mayStream) await this.#streamingList(attempt.signal, watchdog);
        else await this.#list(attempt.signal, watchdog);
      } catch (error) {
        const cause: unknown = attempt.signal.aborted ? attempt.signal.reason : error;
        if (!(this.#stopping.signal.aborted || cause instanceof RelistRequest)) await this.#recover(cause);
      } finally {
        this.#connected = false;
        watchdog.stop();
        attempt.abort();
      }
    }
  }

  // ---- lists

  #beginListing(phase: Phase, asked: string): void {
    this.#phase = phase;
    this.#asked = asked;
    this.#lists++;
  }

  async #list(signal: AbortSignal, watchdog: Watchdog): Promise<void> {
    const asked = this.#history.resourceVersionUnavailable ? "" : this.#resourceVersion || "0";
    this.#beginListing("list", asked);
    let continueToken = "";
    let resourceVersion = "";
    do {
      watchdog.expect(HEAD, LIST_HEAD_MS);
      const query = listQuery(this.#history.resource, asked, this.#history.isPaged, continueToken);
      const { body } = await this.#client.open({ path: this.resource.path, query, signal });
      this.#answered();
      watchdog.expect("the list", LIST_SILENCE_MS);
      await this.#decoder.ready();
      if (resourceVersion === "") this.#beginList();
      const result = await this.#page(body, watchdog);
      watchdog.stop();
      if (resourceVersion === "") resourceVersion = result.resourceVersion;
      continueToken = result.continueToken;
    } while (continueToken !== "");
    this.#complete(resourceVersion);
  }

  #beginList(): void {
    this.#decoder.beginList();
    this.#oversized.beginList();
  }

  /** Takes a page piece by piece while it comes. Returns what the page says of itself. */
  async #page(body: Readable, watchdog: Watchdog): Promise<ApplyResult> {
    const splitter = new ListSplitter(this.resource.list, (beginning) => this.#oversized.item(beginning));
    const take = async (piece: Uint8Array | undefined) => {
      if (piece === undefined) return;
      await yieldIfDue();
      await this.#decoder.ready();
      this.#report({ kind: "applied", result: this.#decoder.piece(piece) });
    };
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      watchdog.touch();
      this.#lastByteAt = this.#clock.now();
      step(() => splitter.push(chunk));
      await take(splitter.take());
    }
    const { last, frame } = splitter.end();
    await take(last);
    const result = this.#decoder.page(frame);
    this.#throwStatus(result);
    this.#report({ kind: "applied", result });
    return result;
  }

  /** Reads a body to its end and drops it, so that the connection is free again. */
  async #passOver(body: Readable, watchdog: Watchdog): Promise<void> {
    for await (const _ of body as AsyncIterable<Uint8Array>) {
      watchdog.touch();
      this.#lastByteAt = this.#clock.now();
    }
  }

  /** The store has been given everything. */
  #complete(resourceVersion: string): void {
    this.#decoder.endList();
    this.#oversized.endList();
    this.#resourceVersion = resourceVersion;
    this.#history.completed();
    this.#next = "watch";
    this.#synced = true;
    this.#markSynced();
    this.#report({ kind: "listed", resourceVersion });
  }

  // ---- watches

  async #streamingList(signal: AbortSignal, watchdog: Watchdog): Promise<void> {
    const asked = this.#history.resourceVersionUnavailable ? "" : this.#resourceVersion;
    this.#beginListing("streaming list", asked);
    watchdog.expect(HEAD, LIST_HEAD_MS);
    const query = streamingListQuery(this.#history.resource, asked, this.#timeoutSeconds());
    const { body } = await this.#client.open({ path: this.resource.path, query, signal });
    this.#answered();
    const overall = this.#clock.setTimer(INITIAL_EVENTS_MS, () =>
      watchdog.expire("the initial events", INITIAL_EVENTS_MS),
    );
    try {
      watchdog.expect("the initial events", INITIAL_SILENCE_MS);
      await this.#decoder.ready();
      this.#beginList();
      await this.#follow(body, watchdog, (result) => {
        if (!result.initialEventsEnd || this.#phase !== "streaming list") return;
        overall();
        watchdog.expect("the watch", WATCH_SILENCE_MS);
        this.#phase = "watch";
        this.#complete(result.resourceVersion);
      });
    } finally {
      overall();
    }
    if (this.#phase === "streaming list") throw new StreamEndedError("the stream ended before its initial events had");
  }

  /** After a backup was restored, the server has not got as far as we have. It then answers "Too large resource version". */
  async #confirm(signal: AbortSignal, watchdog: Watchdog): Promise<void> {
    this.#phase = "confirmation";
    watchdog.expect(HEAD, HEAD_MS);
    const query = confirmationQuery(this.#history.resource, this.#resourceVersion);
    const { body } = await this.#client.open({ path: this.resource.path, query, signal });
    watchdog.expect("the confirmation", LIST_SILENCE_MS);
    await this.#passOver(body, watchdog);
    watchdog.stop();
    this.#history.confirmed();
  }

  async #watch(signal: AbortSignal, watchdog: Watchdog): Promise<void> {
    this.#phase = "watch";
    this.#watches++;
    watchdog.expect(HEAD, HEAD_MS);
    const query = watchQuery(this.#history.resource, this.#resourceVersion, this.#timeoutSeconds());
    const { body } = await this.#client.open({ path: this.resource.path, query, signal });
    const opened = this.#clock.now();
    this.#history.watchOpened();
    this.#answered();
    watchdog.expect("the watch", WATCH_SILENCE_MS);
    let events = 0;
    await this.#follow(body, watchdog, () => {
      events++;
    });
    this.#history.watchEnded(this.#clock.now() - opened, events);
  }

  #timeoutSeconds(): number {
    return Math.floor(uniform(this.#clock, ...WATCH_SECONDS));
  }

  /** Takes line after line until the stream ends in good order. An incomplete last line is not taken: it comes again. */
  async #follow(body: Readable, watchdog: Watchdog, each: (result: ApplyResult) => void): Promise<void> {
    const splitter = new LineSplitter(OBJECT_LIMIT, (beginning) => this.#oversized.line(beginning));
    for await (const _ of bodyChunks(body, (chunk) => step(() => splitter.push(chunk)))) {
      watchdog.touch();
      this.#lastByteAt = this.#clock.now();
      this.#history.heard();
      const lines = splitter.take();
      if (lines === undefined) continue;
      this.#oversized.seen(lines);
      await this.#decoder.lines(lines, (result) => {
        each(result);
        if (this.#phase === "watch") this.#advance(result);
        this.#report({ kind: "applied", result });
        this.#throwStatus(result);
      });
    }
  }

  #advance({ resourceVersion, bookmark }: ApplyResult): void {
    if (resourceVersion === "") return;
    if (bookmark && isOlder(resourceVersion, this.#resourceVersion)) {
      throw new HistoryLostError(`a bookmark of ${resourceVersion} came after ${this.#resourceVersion}`);
    }
    this.#resourceVersion = resourceVersion;
  }

  // ---- failures

  #answered(): void {
    this.#connected = true;
    this.#lastByteAt = this.#clock.now();
    this.#history.answered();
  }

  #throwStatus({ status }: ApplyResult): void {
    if (status === undefined) return;
    const { code, reason, message, retryAfterSeconds } = status;
    throw new ApiError(code, reason, `${this.resource.name}: ${code} ${message}`, retryAfterMs(retryAfterSeconds));
  }

  async #recover(failure: unknown): Promise<void> {
    this.#connected = false;
    const error = await this.#seenThrough(failure);
    this.#lastError = error instanceof Error ? error.message : String(error);
    const now = this.#clock.now();
    const decision = this.#history.failed(error, this.#phase, this.#asked);
    if (decision.next === "list" && (this.#next === "watch" || error instanceof RelistRequest)) {
      const { reason } = decision;
      this.#relists[reason] = (this.#relists[reason] ?? 0) + 1;
    }
    this.#next = decision.next;
    const waitMs = this.#waitFor(decision);
    this.#waiting = new AbortController();
    try {
      this.#report({ kind: "failed", error, reason: decision.reason, waitMs });
    } catch (reportError) {
      this.#lastError = reportError instanceof Error ? reportError.message : String(reportError);
    }
    this.#waitingUntil = now + waitMs;
    if (waitMs > 0 && !this.#waiting.signal.aborted) await this.#clock.sleep(waitMs, this.#waiting.signal);
    this.#waitingUntil = undefined;
  }

  /** A server that does not have the resource may say 403. */
  async #seenThrough(error: unknown): Promise<unknown> {
    const refused = error instanceof ApiError && error.status === 403;
    if (
      !refused ||
      this.resource.optional !== true ||
      (await isServed(this.#client, this.resource.path, this.#attempt.signal))
    )
      return error;
    return new ApiError(404, "NotFound", `${error.message}; the server has none of them`);
  }

  #waitFor(decision: Decision): number {
    if (decision.absent && this.resource.optional && this.#becomesAbsent()) return uniform(this.#clock, ...ABSENT_MS);
    return this.#retryDelay.waitFor(decision);
  }

  /** The server does not have this resource: that is a complete state, too. */
  #becomesAbsent(): boolean {
    if (!this.#history.notFound(this.#synced)) return false;
    try {
      this.#beginList();
      this.#complete("");
    } catch (error) {
      this.#lastError = error instanceof Error ? error.message : String(error);
      return false;
    }
    this.#history.becameAbsent();
    this.#next = "list";
    return true;
  }

  #report(progress: Progress): void {
    try {
      this.#onProgress(progress);
    } catch (error) {
      throw new StoreError(error);
    }
  }
}
