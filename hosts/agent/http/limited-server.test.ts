// Clients that are slow, many or broken, on raw sockets.
import type { Server } from "node:http";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Answer, closeServer, type Limits, limitedServer, send, sendText } from "./limited-server.ts";
import { listen, portOf } from "./listen.ts";
import { ask, raw, shortLimits, until } from "./testing/sockets.ts";

const test = suite("agent: limited server");

const started: Server[] = [];
test.after.each(async () => {
  await Promise.all(started.splice(0).map(closeServer));
});

async function start(limits: Partial<Limits> = {}, answer: Answer = ok): Promise<{ server: Server; port: number }> {
  const server = limitedServer(answer, () => {}, { ...shortLimits, ...limits });
  started.push(server);
  await listen(server, { host: "127.0.0.1", port: 0 });
  return { server, port: portOf(server) };
}

const ok: Answer = (_request, response) => sendText(response, 200, "ok");
const patient: Partial<Limits> = { headersMs: 60_000, requestMs: 60_000, idleMs: 60_000 };

test("headers that never end are cut off", async () => {
  const { port } = await start({ idleMs: 60_000 });
  const { closed } = raw(port, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  assert.match(await closed, "408 Request Timeout");
});

test("headers that drip are cut off all the same", async () => {
  const { port } = await start({ idleMs: 60_000 });
  const { socket, closed } = raw(port, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  const drip = setInterval(() => socket.write("x"), 20);
  await closed;
  clearInterval(drip);
});

test("a connection that says nothing is closed", async () => {
  const { port } = await start();
  assert.not.match(await raw(port, "").closed, "200");
});

test("a client that does not read is dropped", async () => {
  const body = "x".repeat(50_000_000);
  const { server, port } = await start({ idleMs: 50 }, (_request, response) => send(response, 200, "text/plain", body));
  let dropped = false;
  server.on("connection", (connection) => {
    connection.on("close", () => {
      dropped = true;
    });
  });
  const { socket, closed } = raw(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  socket.pause();
  await until(() => dropped);
  socket.resume();
  assert.ok((await closed).length < body.length);
});

test("huge headers and nonsense are refused, and cost nobody else", async () => {
  const { port } = await start();
  const huge = raw(port, `GET / HTTP/1.1\r\nHost: x\r\nX-Huge: ${"x".repeat(100_000)}\r\n\r\n`);
  assert.match(await huge.closed, /^$|431 Request Header Fields Too Large/);
  for (const text of [
    "\0\0\0\0\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\xfc\x03",
  ]) {
    assert.match(await raw(port, text).closed, /^$|400 Bad Request|408/, JSON.stringify(text));
  }
  assert.is((await ask({ port }, "/")).code, 200);
});

test("a body is not waited for", async () => {
  const { port } = await start(patient);
  const answer = await raw(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc").closed;
  assert.match(answer, "200 OK");
  assert.match(answer, "Connection: close");
});

test("more connections than there may be: the oldest goes, and probes are answered", async () => {
  const { server, port } = await start(patient);
  const held = Array.from({ length: 50 }, () => raw(port, "GET / HTTP/1.1\r\n"));
  await held[0]?.closed;
  for (let i = 0; i < 20; i++) assert.is((await ask({ port }, "/")).code, 200);
  const open = await new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  assert.ok(open <= shortLimits.connections, `${open}`);
  for (const { socket } of held) socket.destroy();
});

test("what an answer throws costs that request alone", async () => {
  const defects: unknown[] = [];
  const server = limitedServer(
    ({ url }, response) => {
      if (url === "/late") response.writeHead(200).write("begun");
      if (url !== "/") throw new Error(`defect in ${url}`);
      sendText(response, 200, "ok");
    },
    (error) => defects.push((error as Error).message),
    shortLimits,
  );
  started.push(server);
  await listen(server, { host: "127.0.0.1", port: 0 });
  const port = portOf(server);
  assert.equal((await ask({ port }, "/early")).body, "internal error\n");
  assert.match(await raw(port, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n").closed, /^(?![\s\S]*internal error)/);
  assert.is((await ask({ port }, "/")).code, 200);
  assert.equal(defects, ["defect in /early", "defect in /late"]);
});

test.run();
