// How much a batch changes: counted from its bytes, so that the writers need not know.
import { joinPieces } from "../../shared/engine.ts";
import {
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG_DELSETELEM,
  NFT_MSG_NEWSETELEM,
  NFTA_LIST_ELEM,
  NFTA_SET_ELEM_LIST,
} from "../netlink/uapi.ts";

type Pieces = readonly Uint8Array[];

const MESSAGE_HEADER = 16;
const NFTABLES_HEADER = 4;
const ATTRIBUTE_HEADER = 4;
const TYPE_MASK = 0x3fff;

const aligned = (length: number): number => (length + 3) & ~3;

/** Elements, rules, chains, sets and tables that an nfnetlink batch adds and deletes. */
export function changesInNetlink(pieces: Pieces): number {
  const bytes = joinPieces(pieces);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let at = 0; at + MESSAGE_HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true);
    const type = view.getUint16(at + 4, true);
    if (length < MESSAGE_HEADER) break; // what is no batch, the kernel refuses
    const end = Math.min(at + length, bytes.length);
    if (type === NFT_MSG_NEWSETELEM || type === NFT_MSG_DELSETELEM) {
      count += elementsIn(view, at + MESSAGE_HEADER + NFTABLES_HEADER, end);
    } else if (type >> 8 === NFNL_SUBSYS_NFTABLES) {
      count++;
    }
    at += aligned(length);
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
    yield [view.getUint16(at + 2, true) & TYPE_MASK, at + ATTRIBUTE_HEADER, Math.min(at + length, to)];
    at += aligned(length);
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
