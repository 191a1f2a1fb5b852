// What the kernel holds when a transaction ends within a service port (our layout): which transactions that come after it
// fail or are never sent, it is known exactly. What is committed of the port or key is brought to that state, and the next
// plan goes on from there.
import { Key, noteKeyChange } from "../../routing/ownership";
import { FamilyPort } from "../../routing/service-ports";
import { currentBatch, JournalKind, journal } from "../../transactions/batches";
import { mergeSlots, Snapshot } from "../nft/snapshots";
import { holdMoreNeeds } from "./needs";
import { OwnMap } from "./own-maps";

/** A service port's own maps and chains, written in part. */
@unmanaged
export class PartOfMaps {
  port: FamilyPort;
  /** The Snapshot that they are going to be as. */
  planned: usize;
  /** Maps and chains that stand, besides those that stood before; chains with their new rules. */
  maps: u32;
  chains: u32;
  /** How many slots there are in each map, and how many of them, from the first on, are the planned ones. */
  clusterCount: u32;
  clusterDone: u32;
  localCount: u32;
  localDone: u32;
}

/** Slots under a key, written in part: how many it has now, and whose they are (0: nobody knows). */
@unmanaged
class PartOfKey {
  key: Key;
  slots: u32;
  localSlots: u32;
  pool: u64;
}

/** The batch that is being written takes the maps as far as `part` says, which is copied. */
export function journalPartOfMaps(part: usize): void {
  const copy = heap.alloc(offsetof<PartOfMaps>());
  memory.copy(copy, part, offsetof<PartOfMaps>());
  journal(currentBatch(), JournalKind.PART_OF_MAPS, copy);
}

export function journalPartOfKey(key: Key, slots: u32, localSlots: u32, pool: u64): void {
  const part = changetype<PartOfKey>(heap.alloc(offsetof<PartOfKey>()));
  part.key = key;
  part.slots = slots;
  part.localSlots = localSlots;
  part.pool = pool;
  journal(currentBatch(), JournalKind.PART_OF_KEY, changetype<usize>(part));
}

export function commitPartOfMaps(at: usize): void {
  const part = changetype<PartOfMaps>(at);
  const port = part.port;
  const old = port.committed;
  if (port.planned == part.planned) {
    const made = mergeSlots(
      old,
      part.planned,
      part.clusterDone,
      part.maps & OwnMap.CLUSTER ? part.clusterCount : countOf(old, false),
      part.localDone,
      part.maps & OwnMap.LOCAL ? part.localCount : countOf(old, true),
    );
    const snapshot = changetype<Snapshot>(made);
    snapshot.maps |= part.maps;
    snapshot.chains |= part.chains;
    if (old != 0) heap.free(old);
    port.committed = made;
  }
  heap.free(at);
}

function countOf(snapshot: usize, local: bool): u32 {
  if (snapshot == 0) return 0;
  return local ? changetype<Snapshot>(snapshot).localCount : changetype<Snapshot>(snapshot).clusterCount;
}

export function commitPartOfKey(at: usize): void {
  const part = changetype<PartOfKey>(at);
  part.key.committedSlots = part.slots;
  part.key.committedLocalSlots = part.localSlots;
  part.key.committedPool = part.pool;
  heap.free(at);
}

export function failPartOfKey(at: usize): void {
  noteKeyChange(changetype<PartOfKey>(at).key);
  heap.free(at);
}

/** Some elements under the service port's keys are not what its snapshot says: they are looked at again. */
export function commitPartOfEntries(port: FamilyPort): void {
  holdMoreNeeds(port);
  if (port.committed == 0) return;
  changetype<Snapshot>(port.committed).signature = 0;
  changetype<Snapshot>(port.committed).entrySignature = 0;
}
