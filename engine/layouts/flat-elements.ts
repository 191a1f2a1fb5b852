// Elements of our own layout: where each entry point leads, and its endpoints by slot.
import { mix } from "../bytes/compare";
import { Vector } from "../bytes/memory";
import { nft } from "../encodings/nft";
import { Verb } from "../encodings/nft-encoding";
import { isRecording, ownedByNobody } from "../encodings/owners";
import { endpointAt, endpoints, Routed } from "../routing/endpoints";
import { Claim, EntryPoint, Key, KeyKind } from "../routing/ownership";
import { externalIsLocal, FamilyPort, internalIsLocal } from "../routing/service-ports";
import { beginBatch, endNftBatch, JournalKind, journal, journalKey } from "./batches";
import { FlatChain } from "./flat-chains";
import { entryPointChain } from "./flat-needs";
import { hasOwnChains } from "./flat-own-maps";
import { fullText, settleUnclaimed, wantedChain, wantedFirewall, wantNothing, writeKeyElements } from "./nft-elements";
import { Slot, Snapshot } from "./nft-snapshots";
import { entryChain, wantOwnChain } from "./nftables-elements";
import { alsoEndpoint, ownClaim } from "./owning";
import { writeFor } from "./refusals";

const SLOT: usize = offsetof<Slot>();

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

function deleteSlots(key: Key, local: bool, from: u32, to: u32): void {
  for (let slot = from; slot < to; slot++) {
    slotKey(Verb.DELETE, key, local, slot);
    nft.endElement();
  }
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
    if (slot < had) {
      if (before != 0 && memory.compare(at, before + <usize>slot * SLOT, SLOT) == 0) continue;
      slotKey(Verb.DELETE, key, local, slot);
      nft.endElement();
    }
    if (isRecording()) ownSlot(claim, policy, slot);
    slotKey(Verb.ADD, key, local, slot);
    nft.endpointData(at, changetype<Slot>(at).port);
    nft.endElement();
  }
  deleteSlots(key, local, count, had);
}

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

/** Adds the batch that deletes the slots of entry points that have been led elsewhere, if there are any. */
export function planEmptying(family: u32): void {
  if (emptied.length == 0) return;
  const id = beginBatch(family, 0);
  ownedByNobody();
  for (let i: u32 = 0; i < emptied.length; i += 2) {
    const key = changetype<Key>(<usize>emptied.get(i));
    const local = emptied.get(i + 1) != 0;
    key.emptying = 0;
    writeFor(key.claims == 0 ? 0 : changetype<usize>(key.owner().port.port.service));
    deleteSlots(key, local, 0, local ? key.committedLocalSlots : key.committedSlots);
    journal(id, local ? JournalKind.EMPTY_LOCAL_SLOTS : JournalKind.EMPTY_SLOTS, changetype<usize>(key));
  }
  emptied.clear();
  writeFor(0);
  endNftBatch(0, false);
}

/** Notes what the batch makes of the key's slots. */
function settleSlots(key: Key, pool: u64, slots: u32, localSlots: u32): void {
  key.plannedPool = pool;
  key.plannedSlots = slots;
  key.plannedLocalSlots = localSlots;
  if (key.open) return;
  if (pool != key.committedPool || slots != key.committedSlots || localSlots != key.committedLocalSlots)
    journalKey(key);
}

/** A hash of whose slots an entry point shows. */
function poolOf(port: FamilyPort, internalLocal: bool): u64 {
  const hash = mix(port.port.baseHash, internalLocal ? 1 : 2);
  return hash == 0 ? 1 : hash;
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
  wantedChain.set("", chain.key, chain.keyLength, chain.nameHash);
}

/** Writes what is to be added or replaced under the claim's key, which it must own. */
export function writeFlatEntry(claim: Claim): void {
  const key = claim.key;
  const port = claim.port;
  const snapshot = changetype<Snapshot>(now);
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
    wantedFirewall.set("", chain.key, chain.keyLength, chain.nameHash);
  }

  // Slots come before the verdict that leads to them.
  const internalLocal = internal && internalIsLocal(port);
  const shows = wantedChain.hash != 0 && !own;
  let slots = !shows ? 0 : internalLocal ? snapshot.localCount : snapshot.clusterCount;
  let localSlots = shows && !internal && externalIsLocal(port) ? snapshot.localCount : 0;
  let pool = poolOf(port, internalLocal);
  const had = fullText ? 0 : key.committedSlots;
  const hadLocal = fullText ? 0 : key.committedLocalSlots;
  const old = changetype<Snapshot>(before);
  const same = before != 0 && old.maps == 0 && key.committedPool == pool;
  ownClaim(claim);
  const later = wantedChain.hash != 0 && key.committedChain != 0;
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
  if (!fullText) settleSlots(key, pool, slots, localSlots);
}

/** Nobody claims the key any more. */
export function dropFlatKey(key: Key): void {
  deleteSlots(key, false, 0, key.committedSlots);
  deleteSlots(key, true, 0, key.committedLocalSlots);
  settleUnclaimed(key);
  settleSlots(key, 0, 0, 0);
}
