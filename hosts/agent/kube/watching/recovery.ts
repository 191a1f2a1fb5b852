// Decides what a reflector does after an attempt has failed. It has no effects of its own.
import { ApiError, ConnectionError } from "../client/api-error.ts";
import { StoreError, UnreadableError } from "../decoding/decoding-errors.ts";
import { SilenceError } from "./watchdog.ts";

/** Confirmation: after a watch was lost, the server is asked whether it knows where the watch was. */
export type Phase = "streaming list" | "list" | "confirmation" | "watch";

/** Somebody has asked for a new list. */
export class RelistRequest extends Error {
  override readonly name = "RelistRequest";
}

/** resourceVersions went back: the server was restored from a backup. */
export class HistoryLostError extends Error {
  override readonly name = "HistoryLostError";
}

/** A streaming list ended before its initial events had. */
export class StreamEndedError extends Error {
  override readonly name = "StreamEndedError";
}

/** A watch ended as soon as it had begun. */
export class ShortWatchError extends Error {
  override readonly name = "ShortWatchError";
}

export interface Situation {
  readonly phase: Phase;
  /** The resourceVersion that the list asked for; "" if none. */
  readonly asked: string;
  /** A field selector is in use that may be left out. */
  readonly optionalSelector: boolean;
  /** The last request was refused with 401, too. */
  readonly unauthorizedBefore: boolean;
  /** Server errors (5xx) have lasted so long. */
  readonly serverErrorsMs: number;
  /** Number of watches in a row, this one included, on which not a single byte has come. */
  readonly silentWatches: number;
}

export interface Decision {
  /** Go on from the last resourceVersion, or list anew. */
  readonly next: "watch" | "list";
  readonly wait: "none" | "backoff";
  /** Milliseconds to wait at least (Retry-After). */
  readonly atLeastMs: number;
  /** In one or two words, for metrics. */
  readonly reason: string;
  /** Ask for the newest state: the server does not have the one that was asked for. */
  readonly forgetResourceVersion?: true;
  /** The server does not offer streaming lists. */
  readonly withoutStreaming?: true;
  /** The next list is an ordinary one. */
  readonly listOnce?: true;
  readonly withoutFieldSelector?: true;
  /** Tokens expire before all pages are read: take the list in one. */
  readonly unpaged?: true;
  /** The server does not have this resource. */
  readonly absent?: true;
  /**
   * Earlier waits don't count. A server that has just been started refuses connections, and then, for a second or two, also
   * requests that it allows later: it has not read the roles yet.
   */
  readonly afresh?: true;
}

/** Server errors may pass for so long. Then the watch is given up, and the list is made anew. */
const SERVER_ERRORS_MS = 60_000;

export function decide(error: unknown, situation: Situation): Decision {
  const { phase } = situation;
  const again = afterList(phase) ? "watch" : "list";
  if (error instanceof ApiError) return decideStatus(error, situation);
  if (error instanceof RelistRequest) return { next: "list", wait: "none", atLeastMs: 0, reason: error.message };
  if (error instanceof StoreError) return { next: "list", wait: "backoff", atLeastMs: 0, reason: "engine lost" };
  if (error instanceof UnreadableError) {
    return { next: "list", wait: "backoff", atLeastMs: 0, reason: "unreadable", ...ordinaryAfterStreaming(phase) };
  }
  if (error instanceof HistoryLostError) {
    return { next: "list", wait: "none", atLeastMs: 0, reason: "history lost", forgetResourceVersion: true };
  }
  if (error instanceof SilenceError) return decideSilence(error, situation);
  if (error instanceof ConnectionError && error.code === "ECONNREFUSED") {
    return { next: again, wait: "backoff", atLeastMs: 0, reason: "connection refused" };
  }
  if (error instanceof ShortWatchError) return { next: "watch", wait: "backoff", atLeastMs: 0, reason: "short watch" };
  return { next: again, wait: "backoff", atLeastMs: 0, reason: "connection", ...ordinaryAfterStreaming(phase) };
}

function afterList(phase: Phase): boolean {
  return phase === "watch" || phase === "confirmation";
}

function ordinaryAfterStreaming(phase: Phase): { listOnce?: true } {
  return phase === "streaming list" ? { listOnce: true } : {};
}

function decideSilence({ phase: waitedFor }: SilenceError, { phase, silentWatches }: Situation): Decision {
  if (phase === "streaming list" && waitedFor !== HEAD) {
    // As with servers that do not know the parameter, and so never mark the end of the initial events.
    return { next: "list", wait: "none", atLeastMs: 0, reason: "silent streaming list", withoutStreaming: true };
  }
  if (phase === "watch" && waitedFor !== HEAD) {
    // Bookmarks come every minute. After a backup was restored, a watch from a future resourceVersion stays silent for ever.
    if (silentWatches >= 2) return { next: "list", wait: "none", atLeastMs: 0, reason: "silent watch" };
    return { next: "watch", wait: "none", atLeastMs: 0, reason: "silent watch" };
  }
  const next = afterList(phase) ? "watch" : "list";
  return { next, wait: "backoff", atLeastMs: 0, reason: "no answer", ...ordinaryAfterStreaming(phase) };
}

/** What the watchdog calls the wait for an answer's head. */
export const HEAD = "no answer from the API server";

function decideStatus(error: ApiError, situation: Situation): Decision {
  const { phase, asked, optionalSelector } = situation;
  const next = afterList(phase) ? "watch" : "list";
  const atLeastMs = error.retryAfterMs;
  const listAtOnce = { next: "list", wait: "none", atLeastMs: 0 } as const;
  switch (error.status) {
    case 410:
      if (afterList(phase)) return { ...listAtOnce, reason: "expired" };
      // A list in pages whose token has expired, or a server that no longer knows the resourceVersion.
      return { ...listAtOnce, reason: "expired list", forgetResourceVersion: true, unpaged: true };
    case 401: {
      const wait = situation.unauthorizedBefore ? "backoff" : "none";
      return { next, wait, atLeastMs, reason: "unauthorized" };
    }
    case 404:
      return { next: "list", wait: "backoff", atLeastMs, reason: "not found", absent: true };
    case 400:
    case 422:
      if (phase === "streaming list") return { ...listAtOnce, reason: "no streaming lists", withoutStreaming: true };
      if (phase === "list" && optionalSelector) {
        return { ...listAtOnce, reason: "no such field selector", withoutFieldSelector: true };
      }
      return { next: "list", wait: "backoff", atLeastMs, reason: "bad request" };
    case 429:
      return { next, wait: "backoff", atLeastMs, reason: "too many requests" };
    default:
      break;
  }
  if (phase === "confirmation" && error.causes.includes("ResourceVersionTooLarge")) {
    const reason = "history lost";
    return { next: "list", wait: "backoff", atLeastMs, reason, forgetResourceVersion: true, afresh: true };
  }
  if (error.status === 504 && !afterList(phase) && asked !== "" && asked !== "0") {
    return {
      next: "list",
      wait: "backoff",
      atLeastMs,
      reason: "too large resource version",
      forgetResourceVersion: true,
    };
  }
  if (error.status >= 500) {
    const givesUp = afterList(phase) && situation.serverErrorsMs >= SERVER_ERRORS_MS;
    const reason = "server error";
    return { next: givesUp ? "list" : next, wait: "backoff", atLeastMs, reason, ...ordinaryAfterStreaming(phase) };
  }
  const afresh = error.status === 403 ? ({ afresh: true } as const) : {};
  return { next, wait: "backoff", atLeastMs, reason: `status ${error.status}`, ...afresh };
}
