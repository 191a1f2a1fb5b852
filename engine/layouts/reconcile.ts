// From what the kernel has dumped of a table to what it should hold, by the smallest write. What it should hold is
// planned as for an empty table and then not sent: its messages are read back like the kernel's, and compared.
//
// Nothing may fall into a hole on the way, so there are three transactions: chains and sets that are missing or differ;
// elements; and what should not be there, once nothing leads to it any more.
import { equalBytes } from "../bytes/compare";
import { arenaAlloc, SLACK, Vector } from "../bytes/memory";
import { outFlush, outSelect, resultPieces, resultStart, StreamName } from "../bytes/out";
import { Service, sortedServices } from "../cluster/services";
import { sameChain, sameElement, sameElements, sameRules, sameSet } from "../encodings/netlink-compare";
import {
  beginAttribute,
  beginMessage,
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
import {
  Attribute,
  findAttribute,
  Named,
  numberOf,
  Objects,
  Part,
  valueEnd,
  valueLength,
  valueOf,
} from "../encodings/netlink-objects";
import { nft } from "../encodings/nft";
import { Claim, EntryPoint, Key, KeyKind } from "../routing/ownership";
import { FamilyPort, ServicePort } from "../routing/service-ports";
import { beginBatch, endBatch, endResumedBatch, mergeBatches, resumeBatch } from "./batches";
import { hasAffinity, internalIsLocal } from "./flat-needs";
import { Slot, Snapshot } from "./nft-snapshots";
import { REST } from "./stale-chains";

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
  const last = drift.names.length;
  if (last >= MAX_NAMES << 1) return;
  if (last > 0 && equalBytes(<usize>drift.names.get(last - 2), <usize>drift.names.get(last - 1), named.name, named.nameLength)) {
    return;
  }
  const copy = heap.alloc(named.nameLength + SLACK);
  memory.copy(copy, named.name, named.nameLength);
  drift.names.push(<u32>copy);
  drift.names.push(<u32>named.nameLength);
}

/** Reads a dump; false if there is no table to compare with. */
export function readKernel(dump: usize, length: usize): bool {
  forgetDrift();
  kernel.reset(length);
  kernel.read(dump, length);
  return kernel.hasTable;
}

// ---- slots

const keyBuffer: usize = memory.data(96, 16);

/** Counts the slots that the kernel has under a key of one of the slot maps, and copies them to `to` (0: only counts). */
function readSlots(map: Named, key: Key, to: usize): u32 {
  const addressLength: usize = key.family == 0 ? 4 : 16;
  const nodePort = key.kind == <u8>KeyKind.NODE_PORT;
  // An element as it would be sent: a nest with the key in it.
  let at = keyBuffer + 8;
  if (!nodePort) {
    memory.copy(at, key.ip(), addressLength);
    at += addressLength;
  }
  store<u64>(at, 0);
  store<u8>(at, key.protocol == 1 ? 6 : key.protocol == 2 ? 17 : 132);
  store<u16>(at + 4, bswap<u16>(<u16>key.port));
  at += 8;
  const end = at + 4;
  store<u16>(keyBuffer, <u16>(end - keyBuffer));
  store<u16>(keyBuffer, Attribute.ELEMENT_KEY | 0x8000, 2);
  store<u16>(keyBuffer + 4, <u16>(end - keyBuffer - 4));
  store<u16>(keyBuffer + 4, 1, 2);
  let count: u32 = 0;
  store<u32>(at, count);
  let found = kernel.findElement(map, keyBuffer, end);
  while (found != 0) {
    if (to != 0) readEndpoint(changetype<Part>(found), to + <usize>count * offsetof<Slot>(), addressLength);
    store<u32>(at, ++count);
    found = kernel.findElement(map, keyBuffer, end);
  }
  return count;
}

/** Writes a Slot; one of zeros, which no endpoint has, if the element is not as it should be. */
function readEndpoint(part: Part, to: usize, addressLength: usize): void {
  memory.fill(to, 0, offsetof<Slot>());
  const data = findAttribute(part.start, part.end, Attribute.ELEMENT_DATA);
  const value: usize = data == 0 ? 0 : findAttribute(valueOf(data), valueEnd(data), 1);
  if (value == 0 || valueLength(value) < addressLength + 2) return;
  memory.copy(to, valueOf(value), addressLength);
  changetype<Slot>(to).port = <u32>bswap<u16>(load<u16>(valueOf(value) + addressLength));
}

function literalName(text: string): usize {
  const at = arenaAlloc(<usize>text.length + 1, 1);
  for (let i = 0; i < text.length; i++) store<u8>(at + <usize>i, <u8>text.charCodeAt(i));
  return at;
}

function mapNamed(text: string): usize {
  return kernel.find(true, literalName(text), <usize>text.length);
}

let backends: usize = 0;
let localBackends: usize = 0;
let nodePortBackends: usize = 0;
let localNodePortBackends: usize = 0;

/** A snapshot of a service port that knows nothing but which endpoints stand in which slots in the kernel. */
function adoptPort(port: FamilyPort): void {
  let clusterMap: usize = 0;
  let clusterKey: usize = 0;
  let localMap: usize = 0;
  let localKey: usize = 0;
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    const claim = changetype<Claim>(at);
    if (!claim.isOwner()) continue;
    const key = changetype<usize>(claim.key);
    const nodePort = claim.entryPoint == EntryPoint.NODE_PORT;
    if (claim.entryPoint == EntryPoint.CLUSTER_IP && internalIsLocal(port)) {
      localMap = backends;
      localKey = key;
      continue;
    }
    if (clusterMap == 0) {
      clusterMap = nodePort ? nodePortBackends : backends;
      clusterKey = key;
    }
    if (localMap == 0 && claim.entryPoint != EntryPoint.CLUSTER_IP) {
      localMap = nodePort ? localNodePortBackends : localBackends;
      localKey = key;
    }
  }
  const cluster = clusterMap == 0 ? 0 : readSlots(changetype<Named>(clusterMap), changetype<Key>(clusterKey), 0);
  const local = localMap == 0 ? 0 : readSlots(changetype<Named>(localMap), changetype<Key>(localKey), 0);
  if (cluster + local == 0) return;
  const made = heap.alloc(offsetof<Snapshot>() + <usize>(cluster + local) * offsetof<Slot>());
  const snapshot = changetype<Snapshot>(made);
  snapshot.signature = 0; // no signature is 0: the port is written anew
  snapshot.chains = 0;
  snapshot.affinityCount = 0;
  snapshot.clusterCount = cluster;
  snapshot.localCount = local;
  if (cluster != 0) readSlots(changetype<Named>(clusterMap), changetype<Key>(clusterKey), snapshot.slots(false));
  if (local != 0) readSlots(changetype<Named>(localMap), changetype<Key>(localKey), snapshot.slots(true));
  port.committed = made;
}

/** Lets the service ports of the family keep the slots that the kernel has for them. */
export function adoptSlots(family: u32): void {
  backends = mapNamed("backends");
  localBackends = mapNamed("local-backends");
  nodePortBackends = mapNamed("nodeport-backends");
  localNodePortBackends = mapNamed("local-nodeport-backends");
  if (backends == 0 || localBackends == 0 || nodePortBackends == 0 || localNodePortBackends == 0) return;
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    let at = changetype<Service>(<usize>services.get(i)).ports;
    for (; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at).family(family);
      if (port == 0 || !changetype<FamilyPort>(port).present) continue;
      if (!hasAffinity(changetype<FamilyPort>(port))) adoptPort(changetype<FamilyPort>(port));
    }
  }
}

// ---- difference

let protocolFamily: u32 = 0;
let wrote: bool = false;

function message(type: u32, flags: u32): void {
  if (!wrote) {
    nft.openBatch();
    wrote = true;
  }
  beginMessage(0xa00 | type, flags, protocolFamily, 0);
}

/** A message with the attributes of one that was planned. */
function copyMessage(type: u32, flags: u32, start: usize, end: usize): void {
  message(type, flags);
  rawBytes(start, end - start);
  endMessage();
}

/** The attribute with the table's name, which every message begins with. */
function tableAttribute(named: Named): void {
  const table = findAttribute(named.start, named.end, 1);
  name(1, "", valueOf(table), valueLength(table) - 1);
}

function isUnnamed(named: Named): bool {
  return named.nameLength > 2 && load<u16>(named.name) == 0x5f5f;
}

/** A message that names a chain or set and no more. */
function nameMessage(type: u32, flags: u32, named: Named, attribute: u32): void {
  message(type, flags);
  tableAttribute(named);
  name(attribute, "", named.name, named.nameLength);
  endMessage();
}

/** Sends elements of a set: all, or those that `wanted` says. */
function copyElements(set: Named, type: u32, flags: u32, wanted: (part: Part) => bool): void {
  let list: usize = 0;
  for (let at = set.first; at != 0; at = changetype<Part>(at).next) {
    const part = changetype<Part>(at);
    if (!wanted(part)) continue;
    if (list != 0 && messageLength() > FULL) {
      endAttribute(list);
      endMessage();
      list = 0;
    }
    if (list == 0) {
      message(type, flags);
      tableAttribute(set);
      name(Attribute.ELEMENTS_SET, "", set.name, set.nameLength);
      if (set.id != 0 && isUnnamed(set)) number32(Attribute.ELEMENTS_SET_ID, set.id);
      list = beginNest(Attribute.ELEMENTS_LIST);
    }
    const element = beginNest(1);
    if (type == 14) copyKey(part);
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
  let at = valueOf(expressions);
  while (at + 4 <= valueEnd(expressions)) {
    const data = findAttribute(valueOf(at), valueEnd(at), 2);
    const expression = findAttribute(valueOf(at), valueEnd(at), 1);
    const isLookup = valueLength(expression) == 7 && load<u32>(valueOf(expression)) == 0x6b6f6f6c; // "look"
    if (isLookup && numberOf(findAttribute(valueOf(data), valueEnd(data), 4)) != 0) {
      const set = ours.setOfLookup(valueOf(data), valueEnd(data));
      if (set != 0) {
        copyMessage(9, Flag.CREATE, changetype<Named>(set).start, changetype<Named>(set).end);
        copyElements(changetype<Named>(set), 12, Flag.CREATE, (part: Part) => true);
      }
    }
    at += (<usize>load<u16>(at) + 3) & ~3;
  }
  copyMessage(6, Flag.CREATE | Flag.APPEND, rule.start, rule.end);
}

const chainsToFill = new Vector();

/** Chains and sets that are missing or differ. */
function writeObjects(): void {
  for (let i: u32 = 0; i < ours.names.length; i++) {
    const wanted = changetype<Named>(<usize>ours.names.get(i));
    if (isUnnamed(wanted)) continue;
    const found = kernel.find(wanted.isSet, wanted.name, wanted.nameLength);
    if (found == 0) {
      drift.missing++;
      noteName(wanted);
      copyMessage(wanted.isSet ? 9 : 3, Flag.CREATE, wanted.start, wanted.end);
      if (!wanted.isSet) chainsToFill.push(<u32>changetype<usize>(wanted));
      continue;
    }
    const held = changetype<Named>(found);
    held.seen = true;
    if (wanted.isSet || sameRules(kernel, held, ours, wanted)) continue;
    drift.changed++;
    noteName(wanted);
    nameMessage(8, 0, wanted, Attribute.RULE_CHAIN);
    chainsToFill.push(<u32>changetype<usize>(wanted));
  }
  for (let i: u32 = 0; i < chainsToFill.length; i++) {
    const chain = changetype<Named>(<usize>chainsToFill.get(i));
    for (let at = chain.first; at != 0; at = changetype<Part>(at).next) copyRule(changetype<Part>(at));
  }
  chainsToFill.clear();
}

let heldSet: usize = 0; // the kernel's counterpart of the set whose elements are looked at

/** Marks its counterpart, and says whether the element has to be sent. */
function mustAdd(part: Part): bool {
  if (heldSet == 0) {
    drift.missing++;
    return true;
  }
  const found = kernel.findElement(changetype<Named>(heldSet), part.start, part.end);
  if (found == 0) {
    drift.missing++;
    return true;
  }
  changetype<Part>(found).seen = sameElement(changetype<Part>(found), part);
  if (changetype<Part>(found).seen) return false;
  drift.changed++;
  return true;
}

function isExtra(part: Part): bool {
  return !part.seen;
}

function isInterval(set: Named): bool {
  return (numberOf(findAttribute(set.start, set.end, Attribute.SET_FLAGS)) & 4) != 0;
}

function isDynamic(set: Named): bool {
  return (numberOf(findAttribute(set.start, set.end, Attribute.SET_FLAGS)) & 0x20) != 0;
}

/** Elements of one set: what is extra or differs goes, then what is missing or differs comes. */
function writeElements(wanted: Named): void {
  heldSet = kernel.find(true, wanted.name, wanted.nameLength);
  if (heldSet != 0 && isInterval(wanted)) {
    // Ends of ranges mean nothing alone.
    if (sameElements(kernel, changetype<Named>(heldSet), wanted)) return;
    drift.changed++;
    noteName(wanted);
    nameMessage(14, 0, wanted, Attribute.ELEMENTS_SET);
    copyElements(wanted, 12, Flag.CREATE, (part: Part) => true);
    return;
  }
  const before = drift.missing + drift.changed;
  for (let at = wanted.first; at != 0; at = changetype<Part>(at).next) {
    changetype<Part>(at).seen = !mustAdd(changetype<Part>(at));
  }
  let extra: u32 = 0;
  if (heldSet != 0) {
    for (let at = changetype<Named>(heldSet).first; at != 0; at = changetype<Part>(at).next) {
      if (!changetype<Part>(at).seen) extra++;
    }
    drift.extra += extra;
    copyElements(changetype<Named>(heldSet), 14, 0, isExtra);
  }
  if (drift.missing + drift.changed + extra != before) noteName(wanted);
  copyElements(wanted, 12, Flag.CREATE, isExtra);
}

/** Chains and sets that should not be there. */
function writeDeletions(): void {
  for (let pass = 0; pass < 3; pass++) {
    for (let i: u32 = 0; i < kernel.names.length; i++) {
      const held = changetype<Named>(<usize>kernel.names.get(i));
      if (held.seen || isUnnamed(held)) continue;
      if (pass == 0 && !held.isSet) nameMessage(8, 0, held, Attribute.RULE_CHAIN);
      if (pass == 1 && held.isSet) nameMessage(11, 0, held, Attribute.SET_NAME);
      if (pass == 2 && !held.isSet) nameMessage(5, 0, held, Attribute.CHAIN_NAME);
      if (pass == 0) {
        drift.extra++;
        noteName(held);
      }
    }
  }
}

/** A base chain or set that is there cannot become what it should be without being made anew. */
function mustRebuild(): bool {
  for (let i: u32 = 0; i < ours.names.length; i++) {
    const wanted = changetype<Named>(<usize>ours.names.get(i));
    if (isUnnamed(wanted)) continue;
    const found = kernel.find(wanted.isSet, wanted.name, wanted.nameLength);
    if (found == 0) continue;
    const held = changetype<Named>(found);
    if (wanted.isSet ? !sameSet(held, wanted) : !sameChain(held, wanted)) {
      noteName(wanted);
      return true;
    }
  }
  return false;
}

function endPart(services: u32): void {
  nft.finish();
  outFlush(StreamName.MAIN);
  endBatch(services, false);
  wrote = false;
}

/**
 * After the family has been planned as for an empty table: replaces those batches by ones with the difference to what
 * the kernel holds. False if the table has to be made anew: then nothing is replaced.
 */
export function writeDifference(family: u32): bool {
  let size: usize = 0;
  const pieces = resultStart();
  for (let i: u32 = 0; i < pieces; i++) size += <usize>load<u32>(resultPieces(i), 4);
  ours.reset(size);
  for (let i: u32 = 0; i < pieces; i++) ours.read(<usize>load<u32>(resultPieces(i)), <usize>load<u32>(resultPieces(i), 4));
  protocolFamily = family == 0 ? 2 : 10;
  if (mustRebuild()) {
    drift.rebuilt = true;
    return false;
  }
  const journalled = mergeBatches(0);
  outSelect(StreamName.MAIN);
  wrote = false;
  beginBatch(family, 0);
  writeObjects();
  endPart(0);
  resumeBatch(journalled, family);
  for (let i: u32 = 0; i < ours.names.length; i++) {
    const wanted = changetype<Named>(<usize>ours.names.get(i));
    if (wanted.isSet && !isUnnamed(wanted) && !isDynamic(wanted)) writeElements(wanted);
  }
  nft.finish();
  outFlush(StreamName.MAIN);
  endResumedBatch();
  wrote = false;
  beginBatch(family, <u32>REST);
  writeDeletions();
  endPart(0);
  return true;
}
