// Retry-After: how long a server that refuses asks us to wait.

/**
 * kube-apiserver never asks for more than 32 s (maxRetryAfter in apiserver's util/flowcontrol/dropped_requests_tracker.go).
 * client-go waits for any time that it is given, so that one wrong header of a proxy stops a node for ever.
 */
const LONGEST_MS = 60_000;

/**
 * Milliseconds to wait at least, from 0 to a minute.
 *
 * @param value seconds or an HTTP date (RFC 9110, section 10.2.3), from a header or a Status; anything else counts as 0
 * @param now milliseconds since 1970
 */
export function retryAfterMs(value: unknown, now: number = Date.now()): number {
  if (typeof value !== "number" && typeof value !== "string") return 0;
  const seconds = Number(value);
  const ms = Number.isNaN(seconds) ? Date.parse(String(value)) - now : seconds * 1000;
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), LONGEST_MS);
}
