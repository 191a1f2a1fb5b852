// Reads names of tables and chains, and the rules of single chains, from nf_tables. iptables-nft keeps its chains there too.
import type { Family } from "../../shared/contract.ts";
import { askAll, askOne } from "../netlink/ask.ts";
import { type Attribute, findAttribute, readAttributes, readString, readU32 } from "../netlink/attributes.ts";
import { ENOENT, errnoName, NetlinkError } from "../netlink/errno.ts";
import { ATTRIBUTES, type Message, messageFamily, request } from "../netlink/messages.ts";
import { NFPROTO } from "../netlink/protocol-family.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import * as uapi from "../netlink/uapi.ts";

export interface NftTable {
  readonly family: Family;
  readonly name: string;
}

export interface NftChain {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
  /** It hangs on a hook. */
  readonly base: boolean;
  /** Of a base chain: packets that no rule decides about are dropped. */
  readonly dropsByDefault: boolean;
  /** Rules in it, and rules and elements that lead to it. */
  readonly use: number;
}

export interface NftRule {
  /** Decimal, as nft prints it. */
  readonly handle: bigint;
  /** Chains that it jumps or goes to; not those that elements of a map lead to. */
  readonly targets: readonly string[];
  /** The whole message, for those who look for text in it. */
  readonly bytes: Uint8Array;
}

/** A dump that somebody's commit interrupted is read again so often. */
const ATTEMPTS = 20;
const NF_DROP = 0;

/** Tables of families ip and ip6. @throws {NetlinkError} */
export async function listTables(socket: NetlinkSocket): Promise<NftTable[]> {
  const found: NftTable[] = [];
  await list(socket, uapi.NFT_MSG_GETTABLE, 0, found, (message, family) => {
    const name = readString(findAttribute(message.bytes, uapi.NFTA_TABLE.NAME, ATTRIBUTES));
    if (name !== undefined) found.push({ family, name });
  });
  return found;
}

/** Chains of families ip and ip6, in all tables. @throws {NetlinkError} */
export async function listChains(socket: NetlinkSocket): Promise<NftChain[]> {
  const found: NftChain[] = [];
  await list(socket, uapi.NFT_MSG_GETCHAIN, 0, found, (message, family) => {
    const chain = readChain(message, family);
    if (chain !== undefined) found.push(chain);
  });
  return found;
}

/** One chain, or undefined if there is none. @throws {NetlinkError} */
export async function findChain(
  socket: NetlinkSocket,
  family: Family,
  table: string,
  name: string,
): Promise<NftChain | undefined> {
  const sequence = socket.nextSequence();
  const header = { type: uapi.NFT_MSG_GETCHAIN, flags: 0, sequence, family: NFPROTO[family] };
  const bytes = request(header, (w) => {
    w.string(uapi.NFTA_CHAIN.TABLE, table);
    w.string(uapi.NFTA_CHAIN.NAME, name);
  });
  const answer = await askOne(socket, bytes, sequence);
  if ("message" in answer) return readChain(answer.message, family);
  if (answer.errno === ENOENT) return undefined;
  throw new NetlinkError("GETCHAIN", answer.errno);
}

/** Rules of one chain, in order; none if there is no such chain. @throws {NetlinkError} */
export async function listRules(socket: NetlinkSocket, chain: NftChain): Promise<NftRule[]> {
  const found: NftRule[] = [];
  const content = (w: { string(type: number, text: string): void }) => {
    w.string(uapi.NFTA_RULE.TABLE, chain.table);
    w.string(uapi.NFTA_RULE.CHAIN, chain.name);
  };
  await list(
    socket,
    uapi.NFT_MSG_GETRULE,
    NFPROTO[chain.family],
    found,
    (message) => {
      const table = readString(findAttribute(message.bytes, uapi.NFTA_RULE.TABLE, ATTRIBUTES));
      const name = readString(findAttribute(message.bytes, uapi.NFTA_RULE.CHAIN, ATTRIBUTES));
      if (table !== chain.table || name !== chain.name) return;
      found.push({ handle: readHandle(message), targets: targetsOf(message), bytes: message.bytes.slice() });
    },
    content,
  );
  return found;
}

/**
 * Whether a set or map has an element; false if there is no such set. The socket must be closed afterwards: the dump is left
 * unread.
 *
 * @throws {NetlinkError}
 */
export async function hasElements(socket: NetlinkSocket, family: Family, table: string, set: string): Promise<boolean> {
  const sequence = socket.nextSequence();
  const header = { type: uapi.NFT_MSG_GETSETELEM, flags: uapi.NLM_F_DUMP, sequence, family: NFPROTO[family] };
  const bytes = request(header, (w) => {
    w.string(uapi.NFTA_SET_ELEM_LIST.TABLE, table);
    w.string(uapi.NFTA_SET_ELEM_LIST.SET, set);
  });
  let found = false;
  const end = await askAll(socket, bytes, sequence, (message) => {
    const elements = findAttribute(message.bytes, uapi.NFTA_SET_ELEM_LIST.ELEMENTS, ATTRIBUTES);
    found = elements !== undefined && elements.length > 0;
    return !found;
  });
  if (end.errno !== 0 && end.errno !== ENOENT) throw new NetlinkError("dump", end.errno);
  return found;
}

export interface NftJump {
  readonly chain: string;
  readonly target: string;
}

/** Which chains lead to which, in one table. @throws {NetlinkError} */
export async function listJumps(socket: NetlinkSocket, family: Family, table: string): Promise<NftJump[]> {
  const found: NftJump[] = [];
  const each = (message: Message) => {
    if (readString(findAttribute(message.bytes, uapi.NFTA_RULE.TABLE, ATTRIBUTES)) !== table) return;
    const chain = readString(findAttribute(message.bytes, uapi.NFTA_RULE.CHAIN, ATTRIBUTES)) ?? "";
    for (const target of targetsOf(message)) found.push({ chain, target });
  };
  await list(socket, uapi.NFT_MSG_GETRULE, NFPROTO[family], found, each, (w) => w.string(uapi.NFTA_RULE.TABLE, table));
  return found;
}

async function list(
  socket: NetlinkSocket,
  type: number,
  family: number,
  found: unknown[],
  each: (message: Message, family: Family) => void,
  content?: (writer: { string(type: number, text: string): void }) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    found.length = 0;
    const sequence = socket.nextSequence();
    const bytes = request({ type, flags: uapi.NLM_F_DUMP, sequence, family }, content);
    const end = await askAll(socket, bytes, sequence, (message) => {
      const number = messageFamily(message);
      if (number === uapi.NFPROTO_IPV4) each(message, "ipv4");
      else if (number === uapi.NFPROTO_IPV6) each(message, "ipv6");
      return true;
    });
    if (end.errno === ENOENT) return;
    if (end.errno !== 0) throw new NetlinkError("dump", end.errno);
    if (!end.interrupted && !end.lost) return;
    if (attempt === ATTEMPTS) {
      throw new NetlinkError("dump", 11, `somebody changed the ruleset ${ATTEMPTS} times while it was read`);
    }
  }
}

function readChain(message: Message, family: Family): NftChain | undefined {
  const attribute = (type: number) => findAttribute(message.bytes, type, ATTRIBUTES);
  const table = readString(attribute(uapi.NFTA_CHAIN.TABLE));
  const name = readString(attribute(uapi.NFTA_CHAIN.NAME));
  if (table === undefined || name === undefined) return undefined;
  return {
    family,
    table,
    name,
    base: attribute(uapi.NFTA_CHAIN.HOOK) !== undefined,
    dropsByDefault: readU32(attribute(uapi.NFTA_CHAIN.POLICY)) === NF_DROP,
    use: readU32(attribute(uapi.NFTA_CHAIN.USE)) ?? 0,
  };
}

function readHandle(message: Message): bigint {
  const payload = findAttribute(message.bytes, uapi.NFTA_RULE.HANDLE, ATTRIBUTES);
  if (payload === undefined) throw new NetlinkError("GETRULE", 0, `a rule without handle (${errnoName(0)})`);
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getBigUint64(0);
}

/** Jumps and gotos are immediate expressions that write a verdict. */
function targetsOf(message: Message): string[] {
  const targets: string[] = [];
  const expressions = findAttribute(message.bytes, uapi.NFTA_RULE.EXPRESSIONS, ATTRIBUTES);
  for (const { payload } of each(expressions)) {
    if (readString(findAttribute(payload, uapi.NFTA_EXPR.NAME)) !== "immediate") continue;
    const data = findAttribute(
      findAttribute(payload, uapi.NFTA_EXPR.DATA) ?? new Uint8Array(),
      uapi.NFTA_IMMEDIATE.DATA,
    );
    const verdict = findAttribute(data ?? new Uint8Array(), uapi.NFTA_DATA.VERDICT);
    const chain = readString(findAttribute(verdict ?? new Uint8Array(), uapi.NFTA_VERDICT.CHAIN));
    if (chain !== undefined) targets.push(chain);
  }
  return targets;
}

function* each(bytes: Uint8Array | undefined): Generator<Attribute> {
  if (bytes !== undefined) yield* readAttributes(bytes);
}
