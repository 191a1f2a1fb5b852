// What the attempts so far have shown of the server: what it does not offer, and how it has failed. The next attempt is made
// by it.
import type { Clock } from "../../time/clock.ts";
import { ApiError } from "../client/api-error.ts";
import { type Decision, decide, type Phase, ShortWatchError } from "./recovery.ts";
import type { Resource } from "./resources.ts";

const SHORT_WATCH_MS = 1_000;
/** Fewer short watches than this, if they had events, are taken for chance. */
const SHORT_WATCHES = 3;
/** Servers are upgraded: what was not offered is tried again. */
const UNSUPPORTED_MS = 3_600_000;
/** Where there were objects, so many 404s in a row make the resource absent. */
const ABSENT_AFTER = 5;

export class AttemptHistory {
  readonly #resource: Resource;
  readonly #clock: Clock;
  #resourceVersionUnavailable = false;
  #streamingAgainAt = Number.NEGATIVE_INFINITY;
  #selectorAgainAt = Number.NEGATIVE_INFINITY;
  #listOnce = false;
  #lostWatch = false;
  #unpaged = false;
  #unauthorized = false;
  #serverErrorsSince: number | undefined;
  #silentWatches = 0;
  #shortWatches = 0;
  #notFound = 0;
  #absent = false;

  constructor(resource: Resource, clock: Clock) {
    this.#resource = resource;
    this.#clock = clock;
  }

  /** What to ask for: without a selector that the server does not know. */
  get resource(): Resource {
    const { fieldSelector: _, ...rest } = this.#resource;
    return this.#clock.now() < this.#selectorAgainAt ? rest : this.#resource;
  }

  /** The next list may come as a stream. */
  get mayStream(): boolean {
    if (this.#listOnce || this.#absent) return false;
    return this.#clock.now() >= this.#streamingAgainAt;
  }

  /** The next list may come in pages. */
  get isPaged(): boolean {
    return !this.#unpaged;
  }

  /** The server can't be asked for a state as new as the one that is known. */
  get resourceVersionUnavailable(): boolean {
    return this.#resourceVersionUnavailable;
  }

  /** The last watch did not end in good order: the server may be another one since, or have another history. */
  get lostWatch(): boolean {
    return this.#lostWatch;
  }

  /** The server does not have the resource. */
  get absent(): boolean {
    return this.#absent;
  }

  /** The server has begun to answer. */
  answered(): void {
    this.#unauthorized = false;
    this.#notFound = 0;
    this.#serverErrorsSince = undefined;
  }

  /** A list is complete. */
  completed(): void {
    this.#resourceVersionUnavailable = false;
    this.#listOnce = false;
    this.#lostWatch = false;
    this.#unpaged = false;
    this.#absent = false;
  }

  /** The resource counts as absent, as a complete list of nothing. */
  becameAbsent(): void {
    this.#absent = true;
  }

  /** The server knows the state that the last watch has got to. */
  confirmed(): void {
    this.#lostWatch = false;
  }

  watchOpened(): void {
    this.#silentWatches++;
  }

  /** Something has come on a watch. */
  heard(): void {
    this.#silentWatches = 0;
  }

  /** @throws {ShortWatchError} it has happened too often */
  watchEnded(livedMs: number, events: number): void {
    if (livedMs >= SHORT_WATCH_MS) {
      this.#shortWatches = 0;
      return;
    }
    this.#shortWatches = events === 0 ? SHORT_WATCHES : this.#shortWatches + 1;
    if (this.#shortWatches >= SHORT_WATCHES) throw new ShortWatchError("the watch ended as soon as it had begun");
  }

  /** What to do after an attempt has failed. `asked`: the resourceVersion that the attempt has asked for. */
  failed(error: unknown, phase: Phase, asked: string): Decision {
    const now = this.#clock.now();
    if (error instanceof ApiError && error.status >= 500) this.#serverErrorsSince ??= now;
    const decision = decide(error, {
      phase,
      asked,
      optionalSelector: this.#resource.fieldSelectorOptional === true && now >= this.#selectorAgainAt,
      unauthorizedBefore: this.#unauthorized,
      serverErrorsMs: this.#serverErrorsSince === undefined ? 0 : now - this.#serverErrorsSince,
      silentWatches: this.#silentWatches,
    });
    this.#unauthorized = error instanceof ApiError && error.status === 401;
    if (phase === "watch" && isLoss(error)) this.#lostWatch = true;
    if (decision.forgetResourceVersion) this.#resourceVersionUnavailable = true;
    if (decision.unpaged) this.#unpaged = true;
    if (decision.listOnce) this.#listOnce = true;
    if (decision.withoutStreaming) this.#streamingAgainAt = now + UNSUPPORTED_MS;
    if (decision.withoutFieldSelector) this.#selectorAgainAt = now + UNSUPPORTED_MS;
    return decision;
  }

  /** The server has answered 404. True if the resource counts as absent now. `isKnown`: there was a list of it. */
  notFound(isKnown: boolean): boolean {
    this.#notFound++;
    return !isKnown || this.#absent || this.#notFound >= ABSENT_AFTER;
  }
}

/** The connection may have been lost. Refusals, and watches that end in good order, come from a server that is there. */
function isLoss(error: unknown): boolean {
  return error instanceof ApiError ? error.status >= 500 : !(error instanceof ShortWatchError);
}
