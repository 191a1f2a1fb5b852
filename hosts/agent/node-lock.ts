// One agent for each node: two would undo each other's rules all the time, each taking the other's for somebody's mischief.
//
// The lock is an abstract Unix socket. It belongs to the network namespace, as the rules do, so agents in different pods
// (hostNetwork) and on the host see the same one, without a mount; and the kernel frees it however its holder ends.
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import { loadLibc } from "./netlink/libc.ts";

/** In /proc/net/unix: @sluice-agent. */
export const LOCK_NAME = "\0sluice-agent";
/** What a holder says to whoever connects, followed by its mode, in one line. */
const GREETING = "sluice agent, mode ";
const LONGEST_GREETING = 100;
/** A holder that is stopped, or swapped out, may take its time; a foreign process never says the words. */
const GREETING_MS = 2_000;
/** How long a name that somebody else has taken keeps an agent from its work. */
const FOREIGN_MS = 10_000;
const RETRY_MS = 100;
/** Agents that wait keep a connection; more than this nobody needs. */
const CONNECTIONS = 16;

/** Who has the lock. */
export interface Holder {
  /** An agent of ours, run by root or by the same user. Everybody may take the name; only these are believed. */
  readonly isAgent: boolean;
  /** `process 17, mode flat`, as far as it is known. */
  readonly text: string;
}

export interface NodeLockOptions {
  readonly mode: string;
  readonly log: Log;
  readonly clock: Clock;
  /** For tests. */
  readonly name?: string;
}

/**
 * Tries until it has the lock. While an agent holds it, it waits for that one to end, for as long as it takes: the rules are
 * in good hands. While somebody else holds the name (or an agent that is stopped and says nothing) it goes on without, after
 * 10 s, and keeps trying.
 */
export class NodeLock {
  /** Resolves as soon as rules may be written. */
  readonly free: Promise<void>;
  readonly #options: NodeLockOptions;
  readonly #name: string;
  readonly #ending = new AbortController();
  readonly #done: Promise<void>;
  #release: () => void = () => {};
  #isFree = false;
  #server: Server | undefined;
  readonly #waiting = new Set<Socket>();
  #holdUp = "";
  #warning = "";

  constructor(options: NodeLockOptions) {
    this.#options = options;
    this.#name = options.name ?? LOCK_NAME;
    this.free = new Promise((resolve) => {
      this.#release = resolve;
    });
    this.#done = this.#acquire();
  }

  /** Why no rules are written yet; "" if they may be. */
  get holdUp(): string {
    return this.#holdUp;
  }

  /** Why another agent may be writing rules too; "" if the lock is held or waited for. */
  get warning(): string {
    return this.#warning;
  }

  /** Whoever waits for it gets it. `free` does not resolve after this. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#done;
    const server = this.#server;
    if (server === undefined) return;
    // The name is free before those who wait are told.
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#waiting) socket.destroy();
    await closed;
  }

  async #acquire(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#ending;
    let foreignSince: number | undefined;
    while (!signal.aborted) {
      const failure = await this.#listen();
      if (failure === undefined) {
        if (this.#holdUp + this.#warning !== "") log.info({}, "the lock @sluice-agent is free, and taken");
        this.#warning = "";
        this.#goOn();
        return;
      }
      const holder =
        failure === "EADDRINUSE" ? await findHolder(this.#name, signal, (text) => this.#met(text)) : undefined;
      if (holder?.isAgent === true) {
        foreignSince = undefined;
      } else {
        foreignSince ??= clock.now();
        const what = holder === undefined ? `it can't be taken (${failure})` : `${holder.text} holds it`;
        this.#isForeign(what, clock.now() - foreignSince);
      }
      if (!signal.aborted) await clock.sleep(this.#isFree ? FOREIGN_MS : RETRY_MS, signal);
    }
  }

  /** An agent holds the lock. */
  #met(text: string): void {
    if (this.#isFree) this.#warn(`another sluice agent writes this node's rules as well (${text}); end one of them`);
    else this.#wait(`another sluice agent writes this node's rules (${text}); its end is waited for`);
  }

  #isForeign(what: string, forMs: number): void {
    const text = `the lock @sluice-agent is not to be had: ${what}`;
    if (forMs < FOREIGN_MS && !this.#isFree) {
      this.#wait(`${text}; it is tried again`);
    } else {
      this.#warn(`${text}; a second agent on this node would not be noticed`);
      this.#goOn();
    }
  }

  #wait(text: string): void {
    if (this.#holdUp !== text) this.#options.log.warn({}, text);
    this.#holdUp = text;
  }

  #warn(text: string): void {
    if (this.#warning !== text) this.#options.log.error({}, text);
    this.#warning = text;
  }

  #goOn(): void {
    this.#holdUp = "";
    this.#isFree = true;
    this.#release();
  }

  /** The code of what went wrong. */
  #listen(): Promise<string | undefined> {
    const server = createServer((socket) => {
      this.#waiting.add(socket);
      socket
        .unref()
        .on("error", () => {})
        .on("close", () => this.#waiting.delete(socket));
      socket.resume();
      // It is kept open: its end tells that ours has come.
      socket.write(`${GREETING}${this.#options.mode}\n`);
    });
    server.maxConnections = CONNECTIONS;
    return new Promise((resolve) => {
      server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      server.listen({ path: this.#name }, () => {
        server.removeAllListeners("error").on("error", () => {});
        server.unref();
        this.#server = server;
        resolve(undefined);
      });
    });
  }
}

/** Who holds the lock; undefined: nobody, or it has just been let go. */
export function lockHolder(name = LOCK_NAME): Promise<Holder | undefined> {
  const ending = new AbortController();
  let found: Holder | undefined;
  return findHolder(name, ending.signal, (text) => {
    found = { isAgent: true, text };
    ending.abort();
  }).then((holder) => found ?? holder);
}

/**
 * Resolves at once for a holder that is none of ours; for an agent it calls `met` and resolves when that one ends. Undefined:
 * nobody is there.
 */
function findHolder(name: string, signal: AbortSignal, met: (text: string) => void): Promise<Holder | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path: name });
    let said = "";
    let holder: Holder | undefined;
    const end = (found: Holder | undefined) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(found);
    };
    const abort = () => end(holder);
    const stranger = () => end({ isAgent: false, text: peerText(socket) ?? "somebody" });
    const timer = setTimeout(stranger, GREETING_MS);
    signal.addEventListener("abort", abort);
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNREFUSED" || error.code === "ENOENT" ? end(undefined) : stranger(),
    );
    socket.on("close", () => (holder === undefined ? stranger() : end(holder)));
    socket.on("data", (bytes: Buffer) => {
      if (holder !== undefined) return;
      said += bytes.toString("latin1");
      const [, mode] = /^sluice agent, mode ([a-z]{1,20})\n/.exec(said) ?? [];
      if (mode === undefined) {
        if (said.length > LONGEST_GREETING || said.includes("\n")) stranger();
        return;
      }
      if (!isTrusted(socket)) return stranger();
      clearTimeout(timer);
      const process = peerText(socket);
      holder = { isAgent: true, text: `${process === undefined ? "" : `${process}, `}mode ${mode}` };
      met(holder.text);
    });
  });
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** Who listens at the other end (unix(7), SO_PEERCRED). Undefined where it can't be asked for. */
function peerOf(socket: Socket): { pid: number; uid: number } | undefined {
  const { fd } = (socket as unknown as { _handle: { fd: number } | null })._handle ?? { fd: -1 };
  if (fd < 0) return undefined;
  const credentials = new Int32Array(3);
  try {
    if (loadLibc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, new Uint8Array(credentials.buffer)) < 0) return undefined;
  } catch {
    return undefined;
  }
  const [pid = 0, uid = 0] = credentials;
  return { pid, uid };
}

/** A process in a pod of its own has no number here (0). */
function peerText(socket: Socket): string | undefined {
  const pid = peerOf(socket)?.pid ?? 0;
  return pid === 0 ? undefined : `process ${pid}`;
}

function isTrusted(socket: Socket): boolean {
  const uid = peerOf(socket)?.uid;
  return uid === undefined || uid === 0 || uid === process.getuid?.();
}
