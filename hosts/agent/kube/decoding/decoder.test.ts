import { test } from "uvu";
import * as assert from "uvu/assert";
import { encode, newEngine } from "../../../../fixtures/support/engine.ts";
import { Decoder } from "./decoder.ts";

test("lines wait until the store can take them, each slice anew", async () => {
  const engine = newEngine();
  const log: string[] = [];
  let open = (): void => {};
  const busy = new Promise<void>((resolve) => {
    open = resolve;
  });
  const answers: (Promise<void> | undefined)[] = [busy, undefined, busy, undefined];
  const decoder = new Decoder({
    ready: () => answers.shift(),
    beginList() {},
    apply(data) {
      log.push(`applied ${data.length}`);
      return engine.apply(data);
    },
    endList() {},
  });
  // Two lines, each longer than half a slice.
  const line = `{"type":"BOOKMARK","object":{"kind":"Service","apiVersion":"v1","metadata":{"resourceVersion":"1"},"x":"${"x".repeat(200_000)}"}}\n`;
  const decoded = decoder.lines(encode(line + line), () => log.push("seen"));
  await new Promise(setImmediate);
  assert.equal(log, []);
  open();
  await decoded;
  assert.equal(log, [`applied ${line.length}`, "seen", `applied ${line.length}`, "seen"]);
  assert.equal(answers, []);
});

test.run();
