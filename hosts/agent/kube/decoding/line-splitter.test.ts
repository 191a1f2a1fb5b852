import { test } from "uvu";
import * as assert from "uvu/assert";
import { Random, seedFromEnvironment } from "../../../../fixtures/random/random.ts";
import { LineSplitter, slicesOf } from "./line-splitter.ts";

const bytes = (text: string) => Buffer.from(text);
/** For lines that are not too long. */
const never = () => {
  throw new Error("no line is too long");
};
/** What comes out after this chunk. */
const through = (splitter: LineSplitter, chunk: Uint8Array) => {
  splitter.push(chunk);
  const lines = splitter.take();
  return lines === undefined ? undefined : Buffer.from(lines).toString();
};

test("only whole lines come out, and what is left waits", () => {
  const splitter = new LineSplitter(100, never);
  assert.is(through(splitter, bytes("ab")), undefined);
  assert.is(through(splitter, bytes("")), undefined);
  assert.is(through(splitter, bytes("c\nd")), "abc\n");
  assert.is(splitter.pending, 1);
  assert.is(through(splitter, bytes("\n\r\n")), "d\n\r\n");
  assert.is(through(splitter, bytes("e\nf\ng")), "e\nf\n");
  assert.is(splitter.pending, 1);
});

test("a line may be as long as the limit; in place of a longer one comes another, and no more than the limit is held", () => {
  const beginnings: string[] = [];
  const make = () =>
    new LineSplitter(4, (beginning) => {
      beginnings.push(Buffer.from(beginning).toString());
      return bytes("!\n");
    });
  assert.is(through(make(), bytes("abc\n")), "abc\n");
  for (const [chunks, lines] of [
    [["abc", "\nabcd", "e", "fg\nx\n"], "abc\n!\nx\n"],
    [["abc", "d\n", "x\n"], "!\nx\n"],
    [["a\nbcdefghijk\nx\nabcdefg\n"], "a\n!\nx\n!\n"],
    [["abcdefgh", "ijk", "lm\nabcdef\nx\n"], "!\n!\nx\n"],
  ] as const) {
    const splitter = make();
    let taken = "";
    for (const chunk of chunks) {
      taken += through(splitter, bytes(chunk)) ?? "";
      assert.ok(splitter.buffered <= 4);
    }
    assert.is(taken, lines);
  }
  assert.ok(
    beginnings.every((each) => each.length === 4),
    beginnings.join(),
  );
});

test("lines that were taken stay as they are until the next are taken, whatever comes meanwhile", () => {
  const splitter = new LineSplitter(2_000_000, never);
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
    const splitter = new LineSplitter(1000, never);
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
