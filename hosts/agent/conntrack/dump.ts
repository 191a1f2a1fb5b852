// Reads from conntrack the flows of one family that have to be checked. The kernel makes a dump in parts inside recv(), which runs
// on a thread. Here the messages are only gathered into pieces that the engine can take without holding up the event loop.
import type { CheckedFlows } from "../../shared/contract.ts";
import { EINVAL, EOPNOTSUPP } from "../netlink/messages/errno.ts";
import { request } from "../netlink/messages/messages.ts";
import { NLM_F_DUMP } from "../netlink/messages/uapi.ts";
import { type DumpEnd, requestDump } from "../netlink/sockets/requests.ts";
import type { NetlinkSocket } from "../netlink/sockets/socket.ts";
import * as uapi from "./uapi.ts";

/** Some 1,300 flows: about a millisecond of the engine's. */
const PIECE = 256 << 10;

export interface FlowDump extends DumpEnd {
  /** Messages that came; kernels before 5.8 send those of other protocols too, before 5.15 TCP that was answered. */
  readonly flows: number;
}

/**
 * Hands over such flows of a family (NFPROTO_…) in pieces: whole messages one after the other, valid during the call. A
 * flow may come twice when the one before it goes away meanwhile. A socket whose dump has failed must be closed.
 *
 * @throws {NetlinkError} not permitted, or no answer
 */
export async function dumpFlows(
  socket: NetlinkSocket,
  family: number,
  flows: CheckedFlows,
  take: (messages: Uint8Array) => void,
): Promise<FlowDump> {
  const filtered = await dump(socket, family, flows, take);
  // Kernels before 5.8 ignore the filter. A kernel that refuses it is asked without one.
  const refused = filtered.flows === 0 && (filtered.errno === EINVAL || filtered.errno === EOPNOTSUPP);
  return refused ? dump(socket, family, undefined, take) : filtered;
}

async function dump(
  socket: NetlinkSocket,
  family: number,
  filter: CheckedFlows | undefined,
  take: (messages: Uint8Array) => void,
): Promise<FlowDump> {
  const sequence = socket.nextSequence();
  const piece = new Uint8Array(PIECE);
  let used = 0;
  let flows = 0;
  const hand = (): void => {
    if (used > 0) take(piece.subarray(0, used));
    used = 0;
  };
  const end = await requestDump(socket, dumpRequest(family, sequence, filter), sequence, ({ type, bytes }) => {
    if (type !== uapi.IPCTNL_MSG_CT_NEW) return true;
    flows++;
    // The kernel aligns messages of conntrack to four bytes by themselves: all their attributes are.
    if (used + bytes.length > PIECE) hand();
    piece.set(bytes, used);
    used += bytes.length;
    return true;
  });
  hand();
  return { ...end, flows };
}

function dumpRequest(family: number, sequence: number, filter: CheckedFlows | undefined): Uint8Array {
  const header = { type: uapi.IPCTNL_MSG_CT_GET, flags: NLM_F_DUMP, sequence, family };
  if (filter === undefined) return request(header);
  return request(header, (writer) => {
    writer.nest(uapi.CTA.TUPLE_ORIG, () => {
      writer.nest(uapi.CTA_TUPLE.PROTO, () => {
        writer.u8(uapi.CTA_PROTO.NUM, filter === "udp" ? uapi.IPPROTO_UDP : uapi.IPPROTO_TCP);
      });
    });
    if (filter === "unanswered-tcp") {
      writer.u32(uapi.CTA.STATUS, 0);
      writer.u32(uapi.CTA.STATUS_MASK, uapi.IPS_SEEN_REPLY);
    }
    // In the machine's order, unlike conntrack's other numbers.
    const flags = new Uint8Array(new Uint32Array([uapi.CTA_FILTER_F_CTA_PROTO_NUM]).buffer);
    writer.nest(uapi.CTA.FILTER, () => writer.raw(uapi.CTA_FILTER.ORIG_FLAGS, flags));
  });
}
