import { setTimeout as sleep } from "node:timers/promises";
import * as assert from "uvu/assert";
import { sendBatch } from "../batches/batch.ts";
import { NLM_F_ACK, NLM_F_CREATE } from "../messages/uapi.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { backend, batch, load, replace, stock, TABLE } from "../testing/flat.ts";
import { inNamespaces } from "../testing/namespace.ts";
import { nft } from "../testing/nft.ts";
import { GenerationWatch, readGeneration } from "./generation.ts";
import { type RulesetChange, RulesetMonitor } from "./monitor.ts";

inNamespaces(import.meta.url, ["root", "user"], (test) => {
  let socket: NetlinkSocket;
  test.before.each(async () => {
    nft("flush ruleset");
    socket = NetlinkSocket.open();
    await sendBatch(socket, stock());
    await sendBatch(socket, load(10, 10));
  });
  test.after.each(() => socket.close());

  test("somebody else's commit is noticed among our own", async () => {
    const watch = new GenerationWatch(socket, await readGeneration(socket));
    assert.is((await watch.check()).foreign, 0);
    for (let n = 0; n < 3; n++) {
      await sendBatch(socket, replace(n, 1000 + n, 100));
      watch.ownCommit();
    }
    assert.is((await watch.check()).foreign, 0);
    await sendBatch(socket, replace(5, 1, 200));
    watch.ownCommit();
    nft("add table ip foreign");
    assert.is((await watch.check()).foreign, 1);
    assert.is((await watch.check()).foreign, 0);
  });

  test("refused batches and batches that change nothing make no generation", async () => {
    const before = await readGeneration(socket);
    const refused = batch();
    refused.deleteChain("nowhere", NLM_F_ACK);
    assert.is((await sendBatch(socket, refused.end())).outcome, "refused");
    const idle = batch();
    idle.addElements("backends", [backend(1, 0, 10)], NLM_F_CREATE | NLM_F_ACK);
    assert.is((await sendBatch(socket, idle.end())).outcome, "acknowledged");
    assert.is(await readGeneration(socket), before);
  });

  test("a monitor tells who changed which table", async () => {
    const monitor = RulesetMonitor.open();
    const changes: RulesetChange[] = [];
    monitor.start((change) => changes.push(change));
    await sendBatch(socket, replace(1, 2, 100));
    nft("add table ip foreign\nadd chain ip foreign a\nadd table ip6 flat");
    for (let n = 0; n < 100 && changes.length < 2; n++) await sleep(5);
    await monitor.close();
    assert.is(changes.length, 2);
    const [own, foreign] = changes;
    assert.is(own?.portId, socket.portId);
    assert.type(own?.threadId, "number");
    assert.equal(own?.tables, [TABLE]);
    assert.is(foreign?.processName, "nft");
    assert.equal(foreign?.tables, [
      { family: 2, table: "foreign" },
      { family: 10, table: "flat" },
    ]);
    assert.is(foreign?.generation, await readGeneration(socket));
  });

  test("a monitor that cannot keep up says that notifications were lost", async () => {
    const monitor = RulesetMonitor.open({ receiveBuffer: 4096 });
    await sendBatch(socket, load(500, 10, 1000, 100));
    await monitor.waitForChange(1000);
    const changes = monitor.take();
    assert.is(
      changes.some(({ overrun }) => overrun),
      true,
    );
    await monitor.close();
  });

  test("what a look and a listener cost", async () => {
    const times: number[] = [];
    for (let n = 0; n < 1000; n++) {
      const start = performance.now();
      await readGeneration(socket);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const loads: number[] = [];
    for (const listen of [false, true]) {
      nft("flush ruleset");
      await sendBatch(socket, stock());
      const monitor = listen ? RulesetMonitor.open({ receiveBuffer: 1 << 20 }) : undefined;
      const parts = Array.from({ length: 100 }, (_, part) => load(100, 10, 1, part * 100));
      const start = performance.now();
      for (const part of parts) {
        await sendBatch(socket, part);
        monitor?.take();
      }
      loads.push(performance.now() - start);
      await monitor?.close();
    }
    const [alone = 0, heard = 0] = loads;
    console.log(
      `generation read: median ${times[500]?.toFixed(3)} ms; load of 100,000 elements ${alone.toFixed(0)} ms, with a listener ${heard.toFixed(0)} ms`,
    );
  });
});
