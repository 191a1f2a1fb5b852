import { test } from "uvu";
import * as assert from "uvu/assert";
import { ENOBUFS, ENOENT, EPERM, NetlinkError } from "../messages/errno.ts";
import { request } from "../messages/messages.ts";
import { NFT_MSG_GETRULE, NFT_MSG_NEWRULE, NLM_F_DUMP_INTR, NLM_F_MULTI, NLMSG_DONE } from "../messages/uapi.ts";
import { acknowledgement, type FakeAnswer, fakeLibc } from "../testing/fake-libc.ts";
import { requestDump, requestOne } from "./requests.ts";
import { NetlinkSocket } from "./socket.ts";

const message = (type: number, flags: number, sequence: number): Uint8Array =>
  request({ type, flags, sequence, family: 2 });
const rule = (sequence: number, flags = 0): Uint8Array => message(NFT_MSG_NEWRULE, NLM_F_MULTI | flags, sequence);
const done = (sequence: number): Uint8Array => request({ type: NLMSG_DONE, flags: NLM_F_MULTI, sequence, family: 0 });

async function withSocket<T>(answers: readonly FakeAnswer[], ask: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
  const socket = NetlinkSocket.open({ libc: fakeLibc(() => answers) });
  try {
    return await ask(socket);
  } finally {
    await socket.close();
  }
}

const dump = (answers: readonly FakeAnswer[]) =>
  withSocket(answers, async (socket) => {
    let count = 0;
    const end = await requestDump(socket, message(NFT_MSG_GETRULE, 0, 7), 7, () => ++count > 0);
    return { ...end, count };
  });

test("a dump ends with its NLMSG_DONE; other sequence numbers are not its own", async () => {
  const answers = [rule(6), rule(7), done(6), acknowledgement(6, ENOENT), rule(7), done(7)];
  assert.equal(await dump(answers), { interrupted: false, lost: false, errno: 0, count: 2 });
});

test("an interrupted dump, one with lost parts and a refused one are told apart", async () => {
  assert.equal(await dump([rule(7), rule(7, NLM_F_DUMP_INTR), done(7)]), {
    interrupted: true,
    lost: false,
    errno: 0,
    count: 2,
  });
  assert.equal(await dump([rule(7), ENOBUFS, done(7)]), { interrupted: false, lost: true, errno: 0, count: 1 });
  assert.equal(await dump([acknowledgement(7, ENOENT)]), { interrupted: false, lost: false, errno: ENOENT, count: 0 });
});

test("not being permitted, and no answer, are errors", async () => {
  for (const [answers, text] of [
    [[acknowledgement(7, EPERM)], "EPERM: needs CAP_NET_ADMIN"],
    [[rule(7)], "ETIMEDOUT: the dump did not go on"],
  ] as const) {
    try {
      await dump(answers);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, NetlinkError);
      assert.match((error as Error).message, text);
    }
  }
});

test("one answer, or the errno instead of it", async () => {
  const ask = (socket: NetlinkSocket) => requestOne(socket, message(NFT_MSG_GETRULE, 0, 9), 9);
  const answer = await withSocket([rule(8), ENOBUFS, rule(9)], ask);
  assert.is("message" in answer && answer.message.sequence, 9);
  assert.equal(await withSocket([acknowledgement(8, EPERM), acknowledgement(9, ENOENT)], ask), { errno: ENOENT });
});

test.run();
