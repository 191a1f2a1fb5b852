// sendBatch against real kernels' answers.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import {
  NFT_MSG_DELSETELEM,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFTA_CHAIN,
  NFTA_RULE,
  NFTA_SET_ELEM_LIST,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
} from "../messages/uapi.ts";
import { compare, lookup, payload } from "../probe/expressions.ts";
import { readGeneration } from "../ruleset/generation.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { backend, backendKey, batch, load, replace, stock, TABLE } from "../testing/flat.ts";
import { inNamespaces } from "../testing/namespace.ts";
import { nftList } from "../testing/nft.ts";
import { describeStalls, leastStall } from "../testing/stalls.ts";
import { type BatchError, type BatchResult, sendBatch } from "./batch.ts";

/** Milliseconds that a timer may be late. */
const LIMIT = 50;
const ACK = NLM_F_CREATE | NLM_F_ACK;

function errorsOf(result: BatchResult): readonly BatchError[] {
  if (result.outcome !== "refused") throw new Error(`${result.outcome} instead of refused`);
  return result.errors;
}

function onlyError(result: BatchResult): BatchError {
  const errors = errorsOf(result);
  assert.is(errors.length, 1, errors.map(({ message }) => message).join("\n"));
  return errors[0] as BatchError;
}

inNamespaces(import.meta.url, ["root", "user"], (test, kind) => {
  let socket: NetlinkSocket;
  test.before.each(async () => {
    socket = NetlinkSocket.open();
    spawnSync("nft", ["flush", "ruleset"]);
    assert.equal(await sendBatch(socket, stock()), { outcome: "acknowledged", acknowledgements: 1 });
  });
  test.after.each(() => socket.close());

  test("what a batch says is what nft lists", async () => {
    const bytes = batch();
    bytes.addElements("backends", [backend(1, 0, 5)]);
    bytes.addElements("service-ips", [{ key: backendKey(1, 0).subarray(0, 12), data: { goto: "lb-2" } }], ACK);
    assert.is((await sendBatch(socket, bytes.end())).outcome, "acknowledged");
    const objects = nftList("table", "ip", "flat");
    assert.equal(
      objects.flatMap(({ map }) => (map === undefined ? [] : [[map.name, (map.elem as unknown[]).length]])),
      [
        ["backends", 1],
        ["service-ips", 1],
      ],
    );
  });

  test("a rule in a chain that does not exist: ENOENT at the chain's name", async () => {
    const bytes = batch(1000);
    bytes.addElements("backends", [backend(1, 0, 5)]);
    const sequence = bytes.addRule("nowhere", [payload(0, 1, 16, 4)]);
    bytes.addElements("backends", [backend(1, 1, 5)], ACK);
    const error = onlyError(await sendBatch(socket, bytes.end()));
    assert.is(error.sequence, sequence);
    assert.is(error.name, "ENOENT");
    assert.is(error.attributePath, "NFTA_RULE_CHAIN");
    assert.is(error.attributeType, NFTA_RULE.CHAIN);
    assert.is(
      error.message.startsWith("cannot add a rule to the chain ip flat nowhere: ENOENT (at NFTA_RULE_CHAIN)"),
      true,
    );
    // Nothing of the batch is there.
    assert.is(
      nftList("map", "ip", "flat", "backends").some(({ map }) => map?.elem !== undefined),
      false,
    );
  });

  test("an element that exists with other data: EEXIST at its place in the list", async () => {
    assert.is((await sendBatch(socket, load(2, 2))).outcome, "acknowledged");
    const bytes = batch(50);
    const sequence = bytes.addElements("backends", [
      backend(7, 0, 1),
      backend(7, 1, 1),
      backend(1, 0, 99),
      backend(8, 0, 1),
    ]);
    bytes.addElements("backends", [backend(9, 0, 1)], ACK);
    const error = onlyError(await sendBatch(socket, bytes.end()));
    assert.is(error.sequence, sequence);
    assert.is(error.name, "EEXIST");
    assert.is(error.attributePath, "NFTA_SET_ELEM_LIST_ELEMENTS[2]");
    assert.match(error.message, "add elements to the set ip flat backends");
  });

  test("an element that should be deleted and is not there: ENOENT at its place", async () => {
    const bytes = batch(60);
    bytes.addElements("backends", [backend(1, 0, 1)]);
    bytes.deleteElements("backends", [{ key: backendKey(1, 0) }, { key: backendKey(1, 1) }], NLM_F_ACK);
    const error = onlyError(await sendBatch(socket, bytes.end()));
    assert.is(error.sequence, 62);
    assert.is(error.attributePath, "NFTA_SET_ELEM_LIST_ELEMENTS[1]");
    assert.match(error.message, "delete elements of the set ip flat backends");
    assert.match(error.message, "reconcile");
  });

  test("a missing set, and a rule that looks up a missing set: both are told, each with its own place", async () => {
    const bytes = batch(70);
    const elements = bytes.addElements("nothing", [backend(1, 0, 1)]);
    const rule = bytes.addRule(
      "lb-2",
      [payload(0, 1, 16, 4), compare(0, 0, new Uint8Array(4)), lookup("nothing", 0)],
      ACK | 0x800,
    );
    const errors = errorsOf(await sendBatch(socket, bytes.end()));
    assert.equal(
      errors.map(({ sequence, name, attributePath }) => [sequence, name, attributePath]),
      [
        [elements, "ENOENT", "NFTA_SET_ELEM_LIST_SET"],
        [rule, "ENOENT", "NFTA_RULE_EXPRESSIONS[2](lookup)"],
      ],
    );
  });

  test("an unknown expression, an existing object, a missing attribute, a busy chain", async () => {
    const bytes = batch(80);
    const unknown = bytes.addRule("lb-2", [
      payload(0, 1, 16, 4),
      (w) => {
        w.string(1, "nosuch");
        w.nest(2, () => {});
      },
    ]);
    const existing = bytes.addChain("lb-2", undefined, NLM_F_CREATE | NLM_F_EXCL);
    const nameless = bytes.message(NFT_MSG_NEWRULE, NLM_F_CREATE | 0x800, (w) =>
      w.string(NFTA_RULE.TABLE, TABLE.table),
    );
    const used = batch();
    used.addElements("service-ips", [{ key: backendKey(1, 0).subarray(0, 12), data: { goto: "lb-2" } }], ACK);
    assert.is((await sendBatch(socket, used.end())).outcome, "acknowledged");
    const busy = bytes.deleteChain("lb-2", NLM_F_ACK);
    const errors = errorsOf(await sendBatch(socket, bytes.end()));
    assert.match(errors[0]?.message ?? "", "this kernel lacks the expression nosuch");
    assert.equal(
      errors.map(({ sequence, name, attributePath, transient }) => [sequence, name, attributePath, transient]),
      [
        [unknown, "ENOENT", "NFTA_RULE_EXPRESSIONS[1](nosuch)", false],
        [existing, "EEXIST", "NFTA_CHAIN_NAME", false],
        [nameless, "EINVAL", undefined, false],
        [busy, "EBUSY", "NFTA_CHAIN_NAME", true],
      ],
      JSON.stringify(errors, null, 1),
    );
  });

  test("an attribute that is too short or too long is pointed to", async () => {
    const bytes = batch(90);
    bytes.message(NFT_MSG_NEWCHAIN, ACK, (w) => {
      w.string(NFTA_CHAIN.TABLE, TABLE.table);
      w.string(NFTA_CHAIN.NAME, "x".repeat(300));
    });
    const error = onlyError(await sendBatch(socket, bytes.end()));
    assert.is(error.name, "ERANGE");
    assert.is(error.attributePath, "NFTA_CHAIN_NAME");
    assert.type(error.kernelMessage, "string");
  });

  test("a dry run changes nothing, not even the generation", async () => {
    const before = await readGeneration(socket);
    const bytes = batch();
    bytes.addChain("dry", undefined, ACK);
    assert.is((await sendBatch(socket, bytes.endDryRun(), { dryRun: true })).outcome, "acknowledged");
    const wrong = batch();
    wrong.deleteChain("dry", NLM_F_ACK);
    assert.is(onlyError(await sendBatch(socket, wrong.endDryRun(), { dryRun: true })).name, "ENOENT");
    assert.is(await readGeneration(socket), before);
  });

  test("too long for the socket: nothing is sent, and what is just short enough is taken", async () => {
    const small = NetlinkSocket.open({ sendBuffer: 100_000 });
    assert.is(small.sendLimit >= 100_000 && small.sendLimit < 110_000, true, String(small.sendLimit));
    const large = load(300, 10);
    assert.equal(await sendBatch(small, large), { outcome: "too-large", bytes: large.length, limit: small.sendLimit });
    // The limit is the kernel's own: fill a batch to the last byte.
    for (const [over, outcome] of [
      [0, "acknowledged"],
      [4, "too-large"],
    ] as const) {
      const fill = batch();
      for (let n = 0; fill.endDryRun().length < small.sendLimit - 60_000; n++)
        fill.addElements("backends", [backend(n, 1, 1)]);
      // Padding inside an attribute that nf_tables does not know.
      const rest = small.sendLimit + over - fill.endDryRun().length - 20 - 20 - 12 - 8;
      fill.message(NFT_MSG_NEWCHAIN, ACK, (w) => {
        w.string(NFTA_CHAIN.TABLE, TABLE.table);
        w.string(NFTA_CHAIN.NAME, "abc");
        w.raw(0x3000, new Uint8Array(rest - 4));
      });
      const filled = fill.end();
      assert.is(filled.length, small.sendLimit + over);
      assert.is((await sendBatch(small, filled)).outcome, outcome);
    }
    await small.close();
  });

  if (kind === "user") {
    test("without privilege in the initial namespace the limit is the system's, and longer batches are refused", async () => {
      assert.is(socket.sendLimit < 8 << 20, true, String(socket.sendLimit));
      const large = load(Math.ceil(socket.sendLimit / 440) + 1, 10);
      assert.equal(await sendBatch(socket, large), {
        outcome: "too-large",
        bytes: large.length,
        limit: socket.sendLimit,
      });
      // The kernel agrees: the same bytes on the wire are EMSGSIZE.
      assert.is(await socket.exclusive(() => socket.send(large)), 90);
    });
  } else {
    test("with privilege a batch may have 64 MiB", () => assert.is(socket.sendLimit >= 64 << 20, true));

    test("300,000 elements in one batch leave the event loop free", async () => {
      const bytes = load(30_000, 10);
      const over = stockOver();
      const loaded = await leastStall(LIMIT, async () => {
        // Loading what is there already would be no work.
        await sendBatch(socket, emptied());
        return sendBatch(socket, bytes);
      });
      assert.is(loaded.result.outcome, "acknowledged");
      assert.is(loaded.stall < LIMIT, true, `stalled for ${loaded.stall} ms`);
      console.log(`300,000 elements, ${bytes.length} bytes: ${describeStalls(loaded)}`);
      const refused = await leastStall(LIMIT, () => sendBatch(socket, over));
      assert.is(refused.result.outcome, "refused");
      assert.is(refused.stall < LIMIT, true, `stalled for ${refused.stall} ms`);
    });
  }

  test("answers that do not fit into the receive buffer are known to be lost", async () => {
    const small = NetlinkSocket.open({ receiveBuffer: 4096 });
    const wrong = batch();
    for (let n = 0; n < 500; n++) wrong.deleteElements("backends", [{ key: backendKey(n, 0) }], NLM_F_ACK);
    const refused = await sendBatch(small, wrong.end());
    if (refused.outcome !== "refused") throw new Error(refused.outcome);
    assert.is(refused.complete, false);
    const right = batch();
    for (let n = 0; n < 500; n++) right.addElements("backends", [backend(n, 0, n)], ACK);
    const result = await sendBatch(small, right.end());
    assert.is(result.outcome, "unknown");
    assert.match(result.outcome === "unknown" ? result.reason : "", "the receive buffer was full");
    await small.close();
  });

  test("one endpoint replaced", async () => {
    assert.is((await sendBatch(socket, load(kind === "root" ? 2_000 : 200, 10))).outcome, "acknowledged");
    const times: number[] = [];
    for (let n = 0; n < 2000; n++) {
      const bytes = replace(n % 100, n, 1 + n * 8);
      const start = performance.now();
      const result = await sendBatch(socket, bytes);
      times.push(performance.now() - start);
      assert.is(result.outcome, "acknowledged");
    }
    times.sort((a, b) => a - b);
    const at = (part: number): number => times[Math.floor(times.length * part)] ?? 0;
    console.log(`one endpoint replaced: median ${at(0.5).toFixed(3)} ms, p99 ${at(0.99).toFixed(3)} ms`);
    assert.is(at(0.5) < 0.5, true);
  });

  test("a commit that holds the kernel's lock does not hold the event loop", async () => {
    const other = NetlinkSocket.open();
    const services = kind === "root" ? 10_000 : 500;
    const bytes = load(services, 10);
    const { stall } = await leastStall(LIMIT, async () => {
      await sendBatch(socket, emptied());
      const loading = sendBatch(other, bytes);
      await new Promise((resolve) => setTimeout(resolve, 2));
      const result = await sendBatch(socket, replaceNew());
      assert.is(result.outcome, "acknowledged");
      assert.is((await loading).outcome, "acknowledged");
    });
    await other.close();
    assert.is(stall < LIMIT, true, `stalled for ${stall} ms`);
  });

  test("a user without capability is told what is needed", () => {
    const script = fileURLToPath(new URL("../testing/without-capability.ts", import.meta.url));
    const child = spawnSync("unshare", ["--net", process.execPath, "--import", "tsx", script], { encoding: "utf8" });
    if (kind === "user") return; // the one mapped id is root
    assert.is(child.status, 0, child.stderr);
    const { send, dump, probe, monitor } = JSON.parse(child.stdout) as Record<string, string>;
    assert.match(send ?? "", /^cannot commit the batch: EPERM.*CAP_NET_ADMIN/);
    assert.match(dump ?? "", "EPERM: needs CAP_NET_ADMIN");
    assert.match(monitor ?? "", "EPERM: needs CAP_NET_ADMIN");
    assert.match(probe ?? "", "needs CAP_NET_ADMIN");
  });
});

/** Takes all backends out. */
function emptied(): Uint8Array {
  const bytes = batch();
  bytes.message(NFT_MSG_DELSETELEM, NLM_F_ACK, (w) => {
    w.string(NFTA_SET_ELEM_LIST.TABLE, TABLE.table);
    w.string(NFTA_SET_ELEM_LIST.SET, "backends");
  });
  return bytes.end();
}

/** Refused at its end, after a lot of work. */
function stockOver(): Uint8Array {
  const bytes = batch();
  for (let n = 0; n < 5000; n++) bytes.addElements("backends", [backend(40_000 + n, 0, 1)]);
  bytes.deleteChain("nowhere", NLM_F_ACK);
  return bytes.end();
}

function replaceNew(): Uint8Array {
  const bytes = batch(5_000_000);
  bytes.addElements("backends", [backend(900_000, 0, 1)], ACK);
  return bytes.end();
}
