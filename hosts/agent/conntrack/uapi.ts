// Numbers of linux/netfilter/nfnetlink_conntrack.h, under their own names.
import { attributes } from "../netlink/messages/uapi.ts";

export const NFNL_SUBSYS_CTNETLINK = 1;

const type = (message: number): number => (NFNL_SUBSYS_CTNETLINK << 8) | message;
export const IPCTNL_MSG_CT_NEW = type(0);
export const IPCTNL_MSG_CT_GET = type(1);
export const IPCTNL_MSG_CT_DELETE = type(2);

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

export const CTA = attributes([
  "TUPLE_ORIG",
  "TUPLE_REPLY",
  "STATUS",
  "PROTOINFO",
  "HELP",
  "NAT_SRC",
  "TIMEOUT",
  "MARK",
  "COUNTERS_ORIG",
  "COUNTERS_REPLY",
  "USE",
  "ID",
  "NAT_DST",
  "TUPLE_MASTER",
  "SEQ_ADJ_ORIG",
  "SEQ_ADJ_REPLY",
  "SECMARK",
  "ZONE",
  "SECCTX",
  "TIMESTAMP",
  "MARK_MASK",
  "LABELS",
  "LABELS_MASK",
  "SYNPROXY",
  "FILTER",
  "STATUS_MASK",
]);
/** Bit of CTA_STATUS. CTA_STATUS_MASK says which of them a dump is filtered by (since Linux 5.15). */
export const IPS_SEEN_REPLY = 1 << 1;
export const CTA_TUPLE = attributes(["IP", "PROTO", "ZONE"]);
export const CTA_IP = attributes(["V4_SRC", "V4_DST", "V6_SRC", "V6_DST"]);
export const CTA_PROTO = attributes(["NUM", "SRC_PORT", "DST_PORT"]);
export const CTA_PROTOINFO_TCP = 1;
export const CTA_PROTOINFO_TCP_STATE = 1;
export const TCP_CONNTRACK_SYN_SENT = 1;
export const TCP_CONNTRACK_ESTABLISHED = 3;
export const CTA_FILTER = attributes(["ORIG_FLAGS", "REPLY_FLAGS"]);
/** Bit of CTA_FILTER_ORIG_FLAGS: entries must have the protocol number of CTA_TUPLE_ORIG (since Linux 5.8). */
export const CTA_FILTER_F_CTA_PROTO_NUM = 1 << 3;
