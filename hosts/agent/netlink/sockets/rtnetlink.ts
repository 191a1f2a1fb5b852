// Dumps of rtnetlink: addresses, routing rules.

import { AttributeWriter } from "../messages/attributes.ts";
import type { Message } from "../messages/messages.ts";
import * as uapi from "../messages/uapi.ts";
import { type DumpEnd, requestDump } from "./requests.ts";
import type { NetlinkSocket } from "./socket.ts";

/**
 * All objects of every family that a request of that type gets. `header`: bytes of what follows nlmsghdr, such as struct
 * ifaddrmsg. `take` as in `requestDump`. `socket`: of NETLINK_ROUTE.
 *
 * @throws {NetlinkError} not permitted, or no answer
 */
export function dumpRtnetlink(
  socket: NetlinkSocket,
  type: number,
  header: number,
  take: (message: Message) => boolean,
): Promise<DumpEnd> {
  const sequence = socket.nextSequence();
  const writer = new AttributeWriter(64);
  writer.skip(uapi.NLMSG_HEADER + header); // all zero: every family
  writer.setU32(0, writer.length);
  writer.setU16(4, type);
  writer.setU16(6, uapi.NLM_F_REQUEST | uapi.NLM_F_DUMP);
  writer.setU32(8, sequence);
  return requestDump(socket, writer.bytes(), sequence, take);
}
