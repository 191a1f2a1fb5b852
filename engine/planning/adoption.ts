// What a reconciliation takes over from the kernel instead of writing it anew (flat): which endpoints stand in which slots, and
// the names of source lists.
import { equalLiteral } from "../bytes/compare";
import { Vector } from "../bytes/memory";
import { writeLiteral } from "../bytes/out";
import { isSpent } from "../bytes/slices";
import { AttributeWriter, findAttribute, valueEnd, valueLength, valueOf } from "../encodings/netlink-attributes";
import { Attribute } from "../encodings/netlink-numbers";
import { Named, Part } from "../encodings/netlink-objects";
import { mapOf } from "../layouts/flat/elements";
import { hasOwnMap } from "../layouts/flat/own-maps";
import { adoptFirewall } from "../layouts/flat/shared-chains";
import { OwnMap, ownMapPrefix } from "../layouts/nft/names";
import { Slot, Snapshot } from "../layouts/nft/snapshots";
import { Claim, EntryPoint, Key, KeyKind } from "../routing/keys";
import { listPresentPorts } from "../routing/refresh";
import { FamilyPort, hasAffinity, internalIsLocal } from "../routing/service-ports";
import { kernel } from "./dump";
import { heldRanges, readRanges } from "./held-ranges";

/** The kernel's set or map of that name, or 0. */
function setNamed(literal: string): usize {
  const length = writeLiteral(nameBuffer, literal) - nameBuffer;
  return kernel.find(true, nameBuffer, length);
}

const nameBuffer: usize = memory.data(320, 16);

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
