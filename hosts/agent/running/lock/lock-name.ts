// The abstract Unix socket @sluice-agent. The holder of the lock listens there and says its mode; the kernel tells its process.
//
// Agents of earlier versions have no other lock. Their runtimes disagree about the name. Node 20 binds it padded with zeros to the
// 108 bytes of sun_path; Node 22 and later bind it alone. For the kernel these are two names. So both are bound and both are
// checked, by calls of libc: Node's own calls can make only one of them.
//
// Everybody may bind such a name. So a holder is believed only as far as it may write rules.
import { createServer, type Server, type Socket } from "node:net";
import { EADDRINUSE, EAGAIN, ECONNREFUSED, errnoName } from "../../netlink/messages/errno.ts";
import {
  AF_UNIX,
  SO_PEERCRED,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../../netlink/messages/uapi.ts";
import { type Libc, loadLibc } from "../../netlink/sockets/libc.ts";
import { isStopped, mayWriteRules } from "./capability.ts";

const NAME = "sluice-agent";
/** Of sockaddr_un's path. */
const LONGEST = 108;
/** What a holder says to whoever connects, followed by its mode, in one line. */
const GREETING = "sluice agent, mode ";
const LONGEST_GREETING = 100;
/** A holder may be swapped out. */
const GREETING_MS = 2_000;
/** Waiting agents of earlier versions keep a connection. There are never more of them than this. */
const CONNECTIONS = 16;

/** The two forms of the name, as struct sockaddr_un: family, a zero, the name. */
export const LOCK_ADDRESSES: readonly Uint8Array[] = [addressOf(LONGEST), addressOf(1 + NAME.length)];

/** Who has a name. */
export interface NameHolder {
  /**
   * "agent": it may write rules. "perhaps": of root or of our own user, but whether it may write rules can't be seen.
   * "unseen": nothing can be seen of it. "stranger": it is no agent.
   */
  readonly kind: "agent" | "perhaps" | "unseen" | "stranger";
  /** 0 if it has no number in our PID namespace. */
  readonly pid: number;
  /** Undefined if it does not say. */
  readonly mode: string | undefined;
  readonly isStopped: boolean;
}

/** Somebody. */
export const UNSEEN: NameHolder = { kind: "unseen", pid: 0, mode: undefined, isStopped: false };

/** A name that is ours. */
export class LockName {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  /** Returns the code of what went wrong ("EADDRINUSE"). */
  static async listen(address: Uint8Array, mode: () => string): Promise<LockName | string> {
    const libc = libcOrNothing();
    if (libc === undefined) return "ENOSYS";
    const fd = openSocket(libc);
    if (fd < 0) return errnoName(-fd);
    const bound = libc.bind(fd, address);
    if (bound < 0) {
      await libc.closeOnThread(fd);
      return errnoName(-bound);
    }
    const name = new LockName(mode);
    const failure = await name.#open(fd);
    return failure ?? name;
  }

  private constructor(mode: () => string) {
    this.#server = createServer((socket) => {
      // Strangers must not use up the connections of agents.
      if (!isTrusted(credentialsOf(fdOf(socket)))) return void socket.on("error", () => {}).destroy();
      this.#connections.add(socket);
      socket
        .unref()
        .on("error", () => {})
        .on("close", () => this.#connections.delete(socket));
      socket.resume();
      // Kept open: when it ends, the lock is free for the one that waits.
      socket.write(`${GREETING}${mode()}\n`);
    });
    this.#server.maxConnections = CONNECTIONS;
  }

  /** Frees the name first, and then closes the connections of those who wait. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #open(fd: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      this.#server.listen({ fd }, () => {
        this.#server.removeAllListeners("error").on("error", () => {});
        this.#server.unref();
        resolve(undefined);
      });
    });
  }
}

/**
 * Who has a name. Takes up to 2 s, for a holder that may be an agent and does not speak.
 *
 * @param known its mode, where that need not be asked for
 */
export async function findNameHolder(address: Uint8Array, known?: string): Promise<NameHolder | undefined> {
  const libc = libcOrNothing();
  if (libc === undefined) return undefined;
  const fd = openSocket(libc);
  if (fd < 0) return UNSEEN;
  try {
    const connected = libc.connect(fd, address);
    if (connected === -ECONNREFUSED) return (await isBound(libc, address)) ? UNSEEN : undefined;
    // Too many wait to be accepted: EAGAIN.
    if (connected < 0) return UNSEEN;
    // The kernel knows the listener's process at once, whether that one accepts the connection or not.
    const peer = credentialsOf(fd);
    if (peer === undefined) return UNSEEN;
    const { pid } = peer;
    const stranger: NameHolder = { kind: "stranger", pid, mode: undefined, isStopped: false };
    if (!isTrusted(peer)) return stranger;
    const may = await mayWriteRules(pid);
    if (may === "no") return stranger;
    const stopped = await isStopped(pid);
    const said = stopped || known !== undefined ? "" : await readGreeting(libc, fd);
    const [, mode] = /^sluice agent, mode ([a-z]{1,20})\n/.exec(said) ?? [];
    if (mode === undefined && said !== "") return stranger;
    return { kind: may === "yes" ? "agent" : "perhaps", pid, mode, isStopped: stopped };
  } finally {
    await libc.closeOnThread(fd);
  }
}

/** The holder's greeting; "" if none comes in time. A holder with too many connections closes this one without a greeting. */
async function readGreeting(libc: Libc, fd: number): Promise<string> {
  const end = performance.now() + GREETING_MS;
  const buffer = new Uint8Array(LONGEST_GREETING);
  let said = "";
  while (!said.includes("\n") && said.length < LONGEST_GREETING) {
    const length = libc.recv(fd, buffer, 0);
    if (length > 0) said += Buffer.from(buffer.subarray(0, length)).toString("latin1");
    else if (length !== -EAGAIN || !(await waitReadable(libc, fd, end - performance.now()))) break;
  }
  return said;
}

function waitReadable(libc: Libc, fd: number, milliseconds: number): Promise<boolean> {
  if (milliseconds <= 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    const finish = (readable: boolean): void => {
      clearTimeout(timer);
      watch.stop();
      resolve(readable);
    };
    const watch = libc.whenReadable(fd, () => finish(true));
    const timer = setTimeout(() => finish(false), milliseconds);
  });
}

/** Nobody listens: is the name bound nevertheless? */
async function isBound(libc: Libc, address: Uint8Array): Promise<boolean> {
  const fd = openSocket(libc);
  if (fd < 0) return true;
  const bound = libc.bind(fd, address);
  await libc.closeOnThread(fd);
  return bound === -EADDRINUSE;
}

/** Who listens at the other end (unix(7), SO_PEERCRED); in PID and user namespaces of ours. */
function credentialsOf(fd: number): { readonly pid: number; readonly uid: number } | undefined {
  const credentials = new Int32Array(3);
  if (fd < 0 || loadLibc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, new Uint8Array(credentials.buffer)) < 0) {
    return undefined;
  }
  const [pid = 0, uid = 0] = credentials;
  return { pid, uid };
}

function isTrusted(peer: { readonly uid: number } | undefined): boolean {
  return peer !== undefined && (peer.uid === 0 || peer.uid === process.getuid?.());
}

function fdOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1;
}

/** Without libc no rules can be written either, and the agent's start reports that. */
function libcOrNothing(): Libc | undefined {
  try {
    return loadLibc();
  } catch {
    return undefined;
  }
}

function openSocket(libc: Libc): number {
  return libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

function addressOf(length: number): Uint8Array {
  const address = new Uint8Array(2 + length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(new TextEncoder().encode(NAME), 3);
  return address;
}
