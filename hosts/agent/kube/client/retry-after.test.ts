import { test } from "uvu";
import * as assert from "uvu/assert";
import { apiError } from "./api-error.ts";
import { retryAfterMs } from "./retry-after.ts";

const NOW = Date.UTC(2026, 10, 30, 9, 0, 0);

for (const [value, ms] of [
  ["1", 1_000],
  [" 32 ", 32_000],
  [7, 7_000],
  ["0.5", 500],
  ["3600", 60_000],
  ["10000000", 60_000],
  [4_000_000, 60_000],
  [4_294_967_295, 60_000],
  ["1e400", 60_000],
  [Number.POSITIVE_INFINITY, 60_000],
  [Number.NaN, 0],
  ["-5", 0],
  [-1e9, 0],
  ["", 0],
  ["soon", 0],
  ["Mon, 30 Nov 2026 09:00:10 GMT", 10_000],
  ["Mon, 30 Nov 2026 08:00:00 GMT", 0],
  ["Fri, 31 Dec 9999 23:59:59 GMT", 60_000],
  [["1", "2"], 0],
  [{}, 0],
  [null, 0],
  [undefined, 0],
  [true, 0],
] as const) {
  test(`Retry-After: ${JSON.stringify(value) ?? String(value)}`, () => {
    assert.is(retryAfterMs(value, NOW), ms);
  });
}

test("the header counts before the Status object, and neither can ask for more than a minute", () => {
  const status = JSON.stringify({ kind: "Status", message: "busy", details: { retryAfterSeconds: 4_000_000 } });
  assert.is(apiError("GET /", 429, {}, status).retryAfterMs, 60_000);
  assert.is(apiError("GET /", 429, { "retry-after": "3" }, status).retryAfterMs, 3_000);
  assert.is(apiError("GET /", 503, { "retry-after": "10000000" }, "").retryAfterMs, 60_000);
});

test.run();
