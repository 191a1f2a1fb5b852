import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatDuration, parseDuration } from "./duration.ts";

const durations: [text: string, milliseconds: number][] = [
  ["0s", 0],
  ["1ns", 1e-6],
  ["2.5µs", 2.5e-3],
  ["250ms", 250],
  ["1.5s", 1500],
  ["30s", 30_000],
  ["1m0s", 60_000],
  ["1m0.1s", 60_100],
  ["15m0s", 900_000],
  ["24h0m0s", 86_400_000],
  ["-5s", -5000],
];

for (const [text, milliseconds] of durations) {
  test(`${text} is read and written alike`, () => {
    assert.is(parseDuration(text), milliseconds);
    assert.is(formatDuration(milliseconds), text);
  });
}

test("other spellings of Go's", () => {
  assert.is(parseDuration("0"), 0);
  assert.is(parseDuration("+1h"), 3_600_000);
  assert.is(parseDuration("1h0.5m"), 3_630_000);
  assert.is(parseDuration(".5s"), 500);
  assert.is(parseDuration(5e9), 5000);
});

test("what is no duration", () => {
  for (const text of ["", "-", "5", "s", "1 s", "1d", "1s x", "."]) assert.is(parseDuration(text), undefined, text);
});

test.run();
