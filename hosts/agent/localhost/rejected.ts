// Reads the counters in our table of packets that rules have refused on loopback addresses.
import type { Family, Mode } from "../../shared/contract.ts";
import { FAMILIES } from "../../shared/families.ts";
import { findAttribute, viewOf } from "../netlink/messages/attributes.ts";
import { ENOENT, NetlinkError } from "../netlink/messages/errno.ts";
import { ATTRIBUTES, request } from "../netlink/messages/messages.ts";
import * as uapi from "../netlink/messages/uapi.ts";
import type { Libc } from "../netlink/sockets/libc.ts";
import { requestOne } from "../netlink/sockets/requests.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";

export interface RejectedPackets {
  readonly family: Family;
  readonly protocol: string;
  readonly packets: number;
}

const PROTOCOLS = ["tcp", "udp", "sctp"] as const;
/** NFT_OBJECT_COUNTER */
const COUNTER = 1;

/** Those of the counters that are there: of TCP there is none where the agent listens. @throws {NetlinkError} */
export async function readRejected(mode: Exclude<Mode, "iptables">, libc?: Libc): Promise<RejectedPackets[]> {
  const socket = NetlinkSocket.open(libc === undefined ? {} : { libc });
  try {
    const found: RejectedPackets[] = [];
    for (const family of FAMILIES) {
      for (const protocol of PROTOCOLS) {
        const packets = await readCounter(socket, family, mode === "flat" ? "sluice" : "kube-proxy", protocol);
        if (packets !== undefined) found.push({ family, protocol, packets });
      }
    }
    return found;
  } finally {
    await socket.close();
  }
}

async function readCounter(
  socket: NetlinkSocket,
  family: Family,
  table: string,
  protocol: string,
): Promise<number | undefined> {
  const sequence = socket.nextSequence();
  const number = family === "ipv4" ? uapi.NFPROTO_IPV4 : uapi.NFPROTO_IPV6;
  const header = { type: uapi.NFT_MSG_GETOBJ, flags: 0, sequence, family: number };
  const message = request(header, (writer) => {
    writer.string(uapi.NFTA_OBJ.TABLE, table);
    writer.string(uapi.NFTA_OBJ.NAME, `localhost-nodeport-rejected-${protocol}`);
    writer.u32(uapi.NFTA_OBJ.TYPE, COUNTER);
  });
  const answer = await requestOne(socket, message, sequence, true);
  if ("errno" in answer) {
    if (answer.errno === ENOENT) return undefined;
    throw new NetlinkError("GETOBJ", answer.errno);
  }
  const data = findAttribute(answer.message.bytes, uapi.NFTA_OBJ.DATA, ATTRIBUTES);
  const packets = data === undefined ? undefined : findAttribute(data, uapi.NFTA_COUNTER.PACKETS);
  return packets === undefined || packets.length < 8 ? undefined : Number(viewOf(packets).getBigUint64(0));
}
