// A kernel that answers what a test wants: each datagram sent gives a list of datagrams to receive.

import { AttributeWriter, viewOf } from "../messages/attributes.ts";
import { EAGAIN } from "../messages/errno.ts";
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ERROR } from "../messages/uapi.ts";
import type { Libc } from "../sockets/libc.ts";

/** A datagram, or an errno that recv() answers with. */
export type FakeAnswer = Uint8Array | number;

export interface FakeLibc extends Libc {
  readonly sent: Uint8Array[];
  /** Queues answers that nobody asked for. */
  push(...answers: FakeAnswer[]): void;
}

/** @param send answers to the n-th datagram, or the negative errno that send() returns */
export function fakeLibc(send: (n: number, bytes: Uint8Array) => readonly FakeAnswer[] | number): FakeLibc {
  const queue: FakeAnswer[] = [];
  const sent: Uint8Array[] = [];
  const recv = (buffer: Uint8Array): number => {
    const next = queue.shift();
    if (next === undefined) return -EAGAIN;
    if (typeof next === "number") return -next;
    buffer.set(next);
    return next.length;
  };
  const take = (bytes: Uint8Array): number => {
    sent.push(bytes.slice());
    const answers = send(sent.length, bytes);
    if (typeof answers === "number") return answers;
    queue.push(...answers);
    return bytes.length;
  };
  return {
    sent,
    push: (...answers) => void queue.push(...answers),
    socket: () => 3,
    bind: () => 0,
    connect: () => 0,
    getsockname: () => 0,
    setsockopt: () => 0,
    getsockopt: (_fd, _level, _option, value) => {
      viewOf(value).setInt32(0, 1 << 20, true);
      return 0;
    },
    getsockoptOnThread: async () => 0,
    recv: (_fd, buffer) => recv(buffer),
    recvOnThread: async (_fd, buffer) => recv(buffer),
    send: (_fd, bytes) => take(bytes),
    sendOnThread: async (_fd, bytes) => take(bytes),
    closeOnThread: async () => 0,
    whenReadable: (_fd, readable) => {
      let timer: NodeJS.Timeout;
      const look = (): void => {
        if (queue.length > 0) readable();
        else timer = setTimeout(look, 1);
      };
      timer = setTimeout(look, 1);
      return { stop: () => clearTimeout(timer), unref: () => timer.unref() };
    },
  };
}

/** NLMSG_ERROR for a sequence number, with the extended part that `content` writes. */
export function acknowledgement(
  sequence: number,
  errno = 0,
  content: (writer: AttributeWriter) => void = () => {},
): Uint8Array {
  const writer = new AttributeWriter();
  writer.skip(36);
  content(writer);
  writer.setU32(0, writer.length);
  writer.setU16(4, NLMSG_ERROR);
  writer.setU16(6, NLM_F_CAPPED | NLM_F_ACK_TLVS);
  writer.setU32(16, -errno >>> 0);
  writer.setU32(20, 1000);
  writer.setU32(28, sequence);
  return writer.bytes();
}
