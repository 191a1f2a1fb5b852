// Counts how much a batch changes, from its bytes, so that the writers need not know. Bytes that are no valid batch are counted as
// far as they can be read. The readers of netlink/messages/ don't fit: they throw, and make an object of each attribute.
import { joinPieces } from "../../shared/engine.ts";
import { ATTRIBUTE_HEADER, align4, viewOf } from "../netlink/messages/attributes.ts";
import { ATTRIBUTES } from "../netlink/messages/messages.ts";
import {
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG_DELSETELEM,
  NFT_MSG_NEWSETELEM,
  NFTA_LIST_ELEM,
  NFTA_SET_ELEM_LIST,
  NLA_TYPE_MASK,
  NLMSG_HEADER,
} from "../netlink/messages/uapi.ts";

type Pieces = readonly Uint8Array[];

/** Elements, rules, chains, sets and tables that an nfnetlink batch adds and deletes. */
export function changesInNetlink(pieces: Pieces): number {
  const bytes = joinPieces(pieces);
  const view = viewOf(bytes);
  let count = 0;
  for (let at = 0; at + NLMSG_HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (length < NLMSG_HEADER) break; // what is no batch, the kernel refuses
    const end = Math.min(at + length, bytes.length);
    if (type === NFT_MSG_NEWSETELEM || type === NFT_MSG_DELSETELEM) {
      count += elementsIn(view, at + ATTRIBUTES, end);
    } else if (type >> 8 === NFNL_SUBSYS_NFTABLES) {
      count++;
    }
    at += align4(length);
  }
  return count;
}

function elementsIn(view: DataView, from: number, to: number): number {
  let count = 0;
  for (const [type, at, end] of attributes(view, from, to)) {
    if (type !== NFTA_SET_ELEM_LIST.ELEMENTS) continue;
    for (const [member] of attributes(view, at, end)) if (member === NFTA_LIST_ELEM) count++;
  }
  return count;
}

/** Type, start and end of each attribute's value. */
function* attributes(view: DataView, from: number, to: number): Generator<[number, number, number]> {
  for (let at = from; at + ATTRIBUTE_HEADER <= to; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER) return;
    yield [view.getUint16(at + 2, true) & NLA_TYPE_MASK, at + ATTRIBUTE_HEADER, Math.min(at + length, to)];
    at += align4(length);
  }
}

/** Rules that an input of iptables-restore adds, by table. */
export function rulesInIptables(pieces: Pieces): Map<string, number> {
  const rules = new Map<string, number>();
  let table = "";
  for (const line of Buffer.from(joinPieces(pieces)).toString("latin1").split("\n")) {
    if (line.startsWith("*")) {
      table = line.slice(1);
      rules.set(table, 0);
    } else if (line.startsWith("-A ")) {
      rules.set(table, (rules.get(table) ?? 0) + 1);
    }
  }
  return rules;
}
