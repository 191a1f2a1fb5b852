// Flows in the kernel of the namespace that a test runs in.

import { AttributeWriter, findAttribute, viewOf } from "../../netlink/messages/attributes.ts";
import { ATTRIBUTES, request } from "../../netlink/messages/messages.ts";
import { NFPROTO_IPV4, NFPROTO_IPV6, NLM_F_ACK, NLM_F_DUMP } from "../../netlink/messages/uapi.ts";
import { requestDump } from "../../netlink/sockets/requests.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import * as uapi from "../uapi.ts";
import { type Flow, flowMessage } from "./flows.ts";

const AT_ONCE = 400;

/** Makes flows as if packets had: the kernel does not look whether anybody would have translated them. */
export async function makeFlows(flows: readonly Flow[]): Promise<void> {
  const socket = NetlinkSocket.open();
  try {
    for (let start = 0; start < flows.length; start += AT_ONCE) {
      const writer = new AttributeWriter(AT_ONCE * 160);
      for (const flow of flows.slice(start, start + AT_ONCE)) writer.copy(flowMessage(flow));
      const errno = await socket.send(writer.bytes());
      const received = socket.receive();
      if (errno !== 0 || received.kind !== "empty") throw new Error("the kernel does not make the flows");
    }
  } finally {
    await socket.close();
  }
}

/** Forgets all flows of the namespace. */
export async function flushFlows(): Promise<void> {
  const socket = NetlinkSocket.open();
  try {
    const header = { type: uapi.IPCTNL_MSG_CT_DELETE, flags: NLM_F_ACK, sequence: 1, family: 0 };
    await socket.send(request(header));
  } finally {
    await socket.close();
  }
}

/** All flows of both families, whole messages. */
export async function rawFlows(): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  const socket = NetlinkSocket.open();
  try {
    for (const family of [NFPROTO_IPV4, NFPROTO_IPV6]) {
      const sequence = socket.nextSequence();
      const header = { type: uapi.IPCTNL_MSG_CT_GET, flags: NLM_F_DUMP, sequence, family };
      await requestDump(socket, request(header), sequence, ({ bytes }) => found.push(bytes.slice()) > 0);
    }
  } finally {
    await socket.close();
  }
  return found;
}

/** `udp CLIENT > DESTINATION < ANSWERS` of each flow, sorted. */
export async function listFlows(): Promise<string[]> {
  return (await rawFlows()).map(describeFlow).sort();
}

function describeFlow(message: Uint8Array): string {
  const original = findAttribute(message, uapi.CTA.TUPLE_ORIG, ATTRIBUTES) ?? new Uint8Array();
  const reply = findAttribute(message, uapi.CTA.TUPLE_REPLY, ATTRIBUTES) ?? new Uint8Array();
  const proto = findAttribute(original, uapi.CTA_TUPLE.PROTO) ?? new Uint8Array();
  const number = findAttribute(proto, uapi.CTA_PROTO.NUM)?.[0];
  const name = number === uapi.IPPROTO_UDP ? "udp" : number === uapi.IPPROTO_TCP ? "tcp" : `protocol ${number}`;
  return `${name} ${socketText(original, "SRC")} > ${socketText(original, "DST")} < ${socketText(reply, "SRC")}`;
}

function socketText(tuple: Uint8Array, side: "SRC" | "DST"): string {
  const ip = findAttribute(tuple, uapi.CTA_TUPLE.IP) ?? new Uint8Array();
  const proto = findAttribute(tuple, uapi.CTA_TUPLE.PROTO) ?? new Uint8Array();
  const port = findAttribute(proto, uapi.CTA_PROTO[`${side}_PORT`]);
  const number = port === undefined ? 0 : viewOf(port).getUint16(0);
  const v4 = findAttribute(ip, uapi.CTA_IP[`V4_${side}`]);
  if (v4 !== undefined) return `${v4.join(".")}:${number}`;
  const v6 = findAttribute(ip, uapi.CTA_IP[`V6_${side}`]) ?? new Uint8Array();
  return `[${Buffer.from(v6).toString("hex")}]:${number}`;
}
