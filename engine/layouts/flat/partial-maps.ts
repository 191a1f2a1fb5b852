// What the kernel holds when a transaction ends within a service port's own maps: which transactions that come after it
// fail or are never sent, it is known exactly. What is committed of the port is brought to that state, and the next plan
// goes on from there.
import { FamilyPort } from "../../routing/service-ports";
import { journal } from "../../transactions/batches";
import { journalKind } from "../../transactions/journal";
import { OwnMap } from "../nft/names";
import { mergeSlots, Snapshot } from "../nft/snapshots";

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

function commitPartOfMaps(at: usize, _now: u64): void {
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

function failPartOfMaps(at: usize, _now: u64): void {
  heap.free(at);
}

const PART_OF_MAPS = journalKind(commitPartOfMaps, failPartOfMaps);

/** The batch that is being written takes the maps as far as `part` says, which is copied. */
export function journalPartOfMaps(part: usize): void {
  const copy = heap.alloc(offsetof<PartOfMaps>());
  memory.copy(copy, part, offsetof<PartOfMaps>());
  journal(PART_OF_MAPS, copy);
}
