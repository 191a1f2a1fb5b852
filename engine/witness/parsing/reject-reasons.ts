// How a rule rejects, by the words of iptables and nft.
import { RejectWith } from "../model/rules";
import * as words from "./words";

/** The word at hand as RejectWith; u32.MAX_VALUE if it is none. */
export function rejectReason(): u32 {
  if (words.is("icmp-port-unreachable") || words.is("icmp6-port-unreachable") || words.is("port-unreachable")) {
    return RejectWith.PORT_UNREACHABLE;
  }
  if (words.is("tcp-reset")) return RejectWith.TCP_RESET;
  if (
    words.is("icmp-host-unreachable") ||
    words.is("icmp6-addr-unreachable") ||
    words.is("host-unreachable") ||
    words.is("addr-unreachable")
  ) {
    return RejectWith.HOST_UNREACHABLE;
  }
  if (
    words.is("icmp-net-unreachable") ||
    words.is("icmp6-no-route") ||
    words.is("net-unreachable") ||
    words.is("no-route")
  ) {
    return RejectWith.NET_UNREACHABLE;
  }
  if (words.is("icmp-proto-unreachable") || words.is("prot-unreachable")) return RejectWith.PROTO_UNREACHABLE;
  if (
    words.is("icmp-net-prohibited") ||
    words.is("icmp-host-prohibited") ||
    words.is("icmp-admin-prohibited") ||
    words.is("icmp6-adm-prohibited") ||
    words.is("net-prohibited") ||
    words.is("host-prohibited") ||
    words.is("admin-prohibited")
  ) {
    return RejectWith.ADMIN_PROHIBITED;
  }
  return u32.MAX_VALUE;
}
