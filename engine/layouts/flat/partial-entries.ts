// What the kernel holds when a transaction ends within the elements of a service port or key: which transactions that come
// after it fail or are never sent, it is known exactly. What is committed of the port or key is brought to that state, and
// the next plan goes on from there.
import { Key, noteKeyChange } from "../../routing/keys";
import { FamilyPort } from "../../routing/service-ports";
import { journal } from "../../transactions/batches";
import { doNothing, journalKind } from "../../transactions/journal";
import { Snapshot } from "../nft/snapshots";
import { holdMoreNeeds } from "./needs";

/** Slots under a key, written in part: how many it has now, and whose they are (0: nobody knows). */
@unmanaged
class PartOfKey {
  key: Key;
  slots: u32;
  localSlots: u32;
  pool: u64;
}

function commitPartOfKey(at: usize, _now: u64): void {
  const part = changetype<PartOfKey>(at);
  part.key.committedSlots = part.slots;
  part.key.committedLocalSlots = part.localSlots;
  part.key.committedPool = part.pool;
  heap.free(at);
}

function failPartOfKey(at: usize, _now: u64): void {
  noteKeyChange(changetype<PartOfKey>(at).key);
  heap.free(at);
}

const PART_OF_KEY = journalKind(commitPartOfKey, failPartOfKey);

export function journalPartOfKey(key: Key, slots: u32, localSlots: u32, pool: u64): void {
  const part = changetype<PartOfKey>(heap.alloc(offsetof<PartOfKey>()));
  part.key = key;
  part.slots = slots;
  part.localSlots = localSlots;
  part.pool = pool;
  journal(PART_OF_KEY, changetype<usize>(part));
}

/** Some elements under the service port's keys are not what its snapshot says: they are looked at again. */
function commitPartOfEntries(at: usize, _now: u64): void {
  const port = changetype<FamilyPort>(at);
  holdMoreNeeds(port);
  if (port.committed == 0) return;
  changetype<Snapshot>(port.committed).signature = 0;
  changetype<Snapshot>(port.committed).entrySignature = 0;
}

const PART_OF_ENTRIES = journalKind(commitPartOfEntries, doNothing);

/** The transaction ends within the entry points of a FamilyPort. */
export function journalPartOfEntries(port: usize): void {
  journal(PART_OF_ENTRIES, port);
}
