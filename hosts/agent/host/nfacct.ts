// The two nfacct counters that rules of iptables mode use by name. The kernel refuses a rule whose counter is missing.
import { setTimeout as sleep } from "node:timers/promises";
import { findAttribute, viewOf } from "../netlink/messages/attributes.ts";
import { EBUSY, EEXIST, ENOENT, errnoName, NetlinkError } from "../netlink/messages/errno.ts";
import { ATTRIBUTES, request } from "../netlink/messages/messages.ts";
import * as uapi from "../netlink/messages/uapi.ts";
import { requestOne } from "../netlink/sockets/requests.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";

export const invalidDropped = "ct_state_invalid_dropped_pkts";
export const localhostAccepted = "localhost_nps_accepted_pkts";

export interface NfacctResult {
  /** For the engine's options. */
  readonly nfacctInvalidDropped: boolean;
  readonly nfacctLocalhostAccepted: boolean;
  /** Why one of them could not be had; empty if both are there. Rules go without. */
  readonly reason: string;
}

/** Makes them where they are missing, as kube-proxy does. `socket`: of NETLINK_NETFILTER. Never throws for the kernel's answer. */
export async function ensureNfacct(socket: NetlinkSocket): Promise<NfacctResult> {
  const first = await makeNfacct(socket, invalidDropped);
  const second = await makeNfacct(socket, localhostAccepted);
  return { nfacctInvalidDropped: first === "", nfacctLocalhostAccepted: second === "", reason: first || second };
}

/** Packets that rules counted; undefined: there is no such object. @throws {NetlinkError} */
export async function readNfacctPackets(socket: NetlinkSocket, name: string): Promise<bigint | undefined> {
  const sequence = socket.nextSequence();
  const header = { type: uapi.NFNL_MSG_ACCT_GET, flags: 0, sequence, family: 0 };
  const answer = await requestOne(
    socket,
    request(header, (writer) => writer.string(uapi.NFACCT.NAME, name)),
    sequence,
  );
  if ("errno" in answer) {
    if (answer.errno === ENOENT) return undefined;
    throw new NetlinkError("nfacct", answer.errno);
  }
  const packets = findAttribute(answer.message.bytes, uapi.NFACCT.PKTS, ATTRIBUTES);
  return packets === undefined || packets.length < 8 ? undefined : viewOf(packets).getBigUint64(0);
}

/** Makes a counter where it is missing. Returns what is in the way; empty: it is there. */
export async function makeNfacct(socket: NetlinkSocket, name: string): Promise<string> {
  const sequence = socket.nextSequence();
  const header = { type: uapi.NFNL_MSG_ACCT_NEW, flags: uapi.NLM_F_CREATE | uapi.NLM_F_ACK, sequence, family: 0 };
  const bytes = request(header, (writer) => writer.string(uapi.NFACCT.NAME, name));
  try {
    const answer = await requestOne(socket, bytes, sequence);
    const errno = "errno" in answer ? answer.errno : 0;
    // EBUSY: it is there already.
    if (errno === 0 || errno === EBUSY || errno === EEXIST) return "";
    return `nfacct ${name}: ${errnoName(errno)}; load the module nfnetlink_acct`;
  } catch (error) {
    if (error instanceof NetlinkError) return `nfacct ${name}: ${error.message}`;
    throw error;
  }
}

/** The kernel frees deleted nf_tables rules, and their use of counters, only after a while. */
const DELETE_ATTEMPTS = 50;
const DELETE_PAUSE_MS = 10;

/** Removes a counter that no rule uses any more. What can't be removed stays. */
export async function deleteNfacct(socket: NetlinkSocket, name: string): Promise<void> {
  for (let attempt = 0; attempt < DELETE_ATTEMPTS; attempt++) {
    const sequence = socket.nextSequence();
    const header = { type: uapi.NFNL_MSG_ACCT_DEL, flags: uapi.NLM_F_ACK, sequence, family: 0 };
    const bytes = request(header, (writer) => writer.string(uapi.NFACCT.NAME, name));
    try {
      const answer = await requestOne(socket, bytes, sequence);
      if (!("errno" in answer) || answer.errno !== EBUSY) return;
    } catch (error) {
      if (error instanceof NetlinkError) return;
      throw error;
    }
    await sleep(DELETE_PAUSE_MS);
  }
}

/** Both counters, through a socket of its own. Never rejects: what can't be read is undefined. */
export async function readNfacct(): Promise<{
  invalidDropped: number | undefined;
  localhostAccepted: number | undefined;
}> {
  let socket: NetlinkSocket | undefined;
  try {
    socket = NetlinkSocket.open();
    const packets = [
      await readNfacctPackets(socket, invalidDropped),
      await readNfacctPackets(socket, localhostAccepted),
    ];
    const [dropped, accepted] = packets.map((count) => (count === undefined ? undefined : Number(count)));
    return { invalidDropped: dropped, localhostAccepted: accepted };
  } catch {
    // Without permission or without nfacct there are no figures. That was logged at the start.
    return { invalidDropped: undefined, localhostAccepted: undefined };
  } finally {
    await socket?.close();
  }
}
