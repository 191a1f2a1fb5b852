import { test } from "uvu";
import * as assert from "uvu/assert";
import { EAFNOSUPPORT, EPERM, EPROTONOSUPPORT, NetlinkError } from "../messages/errno.ts";
import { fakeLibc } from "../testing/fake-libc.ts";
import { LibcUnavailableError, openLibrary } from "./libc.ts";
import { checkPlatform, UnsupportedPlatformError } from "./platform.ts";
import { NetlinkSocket } from "./socket.ts";

test("x64 and arm64 Linux are supported; others are refused, each with its reason", () => {
  checkPlatform({ platform: "linux", arch: "x64", endianness: "LE" });
  checkPlatform({ platform: "linux", arch: "arm64", endianness: "LE" });
  for (const [host, code, message] of [
    [{ platform: "darwin", arch: "arm64", endianness: "LE" }, "not-linux", "this is darwin"],
    [{ platform: "linux", arch: "s390x", endianness: "BE" }, "big-endian", "big-endian machines (s390x)"],
    [{ platform: "linux", arch: "mipsel", endianness: "LE" }, "architecture", "Linux on mipsel"],
  ] as const) {
    try {
      checkPlatform(host);
      assert.unreachable();
    } catch (error) {
      if (!(error instanceof UnsupportedPlatformError)) throw error;
      assert.is(error.code, code);
      assert.match(error.message, message);
    }
  }
});

test("the first library that can be loaded is taken; none is an error with all reasons", () => {
  const tried: string[] = [];
  const library = {} as ReturnType<typeof openLibrary>;
  const koffi = {
    load(name: string | null) {
      tried.push(String(name));
      if (name !== "musl") throw new Error(`no ${name}\nmore`);
      return library;
    },
  };
  assert.is(openLibrary(koffi, ["glibc", "musl", "third"]), library);
  assert.equal(tried, ["glibc", "musl"]);
  assert.throws(
    () => openLibrary(koffi, ["a", "b"]),
    (error: unknown) =>
      error instanceof LibcUnavailableError && error.message === "no C library could be loaded (a: no a; b: no b)",
  );
});

test("a kernel without netlink, and a group that is not permitted, are explained", () => {
  for (const [errno, text] of [
    [EPROTONOSUPPORT, "CONFIG_NETFILTER_NETLINK"],
    [EAFNOSUPPORT, "sandbox"],
  ] as const) {
    assert.throws(
      () => NetlinkSocket.open({ libc: { ...fakeLibc(() => []), socket: () => -errno } }),
      (error: unknown) => error instanceof NetlinkError && error.errno === errno && error.message.includes(text),
    );
  }
  let closed = 0;
  const libc = {
    ...fakeLibc(() => []),
    setsockopt: (_fd: number, level: number) => (level === 270 ? -EPERM : 0),
    closeOnThread: async () => ++closed,
  };
  assert.throws(
    () => NetlinkSocket.open({ libc, groups: [7] }),
    (error: unknown) => error instanceof NetlinkError && error.message === "netlink join: EPERM: needs CAP_NET_ADMIN",
  );
  assert.is(closed, 1);
});

test("work of one socket runs in order, also after work that failed, and close waits for it", async () => {
  const socket = NetlinkSocket.open({ libc: fakeLibc(() => []) });
  const order: string[] = [];
  const work = (name: string, milliseconds: number) => async () => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    order.push(name);
    if (name === "b") throw new Error("b");
  };
  const running = [socket.exclusive(work("a", 10)), socket.exclusive(work("b", 1)), socket.exclusive(work("c", 0))];
  const settled = Promise.allSettled(running);
  await settled;
  assert.equal(order, ["a", "b", "c"]);
  const last = socket.exclusive(work("d", 5));
  await Promise.resolve();
  const closing = socket.close();
  await Promise.allSettled([last, closing]);
  assert.equal(order.length, 4);
});

test("waiting ends with the time, and with the socket", async () => {
  const socket = NetlinkSocket.open({ libc: fakeLibc(() => []) });
  assert.is(await socket.waitReadable(5), false);
  const waiting = socket.waitReadable(60_000);
  await socket.close();
  assert.is(await waiting, false);
});

test.run();
