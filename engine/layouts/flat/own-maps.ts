// Service ports with many entry points, in our own layout. What a slot costs under each address would be multiplied by
// them, so such a port has its endpoints once, in a map of its own, by slot alone; all its entry points lead to chains of
// its own, named as kube-proxy names them, which look into that map:
//
//   service-X        one of N in @backends-X, for a packet that finds its slot gone slot 0
//   local-X          the same in @local-backends-X, for the Local policy
//   external-X       masquerades and goes to service-X, or does what the Local policy wants, as in kube-proxy's layout
//
// Chains and maps are written one transaction before anything points to them. Later a change of endpoints is a change of
// slots, and of the chains' rules if their number changes: verdicts stay, however many there are. A map that is not
// needed any more is deleted with the chains that looked into it, a second later, and keeps its slots until then.
import { nft } from "../../encodings/nft";
import { DataType, Verb } from "../../encodings/nft-encoding";
import { isRecording } from "../../encodings/owners";
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { settings } from "../../routing/facts";
import { Claim } from "../../routing/keys";
import { externalIsLocal, FamilyPort, hasAffinity } from "../../routing/service-ports";
import { cut, cutAnywhere, hasRoom, makeRoom, makeRoomForAll, whenCut } from "../nft/cuts";
import { RULE_BYTES } from "../nft/elements";
import { fullText } from "../nft/full-text";
import { ChainPrefix, OwnMap, ownMapPrefix, prefixText } from "../nft/names";
import { Slot, Snapshot } from "../nft/snapshots";
import { writeExternalRules } from "../nftables/service";
import { ownEndpoint, ownPort } from "../owning";
import { journalPartOfMaps, PartOfMaps } from "./partial-maps";

/**
 * So many entry points have their slots in the maps that all share: a cluster IP, a node port and three addresses. A map
 * of its own costs the kernel as much as some forty slots, and each makes looking sets up by name a little longer.
 */
const MOST_SHARED: u32 = 5;

/** The service port has its endpoints in a map of its own. */
export function hasOwnMap(port: FamilyPort): bool {
  if (hasAffinity(port)) return false;
  let count: u32 = 0;
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) if (++count > MOST_SHARED) return true;
  return false;
}

/** Its entry points lead to chains of its own. */
export function hasOwnChains(port: FamilyPort): bool {
  return hasAffinity(port) || hasOwnMap(port);
}

/** The maps that chains (bits of ChainPrefix) of a service port without affinity look into. */
export function mapsOf(chains: u32): u32 {
  let maps: u32 = (chains & ChainPrefix.CLUSTER) != 0 ? OwnMap.CLUSTER : 0;
  if ((chains & ChainPrefix.LOCAL) != 0) maps |= OwnMap.LOCAL;
  return maps;
}

/** All that the rules of a routed service port's chains depend on, numbers of endpoints left out; never 0. */
export function signChains(port: FamilyPort): u64 {
  return ((<u64>settings.number) << 16) | ((<u64>externalIsLocal(port)) << 8) | <u64>port.decision;
}

function slotElement(verb: u32, port: FamilyPort, bit: u32, slot: u32): void {
  nft.element(verb, ownMapPrefix(bit), port.port.base, port.port.baseLength);
  nft.slotKey(slot);
}

/** How many slots the kernel's map has by the snapshot `old` (0: none). */
function heldSlots(old: usize, bit: u32): u32 {
  if (old == 0 || fullText) return 0;
  const snapshot = changetype<Snapshot>(old);
  if ((snapshot.maps & bit) == 0) return 0;
  return bit == OwnMap.LOCAL ? snapshot.localCount : snapshot.clusterCount;
}

/** How far the maps are that are being written. */
const part = changetype<PartOfMaps>(memory.data(64, 16));

function notePart(): void {
  journalPartOfMaps(changetype<usize>(part));
}

function beginPart(port: FamilyPort, snapshot: usize, old: usize): void {
  part.port = port;
  part.planned = snapshot;
  part.maps = 0;
  part.chains = 0;
  part.clusterCount = heldSlots(old, OwnMap.CLUSTER);
  part.clusterDone = 0;
  part.localCount = heldSlots(old, OwnMap.LOCAL);
  part.localDone = 0;
}

/** The map has so many slots, and the first `done` of them are as they should be. */
function noteSlots(bit: u32, done: u32, count: u32): void {
  part.maps |= bit;
  if (bit == OwnMap.LOCAL) {
    part.localDone = done;
    part.localCount = count;
  } else {
    part.clusterDone = done;
    part.clusterCount = count;
  }
}

/** Bytes that a slot takes at most that is deleted and added again, with the heads of two messages. */
const SLOT_BYTES: usize = 1024;

/** Makes the map if the kernel does not have it, and writes the slots that differ. */
function writeOwnMap(port: FamilyPort, bit: u32, wanted: Snapshot, old: usize): void {
  const local = bit == OwnMap.LOCAL;
  const now = wanted.slots(local);
  const count = local ? wanted.localCount : wanted.clusterCount;
  const had = heldSlots(old, bit);
  const before: usize = had == 0 ? 0 : changetype<Snapshot>(old).slots(local);
  const policy = local ? Routed.LOCAL_POLICY : Routed.CLUSTER;
  ownPort(port);
  if (had == 0) {
    makeRoom(SLOT_BYTES);
    nft.addSlotMap(ownMapPrefix(bit), port.port.base, port.port.baseLength);
    // It may wait for its deletion, with slots in it.
    if (!fullText) nft.set(Verb.FLUSH, DataType.ENDPOINT, ownMapPrefix(bit), port.port.base, port.port.baseLength);
  }
  let index: u32 = 0; // of the endpoint in the slot: in the full text they have the same order
  for (let slot: u32 = 0; slot < count; slot++) {
    noteSlots(bit, slot, max(slot, had));
    makeRoom(SLOT_BYTES);
    const at = now + <usize>slot * offsetof<Slot>();
    if (slot < had) {
      if (memory.compare(at, before + <usize>slot * offsetof<Slot>(), offsetof<Slot>()) == 0) continue;
      slotElement(Verb.DELETE, port, bit, slot);
      nft.endElement();
    }
    if (isRecording()) {
      while (index < endpoints.length && (endpointAt(index).flags & policy) == 0) index++;
      if (index < endpoints.length) ownEndpoint(endpointAt(index++));
    }
    slotElement(Verb.ADD, port, bit, slot);
    nft.endpointData(at, changetype<Slot>(at).port);
    nft.endElement();
  }
  noteSlots(bit, count, max(count, had));
}

/** Deletes the slots that the map has and should not have. */
function shrinkOwnMap(port: FamilyPort, bit: u32, wanted: Snapshot, old: usize): void {
  const count = bit == OwnMap.LOCAL ? wanted.localCount : wanted.clusterCount;
  // From the last on, where one transaction can't hold them, so that those that are left have no gaps.
  for (let had = heldSlots(old, bit); had > count; ) {
    const from = firstOfRun(count, had);
    for (let slot = from; slot < had; slot++) {
      slotElement(Verb.DELETE, port, bit, slot);
      nft.endElement();
    }
    noteSlots(bit, count, from);
    had = from;
    if (had > count) cut();
  }
}

/** Of slots from `from` to `to` that are deleted: which is the first of those that fit into the open transaction. */
export function firstOfRun(from: u32, to: u32): u32 {
  if (hasRoom(<usize>(to - from) * DELETED_SLOT_BYTES)) return from;
  makeRoom(<usize>RUN * DELETED_SLOT_BYTES);
  return to - from > RUN ? to - RUN : from;
}

/** Bytes that a deleted slot takes at most. */
export const DELETED_SLOT_BYTES: usize = 80;
const RUN: u32 = 100;

function slotRule(port: FamilyPort, prefix: u32, bit: u32, count: u32): void {
  nft.rule(prefixText(prefix), port.port.base, port.port.baseLength);
  nft.protocolIs(port.port.protocol);
  nft.dnatToOwnSlot(ownMapPrefix(bit), port.port.base, port.port.baseLength, count);
  nft.endRule();
}

function balance(port: FamilyPort, prefix: u32, bit: u32, count: u32): void {
  slotRule(port, prefix, bit, count);
  // A packet may have been led here when there were more endpoints than there are now: slot 0 is always taken.
  if (count > 1) slotRule(port, prefix, bit, 1);
}

/** Chains whose rules the kernel does not have as they should be. */
function differingChains(wanted: Snapshot, old: usize): u32 {
  const held = changetype<Snapshot>(old);
  if (fullText || old == 0 || held.chainSignature != wanted.chainSignature) return wanted.chains;
  let chains = wanted.chains & ~held.chains;
  if (heldSlots(old, OwnMap.CLUSTER) != wanted.clusterCount) chains |= ChainPrefix.CLUSTER;
  if (heldSlots(old, OwnMap.LOCAL) != wanted.localCount) chains |= ChainPrefix.LOCAL;
  return chains & wanted.chains;
}

function writeOwnRules(port: FamilyPort, wanted: Snapshot, chains: u32): void {
  ownPort(port);
  for (let prefix: u32 = 1; prefix <= ChainPrefix.EXTERNAL; prefix <<= 1) {
    if ((chains & prefix) == 0) continue;
    nft.chain(Verb.ADD, prefixText(prefix), port.port.base, port.port.baseLength);
    nft.chain(Verb.FLUSH, prefixText(prefix), port.port.base, port.port.baseLength);
  }
  if ((chains & ChainPrefix.EXTERNAL) != 0) writeExternalRules(port);
  ownPort(port);
  if ((chains & ChainPrefix.CLUSTER) != 0) {
    balance(port, ChainPrefix.CLUSTER, OwnMap.CLUSTER, wanted.clusterCount);
  }
  if ((chains & ChainPrefix.LOCAL) != 0) balance(port, ChainPrefix.LOCAL, OwnMap.LOCAL, wanted.localCount);
}

/**
 * Writes the maps and chains of a service port that was routed last, as far as the kernel does not have them by the
 * snapshot `old` (0: it has nothing).
 */
export function writeOwnMaps(port: FamilyPort, snapshot: usize, old: usize): void {
  const wanted = changetype<Snapshot>(snapshot);
  beginPart(port, snapshot, old);
  whenCut(notePart);
  for (let bit: u32 = OwnMap.CLUSTER; bit <= OwnMap.LOCAL; bit <<= 1) {
    if ((wanted.maps & bit) != 0) writeOwnMap(port, bit, wanted, old);
  }
  const chains = differingChains(wanted, old);
  if (chains != 0) {
    makeRoomForAll(RULE_BYTES);
    writeOwnRules(port, wanted, chains);
    part.chains = chains;
  }
  for (let bit: u32 = OwnMap.CLUSTER; bit <= OwnMap.LOCAL; bit <<= 1) {
    if ((wanted.maps & bit) != 0) shrinkOwnMap(port, bit, wanted, old);
  }
  cutAnywhere();
}
