// Requests that read from the kernel: one answer, or a dump in many parts.
import { dumpError, readAcknowledgement } from "../messages/acknowledgement.ts";
import { EPERM, ETIMEDOUT, NetlinkError } from "../messages/errno.ts";
import { type Message, readMessages } from "../messages/messages.ts";
import { NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_OVERRUN } from "../messages/uapi.ts";
import type { NetlinkSocket } from "./socket.ts";

/** The kernel answers inside send(). This bounds only the wait for an answer that was lost. */
const LOST_AFTER = 1000;

/** The kernel's answer to a request without NLM_F_DUMP. Its bytes are a copy. */
export type Answer = { readonly message: Message } | { readonly errno: number };

/**
 * @param lockFree the kernel answers this request without waiting for a lock (netfilter's NFNL_CB_RCU): no thread is needed
 * @throws {NetlinkError} not permitted, or no answer
 */
export function requestOne(
  socket: NetlinkSocket,
  request: Uint8Array,
  sequence: number,
  lockFree = false,
): Promise<Answer> {
  return socket.exclusive(async () => {
    socket.discardQueued();
    checkSent(lockFree ? socket.sendNow(request) : await socket.send(request));
    for (;;) {
      const received = socket.receive();
      if (received.kind === "empty") {
        if (!(await socket.waitReadable(LOST_AFTER)))
          throw new NetlinkError("recv", ETIMEDOUT, "no answer from the kernel");
        continue;
      }
      if (received.kind === "overrun") continue;
      for (const message of readMessages(received.bytes)) {
        const answer = readAcknowledgement(message);
        if (answer !== undefined) {
          if (answer.sequence !== sequence) continue;
          checkPermission(answer.errno);
          return { errno: answer.errno };
        }
        if (message.sequence === sequence) return { message: { ...message, bytes: message.bytes.slice() } };
      }
    }
  });
}

export interface DumpEnd {
  /** Somebody changed the ruleset meanwhile (NLM_F_DUMP_INTR): the dump may mix states of several moments. */
  readonly interrupted: boolean;
  /** Parts are missing. */
  readonly lost: boolean;
  /** 0, or with which errno the kernel ended the dump. */
  readonly errno: number;
}

/**
 * Requests a dump (NLM_F_DUMP) and hands over its messages in order, without NLMSG_DONE. Their bytes are views that are
 * valid during the call. The event loop runs between parts. When `take` returns false the rest is left unread: the socket
 * must then be closed, because the kernel keeps one dump for each socket.
 *
 * @throws {NetlinkError} not permitted, or no answer
 */
export function requestDump(
  socket: NetlinkSocket,
  request: Uint8Array,
  sequence: number,
  take: (message: Message) => boolean,
): Promise<DumpEnd> {
  return socket.exclusive(async () => {
    socket.discardQueued();
    checkSent(await socket.send(request));
    let interrupted = false;
    let lost = false;
    for (;;) {
      const received = await socket.receiveOnThread();
      if (received.kind === "empty") {
        if (!(await socket.waitReadable(LOST_AFTER)))
          throw new NetlinkError("recv", ETIMEDOUT, "the dump did not go on");
        continue;
      }
      if (received.kind === "overrun") {
        lost = true;
        continue;
      }
      for (const message of readMessages(received.bytes)) {
        if (message.type === NLMSG_OVERRUN) lost = true;
        const refusal = readAcknowledgement(message);
        if (refusal !== undefined) {
          if (refusal.sequence !== sequence) continue;
          checkPermission(refusal.errno);
          return { interrupted, lost, errno: refusal.errno };
        }
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_DONE) return { interrupted, lost, errno: dumpError(message) };
        if (!take(message)) return { interrupted, lost: true, errno: 0 };
      }
    }
  });
}

function checkSent(errno: number): void {
  if (errno !== 0) throw new NetlinkError("send", errno);
}

function checkPermission(errno: number): void {
  if (errno === EPERM) throw new NetlinkError("request", EPERM, "needs CAP_NET_ADMIN");
}
