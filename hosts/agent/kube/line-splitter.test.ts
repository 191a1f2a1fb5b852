import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { LineSplitter, LineTooLongError, slicesOf } from "./line-splitter.ts";

const bytes = (text: string) => Buffer.from(text);
const text = (data: Uint8Array | undefined) => (data === undefined ? undefined : Buffer.from(data).toString());

test("only whole lines come out, and what is left waits", () => {
  const splitter = new LineSplitter(100);
  assert.is(splitter.push(bytes("ab")), undefined);
  assert.is(splitter.push(bytes("")), undefined);
  assert.is(text(splitter.push(bytes("c\nd"))), "abc\n");
  assert.is(splitter.pending, 1);
  assert.is(text(splitter.push(bytes("\n\r\n"))), "d\n\r\n");
  assert.is(text(splitter.push(bytes("e\nf\ng"))), "e\nf\n");
  assert.is(splitter.pending, 1);
});

test("a line may be as long as the limit, and no longer, whether its end has come or not", () => {
  assert.is(text(new LineSplitter(4).push(bytes("abc\n"))), "abc\n");
  const splitter = new LineSplitter(4);
  splitter.push(bytes("abc"));
  assert.is(text(splitter.push(bytes("\nabcd"))), "abc\n");
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
      const lines = splitter.push(whole.subarray(at, end));
      if (lines !== undefined) {
        for (const slice of slicesOf(lines, size)) {
          assert.is(slice.at(-1), 0x0a, `SEED=${seed}`);
          // Longer than asked for only where it is one line.
          assert.ok(slice.length <= size || slice.indexOf(0x0a) === slice.length - 1, `SEED=${seed}`);
          out.push(slice);
        }
      }
      at = end;
    }
    assert.is(Buffer.concat(out).toString(), whole.toString(), `SEED=${seed}`);
    assert.is(splitter.pending, 0);
  }
});

test.run();
