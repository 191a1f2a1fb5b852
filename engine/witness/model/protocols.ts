// IP protocols by name, as iptables and nft write them.
import { equalLiteral } from "../../bytes/compare";

/** No number of a protocol. */
export const NO_PROTOCOL: u32 = 256;

/** Reads a name or a number. */
export function protocolOf(bytes: usize, length: usize): u32 {
  if (equalLiteral(bytes, length, "tcp")) return 6;
  if (equalLiteral(bytes, length, "udp")) return 17;
  if (equalLiteral(bytes, length, "sctp")) return 132;
  if (equalLiteral(bytes, length, "icmp")) return 1;
  if (equalLiteral(bytes, length, "icmpv6") || equalLiteral(bytes, length, "ipv6-icmp")) return 58;
  if (equalLiteral(bytes, length, "esp")) return 50;
  if (equalLiteral(bytes, length, "ah")) return 51;
  if (equalLiteral(bytes, length, "gre")) return 47;
  if (equalLiteral(bytes, length, "igmp")) return 2;
  if (equalLiteral(bytes, length, "ipencap") || equalLiteral(bytes, length, "ipip")) return 4;
  if (equalLiteral(bytes, length, "ipv6")) return 41;
  if (equalLiteral(bytes, length, "dccp")) return 33;
  if (equalLiteral(bytes, length, "udplite")) return 136;
  if (equalLiteral(bytes, length, "comp") || equalLiteral(bytes, length, "ipcomp")) return 108;
  if (equalLiteral(bytes, length, "vrrp")) return 112;
  let value: u32 = 0;
  if (length == 0 || length > 3) return NO_PROTOCOL;
  for (let i: usize = 0; i < length; i++) {
    const digit = <u32>load<u8>(bytes + i) - 0x30;
    if (digit > 9) return NO_PROTOCOL;
    value = value * 10 + digit;
  }
  return min(value, NO_PROTOCOL);
}

/** Whether the protocol has ports where TCP has them. */
export function hasPorts(protocol: u32): bool {
  return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 33 || protocol == 136;
}
