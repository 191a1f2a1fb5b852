import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { LineSplitter, LineTooLongError, slicesOf } from "./line-splitter.ts";

const bytes = (text: string) => Buffer.from(text);
/** What comes out after this chunk. */
const through = (splitter: LineSplitter, chunk: Uint8Array) => {
  splitter.push(chunk);
  const lines = splitter.take();
  return lines === undefined ? undefined : Buffer.from(lines).toString();
};

test("only whole lines come out, and what is left waits", () => {
  const splitter = new LineSplitter(100);
  assert.is(through(splitter, bytes("ab")), undefined);
  assert.is(through(splitter, bytes("")), undefined);
  assert.is(through(splitter, bytes("c\nd")), "abc\n");
  assert.is(splitter.pending, 1);
  assert.is(through(splitter, bytes("\n\r\n")), "d\n\r\n");
  assert.is(through(splitter, bytes("e\nf\ng")), "e\nf\n");
  assert.is(splitter.pending, 1);
});

test("a line may be as long as the limit, and no longer, whether its end has come or not", () => {
  assert.is(through(new LineSplitter(4), bytes("abc\n")), "abc\n");
  const splitter = new LineSplitter(4);
  splitter.push(bytes("abc"));
  assert.is(through(splitter, bytes("\nabcd")), "abc\n");
  assert.throws(
    () => splitter.push(bytes("e")),
    (error: unknown) => error instanceof LineTooLongError,
  );
  const second = new LineSplitter(4);
  second.push(bytes("abc"));
  assert.throws(
    () => second.push(bytes("d\n")),
    (error: unknown) => error instanceof LineTooLongError,
  );
});

test("lines that were taken stay as they are until the next are taken, whatever comes meanwhile", () => {
  const splitter = new LineSplitter(2_000_000);
  splitter.push(bytes("ab\nc"));
  const lines = splitter.take() as Uint8Array;
  splitter.push(bytes("d\n"));
  splitter.push(bytes(`${"x".repeat(1_000_000)}\ne`));
  assert.is(Buffer.from(lines).toString(), "ab\n");
  assert.is(Buffer.from(splitter.take() as Uint8Array).toString(), `cd\n${"x".repeat(1_000_000)}\n`);
  assert.is(through(splitter, bytes("\n")), "e\n");
});

test("however it is cut, the same lines come out, in slices of whole lines", () => {
  const seed = seedFromEnvironment();
  const random = new Random(seed);
  for (let round = 0; round < 300; round++) {
    const whole = bytes(random.some(0, 12, () => `${"é".repeat(random.below(40))}\n`).join(""));
    const size = 1 + random.below(30);
    const splitter = new LineSplitter(1000);
    const out: Uint8Array[] = [];
    for (let at = 0; at < whole.length; ) {
      const end = at + 1 + random.below(20);
      splitter.push(whole.subarray(at, end));
      const waits = end < whole.length && random.below(3) === 0; // and is taken with what comes next
      const lines = waits ? undefined : splitter.take();
      if (lines !== undefined) {
        for (const slice of slicesOf(lines, size)) {
          assert.is(slice.at(-1), 0x0a, `SEED=${seed}`);
          // Longer than asked for only where it is one line.
          assert.ok(slice.length <= size || slice.indexOf(0x0a) === slice.length - 1, `SEED=${seed}`);
          out.push(slice.slice());
        }
      }
      at = end;
    }
    assert.is(Buffer.concat(out).toString(), whole.toString(), `SEED=${seed}`);
    assert.is(splitter.pending, 0);
  }
});

test.run();
