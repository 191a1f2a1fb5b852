import { once } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bodyChunks } from "./body-chunks.ts";

/** What was taken before each yield. */
async function groups(body: PassThrough): Promise<string[]> {
  const groups: string[] = [];
  let group = "";
  for await (const _ of bodyChunks(body, (chunk) => {
    group += Buffer.from(chunk).toString();
  })) {
    groups.push(group);
    group = "";
  }
  return groups;
}

test("what comes together is yielded once, and nothing is lost at the end", async () => {
  const body = new PassThrough();
  const read = groups(body);
  await nextTurn();
  body.write("a");
  body.write("b");
  await nextTurn();
  body.write("c");
  body.end("d");
  assert.equal(await read, ["ab", "cd"]);
  assert.ok(body.destroyed);
});

test("a body's failure, its end before its time, and what `take` throws end it, and the body", async () => {
  for (const [fail, message] of [
    [(body: PassThrough) => body.destroy(new Error("reset")), "reset"],
    [(body: PassThrough) => body.destroy(), "Premature close"],
  ] as const) {
    const body = new PassThrough();
    const read = groups(body);
    await nextTurn();
    fail(body);
    assert.is(await read.then(String, ({ message }: Error) => message), message);
  }
  const body = new PassThrough();
  const reading = bodyChunks(body, () => {
    throw new Error("too long");
  });
  body.write("a");
  assert.is(await reading.next().then(String, ({ message }: Error) => message), "too long");
  assert.ok(body.destroyed);
});

test("the body waits while what came is worked on, and goes on afterwards", async () => {
  const body = new PassThrough({ highWaterMark: 16 * 1024 });
  let taken = 0;
  const reading = bodyChunks(body, ({ length }) => {
    taken += length;
  });
  const chunk = Buffer.alloc(16 * 1024);
  const write = async () => {
    for (let i = 0; i < 64; i++) if (!body.write(chunk)) await once(body, "drain");
    body.end();
  };
  const writing = write();
  await reading.next();
  for (let i = 0; i < 50; i++) await nextTurn();
  assert.ok(taken <= 256 * 1024, `${taken} bytes were taken while nobody asked for more`);
  while ((await reading.next()).done !== true);
  await writing;
  assert.is(taken, 64 * chunk.length);
});

test.run();
