// Clients for tests: one that behaves, and raw sockets for those that don't.
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Test } from "uvu";
import type { Limits } from "../limited-server.ts";

/** Limits so short that tests can wait for them. */
export const shortLimits: Limits = { connections: 8, headerBytes: 2048, headersMs: 150, requestMs: 300, idleMs: 300 };

export interface Answered {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Target {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
}

export function ask(target: Target, path: string, method = "GET", body?: string): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", agent: false, ...target, path, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: code = 0, headers } = response;
        resolve({ code, headers, body: Buffer.concat(chunks).toString() });
      });
    });
    asking.on("error", reject);
    asking.end(body);
  });
}

/** The code of the error with which asking fails; "answered" if it does not. */
export async function refusal(target: Target, path = "/"): Promise<string> {
  try {
    await ask(target, path);
    return "answered";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** A connection that sends `text` and collects what comes until the other side closes. */
export function raw(port: number, text: string): { socket: Socket; closed: Promise<string> } {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (data) => {
    received += data.toString("latin1");
  });
  socket.on("error", () => {}); // a reset is a way to close, too
  if (text !== "") socket.write(text);
  return { socket, closed: new Promise((resolve) => socket.on("close", () => resolve(received))) };
}

/** Something else that occupies a port. */
export async function occupy(host = "127.0.0.1", port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen({ host, port }, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** Names a test that needs IPv6, and registers it; skipped with that reason where the machine has none. */
export async function ipv6Test(test: Test, name: string, run: () => Promise<void>): Promise<void> {
  if (await hasIPv6()) test(name, run);
  else test.skip(`${name}: this machine has no IPv6`);
}

async function hasIPv6(): Promise<boolean> {
  try {
    const { server } = await occupy("::1");
    await new Promise((resolve) => server.close(resolve));
    return true;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago, on all addresses. */
export async function freePort(): Promise<number> {
  const { server, port } = await occupy((await hasIPv6()) ? "::" : "0.0.0.0");
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until `done` says true, for at most ten seconds. */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it has not come to pass");
}
