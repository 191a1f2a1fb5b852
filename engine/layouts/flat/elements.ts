// Elements of our own layout: where each entry point leads, and its endpoints by slot.
import { Vector } from "../../bytes/memory";
import { nft } from "../../encodings/nft";
import { Verb } from "../../encodings/nft-encoding";
import { isRecording, ownedByNobody } from "../../encodings/owners";
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { Claim, EntryPoint, Key, KeyKind, noteKeyChange } from "../../routing/keys";
import { externalIsLocal, FamilyPort, internalIsLocal } from "../../routing/service-ports";
import { endNftBatch, journal } from "../../transactions/batches";
import { journalKind } from "../../transactions/journal";
import { journalKey, settleKey } from "../../transactions/key-journal";
import { writeFor } from "../../transactions/refusals";
import { beginTransaction, cut, cutAnywhere, hasRoom, makeRoom, makeRoomForAll, whenCut } from "../nft/cuts";
import {
  KEY_BYTES,
  settleUnclaimed,
  wantedChain,
  wantedFirewall,
  wantNothing,
  writeKeyElements,
} from "../nft/elements";
import { fullText } from "../nft/full-text";
import { Slot, Snapshot } from "../nft/snapshots";
import { entryChain, wantOwnChain } from "../nftables/verdicts";
import { alsoEndpoint, ownClaim } from "../owning";
import { entryPointChain } from "./needs";
import { DELETED_SLOT_BYTES, firstOfRun, hasOwnChains } from "./own-maps";
import { journalPartOfEntries, journalPartOfKey } from "./partial-entries";
import { FlatChain } from "./shared-chains";

const SLOT: usize = offsetof<Slot>();
/** Bytes that a slot takes at most that is deleted and added again, with the heads of two messages. */
const SLOT_BYTES: usize = 512;

/** The map with the slots of a key; `local`: those for the Local policy alone. */
export function mapOf(key: Key, local: bool): string {
  if (key.kind == <u8>KeyKind.NODE_PORT) return local ? "local-nodeport-backends" : "nodeport-backends";
  return local ? "local-backends" : "backends";
}

function slotKey(verb: u32, key: Key, local: bool, slot: u32): void {
  nft.element(verb, mapOf(key, local), 0, 0);
  if (key.kind == <u8>KeyKind.NODE_PORT) nft.portSlotKey(<u32>key.protocol, key.port, slot);
  else nft.addressPortSlotKey(key.ip(), <u32>key.protocol, key.port, slot);
}

/** The key whose slots are being written, once one of them is, or 0; and how many slots it has by now. */
let partKey: usize = 0;
let partSlots: u32 = 0;
let partLocalSlots: u32 = 0;
/** Some transaction ended since the first of them was written. */
let partNoted: bool = false;

function beginPartOfKey(key: Key): void {
  partKey = 0;
  partSlots = key.open ? key.plannedSlots : key.committedSlots;
  partLocalSlots = key.open ? key.plannedLocalSlots : key.committedLocalSlots;
  partNoted = false;
}

function noteSlots(key: Key, local: bool, slots: u32): void {
  partKey = changetype<usize>(key);
  if (local) partLocalSlots = slots;
  else partSlots = slots;
}

/** A transaction ends while a key is written whose service port does not change. */
function noteSplitKey(): void {
  if (partKey == 0) return;
  journalPartOfKey(changetype<Key>(partKey), partSlots, partLocalSlots, 0);
  partNoted = true;
}

/** Deletes slots `from` to `to`; from the last on, where one transaction can't hold them, so that the rest has no gaps. */
function deleteSlots(key: Key, local: bool, from: u32, to: u32): void {
  while (to > from) {
    const first = firstOfRun(from, to);
    for (let slot = first; slot < to; slot++) {
      slotKey(Verb.DELETE, key, local, slot);
      nft.endElement();
    }
    noteSlots(key, local, first);
    to = first;
    if (to > from) cut();
  }
}

/** Whose claims are being written for a snapshot that is planned, and which of them it has come to; or 0. */
let splitPort: usize = 0;
let nextClaim: usize = 0;

/** A transaction ends within a service port, or between two of its keys, and its snapshot is planned in a later one. */
function noteSplitPort(): void {
  noteSplitKey();
  splitSnapshot();
  journalPartOfEntries(splitPort);
}

/** What has been written for the snapshot is not in that of what the kernel is known to hold. */
function splitSnapshot(): void {
  const snapshot = changetype<Snapshot>(now);
  if (snapshot.split) return;
  snapshot.split = true;
  for (let at = changetype<FamilyPort>(splitPort).claims; at != nextClaim; at = changetype<Claim>(at).nextOfPort) {
    if (changetype<Claim>(at).isOwner()) splitKey(changetype<Claim>(at));
  }
}

/** The key has the slots of a snapshot that is not committed yet. */
function splitKey(claim: Claim): void {
  const key = claim.key;
  if (key.plannedPool == 0 || key.plannedSlots + key.plannedLocalSlots == 0) return;
  key.plannedPool = splitPoolOf(claim);
  if (!key.open) journalKey(key);
}

/** True if the slots under the claim's key are those of the Local policy, whatever the map. */
function showsLocal(claim: Claim): bool {
  return claim.entryPoint == EntryPoint.CLUSTER_IP && internalIsLocal(claim.port);
}

function splitPoolOf(claim: Claim): u64 {
  return poolOf(claim.port, showsLocal(claim)) | 2;
}

/** The snapshot that keys have been written for, by several transactions, is committed. */
export function joinKeys(port: FamilyPort): void {
  const snapshot = changetype<Snapshot>(port.committed);
  if (!snapshot.split) return;
  snapshot.split = false;
  if (!port.present) return;
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    const claim = changetype<Claim>(at);
    if (!claim.isOwner() || claim.key.committedPool != splitPoolOf(claim)) continue;
    claim.key.committedPool = poolOf(port, showsLocal(claim));
  }
}

/** Begins with the entry points of a service port whose snapshot is planned after them. `useSnapshots` comes before. */
export function beginEntries(port: FamilyPort): void {
  splitPort = changetype<usize>(port);
  nextClaim = port.claims;
  whenCut(noteSplitPort);
}

export function endEntries(): void {
  splitPort = 0;
  cutAnywhere();
}

/** In the full text, which alone is asked about, slots stand in the order of the endpoints. */
function ownSlot(claim: Claim, policy: u32, slot: u32): void {
  ownClaim(claim);
  let next: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & policy) != 0 && next++ == slot) alsoEndpoint(endpoint);
  }
}

/**
 * Writes the slots that differ: `now` has `count` Slots, `before` those that the kernel has under the key (0: it has
 * `had` of them, but other ones).
 */
function writeSlots(claim: Claim, local: bool, policy: u32, now: usize, count: u32, before: usize, had: u32): void {
  const key = claim.key;
  for (let slot: u32 = 0; slot < count; slot++) {
    const at = now + <usize>slot * SLOT;
    const isHeld = slot < had;
    if (isHeld && before != 0 && memory.compare(at, before + <usize>slot * SLOT, SLOT) == 0) continue;
    makeRoom(SLOT_BYTES);
    if (isHeld) {
      slotKey(Verb.DELETE, key, local, slot);
      nft.endElement();
    }
    if (isRecording()) ownSlot(claim, policy, slot);
    slotKey(Verb.ADD, key, local, slot);
    nft.endpointData(at, changetype<Slot>(at).port);
    nft.endElement();
    noteSlots(key, local, max(slot + 1, had));
  }
  if (trims) deleteSlots(key, local, count, had);
}

/** Slots that are too many go before the verdict that needs less: all of the key's is one transaction. */
let trims: bool = true;

/**
 * Keys that lead somewhere and need none of the slots in a map any more, with 1 for the Local policy's map. A packet may
 * have been led to them a moment before, so they go one transaction after the verdict that led there.
 */
const emptied = new Vector();

/** Notes that all slots go later; returns how many stay until then. */
function emptyLater(key: Key, local: bool, had: u32): u32 {
  const bit: u8 = local ? 2 : 1;
  if ((key.emptying & bit) != 0) return had;
  key.emptying |= bit;
  emptied.push(<u32>changetype<usize>(key));
  emptied.push(<u32>local);
  return had;
}

function commitEmpty(at: usize, _now: u64): void {
  changetype<Key>(at).committedSlots = 0;
  settleKey(changetype<Key>(at));
}

function commitEmptyLocal(at: usize, _now: u64): void {
  changetype<Key>(at).committedLocalSlots = 0;
  settleKey(changetype<Key>(at));
}

function emptyingFailed(at: usize, _now: u64): void {
  noteKeyChange(changetype<Key>(at));
}

/** A Key has no slots any more; or none for the Local policy. */
const EMPTY = journalKind(commitEmpty, emptyingFailed);
const EMPTY_LOCAL = journalKind(commitEmptyLocal, emptyingFailed);

/** Adds the batch that deletes the slots of entry points that have been led elsewhere, if there are any. */
export function planEmptying(family: u32): void {
  if (emptied.length == 0) return;
  beginTransaction(family, 0);
  whenCut(noteSplitKey);
  ownedByNobody();
  for (let i: u32 = 0; i < emptied.length; i += 2) {
    const key = changetype<Key>(<usize>emptied.get(i));
    const local = emptied.get(i + 1) != 0;
    key.emptying = 0;
    writeFor(key.claims == 0 ? 0 : changetype<usize>(key.owner().port.port.service));
    makeRoom(SLOT_BYTES);
    beginPartOfKey(key);
    deleteSlots(key, local, 0, local ? key.committedLocalSlots : key.committedSlots);
    partKey = 0;
    journal(local ? EMPTY_LOCAL : EMPTY, changetype<usize>(key));
  }
  emptied.clear();
  cutAnywhere();
  writeFor(0);
  endNftBatch(0, false);
}

/** Notes what the batch makes of the key's slots. */
function settleSlots(key: Key, pool: u64, slots: u32, localSlots: u32): void {
  key.plannedPool = pool;
  key.plannedSlots = slots;
  key.plannedLocalSlots = localSlots;
  partKey = 0;
  if (key.open) return;
  if (partNoted || pool != key.committedPool || slots != key.committedSlots || localSlots != key.committedLocalSlots) {
    journalKey(key);
  }
}

/** Whose slots an entry point shows, and which of them: a number that no others have. */
function poolOf(port: FamilyPort, internalLocal: bool): u64 {
  return (port.port.number << 2) | <u64>internalLocal;
}

/** The slots of the entry points that are written: those of its service port as it will be, and as the kernel has it. */
let now: usize = 0;
let before: usize = 0;
let firewall: usize = 0;

/** Says what `writeFlatEntry` writes: Snapshots (`old` may be 0), and the FlatChain that checks sources (or 0). */
export function useSnapshots(snapshot: usize, old: usize, firewallChain: usize): void {
  now = snapshot;
  before = old;
  firewall = firewallChain;
}

function wantShared(at: usize): void {
  const chain = changetype<FlatChain>(at);
  wantedChain.set("", chain.key, chain.keyLength, chain.number);
}

/** Writes what is to be added or replaced under the claim's key, which it must own. */
export function writeFlatEntry(claim: Claim): void {
  const key = claim.key;
  const port = claim.port;
  const snapshot = changetype<Snapshot>(now);
  if (splitPort != 0) nextClaim = changetype<usize>(claim);
  beginPartOfKey(key);
  const internal = claim.entryPoint == EntryPoint.CLUSTER_IP;
  wantNothing();
  const own = hasOwnChains(port);
  if (own) {
    const chain = entryChain(claim);
    if (chain != 0) wantOwnChain(port, chain);
  } else {
    const chain = entryPointChain(claim, snapshot.clusterCount, snapshot.localCount);
    if (chain != 0) wantShared(chain);
  }
  if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP && firewall != 0) {
    const chain = changetype<FlatChain>(firewall);
    wantedFirewall.set("", chain.key, chain.keyLength, chain.number);
  }

  // Slots come before the verdict that leads to them.
  const internalLocal = internal && internalIsLocal(port);
  const shows = wantedChain.number != 0 && !own;
  let slots: u32 = !shows ? 0 : internalLocal ? snapshot.localCount : snapshot.clusterCount;
  let localSlots: u32 = shows && !internal && externalIsLocal(port) ? snapshot.localCount : 0;
  let pool = poolOf(port, internalLocal);
  const had: u32 = fullText ? 0 : key.committedSlots;
  const hadLocal: u32 = fullText ? 0 : key.committedLocalSlots;
  const old = changetype<Snapshot>(before);
  const same = before != 0 && old.maps == 0 && key.committedPool == pool;
  ownClaim(claim);
  const later = wantedChain.number != 0 && key.committedChain != 0;
  const size = <usize>(max(slots, had) + max(localSlots, hadLocal)) * SLOT_BYTES + KEY_BYTES;
  makeRoomForAll(size);
  trims = hasRoom(size);
  if (later && slots == 0 && had != 0) {
    slots = emptyLater(key, false, had);
    pool = 0; // nobody knows any more whose they are
  } else {
    const policy = internalLocal ? Routed.LOCAL_POLICY : Routed.CLUSTER;
    writeSlots(claim, false, policy, snapshot.slots(internalLocal), slots, same ? old.slots(internalLocal) : 0, had);
  }
  if (later && localSlots == 0 && hadLocal != 0) {
    localSlots = emptyLater(key, true, hadLocal);
    pool = 0;
  } else {
    writeSlots(
      claim,
      true,
      Routed.LOCAL_POLICY,
      snapshot.slots(true),
      localSlots,
      same ? old.slots(true) : 0,
      hadLocal,
    );
  }
  writeKeyElements(claim);
  if (fullText) return;
  if (!trims && (had > slots || hadLocal > localSlots)) {
    trimSlots(claim, pool, slots, localSlots);
    return;
  }
  settleSlots(key, pool, slots, localSlots);
  if (splitPort != 0 && snapshot.split) splitKey(claim);
}

/** Deletes slots by several transactions that the verdict does not need any more that has just been written. */
function trimSlots(claim: Claim, pool: u64, slots: u32, localSlots: u32): void {
  const key = claim.key;
  const had = max(slots, key.committedSlots);
  const hadLocal = max(localSlots, key.committedLocalSlots);
  settleSlots(key, 0, had, hadLocal);
  if (!key.open) journalKey(key); // so that the plan does not look at it again
  beginPartOfKey(key);
  deleteSlots(key, false, slots, had);
  deleteSlots(key, true, localSlots, hadLocal);
  partKey = 0;
  if (splitPort != 0) splitSnapshot();
  journalPartOfKey(key, slots, localSlots, splitPort == 0 || pool == 0 ? pool : splitPoolOf(claim));
}

/** The same for a key whose service port does not change. */
export function writeFlatKey(claim: Claim): void {
  whenCut(noteSplitKey);
  writeFlatEntry(claim);
  cutAnywhere();
}

/** Nobody claims the key any more. */
export function dropFlatKey(key: Key): void {
  let slots = key.committedSlots;
  let localSlots = key.committedLocalSlots;
  const size = <usize>(slots + localSlots) * DELETED_SLOT_BYTES;
  makeRoom(size);
  beginPartOfKey(key);
  if (hasRoom(size)) {
    deleteSlots(key, false, 0, slots);
    deleteSlots(key, true, 0, localSlots);
    slots = 0;
    localSlots = 0;
  } else {
    // More than one transaction: nothing may lead to them when the first is sent.
    if (slots != 0) slots = emptyLater(key, false, slots);
    if (localSlots != 0) localSlots = emptyLater(key, true, localSlots);
  }
  settleUnclaimed(key);
  settleSlots(key, 0, slots, localSlots);
}
