// Who gets the lock, who waits, and what is made of strangers. fixtures/agent/two-agents.test.ts has real agents.
import { createServer, type Server } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { systemClock } from "./clock.ts";
import { openLog } from "./log.ts";
import { lockHolder, NodeLock } from "./node-lock.ts";

const test = suite("agent: node lock");

let name = "";
let lines: string[] = [];
const open: { close(): unknown }[] = [];
/** Ten seconds pass in one. */
const clock = { ...systemClock, now: () => systemClock.now() * 10 };

test.before.each(() => {
  name = `\0sluice-test-${process.pid}-${systemClock.now()}`;
  lines = [];
});
test.after.each(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

function lock(mode = "flat"): NodeLock {
  const { log } = openLog({ format: "json", verbosity: 0 }, { write: (line) => void lines.push(line) });
  const made = new NodeLock({ mode, log, clock, name });
  open.push(made);
  return made;
}

async function squat(greet: (socket: import("node:net").Socket) => void): Promise<Server> {
  const server = createServer(greet);
  await new Promise<void>((resolve) => server.listen({ path: name }, resolve));
  return server;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await systemClock.sleep(5, new AbortController().signal);
}

test("the first has it at once; the second knows whom it waits for, whatever its mode, and gets it when that one ends", async () => {
  const first = lock("flat");
  await first.free;
  assert.is(first.holdUp, "");
  const second = lock("iptables");
  let isFree = false;
  void second.free.then(() => {
    isFree = true;
  });
  await until(() => second.holdUp !== "");
  assert.match(second.holdUp, `another sluice agent writes this node's rules (process ${process.pid}, mode flat)`);
  assert.equal(await lockHolder(name), { isAgent: true, text: `process ${process.pid}, mode flat` });
  // It waits for longer than it would for a stranger.
  await systemClock.sleep(1_500, new AbortController().signal);
  assert.not(isFree);
  assert.is(second.warning, "");
  await first.close();
  await second.free;
  assert.is(second.holdUp, "");
  assert.is((await lockHolder(name))?.text, `process ${process.pid}, mode iptables`);
  assert.is(lines.filter((line) => line.includes("its end is waited for")).length, 1, "said once");
});

test("one that ends while it waits does not get it", async () => {
  await lock().free;
  const second = lock();
  let isFree = false;
  void second.free.then(() => {
    isFree = true;
  });
  await until(() => second.holdUp !== "");
  await second.close();
  assert.not(isFree);
});

const strangers: Record<string, (socket: import("node:net").Socket) => void> = {
  "says nothing": () => {},
  "hangs up": (socket) => void socket.destroy(),
  "says something else": (socket) => void socket.write("220 mail.example\n"),
};
for (const [what, greet] of Object.entries(strangers)) {
  test(`a stranger that has the name and ${what} holds nothing up for long; it is said`, async () => {
    const server = await squat((socket) => greet(socket.on("error", () => {})));
    const sockets: import("node:net").Socket[] = [];
    server.on("connection", (socket) => sockets.push(socket));
    const stranger = lock();
    await until(() => stranger.holdUp !== "" || stranger.warning !== "");
    await stranger.free;
    assert.is(stranger.holdUp, "");
    assert.match(stranger.warning, /holds it; a second agent on this node would not be noticed$/);
    assert.is((await lockHolder(name))?.isAgent, false);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

test("nobody holds a lock that nobody has taken", async () => {
  assert.is(await lockHolder(name), undefined);
});

test.run();
