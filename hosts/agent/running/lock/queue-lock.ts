// The lock itself: a packet queue of the kernel (nfnetlink_queue), bound and never used.
//
// A queue belongs to the network namespace, as the rules do. Only one socket can bind it. Binding needs CAP_NET_ADMIN, as
// writing rules does. The kernel frees it with the socket, however its process ends, and keeps it while the process is stopped.
// It is no part of the ruleset: it makes no generation, and no `nft list ruleset` shows it.
//
// (A table with the flag `owner` has the first four properties, but not the last. Whoever saves the ruleset and loads it again
// would get EPERM for all of it, because that table is in it.)
import { readFile } from "node:fs/promises";
import type { AttributeWriter } from "../../netlink/messages/attributes.ts";
import { EINVAL, EPERM, errnoName, NetlinkError } from "../../netlink/messages/errno.ts";
import { request } from "../../netlink/messages/messages.ts";
import {
  NFQA_CFG,
  NFQNL_CFG_CMD_BIND,
  NFQNL_CFG_CMD_PF_BIND,
  NFQNL_COPY_PACKET,
  NFQNL_MSG_CONFIG,
  NLM_F_ACK,
} from "../../netlink/messages/uapi.ts";
import { requestOne } from "../../netlink/sockets/requests.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";

/** "SL". Programs that use queues count from 0. */
export const QUEUE = 0x534c;
/** The queue's copy range tells that an agent of ours has it, and in which mode: this plus the mode's number. */
const COPY_RANGE = 0x5300;
/** In the order of their numbers, which stay as they are: agents of several versions read them. */
const MODES = ["flat", "nftables", "iptables"];
/** Which queues are bound, one a line. Only root may read it, the initial user namespace's. */
const LISTING = "/proc/self/net/netfilter/nfnetlink_queue";
/** Answers are small, and no packet ever comes. */
const BUFFER = 4096;

export type Claim =
  | { readonly state: "taken" }
  /** An agent has it. `mode` is undefined where that can't be read. */
  | { readonly state: "agent"; readonly mode: string | undefined }
  /** Somebody has it who does not look like an agent; an agent may look so for an instant, while it takes it. */
  | { readonly state: "foreign"; readonly reason: string }
  /** It can't be had, and says nothing about other agents. `reason`: why, for people. */
  | { readonly state: "unavailable"; readonly reason: string };

export class QueueLock {
  #socket: NetlinkSocket | undefined;

  /** Takes it if it is free. It stays taken until `close`. Does not throw. */
  async take(mode: string): Promise<Claim> {
    if (this.#socket !== undefined) return { state: "taken" };
    let socket: NetlinkSocket | undefined;
    try {
      socket = NetlinkSocket.open({ sendBuffer: BUFFER, receiveBuffer: BUFFER });
      const claim = await bind(socket, mode);
      if (claim.state === "taken") {
        this.#socket = socket;
        socket = undefined;
      }
      return claim;
    } catch (error) {
      return { state: "unavailable", reason: error instanceof Error ? error.message : String(error) };
    } finally {
      await socket?.close();
    }
  }

  /** Writes another mode beside it, if it is taken. Only people read it: a failure is nobody's concern. */
  async setMode(mode: string): Promise<void> {
    if (this.#socket === undefined) return;
    await configure(this.#socket, QUEUE, (w) => writeMode(w, mode)).catch(() => {});
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    await socket?.close();
  }
}

/** Who has the queue, without taking it. Undefined: nobody. "unreadable": this process may not know. */
export async function readQueue(): Promise<
  { readonly mode: string | undefined; portId: number } | undefined | "unreadable"
> {
  let text: string;
  try {
    text = await readFile(LISTING, "latin1");
  } catch {
    return "unreadable";
  }
  for (const line of text.split("\n")) {
    // Queue number, port id of its socket, packets in it, copy mode, copy range, and counters (nfnetlink_queue.c, seq_show).
    const [queue, portId = 0, , copyMode, copyRange = 0] = line.trim().split(/ +/).map(Number);
    if (queue !== QUEUE) continue;
    return { portId, mode: copyMode === NFQNL_COPY_PACKET ? MODES[copyRange - COPY_RANGE] : undefined };
  }
  return undefined;
}

async function bind(socket: NetlinkSocket, mode: string): Promise<Claim> {
  // This command does nothing since Linux 3.8, but for the question whether we may: a queue that is taken answers EPERM as well.
  const may = await configure(socket, 0, (w) => writeCommand(w, NFQNL_CFG_CMD_PF_BIND));
  if (may === EPERM) return { state: "unavailable", reason: "it needs CAP_NET_ADMIN" };
  if (may === EINVAL)
    return { state: "unavailable", reason: "the kernel has no nfnetlink_queue (CONFIG_NETFILTER_NETLINK_QUEUE)" };
  if (may !== 0) return { state: "unavailable", reason: errnoName(may) };
  const errno = await configure(socket, QUEUE, (w) => {
    writeCommand(w, NFQNL_CFG_CMD_BIND);
    writeMode(w, mode);
    // Nobody should send packets here. If somebody does, they are dropped, as by a queue that nobody has bound.
    w.u32(NFQA_CFG.QUEUE_MAXLEN, 0);
  });
  if (errno === 0) return { state: "taken" };
  if (errno !== EPERM) return { state: "unavailable", reason: errnoName(errno) };
  const holder = await readQueue();
  if (holder === "unreadable" || holder === undefined) return { state: "agent", mode: undefined };
  if (holder.mode !== undefined) return { state: "agent", mode: holder.mode };
  const reason = `another program has bound packet queue ${QUEUE} (netlink port ${holder.portId})`;
  return { state: "foreign", reason };
}

/** Returns 0 or the errno. */
async function configure(socket: NetlinkSocket, queue: number, content: (w: AttributeWriter) => void): Promise<number> {
  const sequence = socket.nextSequence();
  const header = { type: NFQNL_MSG_CONFIG, flags: NLM_F_ACK, sequence, family: 0, resource: queue };
  try {
    const answer = await requestOne(socket, request(header, content), sequence);
    return "errno" in answer ? answer.errno : 0;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === EPERM) return EPERM;
    throw error;
  }
}

/** struct nfqnl_msg_config_cmd: command, padding, protocol family. */
function writeCommand(w: AttributeWriter, command: number): void {
  w.raw(NFQA_CFG.CMD, new Uint8Array([command, 0, 0, 0]));
}

/** struct nfqnl_msg_config_params: copy range (big-endian), copy mode. */
function writeMode(w: AttributeWriter, mode: string): void {
  const params = new Uint8Array(5);
  new DataView(params.buffer).setUint32(0, COPY_RANGE + MODES.indexOf(mode));
  params[4] = NFQNL_COPY_PACKET;
  w.raw(NFQA_CFG.PARAMS, params);
}
