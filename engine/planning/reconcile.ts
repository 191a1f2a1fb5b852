// From what the kernel has dumped of a table to what it should hold, by the smallest write. What it should hold is
// planned as for an empty table and then not sent: its messages are read back like the kernel's, and compared.
//
// Nothing may fall into a hole on the way, so there are three transactions: chains and sets that are missing or differ;
// elements, after which nothing leads to what should not be there; and its deletion, which later plans take over.
//
// What the kernel can't change in place: type, hook and priority of a base chain, which is therefore deleted and made in
// one transaction (nothing can refer to it); flags, types and size of a set, or that a chain others go to is no base
// chain, for which the table is made anew.
import { equalBytes, equalLiteral } from "../bytes/compare";
import { SLACK, Vector } from "../bytes/memory";
import { outSelect, resultPieces, resultStart, StreamName, writeLiteral } from "../bytes/out";
import { Protocol, protocolNumber } from "../cluster/records";
import {
  AttributeWriter,
  findAttribute,
  firstAttribute,
  nextAttribute,
  numberOf,
  textLength,
  valueEnd,
  valueLength,
  valueOf,
} from "../encodings/netlink-attributes";
import {
  acceptsByPolicy,
  isBaseChain,
  sameChain,
  sameElement,
  sameElements,
  sameRules,
  sameSet,
} from "../encodings/netlink-compare";
import {
  beginAttribute,
  beginNest,
  endAttribute,
  endMessage,
  Flag,
  FULL,
  messageLength,
  name,
  number32,
  rawBytes,
} from "../encodings/netlink-message";
import { Attribute, CHAIN_BINDING, Message, POLICY_ACCEPT, SetBit, TABLE_DORMANT } from "../encodings/netlink-numbers";
import { isText, Named, Objects, Part } from "../encodings/netlink-objects";
import { nft } from "../encodings/nft";
import { adoptFirewall } from "../layouts/flat/chains";
import { mapOf } from "../layouts/flat/elements";
import { hasOwnMap } from "../layouts/flat/own-maps";
import { allowCutsWithin, cutIfLong, isLimited } from "../layouts/nft/cuts";
import { isOwnMap, isSlotMap, OwnMap, ownMapPrefix } from "../layouts/nft/names";
import { planDeletions, writeRetired } from "../layouts/nft/retiring";
import { Slot, Snapshot } from "../layouts/nft/snapshots";
import { rememberLeftOver } from "../routing/gone-entry-points";
import { Claim, EntryPoint, Key, KeyKind, keyOf } from "../routing/keys";
import { listPresentPorts } from "../routing/refresh";
import { FamilyPort, hasAffinity, internalIsLocal } from "../routing/service-ports";
import { beginBatch, endNftBatch, endResumedBatch, mergeBatches, resumeBatch } from "../transactions/batches";
import { journalEmptyKey } from "../transactions/key-journal";
import { serviceOf, writeFor } from "../transactions/refusals";
import { isSpent } from "../transactions/slices";
import { addStale, confirmStale, dropDoubted } from "../transactions/stale-chains";
import { heldRanges, readRanges } from "./held-ranges";

const kernel = new Objects();
const ours = new Objects();

@unmanaged
class Drift {
  missing: u32 = 0;
  changed: u32 = 0;
  extra: u32 = 0;
  rebuilt: bool = false;
  /** Address and length of each name, copied. */
  names: Vector = new Vector();
}

export const drift = new Drift();
const MAX_NAMES: u32 = 100;

function forgetDrift(): void {
  for (let i: u32 = 0; i < drift.names.length; i += 2) heap.free(<usize>drift.names.get(i));
  drift.names.clear();
  drift.missing = 0;
  drift.changed = 0;
  drift.extra = 0;
  drift.rebuilt = false;
}

function noteName(named: Named): void {
  noteText(named.name, named.nameLength);
}

/** The name that is the value of an attribute. */
function noteAttribute(at: usize): void {
  if (at != 0) noteText(valueOf(at), textLength(at));
}

function noteText(bytes: usize, length: usize): void {
  const count = drift.names.length;
  if (count >= MAX_NAMES << 1) return;
  for (let i: u32 = 0; i < count; i += 2) {
    if (equalBytes(<usize>drift.names.get(i), <usize>drift.names.get(i + 1), bytes, length)) return;
  }
  const copy = heap.alloc(length + SLACK);
  memory.copy(copy, bytes, length);
  drift.names.push(<u32>copy);
  drift.names.push(<u32>length);
}

/** A dump of so many bytes comes, in pieces that stay where they are until all is done. */
export function beginDump(size: usize): void {
  forgetDrift();
  kernel.reset(size);
  comparing = false;
}

function takeAll(set: Named, start: usize, end: usize): bool {
  return true;
}

/** Reads whole messages of the dump. */
export function readDump(bytes: usize, length: usize): void {
  const end = bytes + length;
  for (let at = bytes; at != 0; at = kernel.read(at, end, takeAll)) {}
}

/** False if there is no table to compare with. */
export function endDump(): bool {
  drift.rebuilt = !kernel.hasTable;
  return kernel.hasTable;
}

/** The kernel's set or map of that name, or 0. */
function setNamed(literal: string): usize {
  const length = writeLiteral(nameBuffer, literal) - nameBuffer;
  return kernel.find(true, nameBuffer, length);
}

const nameBuffer: usize = memory.data(320, 16);

// ---- slots

/** An element's key, as it would be sent. */
const slotKey = new AttributeWriter(96);

/** Slots of one service port, as they are found. */
let foundSlots: usize = 0;
let foundRoom: u32 = 0;

function foundSlot(index: u32): usize {
  if (index >= foundRoom) {
    foundRoom = max<u32>(64, index << 1);
    const size = <usize>foundRoom * offsetof<Slot>();
    foundSlots = foundSlots == 0 ? heap.alloc(size) : heap.realloc(foundSlots, size);
  }
  return foundSlots + <usize>index * offsetof<Slot>();
}

/**
 * Copies the slots that the kernel has under a key to `foundSlots`, behind the first `before`, and returns how many they
 * are. `local`: those for the Local policy alone.
 */
function readSlots(key: Key, local: bool, before: u32): u32 {
  return readSlotsOf(setNamed(mapOf(key, local)), key.family, changetype<usize>(key), before);
}

/** The same for a map of the service port's own. */
function readOwnSlots(port: FamilyPort, bit: u32, before: u32): u32 {
  const owner = port.port;
  const end = writeLiteral(nameBuffer, ownMapPrefix(bit));
  memory.copy(end, owner.base, owner.baseLength);
  const map = kernel.find(true, nameBuffer, end - nameBuffer + owner.baseLength);
  return readSlotsOf(map, <u8>port.family, 0, before);
}

/** `map`: a Named, or 0. `at`: the Key that slots stand under, or 0. */
function readSlotsOf(map: usize, family: u8, at: usize, before: u32): u32 {
  if (map == 0) return 0;
  const addressLength: usize = family == 0 ? 4 : 16;
  slotKey.end = slotKey.start;
  const nest = slotKey.beginNest(Attribute.ELEMENT_KEY);
  const value = slotKey.beginAttribute(Attribute.DATA_VALUE);
  if (at != 0) {
    const key = changetype<Key>(at);
    if (key.kind != <u8>KeyKind.NODE_PORT) slotKey.rawBytes(key.ip(), addressLength);
    slotKey.protocolAndPort(<u32>key.protocol, key.port);
  }
  const slot = slotKey.end;
  slotKey.end += 4;
  slotKey.endAttribute(value);
  slotKey.endAttribute(nest);
  let count: u32 = 0;
  store<u32>(slot, count);
  let found = kernel.findElement(changetype<Named>(map), slotKey.start, slotKey.end);
  while (found != 0) {
    readEndpoint(changetype<Part>(found), foundSlot(before + count), addressLength);
    store<u32>(slot, ++count);
    found = kernel.findElement(changetype<Named>(map), slotKey.start, slotKey.end);
  }
  return count;
}

/** Writes a Slot; one of zeros, which no endpoint has, if the element is not as it should be. */
function readEndpoint(part: Part, to: usize, addressLength: usize): void {
  memory.fill(to, 0, offsetof<Slot>());
  const data = findAttribute(part.start, part.end, Attribute.ELEMENT_DATA);
  const value: usize = data == 0 ? 0 : findAttribute(valueOf(data), valueEnd(data), Attribute.DATA_VALUE);
  if (value == 0 || valueLength(value) < addressLength + 2) return;
  memory.copy(to, valueOf(value), addressLength);
  changetype<Slot>(to).port = <u32>bswap<u16>(load<u16>(valueOf(value) + addressLength));
}

/**
 * Makes a snapshot of a service port that knows nothing but which endpoints stand in which slots in the kernel; returns
 * how many slots they are.
 */
function adoptPort(port: FamilyPort): u32 {
  if (hasOwnMap(port)) {
    const cluster = readOwnSlots(port, OwnMap.CLUSTER, 0);
    return adoptSlots(port, cluster, readOwnSlots(port, OwnMap.LOCAL, cluster));
  }
  let clusterKey: usize = 0;
  let localKey: usize = 0;
  let localOnly = true; // whether the map of `localKey` is the one for the Local policy alone
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    const claim = changetype<Claim>(at);
    if (!claim.isOwner()) continue;
    const key = changetype<usize>(claim.key);
    const internal = claim.entryPoint == EntryPoint.CLUSTER_IP;
    if (internal && internalIsLocal(port)) {
      localKey = key;
      localOnly = false;
      continue;
    }
    if (clusterKey == 0) clusterKey = key;
    if (localKey == 0 && !internal) localKey = key;
  }
  const cluster: u32 = clusterKey == 0 ? 0 : readSlots(changetype<Key>(clusterKey), false, 0);
  const local: u32 = localKey == 0 ? 0 : readSlots(changetype<Key>(localKey), localOnly, cluster);
  return adoptSlots(port, cluster, local);
}

function adoptSlots(port: FamilyPort, cluster: u32, local: u32): u32 {
  if (cluster + local == 0) return 0;
  const size = <usize>(cluster + local) * offsetof<Slot>();
  const made = heap.alloc(offsetof<Snapshot>() + size);
  const snapshot = changetype<Snapshot>(made);
  snapshot.signature = 0; // no signature is 0: the port is written anew
  snapshot.signatureRest = 0;
  snapshot.chainSignature = 0;
  snapshot.entrySignature = 0;
  snapshot.chains = 0;
  snapshot.maps = 0; // where they stand is written anew, too
  snapshot.split = false;
  snapshot.affinityCount = 0;
  snapshot.clusterCount = cluster;
  snapshot.localCount = local;
  memory.copy(snapshot.slots(false), foundSlots, size); // those for the Local policy come behind the others there too
  port.committed = made;
  return cluster + local;
}

const ports = new Vector();

/** How many of `ports` have adopted their slots, and of the kernel's chains and sets that have been looked at. */
let adopted: u32 = 0;
let lookedAt: u32 = 0;
let adoptingFamily: u32 = 0;

/** Begins to let the family keep, where there are any (flat), the names of source lists and the slots that the kernel has. */
export function beginAdoption(family: u32, hasSlots: bool): void {
  ports.clear();
  if (hasSlots) listPresentPorts(family, ports);
  adopted = 0;
  lookedAt = hasSlots ? 0 : kernel.names.length;
  adoptingFamily = family;
}

const SOURCES: string = "sources-";

/** What list a chain of the kernel's stands for is said by its set, not by its name. */
function adoptSources(held: Named): u32 {
  const prefix = <usize>SOURCES.length;
  if (!held.isSet || held.nameLength <= prefix || !equalLiteral(held.name, prefix, SOURCES)) return 0;
  const count = readRanges(held, adoptingFamily == 0 ? 4 : 16);
  if (count != 0) adoptFirewall(adoptingFamily, held.name + prefix, held.nameLength - prefix, heldRanges(), count);
  return held.count;
}

/** Goes on for a slice; true: all are done. */
export function continueAdoption(): bool {
  while (lookedAt < kernel.names.length) {
    const held = changetype<Named>(<usize>kernel.names.get(lookedAt++));
    if (isSpent(1 + adoptSources(held))) return false;
  }
  while (adopted < ports.length) {
    const port = changetype<FamilyPort>(<usize>ports.get(adopted++));
    const slots = hasAffinity(port) ? 0 : adoptPort(port);
    if (isSpent(1 + slots)) return false;
  }
  return true;
}

// ---- difference

/** A message with the attributes of one that was planned; the first is the table's name, which is written anyway. */
function copyMessage(type: u32, flags: u32, start: usize, end: usize): void {
  nft.beginMessage(type, flags);
  const rest = nextAttribute(start, end);
  if (rest != 0) rawBytes(rest, end - rest);
  endMessage();
}

/** A set or chain that belongs to the rule that refers to it. By its flags: anybody may give names that look like it. */
function isUnnamed(named: Named): bool {
  if (named.isSet) return hasFlag(named, SetBit.ANONYMOUS);
  return (numberOf(findAttribute(named.start, named.end, Attribute.CHAIN_FLAGS)) & CHAIN_BINDING) != 0;
}

/** A message that names a chain or set and no more. */
function nameMessage(type: u32, named: Named, attribute: u32): void {
  nft.beginMessage(type, 0);
  name(attribute, "", named.name, named.nameLength);
  endMessage();
}

/** The family whose transaction may end between two messages of elements; -1: none. */
let cutFamily: i32 = -1;

/** Sends elements of a set: all, or those that `wanted` says. Those of ours are sent for the Service that they belong to. */
function copyElements(
  set: Named,
  type: u32,
  flags: u32,
  wanted: (part: Part) => bool,
  from: usize = set.first,
  to: usize = 0,
): void {
  let list: usize = 0;
  let message: u32 = 0;
  let owner: u32 = 0;
  const isOurs = type == Message.NEW_ELEMENT && !isUnnamed(set);
  if (!isOurs && !isUnnamed(set)) writeFor(0);
  for (let at = from; at != to; at = changetype<Part>(at).next) {
    const part = changetype<Part>(at);
    if (!wanted(part)) continue;
    let isAnothers = false;
    if (isOurs && part.message != message) {
      message = part.message;
      const before = owner;
      owner = serviceOf(message);
      isAnothers = owner != before;
    }
    if (list != 0 && (isAnothers || messageLength() > FULL)) {
      endAttribute(list);
      endMessage();
      list = 0;
      if (cutFamily >= 0) cutIfLong(<u32>cutFamily, false);
    }
    if (isOurs && list == 0) writeFor(owner);
    if (list == 0) {
      nft.beginMessage(type, flags);
      name(Attribute.ELEMENTS_SET, "", set.name, set.nameLength);
      if (set.id != 0 && isUnnamed(set)) number32(Attribute.ELEMENTS_SET_ID, set.id);
      list = beginNest(Attribute.ELEMENTS_LIST);
    }
    const element = beginNest(Attribute.MEMBER);
    if (type == Message.DELETE_ELEMENT) copyKey(part);
    else rawBytes(part.start, part.end - part.start);
    endAttribute(element);
  }
  if (list == 0) return;
  endAttribute(list);
  endMessage();
}

/** What identifies an element: its key, and which end of a range it is. */
function copyKey(part: Part): void {
  const flags = findAttribute(part.start, part.end, Attribute.ELEMENT_FLAGS);
  if (flags != 0) {
    const at = beginAttribute(Attribute.ELEMENT_FLAGS);
    rawBytes(valueOf(flags), valueLength(flags));
    endAttribute(at);
  }
  const key = findAttribute(part.start, part.end, Attribute.ELEMENT_KEY);
  const at = beginNest(Attribute.ELEMENT_KEY);
  rawBytes(valueOf(key), valueLength(key));
  endAttribute(at);
}

/** The sets without names that the rules of a chain refer to have to be sent before the rules. */
function copyRule(rule: Part): void {
  const expressions = findAttribute(rule.start, rule.end, Attribute.RULE_EXPRESSIONS);
  const end = valueEnd(expressions);
  for (let at = firstAttribute(valueOf(expressions), end); at != 0; at = nextAttribute(at, end)) {
    if (!isText(findAttribute(valueOf(at), valueEnd(at), Attribute.EXPRESSION_NAME), "lookup")) continue;
    const data = findAttribute(valueOf(at), valueEnd(at), Attribute.EXPRESSION_DATA);
    if (numberOf(findAttribute(valueOf(data), valueEnd(data), Attribute.LOOKUP_SET_ID)) == 0) continue;
    const found = ours.setOfLookup(valueOf(data), valueEnd(data));
    if (found == 0) continue;
    const set = changetype<Named>(found);
    copyMessage(Message.NEW_SET, Flag.CREATE, set.start, set.end);
    copyElements(set, Message.NEW_ELEMENT, Flag.CREATE, (part: Part) => true);
  }
  copyMessage(Message.NEW_RULE, Flag.CREATE | Flag.APPEND, rule.start, rule.end);
}

const chainsToFill = new Vector();
/** Base chains with another type, hook or priority. */
const chainsToReplace = new Vector();

/** A chain or set that is missing is written, without its rules or elements; a chain that differs is noted. */
function writeObject(wanted: Named): void {
  if (isUnnamed(wanted)) return;
  const found = kernel.find(wanted.isSet, wanted.name, wanted.nameLength);
  if (found == 0) {
    drift.missing++;
    noteName(wanted);
    writeFor(serviceOf(wanted.message));
    copyMessage(wanted.isSet ? Message.NEW_SET : Message.NEW_CHAIN, Flag.CREATE, wanted.start, wanted.end);
    if (!wanted.isSet) chainsToFill.push(<u32>changetype<usize>(wanted));
    return;
  }
  const held = changetype<Named>(found);
  held.seen = true;
  if (wanted.isSet) return;
  const same = sameRules(kernel, held, ours, wanted); // also says which unnamed sets belong to it
  if (!sameChain(held, wanted)) {
    drift.changed++;
    noteName(wanted);
    chainsToReplace.push(<u32>changetype<usize>(wanted));
    return;
  }
  if (!acceptsByPolicy(held)) {
    drift.changed++;
    noteName(wanted);
    acceptPackets(wanted);
  }
  if (same) return;
  drift.changed++;
  noteName(wanted);
  wanted.seen = true;
  chainsToFill.push(<u32>changetype<usize>(wanted));
}

/** Gives a base chain that is there the policy that ours have. */
function acceptPackets(chain: Named): void {
  writeFor(0);
  nft.beginMessage(Message.NEW_CHAIN, 0);
  name(Attribute.CHAIN_NAME, "", chain.name, chain.nameLength);
  number32(Attribute.CHAIN_POLICY, POLICY_ACCEPT);
  endMessage();
}

/** Puts the table's base chains back on their hooks. It is a transaction of its own: in it none could be added. */
function wakeTable(family: u32): void {
  const flags = numberOf(findAttribute(kernel.tableStart, kernel.tableEnd, Attribute.TABLE_FLAGS));
  if ((flags & TABLE_DORMANT) == 0) return;
  drift.changed++;
  noteAttribute(findAttribute(kernel.tableStart, kernel.tableEnd, Attribute.TABLE));
  beginBatch(family, 0);
  nft.beginMessage(Message.NEW_TABLE, 0);
  number32(Attribute.TABLE_FLAGS, flags & ~TABLE_DORMANT);
  endMessage();
  endNftBatch(0, false);
}

function deleteBaseChain(chain: Named): void {
  nameMessage(Message.DELETE_RULE, chain, Attribute.RULE_CHAIN);
  nameMessage(Message.DELETE_CHAIN, chain, Attribute.CHAIN_NAME);
}

/** Once all chains and sets are there, each chain gets its rules in one transaction. */
function fillChains(family: u32): void {
  writeFor(0);
  // What is deleted has its rules again before a transaction may end.
  for (let i: u32 = 0; i < chainsToReplace.length; i++) {
    const chain = changetype<Named>(<usize>chainsToReplace.get(i));
    deleteBaseChain(chain);
    copyMessage(Message.NEW_CHAIN, Flag.CREATE, chain.start, chain.end);
    for (let at = chain.first; at != 0; at = changetype<Part>(at).next) copyRule(changetype<Part>(at));
  }
  chainsToReplace.clear();
  for (let i: u32 = 0; i < chainsToFill.length; i++) {
    const chain = changetype<Named>(<usize>chainsToFill.get(i));
    cutIfLong(family, false);
    writeFor(serviceOf(chain.message));
    if (chain.seen) nameMessage(Message.DELETE_RULE, chain, Attribute.RULE_CHAIN);
    for (let at = chain.first; at != 0; at = changetype<Part>(at).next) copyRule(changetype<Part>(at));
  }
  chainsToFill.clear();
}

/** The set whose elements are being read, and what the kernel has of that name (0: nothing to compare with). */
let readSet: usize = 0;
let heldSet: usize = 0;

/**
 * Called with each element that was planned: false if the kernel has it just so; then it is marked there, and that is all.
 * Elements of sets that are compared as a whole are all taken up.
 */
function takeDiffering(set: Named, start: usize, end: usize): bool {
  if (changetype<usize>(set) != readSet) {
    readSet = changetype<usize>(set);
    const whole = isUnnamed(set) || hasFlag(set, SetBit.INTERVAL);
    heldSet = whole ? 0 : kernel.find(true, set.name, set.nameLength);
  }
  if (heldSet == 0) return true;
  const found = kernel.findElement(changetype<Named>(heldSet), start, end);
  if (found == 0 || !sameElement(changetype<Part>(found), start, end)) return true;
  changetype<Part>(found).seen = true;
  return false;
}

/** The kernel's element with the same key, or 0. */
function counterpartOf(part: Part): usize {
  const held = kernel.find(true, part.owner.name, part.owner.nameLength);
  return held == 0 ? 0 : kernel.findElement(changetype<Named>(held), part.start, part.end);
}

/** Of an element that the kernel does not have as it should be: notes what it has instead. */
function noteDifference(part: Part): void {
  const found = counterpartOf(part);
  if (found == 0) {
    drift.missing++;
    return;
  }
  changetype<Part>(found).replaced = true;
  drift.changed++;
}

function isExtra(part: Part): bool {
  return !part.seen;
}

function hasFlag(set: Named, bit: u32): bool {
  return (numberOf(findAttribute(set.start, set.end, Attribute.SET_FLAGS)) & bit) != 0;
}

/** Of the batch that is being written, and its id: whose elements are looked at. */
let writtenFamily: u32 = 0;
let writtenBatch: u32 = 0;

/**
 * Entry points that the kernel has and nobody claims: somebody has deleted their Services while no instance was there to
 * see it. conntrack may still send where they led. `from` is where in the element's key protocol and port stand.
 */
function rememberLeftOvers(held: Named, kind: u32, from: usize): void {
  for (let at = held.first; at != 0; at = changetype<Part>(at).next) {
    const part = changetype<Part>(at);
    if (part.seen) continue;
    const found = findAttribute(part.start, part.end, Attribute.ELEMENT_KEY);
    const value: usize = found == 0 ? 0 : findAttribute(valueOf(found), valueEnd(found), Attribute.DATA_VALUE);
    if (value == 0 || valueLength(value) < from + 6) continue;
    const bytes = valueOf(value);
    if (<u32>load<u8>(bytes + from) != protocolNumber(Protocol.UDP)) continue;
    let ip: usize = 0;
    if (from != 0) {
      ip = leftOverIP;
      memory.fill(ip, 0, 16);
      memory.copy(ip, bytes, from);
    }
    const key = keyOf(kind, writtenFamily, Protocol.UDP, <u32>bswap<u16>(load<u16>(bytes + from + 4)), ip);
    if (key.claims != 0 || key.open) continue;
    rememberLeftOver(key);
    // The kernel has it until this batch is acknowledged.
    journalEmptyKey(writtenBatch, key);
  }
}

const leftOverIP: usize = memory.data(16, 16);

function isNamed(named: Named, literal: string): bool {
  return equalBytes(named.name, named.nameLength, nameBuffer, writeLiteral(nameBuffer, literal) - nameBuffer);
}

/** Of a slot that the kernel does not have: says that it has to be sent, once. */
function isMissingSlot(part: Part): bool {
  if (counterpartOf(part) != 0) return false;
  drift.missing++;
  part.seen = true;
  return true;
}

/**
 * Slots that are missing, ahead of all rules and verdicts and in as many transactions as it takes: no packet looks for a
 * slot before its entry point leads to a chain that has so many. `ownOnly`: those in maps of service ports' own, since the
 * chains that look into them are written before other elements.
 */
function writeMissingSlots(family: u32, ownOnly: bool): void {
  for (let i: u32 = 0; i < ours.names.length; i++) {
    const wanted = changetype<Named>(<usize>ours.names.get(i));
    if (!wanted.isSet || isUnnamed(wanted) || !isSlotMap(wanted.name, wanted.nameLength)) continue;
    if (ownOnly && !isOwnMap(wanted.name, wanted.nameLength)) continue;
    const before = drift.missing;
    cutFamily = <i32>family;
    copyElements(wanted, Message.NEW_ELEMENT, Flag.CREATE, isMissingSlot);
    cutFamily = -1;
    if (drift.missing != before) noteName(wanted);
  }
  writeFor(0);
}

/** Elements that are written between two places where a transaction may end. */
const ELEMENTS_AT_ONCE: u32 = 200;

/** Elements of one set that are missing or differ. For one key what goes and what comes are in one transaction. */
function writeWanted(wanted: Named): void {
  const family = cutFamily;
  cutFamily = -1; // not between a deletion and what takes its place
  writeWantedElements(wanted, family);
  cutFamily = family;
}

function writeWantedElements(wanted: Named, family: i32): void {
  const held = kernel.find(true, wanted.name, wanted.nameLength);
  if (held != 0 && hasFlag(wanted, SetBit.INTERVAL)) {
    // Ends of ranges mean nothing alone.
    if (sameElements(kernel, changetype<Named>(held), wanted)) return;
    drift.changed++;
    noteName(wanted);
    writeFor(0);
    nameMessage(Message.DELETE_ELEMENT, wanted, Attribute.ELEMENTS_SET);
    copyElements(wanted, Message.NEW_ELEMENT, Flag.CREATE, (part: Part) => true);
    return;
  }
  const before = drift.missing + drift.changed;
  for (let from = wanted.first; from != 0; ) {
    let to = from;
    for (let count: u32 = 0; to != 0 && (family < 0 || count < ELEMENTS_AT_ONCE); count++) {
      if (!changetype<Part>(to).seen) noteDifference(changetype<Part>(to));
      to = changetype<Part>(to).next;
    }
    copyElements(wanted, Message.DELETE_ELEMENT, 0, isReplacement, from, to);
    copyElements(wanted, Message.NEW_ELEMENT, Flag.CREATE, isExtra, from, to);
    if (family >= 0) cutIfLong(<u32>family, false);
    from = to;
  }
  if (drift.missing + drift.changed != before) noteName(wanted);
}

/** Of an element of ours: the kernel has another under its key. */
function isReplacement(part: Part): bool {
  return !part.seen && counterpartOf(part) != 0;
}

/** Elements of one set that should not be there. Slots that nothing leads to any more go later: a packet may be on its way. */
function writeExtra(wanted: Named): void {
  const held = kernel.find(true, wanted.name, wanted.nameLength);
  if (held == 0 || hasFlag(wanted, SetBit.INTERVAL)) return;
  let extra: u32 = 0;
  for (let at = changetype<Named>(held).first; at != 0; at = changetype<Part>(at).next) {
    if (isSurplus(changetype<Part>(at))) extra++;
  }
  if (extra == 0) return;
  drift.extra += extra;
  noteName(wanted);
  if (isNamed(wanted, "service-ips")) {
    rememberLeftOvers(changetype<Named>(held), KeyKind.ADDRESS, writtenFamily == 0 ? 4 : 16);
  } else if (isNamed(wanted, "service-nodeports")) {
    rememberLeftOvers(changetype<Named>(held), KeyKind.NODE_PORT, 0);
  }
  if (isSlotMap(wanted.name, wanted.nameLength)) return;
  copyElements(changetype<Named>(held), Message.DELETE_ELEMENT, 0, isSurplus);
}

/** Elements that limit who reaches an address come before, and go after, those that lead to it. */
function limitsSources(set: Named): bool {
  return isNamed(set, "firewall-ips") || hasFlag(set, SetBit.INTERVAL);
}

/** Slots come before what leads to so many, and sources are limited before. */
namespace Turn {
  export const SLOTS: u32 = 0;
  export const LIMITS: u32 = 1;
  export const OTHERS: u32 = 2;
}

function turnOf(set: Named): u32 {
  if (isSlotMap(set.name, set.nameLength)) return Turn.SLOTS;
  return limitsSources(set) ? Turn.LIMITS : Turn.OTHERS;
}

/** All elements, in an order in which a transaction may end at any key; where there is no limit, it is one. */
function writeElements(family: u32): void {
  cutFamily = isLimited() ? <i32>family : -1;
  for (let turn: u32 = Turn.SLOTS; turn <= Turn.OTHERS; turn++) {
    for (let i: u32 = 0; i < ours.names.length; i++) {
      const wanted = changetype<Named>(<usize>ours.names.get(i));
      if (isCompared(wanted) && turnOf(wanted) == turn) writeWanted(wanted);
    }
  }
  for (let turn: i32 = Turn.OTHERS; turn >= <i32>Turn.SLOTS; turn--) {
    for (let i: u32 = 0; i < ours.names.length; i++) {
      const wanted = changetype<Named>(<usize>ours.names.get(i));
      if (isCompared(wanted) && turnOf(wanted) == <u32>turn) writeExtra(wanted);
    }
  }
  cutFamily = -1;
  writeFor(0);
}

function isCompared(wanted: Named): bool {
  return wanted.isSet && !isUnnamed(wanted) && !hasFlag(wanted, SetBit.EVAL);
}

/** Of an element of the kernel's: it should not be there, and does not come back with other data. */
function isSurplus(part: Part): bool {
  return !part.seen && !part.replaced;
}

/** The slots that `writeElements` has left. */
function writeSurplusSlots(family: u32): void {
  beginBatch(family, 0);
  for (let i: u32 = 0; i < kernel.names.length; i++) {
    const held = changetype<Named>(<usize>kernel.names.get(i));
    if (!held.isSet || !held.seen || !isSlotMap(held.name, held.nameLength)) continue;
    cutFamily = isLimited() ? <i32>family : -1;
    copyElements(held, Message.DELETE_ELEMENT, 0, isSurplus);
    cutFamily = -1;
  }
  endNftBatch(0, false);
}

function isLeftOver(held: Named): bool {
  return !held.seen && !isUnnamed(held);
}

/**
 * Chains and sets that should not be there go as those go that a plan does not need any more; base chains, which nothing
 * can refer to, at once. What has been waiting for its deletion anyway is no drift.
 */
function retireLeftOvers(family: u32): void {
  for (let i: u32 = 0; i < kernel.names.length; i++) {
    const held = changetype<Named>(<usize>kernel.names.get(i));
    if (!isLeftOver(held)) continue;
    if (
      confirmStale(
        family,
        held.name,
        held.nameLength,
        held.isSet,
        held.count == 0 || isOwnMap(held.name, held.nameLength),
      )
    )
      continue;
    drift.extra++;
    noteName(held);
    if (!held.isSet && isBaseChain(held)) deleteBaseChain(held);
    else addStale(family, held.name, held.nameLength, held.isSet);
  }
  dropDoubted(family);
  writeRetired(family);
}

/** True if `among` has a stateful object or flowtable like the one at row `i` of `others`: the same kind, type and name. */
function hasOther(among: Objects, others: Vector, i: u32): bool {
  const start = <usize>others.get(i + 1);
  const end = <usize>others.get(i + 2);
  const name = findAttribute(start, end, Attribute.OBJECT_NAME);
  const type = numberOf(findAttribute(start, end, Attribute.OBJECT_TYPE));
  if (name == 0) return false;
  for (let j: u32 = 0; j < among.others.length; j += 3) {
    const from = <usize>among.others.get(j + 1);
    const to = <usize>among.others.get(j + 2);
    const other = findAttribute(from, to, Attribute.OBJECT_NAME);
    if (other == 0 || among.others.get(j) != others.get(i)) continue;
    if (others.get(i) == Message.NEW_OBJECT && numberOf(findAttribute(from, to, Attribute.OBJECT_TYPE)) != type)
      continue;
    if (equalBytes(valueOf(name), textLength(name), valueOf(other), textLength(other))) return true;
  }
  return false;
}

/** Counters that are missing, before the rules that count in them. What those that are there have counted stays. */
function writeCounters(): void {
  for (let i: u32 = 0; i < ours.others.length; i += 3) {
    if (hasOther(kernel, ours.others, i)) continue;
    const start = <usize>ours.others.get(i + 1);
    const end = <usize>ours.others.get(i + 2);
    drift.missing++;
    noteAttribute(findAttribute(start, end, Attribute.OBJECT_NAME));
    copyMessage(Message.NEW_OBJECT, Flag.CREATE, start, end);
  }
}

/** Counters, quotas, flowtables and the like that are not ours. What referred to them has just gone. */
function deleteOthers(): void {
  for (let i: u32 = 0; i < kernel.others.length; i += 3) {
    if (hasOther(ours, kernel.others, i)) continue;
    const isFlowtable = kernel.others.get(i) == Message.NEW_FLOWTABLE;
    const start = <usize>kernel.others.get(i + 1);
    const end = <usize>kernel.others.get(i + 2);
    const named = findAttribute(start, end, Attribute.OBJECT_NAME);
    if (named == 0) continue;
    drift.extra++;
    noteAttribute(named);
    nft.beginMessage(isFlowtable ? Message.DELETE_FLOWTABLE : Message.DELETE_OBJECT, 0);
    name(Attribute.OBJECT_NAME, "", valueOf(named), textLength(named));
    if (!isFlowtable) number32(Attribute.OBJECT_TYPE, numberOf(findAttribute(start, end, Attribute.OBJECT_TYPE)));
    endMessage();
  }
}

/** A set that is there, or a chain that others go to, cannot become what it should be without the table being made anew. */
function mustRebuild(): bool {
  for (let i: u32 = 0; i < ours.names.length; i++) {
    const wanted = changetype<Named>(<usize>ours.names.get(i));
    if (isUnnamed(wanted)) continue;
    const found = kernel.find(wanted.isSet, wanted.name, wanted.nameLength);
    if (found == 0) continue;
    const held = changetype<Named>(found);
    if (wanted.isSet ? !sameSet(held, wanted) : isBaseChain(wanted) && !isBaseChain(held)) {
      noteName(wanted);
      return true;
    }
  }
  return false;
}

// ---- all of it, in slices

/** What a call of `continueDifference` has come to. */
export namespace Difference {
  export const MORE: u32 = 0;
  /** The batches with the difference are there. */
  export const WRITTEN: u32 = 1;
  /** The table has to be made anew: nothing was replaced. */
  export const REBUILT: u32 = 2;
}

/** What is planned now will be compared. */
let comparing: bool = false;
/** How many pieces of what was planned have been read, and where in the next (0: at its start). */
let readPieces: u32 = 0;
let readAt: usize = 0;
/** All is read; so many chains and sets have been compared. */
let hasRead: bool = false;
let compared: u32 = 0;

/** The family is going to be planned as for an empty table, to be compared with the dump. */
export function beginDifference(): void {
  comparing = true;
  allowCutsWithin(false);
  readPieces = 0;
  readAt = 0;
  readSet = 0;
  hasRead = false;
  ours.reset(0);
}

export function isComparing(): bool {
  return comparing;
}

/** Replaces the batches of that plan by ones with the difference to what the kernel holds. Goes on for a slice. */
export function continueDifference(family: u32, now: u64): u32 {
  if (!hasRead) {
    hasRead = readPlanned();
    if (!hasRead) return Difference.MORE;
    if (mustRebuild()) {
      drift.rebuilt = true;
      comparing = false;
      return Difference.REBUILT;
    }
    writtenBatch = mergeBatches(0);
    writtenFamily = family;
    outSelect(StreamName.MAIN);
    compared = 0;
    wakeTable(family);
    beginBatch(family, 0);
    writeCounters();
    return Difference.MORE;
  }
  if (compared < ours.names.length) {
    compareObjects();
    return Difference.MORE;
  }
  // Chains that are there already may look into maps that are not.
  writeMissingSlots(family, !isLimited());
  fillChains(family);
  writeFor(0);
  endNftBatch(0, false);
  beginBatch(family, 0);
  writeElements(family);
  resumeBatch(writtenBatch);
  retireLeftOvers(family);
  deleteOthers();
  endResumedBatch();
  writeSurplusSlots(family);
  allowCutsWithin(true);
  planDeletions(family, now, false);
  comparing = false;
  return Difference.WRITTEN;
}

/** Compares chains and sets, without their elements, for a slice. */
function compareObjects(): void {
  while (compared < ours.names.length) {
    const wanted = changetype<Named>(<usize>ours.names.get(compared++));
    writeObject(wanted);
    if (isSpent(wanted.isSet ? 1 : 1 + wanted.count)) return;
  }
}

/** Reads the messages that were planned, for a slice; true: all are read. */
function readPlanned(): bool {
  while (readPieces < resultStart()) {
    const piece = <usize>load<u32>(resultPieces(readPieces));
    const end = piece + <usize>load<u32>(resultPieces(readPieces), 4);
    const from = readAt == 0 ? piece : readAt;
    readAt = ours.read(from, end, takeDiffering);
    if (readAt == 0) readPieces++;
    // An element and its attributes take some 60 bytes.
    if (isSpent(readAt == 0 ? 1 : 1 + <u32>(readAt - from) / 64)) return false;
  }
  return true;
}
