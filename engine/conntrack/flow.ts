// One flow as ctnetlink dumps it: IPCTNL_MSG_CT_NEW of linux/netfilter/nfnetlink_conntrack.h, a netlink header, struct
// nfgenmsg, then attributes of length, type and value, each aligned to four bytes. Numbers are in network order.
import { IPV4, Protocol, protocolNumber } from "../bytes/protocols";
import { firstAttribute, nextAttribute, typeOf, valueEnd, valueLength, valueOf } from "../encodings/netlink-attributes";

/** NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW */
const NEW_FLOW: u32 = 0x100;
/** Before the attributes. */
const HEADERS: usize = 20;

namespace Attribute {
  export const TUPLE_ORIG: u32 = 1;
  export const TUPLE_REPLY: u32 = 2;
  export const STATUS: u32 = 3;
  export const ZONE: u32 = 18;
  export const TUPLE_IP: u32 = 1;
  export const TUPLE_PROTO: u32 = 2;
  export const TUPLE_ZONE: u32 = 3;
  /** CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST */
  export const V4_SOURCE: u32 = 1;
  export const V6_DESTINATION: u32 = 4;
  export const PROTO_NUMBER: u32 = 1;
  export const SOURCE_PORT: u32 = 2;
  export const DESTINATION_PORT: u32 = 3;
}

/** IPS_SEEN_REPLY of enum ip_conntrack_status (linux/netfilter/nf_conntrack_common.h). */
const SEEN_REPLY: u32 = 2;

/** One direction: addresses of sixteen bytes, IPv4 in the first four. */
@unmanaged
export class Tuple {
  source0: u64;
  source1: u64;
  destination0: u64;
  destination1: u64;
  sourcePort: u32;
  destinationPort: u32;
  /** IP's number of the protocol. */
  protocol: u32;
  /** Bits by attribute of CTA_TUPLE_IP: which addresses were there. */
  addresses: u32;
  zone: u32;

  source(): usize {
    return changetype<usize>(this);
  }

  destination(): usize {
    return changetype<usize>(this) + offsetof<Tuple>("destination0");
  }
}

/** What `readFlow` has read last. `protocol` is one of `Protocol`. */
export let protocol: u32 = Protocol.UDP;
export const original = changetype<Tuple>(memory.data(offsetof<Tuple>(), 16));
export const reply = changetype<Tuple>(memory.data(offsetof<Tuple>(), 16));

function read16(attribute: usize): u32 {
  return valueLength(attribute) < 2 ? 0 : <u32>bswap<u16>(load<u16>(valueOf(attribute)));
}

function readAddresses(tuple: Tuple, from: usize, end: usize): void {
  for (let at = firstAttribute(from, end); at != 0; at = nextAttribute(at, end)) {
    const type = typeOf(at);
    if (type < Attribute.V4_SOURCE || type > Attribute.V6_DESTINATION) continue;
    const size: usize = type < 3 ? 4 : 16;
    if (valueLength(at) != size) continue;
    memory.copy((type & 1) == 1 ? tuple.source() : tuple.destination(), valueOf(at), size);
    tuple.addresses |= 1 << type;
  }
}

function readProtocol(tuple: Tuple, from: usize, end: usize): void {
  for (let at = firstAttribute(from, end); at != 0; at = nextAttribute(at, end)) {
    const type = typeOf(at);
    if (type == Attribute.PROTO_NUMBER) tuple.protocol = valueLength(at) < 1 ? 0 : <u32>load<u8>(valueOf(at));
    else if (type == Attribute.SOURCE_PORT) tuple.sourcePort = read16(at);
    else if (type == Attribute.DESTINATION_PORT) tuple.destinationPort = read16(at);
  }
}

function readTuple(tuple: Tuple, from: usize, end: usize): void {
  memory.fill(changetype<usize>(tuple), 0, offsetof<Tuple>());
  for (let at = firstAttribute(from, end); at != 0; at = nextAttribute(at, end)) {
    const type = typeOf(at);
    if (type == Attribute.TUPLE_IP) readAddresses(tuple, valueOf(at), valueEnd(at));
    else if (type == Attribute.TUPLE_PROTO) readProtocol(tuple, valueOf(at), valueEnd(at));
    else if (type == Attribute.TUPLE_ZONE) tuple.zone = read16(at);
  }
}

function hasAddresses(tuple: Tuple, family: u32): bool {
  const both: u32 = family == IPV4 ? 0b110 : 0b11000;
  return (tuple.addresses & both) == both;
}

function isAnswered(status: usize): bool {
  return valueLength(status) < 4 || (bswap<u32>(load<u32>(valueOf(status))) & SEEN_REPLY) != 0;
}

/**
 * Reads the message of `size` bytes into `original` and `reply`. False if it is not a whole flow of the family, UDP or TCP
 * that nobody has answered, in conntrack's default zone: rules for Services know no other, and in other zones the same
 * addresses may mean something else.
 */
export function readFlow(family: u32, message: usize, size: usize): bool {
  if (size < HEADERS || <u32>load<u16>(message, 4) != NEW_FLOW) return false;
  original.addresses = 0;
  reply.addresses = 0;
  let answered = true;
  const end = message + size;
  for (let at = message + HEADERS; at + 4 <= end; at += (valueEnd(at) - at + 3) & ~3) {
    if (firstAttribute(at, end) == 0) return false;
    const type = typeOf(at);
    if (type == Attribute.TUPLE_ORIG) {
      readTuple(original, valueOf(at), valueEnd(at));
      if (original.protocol == protocolNumber(Protocol.UDP)) protocol = Protocol.UDP;
      else if (original.protocol == protocolNumber(Protocol.TCP)) protocol = Protocol.TCP;
      else return false;
    } else if (type == Attribute.STATUS) {
      answered = isAnswered(at);
    } else if (type == Attribute.TUPLE_REPLY) {
      readTuple(reply, valueOf(at), valueEnd(at));
    } else if (type == Attribute.ZONE && read16(at) != 0) {
      return false;
    }
  }
  if (protocol == Protocol.TCP && answered) return false;
  return hasAddresses(original, family) && hasAddresses(reply, family) && (original.zone | reply.zone) == 0;
}
