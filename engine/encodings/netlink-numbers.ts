// Numbers of nf_tables' netlink language (linux/netfilter/nf_tables.h), for what writes messages and what reads them.

export namespace Message {
  export const BATCH_BEGIN: u32 = 0x10;
  export const BATCH_END: u32 = 0x11;
  export const NEW_TABLE: u32 = 0xa00;
  export const DELETE_TABLE: u32 = 0xa02;
  export const NEW_CHAIN: u32 = 0xa03;
  export const DELETE_CHAIN: u32 = 0xa05;
  export const NEW_RULE: u32 = 0xa06;
  export const DELETE_RULE: u32 = 0xa08;
  export const NEW_SET: u32 = 0xa09;
  export const DELETE_SET: u32 = 0xa0b;
  export const NEW_ELEMENT: u32 = 0xa0c;
  export const DELETE_ELEMENT: u32 = 0xa0e;
  export const NEW_OBJECT: u32 = 0xa12;
  export const DELETE_OBJECT: u32 = 0xa14;
  export const NEW_FLOWTABLE: u32 = 0xa16;
  export const DELETE_FLOWTABLE: u32 = 0xa18;
}

/** Flag of an attribute's type: its value is a list of attributes. */
export const NESTED: u32 = 0x8000;
export const TYPE_MASK: u32 = 0x3fff;

/** Attributes, by what they belong to. */
export namespace Attribute {
  /** The table's name, in every message; of a table itself its own. */
  export const TABLE: u32 = 1;
  export const TABLE_FLAGS: u32 = 2;
  export const TABLE_USERDATA: u32 = 6;
  export const CHAIN_NAME: u32 = 3;
  export const CHAIN_HOOK: u32 = 4;
  export const CHAIN_POLICY: u32 = 5;
  export const CHAIN_TYPE: u32 = 7;
  export const CHAIN_FLAGS: u32 = 10;
  export const CHAIN_USERDATA: u32 = 12;
  export const HOOK_NUMBER: u32 = 1;
  export const HOOK_PRIORITY: u32 = 2;
  export const RULE_CHAIN: u32 = 2;
  export const RULE_EXPRESSIONS: u32 = 4;
  export const RULE_USERDATA: u32 = 7;
  export const SET_NAME: u32 = 2;
  export const SET_FLAGS: u32 = 3;
  export const SET_KEY_TYPE: u32 = 4;
  export const SET_KEY_LENGTH: u32 = 5;
  export const SET_DATA_TYPE: u32 = 6;
  export const SET_DATA_LENGTH: u32 = 7;
  export const SET_DESCRIPTION: u32 = 9;
  export const SET_ID: u32 = 10;
  export const SET_TIMEOUT: u32 = 11;
  export const SET_USERDATA: u32 = 13;
  export const SET_EXPRESSION: u32 = 17;
  export const SET_EXPRESSIONS: u32 = 18;
  export const DESCRIPTION_SIZE: u32 = 1;
  export const ELEMENTS_SET: u32 = 2;
  export const ELEMENTS_LIST: u32 = 3;
  export const ELEMENTS_SET_ID: u32 = 4;
  export const ELEMENT_KEY: u32 = 1;
  export const ELEMENT_DATA: u32 = 2;
  export const ELEMENT_FLAGS: u32 = 3;
  export const ELEMENT_USERDATA: u32 = 6;
  export const ELEMENT_EXPRESSION: u32 = 7;
  export const ELEMENT_EXPRESSIONS: u32 = 11;
  /** Of a stateful object, and of a flowtable. */
  export const OBJECT_NAME: u32 = 2;
  export const OBJECT_TYPE: u32 = 3;
  export const OBJECT_DATA: u32 = 4;
  /** One member of a list of elements or expressions. */
  export const MEMBER: u32 = 1;
  /** What keys and data consist of. */
  export const DATA_VALUE: u32 = 1;
  export const DATA_VERDICT: u32 = 2;
  export const VERDICT_CODE: u32 = 1;
  export const VERDICT_CHAIN: u32 = 2;
  export const EXPRESSION_NAME: u32 = 1;
  export const EXPRESSION_DATA: u32 = 2;
  export const LOOKUP_SET: u32 = 1;
  export const LOOKUP_SOURCE: u32 = 2;
  export const LOOKUP_TARGET: u32 = 3;
  export const LOOKUP_SET_ID: u32 = 4;
  export const LOOKUP_FLAGS: u32 = 5;
  export const NAT_TYPE: u32 = 1;
  export const NAT_FAMILY: u32 = 2;
  export const NAT_ADDRESS: u32 = 3;
  export const NAT_PORT: u32 = 5;
}

export namespace SetBit {
  export const ANONYMOUS: u32 = 1;
  export const CONSTANT: u32 = 2;
  export const INTERVAL: u32 = 4;
  export const MAP: u32 = 8;
  export const TIMEOUT: u32 = 0x10;
  /** Rules add its elements ("dynamic"). */
  export const EVAL: u32 = 0x20;
}

/** Flag of a table: its base chains are taken off their hooks. */
export const TABLE_DORMANT: u32 = 1;
/** Flag of a chain without a name of its own, which belongs to the rule that goes to it. */
export const CHAIN_BINDING: u32 = 4;
/** NF_ACCEPT, as a base chain's policy. */
export const POLICY_ACCEPT: u32 = 1;

/** NFPROTO_… of a family. */
export function protocolFamily(family: u32): u32 {
  return family == 0 ? 2 : 10;
}

/** NFT_OBJECT_COUNTER */
export const OBJECT_COUNTER: u32 = 1;

/** NF_DROP, NF_ACCEPT, NFT_JUMP, NFT_GOTO */
export const VERDICT_DROP: u32 = 0;
export const VERDICT_ACCEPT: u32 = 1;
export const VERDICT_JUMP: u32 = 0xfffffffd;
export const VERDICT_GOTO: u32 = 0xfffffffc;
