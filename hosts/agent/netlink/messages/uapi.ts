// Numbers of Linux's user-space API, under their own names: linux/netlink.h, linux/netfilter/nfnetlink.h,
// linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink_acct.h, linux/netfilter/nfnetlink_queue.h, linux/rtnetlink.h, linux/if_addr.h,
// asm-generic/socket.h. Only what is used here or appears in errors.

export const AF_UNIX = 1;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;

export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_PEERCRED = 17;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SOL_NETLINK = 270;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

export const NLMSG_HEADER = 16;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_EXCL = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

export const NLMSGERR_ATTR_MSG = 1;
export const NLMSGERR_ATTR_OFFS = 2;
export const NLMSGERR_ATTR_MISS_TYPE = 5;
export const NLMSGERR_ATTR_MISS_NEST = 6;

export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

/** struct nfgenmsg, after the netlink header: family, version, resource id (big-endian). */
export const NFGENMSG = 4;
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;
export const NFNLGRP_NFTABLES = 7;

export const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_IPV6 = 10;

/** nlmsg_type of an nf_tables message. */
const type = (message: number): number => (NFNL_SUBSYS_NFTABLES << 8) | message;
export const NFT_MSG_NEWTABLE = type(0);
export const NFT_MSG_GETTABLE = type(1);
export const NFT_MSG_DELTABLE = type(2);
export const NFT_MSG_NEWCHAIN = type(3);
export const NFT_MSG_GETCHAIN = type(4);
export const NFT_MSG_DELCHAIN = type(5);
export const NFT_MSG_NEWRULE = type(6);
export const NFT_MSG_GETRULE = type(7);
export const NFT_MSG_DELRULE = type(8);
export const NFT_MSG_NEWSET = type(9);
export const NFT_MSG_GETSET = type(10);
export const NFT_MSG_DELSET = type(11);
export const NFT_MSG_NEWSETELEM = type(12);
export const NFT_MSG_GETSETELEM = type(13);
export const NFT_MSG_DELSETELEM = type(14);
export const NFT_MSG_NEWGEN = type(15);
export const NFT_MSG_GETGEN = type(16);
export const NFT_MSG_NEWOBJ = type(18);
export const NFT_MSG_GETOBJ = type(19);
export const NFT_MSG_DELOBJ = type(20);
export const NFT_MSG_NEWFLOWTABLE = type(22);
export const NFT_MSG_GETFLOWTABLE = type(23);
export const NFT_MSG_DELFLOWTABLE = type(24);

export const NFT_SET_INTERVAL = 0x4;
export const NFT_SET_MAP = 0x8;
export const NFT_SET_TIMEOUT = 0x10;
/** Elements come from packets ("dynamic"). */
export const NFT_SET_EVAL = 0x20;
export const NFT_SET_CONCAT = 0x80;

export const NFT_DATA_VERDICT = 0xffffff00;
export const NFT_JUMP = -3;
export const NFT_GOTO = -4;
export const NFT_REG_VERDICT = 0;
/** First of the sixteen 4-byte registers. */
export const NFT_REG32_00 = 8;

/** Attributes are numbered from 1 in the order of the header file. */
export function attributes<const Names extends readonly string[]>(
  names: Names,
): Readonly<Record<Names[number], number>> {
  return Object.fromEntries(names.map((name, index) => [name, index + 1])) as Record<Names[number], number>;
}

export const NFTA_LIST_ELEM = 1;
export const NFTA_HOOK = attributes(["HOOKNUM", "PRIORITY", "DEV", "DEVS"]);
export const NFTA_TABLE = attributes(["NAME", "FLAGS", "USE", "HANDLE", "PAD", "USERDATA", "OWNER"]);
export const NFTA_CHAIN = attributes([
  "TABLE",
  "HANDLE",
  "NAME",
  "HOOK",
  "POLICY",
  "USE",
  "TYPE",
  "COUNTERS",
  "PAD",
  "FLAGS",
  "ID",
  "USERDATA",
]);
export const NFTA_RULE = attributes([
  "TABLE",
  "CHAIN",
  "HANDLE",
  "EXPRESSIONS",
  "COMPAT",
  "POSITION",
  "USERDATA",
  "PAD",
  "ID",
  "POSITION_ID",
  "CHAIN_ID",
]);
export const NFTA_SET = attributes([
  "TABLE",
  "NAME",
  "FLAGS",
  "KEY_TYPE",
  "KEY_LEN",
  "DATA_TYPE",
  "DATA_LEN",
  "POLICY",
  "DESC",
  "ID",
  "TIMEOUT",
  "GC_INTERVAL",
  "USERDATA",
  "PAD",
  "OBJ_TYPE",
  "HANDLE",
  "EXPR",
  "EXPRESSIONS",
  "TYPE",
  "COUNT",
]);
export const NFTA_SET_DESC = attributes(["SIZE", "CONCAT"]);
export const NFTA_SET_FIELD = attributes(["LEN"]);
export const NFTA_SET_ELEM_LIST = attributes(["TABLE", "SET", "ELEMENTS", "SET_ID"]);
export const NFTA_SET_ELEM = attributes([
  "KEY",
  "DATA",
  "FLAGS",
  "TIMEOUT",
  "EXPIRATION",
  "USERDATA",
  "EXPR",
  "PAD",
  "OBJREF",
  "KEY_END",
  "EXPRESSIONS",
]);
export const NFTA_DATA = attributes(["VALUE", "VERDICT"]);
export const NFTA_VERDICT = attributes(["CODE", "CHAIN", "CHAIN_ID"]);
export const NFTA_EXPR = attributes(["NAME", "DATA"]);
export const NFTA_GEN = attributes(["ID", "PROC_PID", "PROC_NAME"]);
export const NFTA_OBJ = attributes(["TABLE", "NAME", "TYPE", "DATA", "USE", "HANDLE", "PAD", "USERDATA"]);
export const NFTA_FLOWTABLE = attributes(["TABLE", "NAME", "HOOK", "USE", "HANDLE", "PAD", "FLAGS"]);

// Attributes of expressions, under the name that NFTA_EXPR_NAME gives.
export const NFTA_BITWISE = attributes(["SREG", "DREG", "LEN", "MASK", "XOR", "OP", "DATA"]);
export const NFTA_BYTEORDER = attributes(["SREG", "DREG", "OP", "LEN", "SIZE"]);
export const NFTA_CMP = attributes(["SREG", "OP", "DATA"]);
export const NFTA_TARGET = attributes(["NAME", "REV", "INFO"]);
export const NFTA_MATCH = attributes(["NAME", "REV", "INFO"]);
export const NFTA_RANGE = attributes(["SREG", "OP", "FROM_DATA", "TO_DATA"]);
export const NFTA_COUNTER = attributes(["BYTES", "PACKETS", "PAD"]);
export const NFTA_CT = attributes(["DREG", "KEY", "DIRECTION", "SREG"]);
export const NFTA_DYNSET = attributes([
  "SET_NAME",
  "SET_ID",
  "OP",
  "SREG_KEY",
  "SREG_DATA",
  "TIMEOUT",
  "EXPR",
  "PAD",
  "FLAGS",
  "EXPRESSIONS",
]);
export const NFTA_FIB = attributes(["DREG", "RESULT", "FLAGS"]);
export const NFTA_IMMEDIATE = attributes(["DREG", "DATA"]);
export const NFTA_LIMIT = attributes(["RATE", "UNIT", "BURST", "TYPE", "FLAGS", "PAD"]);
export const NFTA_LOG = attributes(["GROUP", "PREFIX", "SNAPLEN", "QTHRESHOLD", "LEVEL", "FLAGS"]);
export const NFTA_LOOKUP = attributes(["SET", "SREG", "DREG", "SET_ID", "FLAGS"]);
export const NFTA_MASQ = attributes(["FLAGS", "REG_PROTO_MIN", "REG_PROTO_MAX"]);
export const NFTA_META = attributes(["DREG", "KEY", "SREG"]);
export const NFTA_NAT = attributes([
  "TYPE",
  "FAMILY",
  "REG_ADDR_MIN",
  "REG_ADDR_MAX",
  "REG_PROTO_MIN",
  "REG_PROTO_MAX",
  "FLAGS",
]);
export const NFTA_NG = attributes(["DREG", "MODULUS", "TYPE", "OFFSET", "SET_NAME", "SET_ID"]);
export const NFTA_OBJREF = attributes(["IMM_TYPE", "IMM_NAME", "SET_SREG", "SET_NAME", "SET_ID"]);
export const NFTA_PAYLOAD = attributes([
  "DREG",
  "BASE",
  "OFFSET",
  "LEN",
  "SREG",
  "CSUM_TYPE",
  "CSUM_OFFSET",
  "CSUM_FLAGS",
]);
export const NFTA_REDIR = attributes(["REG_PROTO_MIN", "REG_PROTO_MAX", "FLAGS"]);
export const NFTA_REJECT = attributes(["TYPE", "ICMP_CODE"]);

export const NFNL_SUBSYS_ACCT = 7;
export const NFNL_MSG_ACCT_NEW = (NFNL_SUBSYS_ACCT << 8) | 0;
export const NFNL_MSG_ACCT_GET = (NFNL_SUBSYS_ACCT << 8) | 1;
export const NFNL_MSG_ACCT_DEL = (NFNL_SUBSYS_ACCT << 8) | 3;
export const NFACCT = { NAME: 1, PKTS: 2, BYTES: 3 } as const;

export const NFNL_SUBSYS_QUEUE = 3;
export const NFQNL_MSG_CONFIG = (NFNL_SUBSYS_QUEUE << 8) | 2;
export const NFQA_CFG = { CMD: 1, PARAMS: 2, QUEUE_MAXLEN: 3 } as const;
export const NFQNL_CFG_CMD_BIND = 1;
export const NFQNL_CFG_CMD_PF_BIND = 3;
export const NFQNL_COPY_PACKET = 2;

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTM_NEWRULE = 32;
export const RTM_GETRULE = 34;
/** struct fib_rule_hdr, after the netlink header: family, lengths, tos, table, 2 reserved, action, u32 flags. */
export const FIB_RULE_HEADER = 12;
export const FIB_RULE_INVERT = 2;
export const FRA = { PRIORITY: 6, FWMARK: 10, FWMASK: 16, TABLE: 15 } as const;
/** struct ifaddrmsg, after the netlink header: family, prefix length, flags, scope, interface index. */
export const IFADDRMSG = 8;
export const IFA = { ADDRESS: 1, LOCAL: 2 } as const;
export const AF_INET = 2;
export const AF_INET6 = 10;
