// What an nf_tables message is about, for messages to people.
import { findAttribute, readString } from "./attributes.ts";
import { ATTRIBUTES, type Message, messageFamily } from "./messages.ts";
import * as uapi from "./uapi.ts";

export type SubjectKind =
  | "table"
  | "chain"
  | "rule"
  | "set"
  | "elements"
  | "object"
  | "flowtable"
  | "batch"
  | "message";
export type SubjectAction = "add" | "delete" | "get";

export interface Subject {
  readonly action: SubjectAction;
  readonly kind: SubjectKind;
  /** "ip", "ip6", "inet"; empty for a batch. */
  readonly family: string;
  readonly table: string | undefined;
  /** Of the chain or set; a rule has its chain's. */
  readonly name: string | undefined;
}

interface Numbers {
  readonly table: number;
  readonly name?: number;
}

const NUMBERS: Readonly<Partial<Record<SubjectKind, Numbers>>> = {
  table: { table: uapi.NFTA_TABLE.NAME },
  chain: { table: uapi.NFTA_CHAIN.TABLE, name: uapi.NFTA_CHAIN.NAME },
  rule: { table: uapi.NFTA_RULE.TABLE, name: uapi.NFTA_RULE.CHAIN },
  set: { table: uapi.NFTA_SET.TABLE, name: uapi.NFTA_SET.NAME },
  elements: { table: uapi.NFTA_SET_ELEM_LIST.TABLE, name: uapi.NFTA_SET_ELEM_LIST.SET },
  object: { table: uapi.NFTA_OBJ.TABLE, name: uapi.NFTA_OBJ.NAME },
  flowtable: { table: uapi.NFTA_FLOWTABLE.TABLE, name: uapi.NFTA_FLOWTABLE.NAME },
};

const KINDS: Readonly<Record<number, readonly [SubjectAction, SubjectKind]>> = {
  [uapi.NFNL_MSG_BATCH_BEGIN]: ["add", "batch"],
  [uapi.NFNL_MSG_BATCH_END]: ["add", "batch"],
  [uapi.NFT_MSG_NEWTABLE]: ["add", "table"],
  [uapi.NFT_MSG_GETTABLE]: ["get", "table"],
  [uapi.NFT_MSG_DELTABLE]: ["delete", "table"],
  [uapi.NFT_MSG_NEWCHAIN]: ["add", "chain"],
  [uapi.NFT_MSG_GETCHAIN]: ["get", "chain"],
  [uapi.NFT_MSG_DELCHAIN]: ["delete", "chain"],
  [uapi.NFT_MSG_NEWRULE]: ["add", "rule"],
  [uapi.NFT_MSG_GETRULE]: ["get", "rule"],
  [uapi.NFT_MSG_DELRULE]: ["delete", "rule"],
  [uapi.NFT_MSG_NEWSET]: ["add", "set"],
  [uapi.NFT_MSG_GETSET]: ["get", "set"],
  [uapi.NFT_MSG_DELSET]: ["delete", "set"],
  [uapi.NFT_MSG_NEWSETELEM]: ["add", "elements"],
  [uapi.NFT_MSG_GETSETELEM]: ["get", "elements"],
  [uapi.NFT_MSG_DELSETELEM]: ["delete", "elements"],
  [uapi.NFT_MSG_NEWOBJ]: ["add", "object"],
  [uapi.NFT_MSG_DELOBJ]: ["delete", "object"],
  [uapi.NFT_MSG_NEWFLOWTABLE]: ["add", "flowtable"],
  [uapi.NFT_MSG_DELFLOWTABLE]: ["delete", "flowtable"],
};

const FAMILIES: Readonly<Record<number, string>> = {
  [uapi.NFPROTO_INET]: "inet",
  [uapi.NFPROTO_IPV4]: "ip",
  3: "arp",
  5: "netdev",
  7: "bridge",
  [uapi.NFPROTO_IPV6]: "ip6",
};

/** "ip6" of 10. */
export function familyName(family: number): string {
  return FAMILIES[family] ?? `family ${family}`;
}

export function subjectOf(message: Message): Subject {
  const [action, kind] = KINDS[message.type] ?? ["add", "message"];
  const numbers = NUMBERS[kind];
  const text = (type: number | undefined): string | undefined =>
    type === undefined ? undefined : readString(findAttribute(message.bytes, type, ATTRIBUTES));
  return {
    action,
    kind,
    family: kind === "batch" ? "" : familyName(messageFamily(message)),
    table: text(numbers?.table),
    name: text(numbers?.name),
  };
}

/** "add elements to the set ip sluice backends", "delete the chain ip sluice lb-2" */
export function subjectText(subject: Subject): string {
  const path = [subject.family, subject.table, subject.name]
    .filter((part) => part !== undefined && part !== "")
    .join(" ");
  if (subject.kind === "batch") return "the whole batch";
  if (subject.kind === "elements") {
    return subject.action === "delete"
      ? `delete elements of the set ${path}`
      : `${subject.action} elements ${subject.action === "add" ? "to" : "of"} the set ${path}`;
  }
  if (subject.kind === "rule") {
    return subject.action === "delete"
      ? `delete rules of the chain ${path}`
      : `${subject.action} a rule ${subject.action === "add" ? "to" : "of"} the chain ${path}`;
  }
  return `${subject.action} the ${subject.kind} ${path}`;
}
