// Listeners on 127.0.0.1 and ::1 that forward: which come and go, where connections go to, and how they begin and end.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Family, LocalhostListener } from "../../shared/contract.ts";
import type { Log } from "../log/log.ts";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { EndpointChoice } from "./affinity.ts";
import { connectionsAllowed, listenersAllowed, readOpenFilesLimit } from "./descriptors.ts";
import { LocalhostNodePorts, type LocalhostOptions } from "./node-ports.ts";

const test = suite("node ports on localhost");

const said: string[] = [];
const say = (_fields: object, message: string) => void said.push(message);
const log = { info: say, warn: say, error: say, debug: say, fatal: say } as unknown as Log;

const closing: (() => void)[] = [];
test.after.each(() => {
  for (const close of closing.splice(0)) close();
  said.length = 0;
});

function nodePorts(options: Partial<LocalhostOptions> = {}): LocalhostNodePorts {
  const made = new LocalhostNodePorts({ log, clock: new ManualClock(), openFiles: 4_096, ...options });
  closing.push(() => made.stop());
  return made;
}

/** A server on a port of its own that does with each connection what it is told. */
async function endpoint(serve: (socket: Socket) => void, address = "127.0.0.1") {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    closing.push(() => socket.destroy());
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, address);
  await once(server, "listening");
  closing.push(() => server.close());
  return { address, port: (server.address() as AddressInfo).port, server };
}
const named = (name: string) => endpoint((socket) => void socket.end(name));

/** A port that nobody has. */
async function freePort(address = "127.0.0.1"): Promise<number> {
  const server = createServer();
  server.listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const listener = (
  port: number,
  endpoints: { address: string; port: number }[],
  more: Partial<LocalhostListener> = {},
) => ({
  family: "ipv4" as Family,
  port,
  namespace: "shop",
  service: "web",
  portName: "",
  affinitySeconds: 0,
  ...more,
  endpoints: endpoints.map(({ address, port }) => ({ address, port })),
});
const only = (...listeners: LocalhostListener[]) => ({ all: true, first: true, more: false, listeners });
const change = (...listeners: LocalhostListener[]) => ({ all: false, first: false, more: false, listeners });

/** Waits until something of the figures holds, looking at each turn of the event loop. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** All that a connection is sent until its end; or the error's code. */
async function ask(port: number, host = "127.0.0.1"): Promise<string> {
  const socket = connect({ port, host });
  closing.push(() => socket.destroy());
  let text = "";
  socket.setEncoding("utf8").on("data", (data) => {
    text += data;
  });
  return new Promise((resolve) => {
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("close", () => resolve(text));
  });
}

test("listeners are those that are told, and go with their endpoints", async () => {
  const ports = nodePorts();
  const [a, b] = [await named("a"), await named("b")];
  const [first, second] = [await freePort(), await freePort()];
  ports.update(only(listener(first, [a]), listener(second, [b])));
  await until(() => ports.figures.listeners.ipv4 === 2);
  assert.equal([await ask(first), await ask(second)], ["a", "b"]);
  ports.update(change(listener(first, [])));
  assert.equal([await ask(first), await ask(second)], ["ECONNREFUSED", "b"]);
  ports.update(change(listener(first, [b])));
  await until(() => ports.figures.listeners.ipv4 === 2);
  assert.is(await ask(first), "b");
  ports.update({ all: true, first: true, more: true, listeners: [listener(first, [a])] });
  assert.is(await ask(second), "b", "there is more to come");
  ports.update({ all: true, first: false, more: false, listeners: [] });
  assert.equal([await ask(first), await ask(second)], ["a", "ECONNREFUSED"]);
  ports.stop();
  assert.is(await ask(first), "ECONNREFUSED");
  ports.update(only(listener(first, [a])));
  assert.is(ports.figures.listeners.ipv4, 0, "it has been stopped");
});

test("all are told anew before they have been told: what only the first telling had goes", async () => {
  const ports = nodePorts();
  const a = await named("a");
  const [kept, gone] = [await freePort(), await freePort()];
  ports.update({ all: true, first: true, more: true, listeners: [listener(gone, [a])] });
  await until(() => ports.figures.listeners.ipv4 === 1);
  ports.update(only(listener(kept, [a])));
  assert.is(ports.figures.listeners.ipv4, 0);
  await until(() => ports.figures.listeners.ipv4 === 1);
  assert.equal([await ask(kept), await ask(gone)], ["a", "ECONNREFUSED"]);
});

test("both families, each by itself", async () => {
  const ports = nodePorts();
  const port = await freePort();
  const a = await named("a");
  ports.update(
    only(
      listener(port, [a]),
      listener(port, [await endpoint((socket) => void socket.end("six"), "::1")], { family: "ipv6" }),
    ),
  );
  await until(() => ports.figures.listeners.ipv4 + ports.figures.listeners.ipv6 === 2);
  assert.equal([await ask(port), await ask(port, "::1")], ["a", "six"]);
});

test("what is open goes on when endpoints change and when nobody listens any more", async () => {
  const ports = nodePorts();
  const port = await freePort();
  const echo = await endpoint((socket) => void socket.pipe(socket));
  ports.update(only(listener(port, [echo])));
  await until(() => ports.figures.listeners.ipv4 === 1);
  const socket = connect({ port, host: "127.0.0.1" }).setEncoding("utf8");
  closing.push(() => socket.destroy());
  const says = async (text: string) => {
    socket.write(text);
    assert.is((await once(socket, "data"))[0], text);
  };
  await says("one");
  ports.update(change(listener(port, [await named("b")])));
  assert.is(await ask(port), "b");
  await says("two");
  ports.stop();
  await says("three");
  let isDrained = false;
  const drained = ports.drained().then(() => {
    isDrained = true;
  });
  await says("four");
  assert.is(isDrained, false);
  socket.end();
  await drained;
  assert.is(ports.figures.open, 0);
});

test("a client that has closed its half gets its answer", async () => {
  const ports = nodePorts();
  const port = await freePort();
  const counts = await endpoint((socket) => {
    let length = 0;
    socket.on("data", (data) => {
      length += data.length;
    });
    socket.on("end", () => void socket.end(`${length} bytes`));
  });
  ports.update(only(listener(port, [counts])));
  await until(() => ports.figures.listeners.ipv4 === 1);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).setEncoding("utf8");
  closing.push(() => socket.destroy());
  socket.end(Buffer.alloc(3_000_000));
  assert.is((await once(socket, "data"))[0], "3000000 bytes");
  await once(socket, "close");
  await until(() => ports.figures.open === 0);
});

test("a reset of one end is one for the other", async () => {
  const ports = nodePorts();
  const port = await freePort();
  const resets = await endpoint((socket) => void socket.once("data", () => socket.resetAndDestroy()));
  ports.update(only(listener(port, [resets])));
  await until(() => ports.figures.listeners.ipv4 === 1);
  const socket = connect({ port, host: "127.0.0.1" });
  closing.push(() => socket.destroy());
  socket.write("x");
  const [error] = await once(socket, "error").catch((thrown: NodeJS.ErrnoException) => [thrown]);
  assert.is((error as NodeJS.ErrnoException).code, "ECONNRESET");
  await until(() => ports.figures.open === 0);

  const ended: Promise<unknown>[] = [];
  const waits = await endpoint((each) => void ended.push(once(each, "error").catch((thrown) => [thrown])));
  ports.update(change(listener(port, [waits])));
  const other = connect({ port, host: "127.0.0.1" });
  other.on("error", () => {});
  await until(() => ended.length === 1);
  other.resetAndDestroy();
  assert.is(((await ended[0]) as NodeJS.ErrnoException[])[0]?.code, "ECONNRESET");
});

test("a second endpoint is tried when the first does not answer; where none does the client gets a reset", async () => {
  const ports = nodePorts({ connectTimeoutMs: 200 });
  const port = await freePort();
  const a = await named("a");
  const refuses = { address: "127.0.0.1", port: await freePort() };
  ports.update(only(listener(port, [a, refuses])));
  await until(() => ports.figures.listeners.ipv4 === 1);
  const both = async () => {
    const before = ports.figures.outcomes.second;
    while (ports.figures.outcomes.second === before) assert.is(await ask(port), "a");
  };
  await both();
  ports.update(change(listener(port, [refuses])));
  assert.is(await ask(port), "ECONNRESET");
  assert.is(ports.figures.outcomes.unanswered, 1);
  await until(() => ports.figures.open === 0);
});

test("with affinity all go to one endpoint until nobody has come for so long, or it is gone", () => {
  let now = 0;
  let draw = 0;
  const choice = new EndpointChoice(
    () => now,
    (below) => draw++ % below,
  );
  const [a, b, c] = ["a", "b", "c"].map((address) => ({ address, port: 1 })) as [never, never, never];
  choice.update([a, b, c], 10_000);
  assert.is(choice.next(), a);
  for (now of [9_000, 18_000, 27_999]) assert.is(choice.next(), a, `${now}`);
  now = 38_000;
  assert.is(choice.next(), b);
  choice.update([a, c], 10_000);
  assert.is(choice.next(), a, "b is gone");
  choice.update([{ address: "a", port: 1 }, c], 10_000);
  assert.equal(choice.next(), a, "the same endpoint, told again");
  assert.is(choice.next(a), c, "a does not answer");
  assert.is(choice.next(), c, "and from now on it is c");
  choice.update([a, b], 0);
  assert.equal([choice.next(), choice.next(), choice.next()], [a, b, a]);
  assert.is(choice.next(a), b);
  choice.update([a], 0);
  assert.is(choice.next(a), undefined);
});

test("a port that somebody else has is said once, counted, and tried again until it can be had", async () => {
  const clock = new ManualClock();
  const ports = nodePorts({ clock, retryMs: 5_000 });
  const holder = await named("somebody else");
  ports.update(only(listener(holder.port, [await named("a")])));
  await until(() => ports.figures.creationFailures.ipv4 === 1);
  await clock.advance(5_000);
  await until(() => ports.figures.creationFailures.ipv4 === 2);
  const failures = said.filter((line) => /nobody answers on the node port of shop\/web: .*EADDRINUSE/.test(line));
  assert.is(failures.length, 1);
  await new Promise((resolve) => holder.server.close(resolve));
  await clock.advance(5_000);
  await until(() => ports.figures.listeners.ipv4 === 1);
  assert.is(await ask(holder.port), "a");
  assert.ok(said.includes("the node port can be had now"));
});

test("connections that are too many are reset, and said once a minute", async () => {
  const clock = new ManualClock();
  const ports = nodePorts({ clock, openFiles: 1_000 + 256 + 1 + 2 * 3 });
  const port = await freePort();
  const echo = await endpoint((socket) => void socket.pipe(socket));
  ports.update(only(listener(port, [echo])));
  await until(() => ports.figures.listeners.ipv4 === 1);
  assert.is(ports.figures.allowed, 3);
  const sockets: Socket[] = [];
  for (let i = 0; i < 3; i++) {
    const socket = connect({ port, host: "127.0.0.1" });
    closing.push(() => socket.destroy());
    sockets.push(socket);
    socket.write("x");
    await once(socket, "data");
  }
  const limited = () => said.filter((line) => line.includes("too many connections")).length;
  for (let i = 0; i < 5; i++) assert.is(await ask(port), "ECONNRESET");
  assert.equal([limited(), ports.figures.outcomes.limit, ports.figures.open], [1, 5, 3]);
  await clock.advance(60_000);
  assert.is(await ask(port), "ECONNRESET");
  assert.is(limited(), 2);
  sockets[0]?.destroy();
  await until(() => ports.figures.open === 2);
  const socket = connect({ port, host: "127.0.0.1" });
  closing.push(() => socket.destroy());
  socket.write("again");
  await once(socket, "data");
});

test("no more listeners than the process may have files open; others get their turn when one has gone", async () => {
  const clock = new ManualClock();
  const ports = nodePorts({ clock, openFiles: 1_000 + 256 + 2 + 2, retryMs: 5_000 });
  const a = await named("a");
  const [first, second, third] = [await freePort(), await freePort(), await freePort()];
  ports.update(only(listener(first, [a]), listener(second, [a]), listener(third, [a])));
  assert.equal([ports.figures.creationFailures.ipv4, ports.figures.allowed], [1, 1]);
  await until(() => ports.figures.listeners.ipv4 === 2);
  assert.ok(said.some((line) => line.includes("the process may have too few files open; it is tried again")));
  assert.is(await ask(third), "ECONNREFUSED");
  ports.update(change(listener(first, [])));
  await clock.advance(5_000);
  await until(() => ports.figures.listeners.ipv4 === 2);
  assert.is(await ask(third), "a");
});

test("a low limit of open files is said as a warning, with who sets it", async () => {
  for (const [openFiles, level] of [
    [4_096, "info"],
    [2_048, "warn"],
    [1_024, "error"],
  ] as const) {
    const hints: unknown[] = [];
    const takes = (name: string) => (fields: { hint?: string }) => void hints.push(name, fields.hint ?? "");
    const own = {
      info: takes("info"),
      warn: takes("warn"),
      error: takes("error"),
      debug() {},
      fatal() {},
    } as unknown as Log;
    const ports = nodePorts({ openFiles, log: own });
    ports.update(only(listener(await freePort(), [await named("a")])));
    assert.is(hints[0], level);
    assert.is(String(hints[1]).includes("LimitNOFILE"), level !== "info");
  }
});

test("where no connection may be open nobody listens", async () => {
  const ports = nodePorts({ openFiles: 1_024 });
  const port = await freePort();
  ports.update(only(listener(port, [await named("a")])));
  assert.is(ports.figures.creationFailures.ipv4, 1);
  assert.is(await ask(port), "ECONNREFUSED");
});

test("how many connections may be open follows from the process's limit", () => {
  const limits = (soft: string) =>
    `Limit   Soft Limit  Hard Limit  Units\nMax open files            ${soft}    1048576   files\n`;
  assert.is(readOpenFilesLimit(limits("1024")), 1024);
  assert.is(readOpenFilesLimit(limits("unlimited")), Number.POSITIVE_INFINITY);
  assert.ok(readOpenFilesLimit() > 0);
  assert.is(connectionsAllowed(1024, 0), 0);
  assert.equal([listenersAllowed(1024), listenersAllowed(4096)], [0, 2838]);
  assert.is(connectionsAllowed(4096, 100), 1370);
  assert.is(connectionsAllowed(Number.POSITIVE_INFINITY, 100), 16_384);
});

test.run();
