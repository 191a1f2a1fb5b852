import { test } from "uvu";
import * as assert from "uvu/assert";
import { readAttributes } from "../messages/attributes.ts";
import { EAGAIN, EINTR, EINVAL, EMSGSIZE, ENOBUFS, ENOENT, EPERM } from "../messages/errno.ts";
import { readMessages } from "../messages/messages.ts";
import {
  NFTA_LIST_ELEM,
  NFTA_SET_ELEM,
  NFTA_SET_ELEM_LIST,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLMSGERR_ATTR_MISS_NEST,
  NLMSGERR_ATTR_MISS_TYPE,
  NLMSGERR_ATTR_MSG,
  NLMSGERR_ATTR_OFFS,
} from "../messages/uapi.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { acknowledgement, type FakeAnswer, fakeLibc } from "../testing/fake-libc.ts";
import { batch, replace, stock } from "../testing/flat.ts";
import { type BatchResult, InvalidBatchError, sendBatch } from "./batch.ts";

async function send(
  answer: (n: number, bytes: Uint8Array) => readonly FakeAnswer[] | number,
  bytes: Uint8Array,
  stray: FakeAnswer[] = [],
): Promise<BatchResult> {
  const libc = fakeLibc(answer);
  const socket = NetlinkSocket.open({ libc });
  libc.push(...stray);
  try {
    return await sendBatch(socket, bytes, { timeout: 50 });
  } finally {
    await socket.close();
  }
}

/** Sequence number of the message that asks for an answer. */
function asking(bytes: Uint8Array): number {
  return [...readMessages(bytes)].find(({ flags }) => (flags & NLM_F_ACK) !== 0)?.sequence ?? 0;
}

test("a batch is acknowledged when every message that asked has its answer", async () => {
  const bytes = stock();
  const result = await send(() => [acknowledgement(asking(bytes))], bytes);
  assert.equal(result, { outcome: "acknowledged", acknowledgements: 1 });
});

test("lost acknowledgements time out as unknown", async () => {
  const result = await send(() => [], stock());
  assert.equal(result, { outcome: "unknown", reason: "1 of 1 acknowledgements did not come within 50 ms" });
});

test("dropped answers without any refusal are unknown, with refusals the list is incomplete", async () => {
  const bytes = stock();
  const nothing = await send(() => [ENOBUFS], bytes);
  assert.is(nothing.outcome, "unknown");
  const afterDrop = await send(() => [ENOBUFS, acknowledgement(asking(bytes))], bytes);
  assert.is(afterDrop.outcome, "unknown");
  const some = await send(() => [acknowledgement(3, ENOENT), ENOBUFS], bytes);
  if (some.outcome !== "refused") throw new Error(some.outcome);
  assert.is(some.complete, false);
});

test("answers to earlier sequence numbers are ignored", async () => {
  const bytes = replace(1, 2, 500);
  const stray = [acknowledgement(499, ENOENT), acknowledgement(501, ENOENT)];
  const result = await send(() => [acknowledgement(3, ENOENT), acknowledgement(502)], bytes, stray);
  assert.equal(result, { outcome: "acknowledged", acknowledgements: 1 });
});

test("a late acknowledgement is waited for", async () => {
  const bytes = stock();
  const libc = fakeLibc(() => []);
  const socket = NetlinkSocket.open({ libc });
  const running = sendBatch(socket, bytes, { timeout: 2000 });
  setTimeout(() => libc.push(acknowledgement(asking(bytes))), 20);
  assert.is((await running).outcome, "acknowledged");
  await socket.close();
});

test("an interrupted send is repeated, EMSGSIZE tells to split, others refuse the whole batch", async () => {
  const bytes = stock();
  const again = await send((n) => (n < 3 ? -EINTR : [acknowledgement(asking(bytes))]), bytes);
  assert.is(again.outcome, "acknowledged");
  const large = await send(() => -EMSGSIZE, bytes);
  assert.equal(large, { outcome: "too-large", bytes: bytes.length, limit: (1 << 20) - 32 });
  for (const errno of [ENOBUFS, EAGAIN]) {
    const refused = await send(() => -errno, bytes);
    if (refused.outcome !== "refused") throw new Error(refused.outcome);
    assert.is(refused.errors[0]?.transient, true);
    assert.is(refused.errors[0]?.subject.kind, "batch");
  }
});

test("what the kernel says is in the message", async () => {
  const bytes = stock();
  const result = await send(() => [acknowledgement(1, EPERM, (w) => w.string(NLMSGERR_ATTR_MSG, "go away"))], bytes);
  if (result.outcome !== "refused") throw new Error(result.outcome);
  assert.match(result.errors[0]?.message ?? "", 'cannot commit the batch: EPERM (the kernel says "go away")');
  assert.match(result.errors[0]?.message ?? "", "CAP_NET_ADMIN");
});

test("the place of an error and what is missing there are decoded", async () => {
  const bytes = replace(1, 2, 100);
  const at = [...readMessages(bytes)].find(({ sequence }) => sequence === 102)?.bytes ?? new Uint8Array();
  const list = [...readAttributes(at, 20)].find(({ type }) => type === NFTA_SET_ELEM_LIST.ELEMENTS)?.offset ?? 0;
  const host = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
  const result = await send(
    () => [
      acknowledgement(102, EINVAL, (w) => {
        w.raw(NLMSGERR_ATTR_OFFS, host(list + 4));
        w.raw(NLMSGERR_ATTR_MISS_TYPE, host(NFTA_SET_ELEM.DATA));
        w.raw(NLMSGERR_ATTR_MISS_NEST, host(list + 4));
      }),
    ],
    bytes,
  );
  if (result.outcome !== "refused") throw new Error(result.outcome);
  const [error] = result.errors;
  assert.is(error?.attributeOffset, list + 4);
  assert.is(error?.attributeType, NFTA_LIST_ELEM);
  assert.is(error?.attributePath, "NFTA_SET_ELEM_LIST_ELEMENTS[0]");
  assert.is(error?.missingAttribute, "NFTA_SET_ELEM_LIST_ELEMENTS[0].DATA");
  assert.match(
    error?.message ?? "",
    "EINVAL (at NFTA_SET_ELEM_LIST_ELEMENTS[0], missing NFTA_SET_ELEM_LIST_ELEMENTS[0].DATA)",
  );
});

test("errors keep the order of messages across the wrap of sequence numbers", async () => {
  const writer = batch(0xffff_fffe);
  writer.addTable();
  writer.addChain("a");
  writer.addChain("b", undefined, NLM_F_CREATE | NLM_F_ACK);
  const result = await send(() => [acknowledgement(0, ENOENT), acknowledgement(0xffff_ffff, EPERM)], writer.end());
  if (result.outcome !== "refused") throw new Error(result.outcome);
  assert.equal(
    result.errors.map(({ sequence }) => sequence),
    [0xffff_ffff, 0],
  );
});

test("bytes that are no batch are not sent", async () => {
  const quiet = batch();
  quiet.addTable();
  const open = batch();
  open.addTable(NLM_F_CREATE | NLM_F_ACK);
  const whole = stock();
  const gap = whole.slice();
  gap[20 + 8] = 77;
  const twice = new Uint8Array(whole.length * 2);
  twice.set(whole);
  twice.set(whole, whole.length);
  for (const bytes of [quiet.end(), open.endDryRun(), gap, twice, whole.subarray(20), new Uint8Array(0)]) {
    try {
      await send(() => assert.unreachable() as never, bytes);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, InvalidBatchError);
    }
  }
});

test("batches wait for each other, and a closed socket refuses", async () => {
  const libc = fakeLibc((_n, bytes) => [acknowledgement(asking(bytes))]);
  const socket = NetlinkSocket.open({ libc });
  const results = await Promise.all([1, 100, 200].map((first) => sendBatch(socket, replace(1, 2, first))));
  assert.equal(
    results.map(({ outcome }) => outcome),
    ["acknowledged", "acknowledged", "acknowledged"],
  );
  await socket.close();
  try {
    await sendBatch(socket, stock());
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, "closed");
  }
});

test.run();
