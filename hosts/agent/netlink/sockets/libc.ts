// The few functions of libc that a netlink socket needs. Node has no AF_NETLINK of its own; koffi calls libc.
import { createRequire } from "node:module";
import { checkPlatform } from "./platform.ts";

/**
 * Each call returns what libc returns, or the negative errno (-11 for EAGAIN). errno belongs to a thread, so a caller could not
 * ask for it later.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  /** Fills `address`; returns 0. */
  getsockname(fd: number, address: Uint8Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  /** Fills `value`; returns 0. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  /** As `getsockopt`, on a thread of libuv's pool, for what takes the kernel long. `value` must not be touched until it resolves. */
  getsockoptOnThread(fd: number, level: number, option: number, value: Uint8Array): Promise<number>;
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  /** As `recv`, on a thread of libuv's pool. `buffer` must not be touched until it resolves. */
  recvOnThread(fd: number, buffer: Uint8Array, flags: number): Promise<number>;
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /** On a thread of libuv's pool. `bytes` must not change, nor its memory go away, until it resolves. */
  sendOnThread(fd: number, bytes: Uint8Array, flags: number): Promise<number>;
  /** On a thread of libuv's pool: the kernel may make the close of a netfilter socket wait for an RCU grace period. */
  closeOnThread(fd: number): Promise<number>;
  /** Calls `readable` once, when the socket has something to read (an error too). */
  whenReadable(fd: number, readable: () => void): Watch;
}

export interface Watch {
  /** Must be called before the socket is closed; afterwards `readable` is not called any more. */
  stop(): void;
  /** Does not keep the process alive. */
  unref(): void;
}

/** koffi or libc could not be loaded: the installation is incomplete, or the system is not what we know. */
export class LibcUnavailableError extends Error {
  override readonly name = "LibcUnavailableError";
}

type Koffi = typeof import("koffi");

/** glibc, then musl, by the names of their files. */
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

let loaded: Libc | undefined;

/**
 * Loads libc once. koffi is loaded here and not on import, so that programs which never write to a kernel don't need it.
 *
 * @throws {UnsupportedPlatformError}
 * @throws {LibcUnavailableError}
 */
export function loadLibc(): Libc {
  if (loaded === undefined) {
    checkPlatform();
    const koffi = loadKoffi();
    loaded = bindLibc(koffi, openLibrary(koffi, LIBRARIES));
  }
  return loaded;
}

function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch (error) {
    throw new LibcUnavailableError(
      `koffi could not be loaded (${firstLine(error)}); install it with its optional package @koromix/koffi-linux-${process.arch}`,
      { cause: error },
    );
  }
}

/** Exported for its test. */
export function openLibrary(koffi: Pick<Koffi, "load">, names: readonly string[]): ReturnType<Koffi["load"]> {
  const failures: string[] = [];
  for (const name of names) {
    try {
      return koffi.load(name);
    } catch (error) {
      failures.push(`${name}: ${firstLine(error)}`);
    }
  }
  throw new LibcUnavailableError(`no C library could be loaded (${failures.join("; ")})`);
}

function bindLibc(koffi: Koffi, library: ReturnType<Koffi["load"]>): Libc {
  const socket = library.func("int socket(int, int, int)");
  const bind = library.func("int bind(int, const void *, uint32_t)");
  const connect = library.func("int connect(int, const void *, uint32_t)");
  const getsockname = library.func("int getsockname(int, void *, void *)");
  const setsockopt = library.func("int setsockopt(int, int, int, const void *, uint32_t)");
  const getsockopt = library.func("int getsockopt(int, int, int, void *, void *)");
  // ssize_t is intptr_t: koffi does not know the name.
  const recv = library.func("intptr_t recv(int, void *, size_t, int)");
  const send = library.func("intptr_t send(int, const void *, size_t, int)");
  const close = library.func("int close(int)");

  const result = (value: number): number => (value < 0 ? -koffi.errno() : value);
  // What a worker thread reads or writes must not be collected meanwhile, whatever the caller forgets.
  const inUse = new Set<Uint8Array>();
  const onThread = (call: typeof send, ...args: readonly (number | Uint8Array)[]): Promise<number> =>
    new Promise((resolve, reject) => {
      const buffers = args.filter((each) => typeof each !== "number");
      // koffi gives the callback the thread's errno (since 3.2.0).
      const done = (error: Error | null, value: number): void => {
        for (const each of buffers) inUse.delete(each);
        if (error !== null) reject(error);
        else resolve(result(value));
      };
      for (const each of buffers) inUse.add(each);
      call.async(...args, done);
    });
  const length = (bytes: Uint8Array): Uint8Array => new Uint8Array(new Uint32Array([bytes.length]).buffer);

  return {
    socket: (domain, type, protocol) => result(socket(domain, type, protocol)),
    bind: (fd, address) => result(bind(fd, address, address.length)),
    connect: (fd, address) => result(connect(fd, address, address.length)),
    getsockname: (fd, address) => result(getsockname(fd, address, length(address))),
    setsockopt: (fd, level, option, value) => result(setsockopt(fd, level, option, value, value.length)),
    getsockopt: (fd, level, option, value) => result(getsockopt(fd, level, option, value, length(value))),
    getsockoptOnThread: (fd, level, option, value) => onThread(getsockopt, fd, level, option, value, length(value)),
    recv: (fd, buffer, flags) => result(recv(fd, buffer, buffer.length, flags)),
    recvOnThread: (fd, buffer, flags) => onThread(recv, fd, buffer, buffer.length, flags),
    send: (fd, bytes, flags) => result(send(fd, bytes, bytes.length, flags)),
    sendOnThread: (fd, bytes, flags) => onThread(send, fd, bytes, bytes.length, flags),
    closeOnThread: (fd) => onThread(close, fd),
    whenReadable: (fd, readable) => watch(koffi, fd, readable),
  };
}

function watch(koffi: Koffi, fd: number, readable: () => void): Watch {
  let stopped = false;
  const handle = koffi.node.poll(fd, { readable: true }, () => {
    // uv_poll is level-triggered, and koffi calls us outside of any callback scope, where promises would not run on:
    // so stop, and go on from a scope of Node's.
    handle.stop();
    setImmediate(() => {
      if (stopped) return;
      stop();
      readable();
    });
  });
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    handle.close();
  };
  return { stop, unref: () => handle.unref() };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? text;
}
