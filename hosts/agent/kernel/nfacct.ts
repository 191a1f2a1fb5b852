// The two nfacct objects with which kube-proxy's iptables rules count (linux/netfilter/nfnetlink_acct.h).
import { askOne } from "../netlink/ask.ts";
import { findAttribute, viewOf } from "../netlink/attributes.ts";
import { EBUSY } from "../netlink/errno.ts";
import { ATTRIBUTES, request } from "../netlink/messages.ts";
import { NetlinkSocket } from "../netlink/socket.ts";
import { NLM_F_ACK, NLM_F_CREATE } from "../netlink/uapi.ts";

const NFNL_SUBSYS_ACCT = 7;
const NFNL_MSG_ACCT_NEW = (NFNL_SUBSYS_ACCT << 8) | 0;
const NFNL_MSG_ACCT_GET = (NFNL_SUBSYS_ACCT << 8) | 1;
const NFACCT_NAME = 1;
const NFACCT_PKTS = 2;

export const INVALID_DROPPED = "ct_state_invalid_dropped_pkts";
export const LOCALHOST_ACCEPTED = "localhost_nps_accepted_pkts";

/** Which of the two exist now: the engine's options `nfacctInvalidDropped` and `nfacctLocalhostAccepted`. */
export interface NfacctObjects {
  readonly invalidDropped: boolean;
  readonly localhostAccepted: boolean;
}

/** Makes them where they are missing. A kernel without nfacct (module nfnetlink_acct) has none, and rules do without. */
export async function ensureNfacct(): Promise<NfacctObjects> {
  return {
    invalidDropped: await attempt(false, (socket) => create(socket, INVALID_DROPPED)),
    localhostAccepted: await attempt(false, (socket) => create(socket, LOCALHOST_ACCEPTED)),
  };
}

/** Packets counted so far; undefined where there is no such object. */
export function readNfacct(name: string): Promise<bigint | undefined> {
  return attempt(undefined, async (socket) => {
    const sequence = socket.nextSequence();
    const header = { type: NFNL_MSG_ACCT_GET, flags: 0, sequence, family: 0 };
    const answer = await askOne(
      socket,
      request(header, (w) => w.string(NFACCT_NAME, name)),
      sequence,
    );
    if ("errno" in answer) return undefined;
    const packets = findAttribute(answer.message.bytes, NFACCT_PKTS, ATTRIBUTES);
    return packets === undefined || packets.length < 8 ? undefined : viewOf(packets).getBigUint64(0);
  });
}

async function create(socket: NetlinkSocket, name: string): Promise<boolean> {
  const sequence = socket.nextSequence();
  const header = { type: NFNL_MSG_ACCT_NEW, flags: NLM_F_CREATE | NLM_F_ACK, sequence, family: 0 };
  const answer = await askOne(
    socket,
    request(header, (w) => w.string(NFACCT_NAME, name)),
    sequence,
  );
  // EBUSY: it exists.
  return "errno" in answer && (answer.errno === 0 || answer.errno === EBUSY);
}

/** Whatever stands in the way, the objects can't be had, and that is all there is to know. */
async function attempt<T>(otherwise: T, work: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
  let socket: NetlinkSocket | undefined;
  try {
    socket = NetlinkSocket.open();
    return await work(socket);
  } catch {
    return otherwise;
  } finally {
    await socket?.close();
  }
}
