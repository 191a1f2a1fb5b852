// How many writes lines take, and that none is lost or out of order.
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BufferedOutput } from "./buffered-output.ts";

const test = suite("agent: buffered output");

function capture() {
  const writes: string[] = [];
  let flushed = 0;
  const output = new BufferedOutput({ write: (text) => void writes.push(text), flushSync: () => void flushed++ });
  return { output, writes, flushed: () => flushed };
}

test("a line after a quiet time is written at once; what follows is written together, in order", async () => {
  const { output, writes } = capture();
  output.write("1\n");
  assert.equal(writes, ["1\n"]);
  for (let i = 2; i <= 100; i++) output.write(`${i}\n`);
  assert.is(writes.length, 1);
  while (writes.length < 2) await sleep(10);
  const rest = Array.from({ length: 99 }, (_, i) => `${i + 2}\n`).join("");
  assert.equal(writes, ["1\n", rest]);
  await sleep(200);
  output.write("101\n");
  assert.equal(writes, ["1\n", rest, "101\n"]);
});

test("at the end nothing is left behind", () => {
  const { output, writes, flushed } = capture();
  for (const line of ["1\n", "2\n", "3\n"]) output.write(line);
  output.flushSync();
  assert.equal(writes, ["1\n", "2\n3\n"]);
  assert.is(flushed(), 1);
});

test.run();
