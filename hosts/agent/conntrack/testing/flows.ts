// Flows as ctnetlink writes them, and as it takes them: for tests.
import type { AttributeWriter } from "../../netlink/messages/attributes.ts";
import { request } from "../../netlink/messages/messages.ts";
import { NFPROTO_IPV4, NFPROTO_IPV6, NLM_F_CREATE, NLM_F_EXCL, NLMSG_HEADER } from "../../netlink/messages/uapi.ts";
import * as uapi from "../uapi.ts";

/** Bit of CTA_STATUS: the flow is in the table. */
const IPS_CONFIRMED = 1 << 3;

/** Sockets are written `ip:port` or `[ip]:port`. */
export interface Flow {
  readonly client: string;
  readonly destination: string;
  /** From where answers come; the destination if nobody has translated it. */
  readonly answers?: string;
  /** 17 (UDP) if absent */
  readonly protocol?: number;
  /** TCP that nobody has answered: the kernel has it as SYN_SENT. */
  readonly unanswered?: boolean;
  readonly zone?: number;
  /** Of the direction of the answers alone. */
  readonly answersZone?: number;
}

interface Socket {
  readonly address: Uint8Array;
  readonly port: number;
}

/** `ip:port` or `[ip]:port` */
export function parseSocket(text: string): Socket {
  const colon = text.lastIndexOf(":");
  const ip = text.slice(0, colon).replace(/^\[|\]$/g, "");
  return {
    address: ip.includes(":") ? ipv6(ip) : Uint8Array.from(ip.split(".").map(Number)),
    port: Number(text.slice(colon + 1)),
  };
}

function ipv6(text: string): Uint8Array {
  const [head = "", tail] = text.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const first = groups(head);
  const last = groups(tail ?? "");
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

const port = (number: number): Uint8Array => Uint8Array.of(number >> 8, number & 255);

export function writeTuple(
  writer: AttributeWriter,
  type: number,
  source: Socket,
  destination: Socket,
  protocol: number,
  zone = 0,
): void {
  const isIPv4 = source.address.length === 4;
  writer.nest(type, () => {
    writer.nest(uapi.CTA_TUPLE.IP, () => {
      writer.raw(isIPv4 ? uapi.CTA_IP.V4_SRC : uapi.CTA_IP.V6_SRC, source.address);
      writer.raw(isIPv4 ? uapi.CTA_IP.V4_DST : uapi.CTA_IP.V6_DST, destination.address);
    });
    writer.nest(uapi.CTA_TUPLE.PROTO, () => {
      writer.u8(uapi.CTA_PROTO.NUM, protocol);
      writer.raw(uapi.CTA_PROTO.SRC_PORT, port(source.port));
      writer.raw(uapi.CTA_PROTO.DST_PORT, port(destination.port));
    });
    if (zone !== 0) writer.raw(uapi.CTA_TUPLE.ZONE, port(zone));
  });
}

/** One message IPCTNL_MSG_CT_NEW: what the kernel dumps, and what it takes to make the flow. */
export function flowMessage(flow: Flow, sequence = 1): Uint8Array {
  const { protocol = uapi.IPPROTO_UDP, unanswered = false, zone = 0, answersZone = 0 } = flow;
  const client = parseSocket(flow.client);
  const destination = parseSocket(flow.destination);
  const answers = flow.answers === undefined ? destination : parseSocket(flow.answers);
  const family = client.address.length === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
  const header = { type: uapi.IPCTNL_MSG_CT_NEW, flags: NLM_F_CREATE | NLM_F_EXCL, sequence, family };
  return request(header, (writer) => {
    writeTuple(writer, uapi.CTA.TUPLE_ORIG, client, destination, protocol);
    writeTuple(writer, uapi.CTA.TUPLE_REPLY, answers, client, protocol, answersZone);
    writer.u32(uapi.CTA.STATUS, IPS_CONFIRMED | (unanswered ? 0 : uapi.IPS_SEEN_REPLY));
    writer.u32(uapi.CTA.TIMEOUT, 600);
    if (zone !== 0) writer.raw(uapi.CTA.ZONE, port(zone));
    if (protocol === uapi.IPPROTO_TCP) {
      writer.nest(uapi.CTA.PROTOINFO, () =>
        writer.nest(uapi.CTA_PROTOINFO_TCP, () =>
          writer.u8(
            uapi.CTA_PROTOINFO_TCP_STATE,
            unanswered ? uapi.TCP_CONNTRACK_SYN_SENT : uapi.TCP_CONNTRACK_ESTABLISHED,
          ),
        ),
      );
    }
  }).slice();
}

/** Messages one after the other; they are as long as the kernel aligns them. */
export function joinMessages(messages: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const message of messages) {
    joined.set(message, offset);
    offset += message.length;
  }
  return joined;
}

/** Length that the header of the message at that offset says. */
export function messageLength(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + offset, NLMSG_HEADER).getUint32(0, true);
}
