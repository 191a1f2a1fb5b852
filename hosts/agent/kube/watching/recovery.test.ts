// The table of what follows what; reflector-*-faults.test.ts show it at work.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ApiError, apiError, ConnectionError } from "../client/api-error.ts";
import { StoreError, UnreadableError } from "../decoding/decoding-errors.ts";
import {
  type Decision,
  decide,
  HEAD,
  HistoryLostError,
  type Phase,
  ShortWatchError,
  type Situation,
} from "./recovery.ts";
import { SilenceError } from "./watchdog.ts";

const at = (phase: Phase, more: Partial<Situation> = {}): Situation => ({
  phase,
  asked: "",
  optionalSelector: false,
  unauthorizedBefore: false,
  serverErrorsMs: 0,
  silentWatches: 0,
  ...more,
});

const status = (code: number, retryAfterMs = 0) => new ApiError(code, "", "", retryAfterMs);
const refused = new ConnectionError("h", Object.assign(new Error("x"), { code: "ECONNREFUSED" }));
const broken = new ConnectionError("h", new Error("other side closed"));
const tooLarge = "ResourceVersionTooLarge";
const lost = "forgetResourceVersion afresh";
const silent = new SilenceError("the watch", 180_000);

function brief({ next, wait, atLeastMs, reason, ...flags }: Decision): string {
  return [`${next} ${wait}`, ...(atLeastMs > 0 ? [String(atLeastMs)] : []), ...Object.keys(flags)].join(" ");
}

test("what follows what", () => {
  const cases: [string, unknown, Situation, string][] = [
    ["expired watch", status(410), at("watch"), "list none"],
    ["expired list", status(410), at("list"), "list none forgetResourceVersion unpaged"],
    ["expired streaming list", status(410), at("streaming list"), "list none forgetResourceVersion unpaged"],
    ["too large", status(504, 1000), at("list", { asked: "5" }), "list backoff 1000 forgetResourceVersion"],
    ["504 without a resourceVersion", status(504), at("list", { asked: "0" }), "list backoff"],
    ["too many requests", status(429, 7000), at("watch"), "watch backoff 7000"],
    ["too many requests", status(429), at("streaming list"), "list backoff"],
    ["unauthorized", status(401), at("watch"), "watch none"],
    ["unauthorized again", status(401), at("watch", { unauthorizedBefore: true }), "watch backoff"],
    ["forbidden", status(403), at("watch"), "watch backoff afresh"],
    ["not found", status(404), at("watch"), "list backoff absent"],
    ["streaming refused", status(422), at("streaming list"), "list none withoutStreaming"],
    ["streaming not understood", status(400), at("streaming list"), "list none withoutStreaming"],
    ["selector refused", status(400), at("list", { optionalSelector: true }), "list none withoutFieldSelector"],
    ["bad request", status(400), at("list"), "list backoff"],
    ["server error", status(500), at("watch", { serverErrorsMs: 59_000 }), "watch backoff"],
    ["server errors for a minute", status(503), at("watch", { serverErrorsMs: 60_000 }), "list backoff"],
    ["server error", status(500), at("streaming list"), "list backoff listOnce"],
    ["refused", refused, at("watch"), "watch backoff"],
    ["refused", refused, at("streaming list"), "list backoff"],
    ["broken", broken, at("watch"), "watch backoff"],
    ["broken", broken, at("streaming list"), "list backoff listOnce"],
    ["silent watch", silent, at("watch", { silentWatches: 1 }), "watch none"],
    ["silent watches", silent, at("watch", { silentWatches: 2 }), "list none"],
    ["silent initial events", new SilenceError("x", 1), at("streaming list"), "list none withoutStreaming"],
    ["no head", new SilenceError(HEAD, 1), at("streaming list"), "list backoff listOnce"],
    ["no head", new SilenceError(HEAD, 1), at("watch"), "watch backoff"],
    ["engine lost", new StoreError(new Error("x")), at("watch"), "list backoff"],
    ["unreadable", new UnreadableError("x"), at("watch"), "list backoff"],
    ["unreadable", new UnreadableError("x"), at("streaming list"), "list backoff listOnce"],
    ["history lost", new HistoryLostError("x"), at("watch"), "list none forgetResourceVersion"],
    ["backup", new ApiError(504, "Timeout", "", 1000, [tooLarge]), at("confirmation"), `list backoff 1000 ${lost}`],
    ["gateway", status(504), at("confirmation"), "watch backoff"],
    ["expired", status(410), at("confirmation"), "list none"],
    ["refused", refused, at("confirmation"), "watch backoff"],
    ["no head", new SilenceError(HEAD, 1), at("confirmation"), "watch backoff"],
    ["short watch", new ShortWatchError("x"), at("watch"), "watch backoff"],
  ];
  for (const [what, error, situation, wanted] of cases) assert.is(brief(decide(error, situation)), wanted, what);
});

test("refusals are read from Status objects, and from whatever a proxy says", () => {
  const body = '{"kind":"Status","message":"slow down","reason":"TooManyRequests","details":{"retryAfterSeconds":3}}';
  const fromStatus = apiError("GET /x", 429, {}, body);
  assert.equal(
    [fromStatus.message, fromStatus.reason, fromStatus.retryAfterMs],
    ["GET /x: 429 slow down", "TooManyRequests", 3000],
  );
  assert.is(apiError("GET /x", 429, { "retry-after": "5" }, body).retryAfterMs, 5000);
  assert.is(apiError("GET /x", 503, { "retry-after": "Fri, 31 Dec 1999 23:59:59 GMT" }, "").retryAfterMs, 0);
  assert.is(apiError("GET /x", 502, {}, "<html>\n bad\n</html>").message, "GET /x: 502 <html> bad </html>");
  const causes = '{"details":{"causes":[{"reason":"ResourceVersionTooLarge"},null,{}]}}';
  assert.equal(apiError("GET /x", 504, {}, causes).causes, ["ResourceVersionTooLarge"]);
  for (const odd of ["null", "[]", '"x"', '{"message":5}', '{"details":null}', '{"details":{"causes":7}}']) {
    assert.is(apiError("GET /x", 500, {}, odd).reason, "", odd);
  }
});

test.run();
