// A netlink socket (NETLINK_NETFILTER by default) for an event loop: it never waits inside a system call on the main thread.
//
// The kernel does the whole work of a request inside send(): a batch is committed, and its answers are queued, before
// send() returns. That may take seconds for a big batch, also for a small one while somebody else's transaction holds
// the commit mutex, and 10–25 ms for a refused one (an RCU grace period). Therefore send() runs on a thread of libuv's
// pool; the hop costs about 0.012 ms, and 0.15 ms of processor time when both processors have to be woken up for it.
// Answers are then read without waiting. (Only what takes no lock is sent on the main thread: `sendNow`.)
import { viewOf } from "../messages/attributes.ts";
import {
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  EINTR,
  ENOBUFS,
  EPERM,
  EPROTONOSUPPORT,
  NetlinkError,
} from "../messages/errno.ts";
import * as uapi from "../messages/uapi.ts";
import { type Libc, loadLibc, type Watch } from "./libc.ts";

export interface NetlinkSocketOptions {
  /** NETLINK_… (NETLINK_NETFILTER). */
  readonly protocol?: number;
  /** Bytes wanted for one batch. The kernel gives less to whoever lacks CAP_NET_ADMIN in the initial user namespace. */
  readonly sendBuffer?: number;
  /** Bytes wanted for queued answers; each small one counts about 800 of them. */
  readonly receiveBuffer?: number;
  /** Multicast groups to join (NFNLGRP_…, RTNLGRP_…). */
  readonly groups?: readonly number[];
  /** For tests. */
  readonly libc?: Libc;
}

export type Received =
  /** One datagram. A view that the next receive overwrites. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** Nothing is queued. */
  | { readonly kind: "empty" }
  /** The kernel had to drop answers; what else is queued can still be read. */
  | { readonly kind: "overrun" };

const EMPTY: Received = { kind: "empty" };
const OVERRUN: Received = { kind: "overrun" };

const DEFAULT_SEND_BUFFER = 64 << 20;
const DEFAULT_RECEIVE_BUFFER = 8 << 20;
/** Dumps come in parts of up to 32 KiB, and the kernel makes them as big as what it was asked for before. */
const DATAGRAM = 64 << 10;
/** netlink_sendmsg refuses what is longer than the send buffer less this. */
const SEND_OVERHEAD = 32;

export class NetlinkSocket {
  /** Longest batch that the kernel takes from this socket, in bytes; anything longer is EMSGSIZE. */
  readonly sendLimit: number;
  /** As the kernel counts it: twice what was asked for, with its own overhead inside. */
  readonly receiveBuffer: number;
  /** Our address. Notifications about our own changes carry it. */
  readonly portId: number;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #datagram = new Uint8Array(new ArrayBuffer(DATAGRAM));
  #last: Promise<unknown> = Promise.resolve();
  #sequence = 0;
  #closed = false;
  readonly #waiting = new Set<() => void>();

  private constructor(libc: Libc, fd: number, options: NetlinkSocketOptions) {
    this.#libc = libc;
    this.#fd = fd;
    const { sendBuffer = DEFAULT_SEND_BUFFER, receiveBuffer = DEFAULT_RECEIVE_BUFFER } = options;
    this.sendLimit = this.#size(uapi.SO_SNDBUF, uapi.SO_SNDBUFFORCE, sendBuffer + SEND_OVERHEAD) - SEND_OVERHEAD;
    this.receiveBuffer = this.#size(uapi.SO_RCVBUF, uapi.SO_RCVBUFFORCE, receiveBuffer);
    // NETLINK_GET_STRICT_CHK is left alone: nf_tables does not look at it.
    // Without these two, errors would carry no message, or the whole refused message back to us.
    this.#set(uapi.SOL_NETLINK, uapi.NETLINK_EXT_ACK, 1);
    this.#set(uapi.SOL_NETLINK, uapi.NETLINK_CAP_ACK, 1);

    const address = socketAddress();
    this.#check("bind", libc.bind(fd, address));
    // A socket connected to port 0 hears only the kernel: no other process can forge an acknowledgement.
    this.#check("connect", libc.connect(fd, address));
    this.#check("getsockname", libc.getsockname(fd, address));
    this.portId = viewOf(address).getUint32(4, true);
    for (const group of options.groups ?? []) {
      this.#check("join", this.#set(uapi.SOL_NETLINK, uapi.NETLINK_ADD_MEMBERSHIP, group));
    }
  }

  /**
   * @throws {UnsupportedPlatformError}
   * @throws {LibcUnavailableError}
   * @throws {NetlinkError} the kernel does not have the protocol, or refuses a group (EPERM)
   */
  static open(options: NetlinkSocketOptions = {}): NetlinkSocket {
    const libc = options.libc ?? loadLibc();
    const type = uapi.SOCK_RAW | uapi.SOCK_CLOEXEC | uapi.SOCK_NONBLOCK;
    const protocol = options.protocol ?? uapi.NETLINK_NETFILTER;
    const fd = libc.socket(uapi.AF_NETLINK, type, protocol);
    if (fd < 0) throw new NetlinkError("socket", -fd, explainSocket(-fd, protocol));
    try {
      return new NetlinkSocket(libc, fd, options);
    } catch (error) {
      void libc.closeOnThread(fd);
      throw error;
    }
  }

  /** Sequence number for a request of our own, never 0. */
  nextSequence(): number {
    this.#sequence = this.#sequence >= 0x7fffffff ? 1 : this.#sequence + 1;
    return this.#sequence;
  }

  /** Runs `work` when all earlier work of this socket is done, so that answers can be told apart. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(() => {
      if (this.#closed) throw new NetlinkError("socket", EBADF, "it is closed");
      return work();
    });
    this.#last = run.catch(() => {});
    return run;
  }

  /**
   * Sends one datagram and returns 0, or the errno with which the kernel refused to look at it. Its answers are queued
   * when this resolves. Call it inside `exclusive`. `bytes` must stay as they are until then.
   */
  async send(bytes: Uint8Array): Promise<number> {
    for (;;) {
      const sent = await this.#libc.sendOnThread(this.#fd, bytes, 0);
      if (sent >= 0) return 0;
      // Interrupted before the kernel took the datagram: netfilter's part cannot be interrupted by a signal that
      // leaves us alive.
      if (sent !== -EINTR) return -sent;
    }
  }

  /** As `send`, but on this thread: for requests that the kernel answers without waiting for a lock. */
  sendNow(bytes: Uint8Array): number {
    for (;;) {
      const sent = this.#libc.send(this.#fd, bytes, 0);
      if (sent >= 0) return 0;
      if (sent !== -EINTR) return -sent;
    }
  }

  /** One queued datagram, without waiting. */
  receive(): Received {
    for (;;) {
      const length = this.#libc.recv(this.#fd, this.#datagram, uapi.MSG_DONTWAIT | uapi.MSG_TRUNC);
      if (length !== -EINTR) return this.#received(length);
    }
  }

  /** As `receive`, on a thread: the next part of a dump is made inside recv(), and that may take 50 ms and more. */
  async receiveOnThread(): Promise<Received> {
    for (;;) {
      const length = await this.#libc.recvOnThread(this.#fd, this.#datagram, uapi.MSG_DONTWAIT | uapi.MSG_TRUNC);
      if (length !== -EINTR) return this.#received(length);
    }
  }

  /** Throws away what is queued: answers to requests that nobody waits for any more. */
  discardQueued(): void {
    while (this.receive().kind !== "empty");
  }

  /** True when something can be read, false after `milliseconds` or when the socket is closed. */
  waitReadable(milliseconds: number, keepAlive = true): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (readable: boolean): void => {
        clearTimeout(timer);
        watch.stop();
        this.#waiting.delete(cancel);
        resolve(readable);
      };
      const cancel = (): void => finish(false);
      const watch: Watch = this.#libc.whenReadable(this.#fd, () => finish(true));
      const timer = Number.isFinite(milliseconds) ? setTimeout(cancel, milliseconds) : undefined;
      if (!keepAlive) {
        watch.unref();
        timer?.unref();
      }
      this.#waiting.add(cancel);
    });
  }

  /** Waits for running work. Further work is refused. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const cancel of [...this.#waiting]) cancel();
    await this.#last;
    await this.#libc.closeOnThread(this.#fd);
  }

  #received(length: number): Received {
    if (length === -EAGAIN) return EMPTY;
    if (length === -ENOBUFS) return OVERRUN;
    if (length < 0) throw new NetlinkError("recv", -length);
    // The datagram was cut off: the rest is lost, as if the kernel had dropped it.
    if (length > this.#datagram.length) return OVERRUN;
    return { kind: "data", bytes: this.#datagram.subarray(0, length) };
  }

  /** Asks for `wanted` bytes with privilege, or for as much as anybody may have; returns what the kernel gave. */
  #size(option: number, force: number, wanted: number): number {
    // The kernel doubles the value, for its own overhead.
    const half = Math.ceil(wanted / 2);
    if (this.#set(uapi.SOL_SOCKET, force, half) < 0) this.#set(uapi.SOL_SOCKET, option, half);
    const value = new Uint8Array(4);
    this.#check("getsockopt", this.#libc.getsockopt(this.#fd, uapi.SOL_SOCKET, option, value));
    return viewOf(value).getInt32(0, true);
  }

  #set(level: number, option: number, value: number): number {
    return this.#libc.setsockopt(this.#fd, level, option, new Uint8Array(new Int32Array([value]).buffer));
  }

  #check(operation: string, result: number): void {
    if (result < 0) throw new NetlinkError(operation, -result, result === -EPERM ? "needs CAP_NET_ADMIN" : "");
  }
}

/** struct sockaddr_nl: family, padding, port id (0: the kernel, or one of its choice), groups. */
function socketAddress(): Uint8Array {
  const address = new Uint8Array(12);
  viewOf(address).setUint16(0, uapi.AF_NETLINK, true);
  return address;
}

function explainSocket(errno: number, protocol: number): string {
  if (errno === EPROTONOSUPPORT && protocol === uapi.NETLINK_NETFILTER) {
    return "the kernel has no nfnetlink; load the module nfnetlink (CONFIG_NETFILTER_NETLINK)";
  }
  if (errno === EAFNOSUPPORT) return "netlink is not available here; a sandbox may forbid it";
  return "";
}
