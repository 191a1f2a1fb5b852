// Nodes and ServiceCIDRs: few, and read as a whole when they change.
import { Entry, replaceRecord, Table } from "./table";

export const nodes = new Table();
export const serviceCIDRs = new Table();

/** Set when a Node or ServiceCIDR has changed; cleared by whoever has read them. */
export let factsChanged: bool = true;

export function factsRead(): void {
  factsChanged = false;
}

export function putNamed(table: Table, key: usize, keyLength: usize, record: usize): bool {
  const found = table.find(key, keyLength);
  let entry: Entry;
  if (found != 0) {
    entry = changetype<Entry>(found);
    entry.listed = table.list;
  } else {
    const at = heap.alloc(offsetof<Entry>());
    memory.fill(at, 0, offsetof<Entry>());
    entry = changetype<Entry>(at);
    table.add(entry, key, keyLength, 0);
  }
  const changed = replaceRecord(entry, record);
  if (changed) factsChanged = true;
  return changed;
}

export function dropNamed(table: Table, entry: Entry): void {
  factsChanged = true;
  table.remove(entry);
}
