// Keys in the journal: what is planned under one becomes what is committed.
import { Vector } from "../bytes/memory";
import { noteKeySettled } from "../routing/flow-checks";
import { Key, noteKeyChange } from "../routing/keys";
import { currentBatch } from "./batches";
import { addEntry, routingKind } from "./journal";

/** Keys that have been committed and may be gone, each once. */
export const settledKeys = new Vector();

/** Nothing may be left of the key: it is looked at when the call ends. */
export function settleKey(key: Key): void {
  if (key.settled) return;
  key.settled = true;
  settledKeys.push(<u32>changetype<usize>(key));
}

function commitKey(object: usize, _now: u64): void {
  const key = changetype<Key>(object);
  key.committedChain = key.plannedChain;
  key.committedFirewall = key.plannedFirewall;
  key.committedNoEndpoints = key.plannedNoEndpoints;
  key.committedLocalhost = key.plannedLocalhost;
  key.committedOwner = key.plannedOwner;
  key.committedPool = key.plannedPool;
  key.committedSlots = key.plannedSlots;
  key.committedLocalSlots = key.plannedLocalSlots;
  key.open = false;
  noteKeySettled(key);
  settleKey(key);
}

function failKey(object: usize, _now: u64): void {
  const key = changetype<Key>(object);
  key.open = false;
  noteKeyChange(key);
}

const KEY = routingKind(commitKey, failKey);

/** The batch being written takes the key to its `planned…` fields. */
export function journalKey(key: Key): void {
  journalKeyOf(currentBatch(), key);
}

function journalKeyOf(batch: u32, key: Key): void {
  key.open = true;
  addEntry(batch, KEY, changetype<usize>(key));
}

/** That batch leaves nothing under the key that is kept by key. */
export function journalEmptyKey(batch: u32, key: Key): void {
  key.plannedChain = 0;
  key.plannedFirewall = 0;
  key.plannedNoEndpoints = 0;
  key.plannedLocalhost = false;
  key.plannedPool = 0;
  key.plannedSlots = 0;
  key.plannedLocalSlots = 0;
  journalKeyOf(batch, key);
}
