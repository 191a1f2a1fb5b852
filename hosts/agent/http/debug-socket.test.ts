// The debug pages, on a real Unix socket.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DebugPages, DebugSocket } from "./debug-socket.ts";
import { ask } from "./testing/sockets.ts";

const test = suite("agent: debug socket");

let folder = "";
let path = "";
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-debug-"));
  path = join(folder, "run", "debug.sock");
});
test.after.each(() => {
  rmSync(folder, { recursive: true, force: true });
});

const encode = (text: string) => new TextEncoder().encode(text);
const pages: DebugPages = {
  describe: async () => [encode('{"service'), encode('Ports":[]}')],
  rules: async (family) => [encode(`rules of ${family}\n`)],
  plan: async () => [encode("[]")],
};

async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return (error as Error).message;
  }
}

test("pages, for the owner alone, and gone after close", async () => {
  const umask = process.umask();
  const debug = await DebugSocket.open(pages, { path });
  assert.is(process.umask(), umask);
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.is(statSync(join(folder, "run")).mode & 0o777, 0o700);
  const page = async (target: string) => {
    const { code, headers, body } = await ask({ socketPath: path }, target);
    return `${code} ${headers["content-type"]} ${body}`;
  };
  assert.is(await page("/debug/describe"), '200 application/json {"servicePorts":[]}');
  assert.is(await page("/debug/rules"), "200 text/plain; charset=utf-8 rules of ipv4\n");
  assert.is(await page("/debug/rules?family=ipv6"), "200 text/plain; charset=utf-8 rules of ipv6\n");
  assert.is(await page("/debug/plan"), "200 application/json []");
  assert.match(await page("/debug/rules?family=IPv6"), /^400 .*family is neither/);
  assert.match(await page("/metrics"), /^404 /);
  await debug.close();
  assert.not(existsSync(path));
});

test("long pages arrive whole", async () => {
  const piece = encode("x".repeat(1_000_000));
  const debug = await DebugSocket.open({ ...pages, rules: async () => Array(30).fill(piece) }, { path });
  assert.is((await ask({ socketPath: path }, "/debug/rules")).body.length, 30_000_000);
  await debug.close();
});

test("a page that fails is a 500, and reported", async () => {
  const defects: unknown[] = [];
  const plan = () => {
    throw new Error("the engine stopped");
  };
  const debug = await DebugSocket.open({ ...pages, plan }, { path, onDefect: (error) => defects.push(error) });
  assert.is((await ask({ socketPath: path }, "/debug/plan")).code, 500);
  assert.is(defects.length, 1);
  assert.is((await ask({ socketPath: path }, "/debug/rules")).code, 200);
  await debug.close();
});

test("the socket of a process that was killed is replaced", async () => {
  const first = await DebugSocket.open(pages, { path });
  await first.close();
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  assert.ok(existsSync(path), "it was left behind");
  const debug = await DebugSocket.open(pages, { path });
  assert.is((await ask({ socketPath: path }, "/debug/plan")).code, 200);
  await debug.close();
});

test("a socket that somebody answers on, and a file, stay", async () => {
  const other = createServer();
  const taken = join(folder, "taken.sock");
  await new Promise<void>((resolve) => other.listen(taken, resolve));
  assert.match(await failure(DebugSocket.open(pages, { path: taken })), "belongs to a process that runs");
  await new Promise((resolve) => other.close(resolve));
  const file = join(folder, "file");
  writeFileSync(file, "precious");
  assert.match(await failure(DebugSocket.open(pages, { path: file })), "is no socket");
  assert.ok(existsSync(file));
});

test.run();
