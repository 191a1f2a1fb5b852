// The engine's batches in a real kernel, by netlink: written, refused, read back, and touched by others.
import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { families } from "../../../../fixtures/support/engine.ts";
import { makeEngine, makeService, makeSlice, put, remove } from "../../../../fixtures/support/engine-tests.ts";
import type { ServiceName } from "../../../shared/contract.ts";
import type { EngineInstance } from "../../../shared/engine.ts";
import { EPROTONOSUPPORT } from "../../netlink/messages/errno.ts";
import { readGeneration } from "../../netlink/ruleset/generation.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { fakeLibc } from "../../netlink/testing/fake-libc.ts";
import { inNamespaces } from "../../netlink/testing/namespace.ts";
import { nft } from "../../netlink/testing/nft.ts";
import type { WriteResult } from "../writer.ts";
import { type NetlinkMode, NetlinkWriter, openNetlinkWriter } from "./netlink-writer.ts";

const web = makeService("shop/web", { ip: "10.96.0.12,fd00::12" });
const webIPv4 = makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2"]);
const webIPv6 = makeSlice("shop/web-2", "web", ["fd00:1::1"]);
const database = makeService("shop/database", { ip: "10.96.0.13", sessionAffinity: "ClientIP" });
const databaseIPv4 = makeSlice("shop/database-1", "database", ["10.0.0.3", "10.0.0.4"]);
const TABLES = { flat: "sluice", nftables: "kube-proxy" };

function newEngine(mode: NetlinkMode): EngineInstance {
  const engine = makeEngine(mode) as EngineInstance;
  put(engine, web, webIPv4, webIPv6, database, databaseIPv4);
  engine.setEncoding("netlink");
  return engine;
}

async function open(mode: NetlinkMode): Promise<NetlinkWriter> {
  const opened = await openNetlinkWriter(mode);
  if (opened.outcome !== "opened") throw new Error(opened.message);
  return opened.writer;
}

/** Writes what the engine plans, up to the first batch that does not get in. */
async function writePlan(
  engine: EngineInstance,
  writer: NetlinkWriter,
  now = 0,
): Promise<WriteResult & { leftOut?: ServiceName[] }> {
  for (const batch of engine.plan(now)) {
    const result = await writer.write(batch);
    if (result.outcome === "refused") {
      return { ...result, leftOut: engine.refused(batch.id, result.sequences, now) };
    }
    if (result.outcome === "unknown") {
      engine.failed(batch.id, now);
      return result;
    }
    engine.committed(batch.id, now);
  }
  return { outcome: "written" };
}

async function dumped(writer: NetlinkWriter, family: (typeof families)[number]): Promise<readonly Uint8Array[]> {
  const dump = await writer.dump(family);
  if (dump.outcome !== "dumped") throw new Error(JSON.stringify(dump));
  return dump.pieces;
}

function listing(): string {
  return spawnSync("nft", ["-s", "list", "ruleset"], { encoding: "utf8" }).stdout;
}

inNamespaces(import.meta.url, ["root", "user"], (test, kind) => {
  test.before.each(() => nft("flush ruleset"));

  for (const mode of ["flat", "nftables"] as const) {
    const table = TABLES[mode];

    test(`${mode}: what is written is there, and read back it leaves nothing to write`, async () => {
      const writer = await open(mode);
      assert.is((await dumped(writer, "ipv4")).length, 0, "no table: an empty dump");
      assert.equal(await writePlan(newEngine(mode), writer), { outcome: "written" });
      assert.match(listing(), `table ip6 ${table}`);
      assert.match(listing(), "10.96.0.13 . tcp . 80");
      const restarted = newEngine(mode);
      for (const family of families) {
        assert.equal(restarted.reconcile(family, await dumped(writer, family), 0), []);
      }
      assert.equal(restarted.plan(1), []);
      await writer.close();
    });

    test(`${mode}: a refused batch changes nothing, and names its messages`, async () => {
      const writer = await open(mode);
      const engine = newEngine(mode);
      await writePlan(engine, writer);
      nft(`delete element ip ${table} cluster-ips { 10.96.0.12 }`);
      const before = listing();
      remove(engine, web);
      const result = await writePlan(engine, writer, 10_000);
      if (result.outcome !== "refused") throw new Error(JSON.stringify(result));
      assert.match(result.message, new RegExp(`delete elements of the set ip ${table} cluster-ips: ENOENT.*reconcile`));
      assert.is(result.sequences.length, 1);
      assert.is(result.transient, false);
      assert.is(listing(), before);
      await writer.close();
    });

    test(`${mode}: our own commits leave it untouched, somebody else's ask for a dump of each family`, async () => {
      const writer = await open(mode);
      const engine = newEngine(mode);
      assert.is(await writer.intactness("ipv4"), "perhaps-touched", "nobody has looked yet");
      for (const family of families) await writer.dump(family);
      await writePlan(engine, writer);
      put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
      await writePlan(engine, writer, 10_000);
      for (const family of families) assert.is(await writer.intactness(family), "untouched");
      nft(`flush chain ip ${table} services`);
      put(engine, webIPv4);
      assert.equal(await writePlan(engine, writer, 20_000), { outcome: "written" });
      for (const family of families) assert.is(await writer.intactness(family), "perhaps-touched");
      await writer.dump("ipv4");
      assert.is(await writer.intactness("ipv4"), "untouched");
      assert.is(await writer.intactness("ipv6"), "perhaps-touched");
      await writer.close();
    });

    test(`${mode}: a dump while batches are written takes none of them for somebody else's`, async () => {
      const writer = await open(mode);
      const engine = newEngine(mode);
      await writePlan(engine, writer);
      for (const family of families) await writer.dump(family);
      const dumps = [writer.dump("ipv4"), writer.dump("ipv6"), writer.intactness("ipv4")];
      for (let turn = 1; turn <= 20; turn++) {
        put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1", `10.0.0.${100 + turn}`]));
        assert.equal(await writePlan(engine, writer, turn * 10_000), { outcome: "written" });
      }
      await Promise.all(dumps);
      for (const family of families) assert.is(await writer.intactness(family), "untouched");
      await writer.close();
    });

    test(`${mode}: cleanup removes both tables and no others, also when there are none`, async () => {
      nft("add table ip mine; add chain ip mine c");
      const writer = await open(mode);
      await writePlan(newEngine(mode), writer);
      await writer.cleanup();
      assert.is(listing(), "table ip mine {\n\tchain c {\n\t}\n}\n");
      await writer.cleanup();
      assert.is(listing(), "table ip mine {\n\tchain c {\n\t}\n}\n");
      await writer.close();
    });
  }

  for (const mode of ["flat", "nftables"] as const) {
    test(`${mode}: a Service that the kernel refuses is named and left out, and the others go in`, async () => {
      const writer = await open(mode);
      const engine = newEngine(mode);
      await writePlan(engine, writer);
      // Somebody has put something of theirs under the node port that the next Service will have.
      nft(`add element ip ${TABLES[mode]} service-nodeports { tcp . 30099 : drop }`);
      put(
        engine,
        makeService("shop/clash", { ip: "10.96.0.20", type: "NodePort", ports: [{ port: 80, nodePort: 30099 }] }),
        makeSlice("shop/clash-1", "clash", ["10.0.0.7"]),
        makeService("shop/other", { ip: "10.96.0.21" }),
        makeSlice("shop/other-1", "other", ["10.0.0.8"]),
      );
      const result = await writePlan(engine, writer, 10_000);
      if (result.outcome !== "refused") throw new Error(JSON.stringify(result));
      assert.match(result.message, "add elements to the set ip");
      assert.equal(result.leftOut, [{ namespace: "shop", name: "clash" }]);
      assert.equal(await writePlan(engine, writer, 20_000), { outcome: "written" });
      assert.match(listing(), "10.96.0.21 . tcp . 80");
      assert.not.match(listing(), "10.96.0.20 . tcp . 80");
      nft(`delete element ip ${TABLES[mode]} service-nodeports { tcp . 30099 }`);
      engine.retry();
      assert.equal(await writePlan(engine, writer, 30_000), { outcome: "written" });
      assert.match(listing(), "10.96.0.20 . tcp . 80");
      const restarted = newEngine(mode);
      put(
        restarted,
        makeService("shop/clash", { ip: "10.96.0.20", type: "NodePort", ports: [{ port: 80, nodePort: 30099 }] }),
        makeSlice("shop/clash-1", "clash", ["10.0.0.7"]),
        makeService("shop/other", { ip: "10.96.0.21" }),
        makeSlice("shop/other-1", "other", ["10.0.0.8"]),
      );
      assert.equal(restarted.reconcile("ipv4", await dumped(writer, "ipv4"), 0), []);
      await writer.close();
    });
  }

  test("a batch that is too long is refused with the limit and the way out", async () => {
    const socket = NetlinkSocket.open({ sendBuffer: 4608 });
    const writer = new NetlinkWriter("flat", socket, await readGeneration(socket));
    const result = await writePlan(newEngine("flat"), writer);
    if (result.outcome !== "refused") throw new Error(JSON.stringify(result));
    assert.match(result.message, /a batch has \d+ bytes and the kernel takes \d+ .*wmem_max/);
    assert.equal([result.sequences, result.transient], [[], false]);
    assert.equal(writer.batchLimits, { preferred: socket.sendLimit >> 1, largest: socket.sendLimit });
    await writer.close();
  });

  test("a writer that is closed says that it does not know, and does not throw", async () => {
    const writer = await open("flat");
    await writer.close();
    const [batch] = newEngine("flat").plan(0);
    if (batch === undefined) throw new Error("no plan");
    assert.is((await writer.write(batch)).outcome, "unknown");
    assert.is((await writer.dump("ipv4")).outcome, "dumped", "a dump has a socket of its own");
    assert.is(await writer.intactness("ipv4"), "perhaps-touched");
  });

  if (kind === "root") {
    test("a kernel without nfnetlink: one message that says what to do", async () => {
      const opened = await openNetlinkWriter("flat", {
        libc: { ...fakeLibc(() => 0), socket: () => -EPROTONOSUPPORT },
      });
      assert.is(opened.outcome, "unsupported");
      assert.match(opened.outcome === "unsupported" ? opened.message : "", "load the module nfnetlink");
    });
  }
});
