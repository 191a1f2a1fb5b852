// Interfaces and counters of the real kernel, in a network namespace.
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import * as assert from "uvu/assert";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { watchInterfaces } from "./interfaces.ts";
import { ensureNfacct, invalidDropped, localhostAccepted, readNfacctPackets } from "./nfacct.ts";

const ip = (...args: string[]) =>
  execFileSync("ip", args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, stdio: "pipe" });

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(10);
}

inNamespaces(import.meta.url, ["root", "user"], (test, kind) => {
  test("addresses of all interfaces, also of those that are down, and each change", async () => {
    const reported: string[][] = [];
    const watch = await watchInterfaces({
      changed: (addresses) => reported.push([...addresses]),
      countsLinkLocal: () => false,
    });
    try {
      assert.equal([watch.source, watch.reason, watch.addresses], ["netlink", "", []]);
      ip("link", "set", "lo", "up");
      await until(() => reported.at(-1)?.length === 2);
      assert.equal(reported.at(-1), ["127.0.0.1", "::1"]);
      ip("link", "add", "down0", "type", "bridge");
      ip("address", "add", "192.0.2.7/24", "dev", "down0");
      ip("address", "add", "192.0.2.8/24", "dev", "down0");
      ip("-6", "address", "add", "2001:db8::1:0:0:7/64", "dev", "down0");
      ip("address", "add", "198.51.100.1", "peer", "198.51.100.2/32", "dev", "down0");
      const all = ["127.0.0.1", "192.0.2.7", "192.0.2.8", "198.51.100.1", "2001:db8::1:0:0:7", "::1"];
      await until(() => reported.at(-1)?.length === all.length);
      assert.equal(reported.at(-1), all);
      assert.equal(watch.addresses, all);
      ip("link", "delete", "down0");
      await until(() => reported.at(-1)?.length === 2);
      assert.equal(watch.addresses, ["127.0.0.1", "::1"]);
    } finally {
      await watch.close();
    }
    const before = reported.length;
    ip("address", "add", "192.0.2.9/32", "dev", "lo");
    await sleep(150);
    assert.is(reported.length, before, "after close nothing is reported");
  });

  test("the veth of a pod comes and goes and no address is read, but where rules depend on link-local ones", async () => {
    const reported: string[][] = [];
    let counts = false;
    let dumps = 0;
    const watch = await watchInterfaces({
      changed: (addresses) => reported.push([...addresses]),
      countsLinkLocal: () => counts,
      open(options) {
        const socket = NetlinkSocket.open(options);
        const send = socket.send.bind(socket);
        socket.send = (bytes) => {
          dumps++;
          return send(bytes);
        };
        return socket;
      },
    });
    const before = watch.addresses;
    const linkLocals = () => String(ip("-6", "address", "show", "scope", "link")).match(/fe80/g)?.length ?? 0;
    const pod = async () => {
      ip("link", "add", "cali1", "type", "veth", "peer", "name", "c1");
      ip("link", "set", "cali1", "up");
      ip("link", "set", "c1", "up");
      await until(() => linkLocals() === 2);
    };
    /** What is reported after this comes after all that has been before. */
    const sentinel = async (address: string) => {
      ip("address", "add", `${address}/32`, "dev", "lo");
      await until(() => reported.at(-1)?.includes(address) === true);
    };
    try {
      await pod();
      ip("link", "delete", "cali1");
      await until(() => linkLocals() === 0);
      // By then it would have read them: nothing tells that it has not.
      await sleep(150);
      await sentinel("192.0.2.12");
      assert.equal(reported, [[...before, "192.0.2.12"].sort()]);
      assert.is(dumps, 2, "at the start, and for the address on lo");
      counts = true;
      await pod();
      await until(() => reported.at(-1)?.some((address) => address.startsWith("fe80:")) === true);
      counts = false;
      await watch.check();
      assert.equal(watch.addresses, reported[0]);
    } finally {
      await watch.close();
    }
    ip("link", "delete", "cali1");
    ip("address", "delete", "192.0.2.12/32", "dev", "lo");
  });

  test("it ends at any time, also right after a change and while addresses are read", async () => {
    for (const pause of [0, 1, 5, 20, 45, 50, 51, 52, 55, 70]) {
      const watch = await watchInterfaces({ changed() {}, countsLinkLocal: () => false });
      ip("address", "add", "192.0.2.11/32", "dev", "lo");
      await sleep(pause);
      await watch.close();
      ip("address", "delete", "192.0.2.11/32", "dev", "lo");
    }
  });

  test("more addresses than fit into one part of a dump", async () => {
    ip("link", "add", "many0", "type", "bridge");
    const lines = Array.from({ length: 2000 }, (_, i) => `address add 10.9.${i >> 8}.${i & 255}/32 dev many0`);
    execFileSync("ip", ["-batch", "-"], {
      input: lines.join("\n"),
      env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
    const watch = await watchInterfaces({ changed() {}, countsLinkLocal: () => false });
    assert.is(watch.addresses.filter((address) => address.startsWith("10.9.")).length, 2000);
    await watch.close();
    ip("link", "delete", "many0");
  });

  test("without netlink the system is asked from time to time", async () => {
    const reported: string[][] = [];
    const watch = await watchInterfaces({
      changed: (addresses) => reported.push([...addresses]),
      countsLinkLocal: () => false,
      open() {
        throw new Error("no sockets today");
      },
      pollMs: 20,
    });
    try {
      assert.equal([watch.source, watch.reason], ["os", "no sockets today"]);
      assert.ok(watch.addresses.includes("127.0.0.1"));
      ip("address", "add", "192.0.2.10/32", "dev", "lo");
      await until(() => reported.length > 0);
      assert.ok(reported.at(-1)?.includes("192.0.2.10"));
    } finally {
      await watch.close();
    }
  });

  test("the nfacct objects are made once, and read", async () => {
    const socket = NetlinkSocket.open();
    try {
      assert.is(await readNfacctPackets(socket, invalidDropped), undefined);
      const both = { nfacctInvalidDropped: true, nfacctLocalhostAccepted: true, reason: "" };
      assert.equal(await ensureNfacct(socket), both);
      assert.equal(await ensureNfacct(socket), both);
      assert.is(await readNfacctPackets(socket, invalidDropped), 0n);
      assert.is(await readNfacctPackets(socket, localhostAccepted), 0n);
      if (kind === "root") {
        const listed = execFileSync("nfacct", ["list"], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
        assert.match(String(listed), invalidDropped);
      }
    } finally {
      await socket.close();
    }
  });
});
