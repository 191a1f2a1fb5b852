// Removes flows from conntrack, each by its original tuple and its id. If a client has made a flow anew meanwhile, it has the same
// tuple and another id, and stays. (The kernel makes the id from the flow's memory address. If the new flow got the memory of the
// old one, it is removed, and the client's next packet makes it again.)
import { readAcknowledgement } from "../netlink/messages/acknowledgement.ts";
import { AttributeWriter, readAttributes } from "../netlink/messages/attributes.ts";
import { ENOBUFS, ETIMEDOUT, NetlinkError } from "../netlink/messages/errno.ts";
import { ATTRIBUTES, readMessages, writeMessage } from "../netlink/messages/messages.ts";
import { NLA_F_NESTED, NLM_F_ACK, NLMSG_OVERRUN } from "../netlink/messages/uapi.ts";
import type { NetlinkSocket } from "../netlink/sockets/socket.ts";
import * as uapi from "./uapi.ts";

/** Flows removed at once: so many refusals fit into the smallest receive buffer. */
export const MOST_AT_ONCE = 128;
/** The kernel answers inside send(). This bounds only the wait for an answer that was lost. */
const LOST_AFTER = 1000;

/** The attributes of a dumped flow (its whole message) that name it in a removal: a copy. Undefined: it has no id. */
export function identityOf(flow: Uint8Array): Uint8Array | undefined {
  const writer = new AttributeWriter(128);
  let found = 0;
  for (const { type, payload } of readAttributes(flow, ATTRIBUTES)) {
    if (type === uapi.CTA.TUPLE_ORIG) writer.raw(type | NLA_F_NESTED, payload);
    else if (type === uapi.CTA.ID) writer.raw(type, payload);
    else continue;
    found++;
  }
  return found === 2 ? writer.bytes() : undefined;
}

/**
 * Removes up to MOST_AT_ONCE flows of a family (NFPROTO_…). Returns one errno for each: 0 when it is removed, ENOENT when
 * it was gone before.
 *
 * @throws {NetlinkError} the kernel did not look at the request, or its answers were lost
 */
export function removeFlows(
  socket: NetlinkSocket,
  family: number,
  identities: readonly Uint8Array[],
): Promise<number[]> {
  return socket.exclusive(async () => {
    socket.discardQueued();
    const writer = new AttributeWriter(identities.length * 128);
    const indices = new Map<number, number>();
    let last = 0;
    for (const [index, identity] of identities.entries()) {
      last = socket.nextSequence();
      indices.set(last, index);
      // Refusals come without being asked for; the last answer tells that all have come.
      const flags = index === identities.length - 1 ? NLM_F_ACK : 0;
      const header = { type: uapi.IPCTNL_MSG_CT_DELETE, flags, sequence: last, family };
      writeMessage(writer, header, () => writer.copy(identity));
    }
    const errno = await socket.send(writer.bytes());
    if (errno !== 0) throw new NetlinkError("send", errno);
    const errnos = identities.map(() => 0);
    for (;;) {
      const received = socket.receive();
      if (received.kind === "empty") {
        if (await socket.waitReadable(LOST_AFTER)) continue;
        throw new NetlinkError("recv", ETIMEDOUT, "no answer from the kernel");
      }
      if (received.kind === "overrun") throw lost();
      for (const message of readMessages(received.bytes)) {
        if (message.type === NLMSG_OVERRUN) throw lost();
        const answer = readAcknowledgement(message);
        const index = answer === undefined ? undefined : indices.get(answer.sequence);
        if (answer === undefined || index === undefined) continue;
        errnos[index] = answer.errno;
        if (answer.sequence === last) return errnos;
      }
    }
  });
}

function lost(): NetlinkError {
  return new NetlinkError("recv", ENOBUFS, "the kernel dropped answers");
}
