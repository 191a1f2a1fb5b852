// One connection to a node port on 127.0.0.1 or ::1: to an endpoint and back, until both ends have closed it.
import { connect, type Socket } from "node:net";
import type { Endpoint } from "./affinity.ts";

/** kube-proxy's. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Go's default, with which kube-proxy notices ends that are gone without a word. */
const KEEP_ALIVE_MS = 15_000;
/** Endpoints that are tried. */
const ATTEMPTS = 2;

export interface ForwardOptions {
  /** The next endpoint to try, other than the one that has not answered. */
  readonly next: (besides?: Endpoint) => Endpoint | undefined;
  readonly connectTimeoutMs?: number;
}

/** How it began. `second`: an endpoint did not answer, and another did. */
export type Outcome = "forwarded" | "second" | "unanswered" | "given up";

/**
 * Forwards a connection that has been accepted and not read from. `begun` is called once it is known how it begins; resolves when
 * it is over. Where no endpoint answers the client gets a reset.
 */
export async function forward(
  client: Socket,
  options: ForwardOptions,
  begun: (outcome: Outcome) => void,
): Promise<void> {
  const { next, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  let isGone = false;
  const noteGone = () => {
    isGone = true;
  };
  client.on("error", noteGone); // what else becomes of it, `close` says
  client.once("close", noteGone);
  client.setNoDelay(true);
  client.setKeepAlive(true, KEEP_ALIVE_MS);
  let failed: Endpoint | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const endpoint = next(failed);
    if (endpoint === undefined) break;
    const server = await connected(endpoint, client, connectTimeoutMs);
    if (isGone) {
      server?.resetAndDestroy();
      begun("given up");
      return;
    }
    if (server !== undefined) {
      begun(attempt === 1 ? "forwarded" : "second");
      await join(client, server);
      return;
    }
    failed = endpoint;
  }
  client.resetAndDestroy();
  begun("unanswered");
}

/** Undefined: there is no answer in time, or the client has gone. */
function connected({ address, port }: Endpoint, client: Socket, timeoutMs: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    // A client that has sent all it wants to and waits for an answer has closed its half.
    const server = connect({
      host: address,
      port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    const giveUp = () => {
      server.destroy();
      done(undefined);
    };
    // An answer that has come while the process was busy counts.
    const timer = setTimeout(() => setImmediate(() => server.connecting && giveUp()), timeoutMs);
    const done = (result: Socket | undefined) => {
      clearTimeout(timer);
      client.off("close", giveUp);
      server.off("error", giveUp);
      resolve(result);
    };
    client.once("close", giveUp);
    server.on("error", giveUp);
    server.once("connect", () => done(server));
  });
}

/** A socket of a connection that is forwarded: one of two, each of which knows the other. */
interface End extends Socket {
  peer?: End;
  over?: () => void;
}

/**
 * Both directions, each closed by itself; an error of one end is a reset for the other. All connections share the functions below:
 * closures of their own, or `pipe`, would cost each of them kilobytes.
 */
function join(client: End, server: End): Promise<void> {
  return new Promise((resolve) => {
    client.peer = server;
    server.peer = client;
    client.over = resolve;
    server.over = resolve;
    for (const end of [client, server]) {
      end.on("data", passOn);
      end.on("drain", goOn);
      end.on("end", endOther);
      end.on("error", resetOther);
      end.on("close", closeOther);
      end.resume();
    }
  });
}

function passOn(this: End, data: Uint8Array): void {
  if (this.peer?.write(data) === false) this.pause();
}

function goOn(this: End): void {
  this.peer?.resume();
}

function endOther(this: End): void {
  this.peer?.end();
}

function resetOther(this: End): void {
  this.peer?.resetAndDestroy();
}

function closeOther(this: End): void {
  // Without an end of its own there is more to come that never will.
  if (!this.readableEnded) this.peer?.resetAndDestroy();
  if (this.peer?.closed === true) this.over?.();
}
