// Reads names of tables and chains, and the rules of single chains, from nf_tables. iptables-nft keeps its chains there too.
import type { Family } from "../../../shared/contract.ts";
import {
  type Attribute,
  findAttribute,
  readAttributes,
  readString,
  readU32,
} from "../../netlink/messages/attributes.ts";
import { ENOENT, errnoName, NetlinkError } from "../../netlink/messages/errno.ts";
import { ATTRIBUTES, type Message, messageFamily, request } from "../../netlink/messages/messages.ts";
import { NFPROTO } from "../../netlink/messages/protocol-family.ts";
import * as uapi from "../../netlink/messages/uapi.ts";
import { requestDump, requestOne } from "../../netlink/sockets/requests.ts";
import type { NetlinkSocket } from "../../netlink/sockets/socket.ts";

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

/** A chain that sees forwarded packets and drops those that it has no rule for. */
export interface ForwardDrop {
  /** "ip filter" */
  readonly table: string;
  readonly chain: string;
}

export interface NftSetFill {
  readonly name: string;
  /** So many elements it takes; 0: as many as there is memory for. */
  readonly size: number;
  /** Undefined: the kernel does not say (before Linux 6.16). */
  readonly count: number | undefined;
}

export interface NftRule {
  /** Decimal, as nft prints it. */
  readonly handle: bigint;
  /** Chains that it jumps or goes to; not those that elements of a map lead to. */
  readonly targets: readonly string[];
  /** "counter", "immediate"; a match of x_tables with its name, "match:conntrack". */
  readonly expressions: readonly string[];
  /** The whole message, for those who look for text in it. */
  readonly bytes: Uint8Array;
}

/** A dump that somebody's commit interrupted is read again so often. */
const ATTEMPTS = 20;
const NF_DROP = 0;
const NF_INET_FORWARD = 2;
/** NFT_SET_EVAL: packets add elements. */
const NFT_SET_EVAL = 0x20;
/** Whose packets are IP. */
const FAMILY_NAMES: Readonly<Record<number, string>> = {
  [uapi.NFPROTO_INET]: "inet",
  [uapi.NFPROTO_IPV4]: "ip",
  [uapi.NFPROTO_IPV6]: "ip6",
};

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

/** Also in tables of family inet. @throws {NetlinkError} */
export async function listForwardDrops(socket: NetlinkSocket): Promise<ForwardDrop[]> {
  const found: ForwardDrop[] = [];
  await listAll(socket, uapi.NFT_MSG_GETCHAIN, 0, found, (message) => {
    const family = FAMILY_NAMES[messageFamily(message)];
    const attribute = (type: number) => findAttribute(message.bytes, type, ATTRIBUTES);
    const hook = attribute(uapi.NFTA_CHAIN.HOOK);
    if (family === undefined || hook === undefined) return;
    if (readU32(findAttribute(hook, uapi.NFTA_HOOK.HOOKNUM)) !== NF_INET_FORWARD) return;
    if (readU32(attribute(uapi.NFTA_CHAIN.POLICY)) !== NF_DROP) return;
    const table = `${family} ${readString(attribute(uapi.NFTA_CHAIN.TABLE))}`;
    found.push({ table, chain: readString(attribute(uapi.NFTA_CHAIN.NAME)) ?? "" });
  });
  return found;
}

/** Sets of a table to which packets add elements; none if there is no such table. @throws {NetlinkError} */
export async function listDynamicSets(socket: NetlinkSocket, family: Family, table: string): Promise<NftSetFill[]> {
  const found: NftSetFill[] = [];
  const each = ({ bytes }: Message) => {
    const attribute = (type: number) => findAttribute(bytes, type, ATTRIBUTES);
    if (((readU32(attribute(uapi.NFTA_SET.FLAGS)) ?? 0) & NFT_SET_EVAL) === 0) return;
    const size = findAttribute(attribute(uapi.NFTA_SET.DESC) ?? new Uint8Array(), uapi.NFTA_SET_DESC.SIZE);
    found.push({
      name: readString(attribute(uapi.NFTA_SET.NAME)) ?? "",
      size: readU32(size) ?? 0,
      count: readU32(attribute(uapi.NFTA_SET.COUNT)),
    });
  };
  await list(socket, uapi.NFT_MSG_GETSET, NFPROTO[family], found, each, (w) => w.string(uapi.NFTA_SET.TABLE, table));
  return found;
}

/** How many elements a set has; 0 if there is no such set. @throws {NetlinkError} */
export async function countElements(
  socket: NetlinkSocket,
  family: Family,
  table: string,
  set: string,
): Promise<number> {
  const found: number[] = [];
  await listElements(socket, family, table, set, found, ({ length }) => found.push(length));
  return found.reduce((sum, count) => sum + count, 0);
}

/** Keys of a set's elements, as the kernel lays them out; none if there is no such set. @throws {NetlinkError} */
export async function listKeys(
  socket: NetlinkSocket,
  family: Family,
  table: string,
  set: string,
): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  await listElements(socket, family, table, set, found, (elements) => {
    for (const { payload } of elements) {
      const key = findAttribute(payload, uapi.NFTA_SET_ELEM.KEY);
      const value = key === undefined ? undefined : findAttribute(key, uapi.NFTA_DATA.VALUE);
      if (value !== undefined) found.push(value.slice());
    }
  });
  return found;
}

function listElements(
  socket: NetlinkSocket,
  family: Family,
  table: string,
  set: string,
  found: unknown[],
  read: (elements: readonly Attribute[]) => void,
): Promise<void> {
  const each = ({ bytes }: Message) => {
    const elements = findAttribute(bytes, uapi.NFTA_SET_ELEM_LIST.ELEMENTS, ATTRIBUTES);
    read(elements === undefined ? [] : [...readAttributes(elements)]);
  };
  return list(socket, uapi.NFT_MSG_GETSETELEM, NFPROTO[family], found, each, (w) => {
    w.string(uapi.NFTA_SET_ELEM_LIST.TABLE, table);
    w.string(uapi.NFTA_SET_ELEM_LIST.SET, set);
  });
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
  const answer = await requestOne(socket, bytes, sequence);
  if ("message" in answer) return readChain(answer.message, family);
  if (answer.errno === ENOENT) return undefined;
  throw new NetlinkError("GETCHAIN", answer.errno);
}

/**
 * Chains and their rules in tables of families ip, ip6 and inet, but for tables and chains that `skip` names: chain by chain,
 * so that what is skipped costs nothing.
 *
 * @throws {NetlinkError}
 */
export async function* listOthersRules(
  socket: NetlinkSocket,
  skip: (table: string, chain: string) => boolean,
): AsyncGenerator<{ readonly place: string; readonly expressions: readonly Attribute[] }> {
  const chains: { family: number; table: string; name: string }[] = [];
  await listAll(socket, uapi.NFT_MSG_GETCHAIN, 0, chains, (message) => {
    const text = (type: number) => readString(findAttribute(message.bytes, type, ATTRIBUTES)) ?? "";
    const chain = {
      family: messageFamily(message),
      table: text(uapi.NFTA_CHAIN.TABLE),
      name: text(uapi.NFTA_CHAIN.NAME),
    };
    if (FAMILY_NAMES[chain.family] !== undefined && !skip(chain.table, chain.name)) chains.push(chain);
  });
  for (const { family, table, name } of chains) {
    const rules: Uint8Array[] = [];
    const each = ({ bytes }: Message) => {
      const of = readString(findAttribute(bytes, uapi.NFTA_RULE.CHAIN, ATTRIBUTES));
      const expressions = findAttribute(bytes, uapi.NFTA_RULE.EXPRESSIONS, ATTRIBUTES);
      if (of === name && expressions !== undefined) rules.push(expressions.slice());
    };
    await listAll(socket, uapi.NFT_MSG_GETRULE, family, rules, each, (w) => {
      w.string(uapi.NFTA_RULE.TABLE, table);
      w.string(uapi.NFTA_RULE.CHAIN, name);
    });
    const place = `${FAMILY_NAMES[family]} ${table} ${name}`;
    for (const rule of rules) yield { place, expressions: [...readAttributes(rule)] };
  }
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
      found.push({
        handle: readHandle(message),
        targets: targetsOf(message),
        expressions: expressionsOf(message),
        bytes: message.bytes.slice(),
      });
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
  const end = await requestDump(socket, bytes, sequence, (message) => {
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

function list(
  socket: NetlinkSocket,
  type: number,
  family: number,
  found: unknown[],
  each: (message: Message, family: Family) => void,
  content?: (writer: { string(type: number, text: string): void }) => void,
): Promise<void> {
  const ofIp = (message: Message) => {
    const number = messageFamily(message);
    if (number === uapi.NFPROTO_IPV4) each(message, "ipv4");
    else if (number === uapi.NFPROTO_IPV6) each(message, "ipv6");
  };
  return listAll(socket, type, family, found, ofIp, content);
}

/** Of all families. `found` is emptied where the dump is begun anew. */
async function listAll(
  socket: NetlinkSocket,
  type: number,
  family: number,
  found: unknown[],
  each: (message: Message) => void,
  content?: (writer: { string(type: number, text: string): void }) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    found.length = 0;
    const sequence = socket.nextSequence();
    const bytes = request({ type, flags: uapi.NLM_F_DUMP, sequence, family }, content);
    const end = await requestDump(socket, bytes, sequence, (message) => {
      each(message);
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

function expressionsOf(message: Message): string[] {
  const names: string[] = [];
  for (const { payload } of each(findAttribute(message.bytes, uapi.NFTA_RULE.EXPRESSIONS, ATTRIBUTES))) {
    const name = readString(findAttribute(payload, uapi.NFTA_EXPR.NAME)) ?? "";
    const data = findAttribute(payload, uapi.NFTA_EXPR.DATA) ?? new Uint8Array();
    names.push(name === "match" ? `match:${readString(findAttribute(data, uapi.NFTA_MATCH.NAME))}` : name);
  }
  return names;
}

function* each(bytes: Uint8Array | undefined): Generator<Attribute> {
  if (bytes !== undefined) yield* readAttributes(bytes);
}
