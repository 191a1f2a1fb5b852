// Takes and drops objects. `engine/json` calls these; what is kept, and what a change touches, is decided here.
import { arenaAlloc } from "../bytes/memory";
import { dropNamed, nodes, putNamed, serviceCIDRs } from "./nodes";
import { SliceRecord } from "./records";
import { Change, noteChange, Service, serviceNamed, services } from "./services";
import { dropSlice, putSlice, Slice, slices } from "./slices";
import { Entry, replaceRecord, Table } from "./table";
import { noteTriggerTime } from "./trigger-times";

let keyLength: usize = 0; // of what `keyOf` has made last

/** `namespace/name` in the arena. */
function keyOf(namespace: usize, namespaceLength: usize, name: usize, nameLength: usize): usize {
  keyLength = namespaceLength + 1 + nameLength;
  const key = arenaAlloc(keyLength, 1);
  memory.copy(key, namespace, namespaceLength);
  store<u8>(key + namespaceLength, 0x2f);
  memory.copy(key + namespaceLength + 1, name, nameLength);
  return key;
}

/** How many records of Services there have been. */
let records: u64 = 0;

function markListed(table: Table, key: usize, length: usize): void {
  const found = table.find(key, length);
  if (found != 0) changetype<Entry>(found).listed = table.list;
}

/**
 * Keeps `record` (a ServiceRecord made in the arena) as Service `namespace/name`. Copies it if it differs from what is
 * known. Returns true if it differs.
 */
export function storeService(
  namespace: usize,
  namespaceLength: usize,
  name: usize,
  nameLength: usize,
  record: usize,
): bool {
  const key = keyOf(namespace, namespaceLength, name, nameLength);
  const service = serviceNamed(key, keyLength, namespaceLength);
  service.listed = services.list;
  const changed = replaceRecord(service, record);
  if (!changed) return false;
  service.recordNumber = ++records;
  noteChange(service, Change.SERVICE);
  return true;
}

function dropService(service: Service): void {
  heap.free(service.record);
  service.record = 0;
  noteChange(service, Change.SERVICE); // routing forgets the entry once nothing of it is left
}

/** The Service is gone, or is none that kube-proxy watches. Returns true if it was known. */
export function deleteService(namespace: usize, namespaceLength: usize, name: usize, nameLength: usize): bool {
  const key = keyOf(namespace, namespaceLength, name, nameLength);
  const found = services.find(key, keyLength);
  if (found == 0 || changetype<Service>(found).record == 0) return false;
  dropService(changetype<Service>(found));
  return true;
}

/** The Service exists but its new state was refused: what is known of it stays, also at the end of a list. */
export function keepService(namespace: usize, namespaceLength: usize, name: usize, nameLength: usize): void {
  const key = keyOf(namespace, namespaceLength, name, nameLength);
  markListed(services, key, keyLength);
}

/** As storeService, for a SliceRecord; takes over the references of its string ids, whatever it returns. */
export function storeSlice(
  namespace: usize,
  namespaceLength: usize,
  name: usize,
  nameLength: usize,
  record: usize,
): bool {
  const key = keyOf(namespace, namespaceLength, name, nameLength);
  return putSlice(key, keyLength, namespaceLength, record);
}

/** What has changed the slice, which is stored, happened at that time (milliseconds since 1970). */
export function noteSliceTrigger(
  namespace: usize,
  namespaceLength: usize,
  name: usize,
  nameLength: usize,
  time: u64,
): void {
  const key = keyOf(namespace, namespaceLength, name, nameLength);
  const found = slices.find(key, keyLength);
  if (found == 0) return;
  const slice = changetype<Slice>(found);
  noteTriggerTime(changetype<SliceRecord>(slice.record).family, slice.service, time);
}

export function deleteSlice(namespace: usize, namespaceLength: usize, name: usize, nameLength: usize): bool {
  const key = keyOf(namespace, namespaceLength, name, nameLength);
  const found = slices.find(key, keyLength);
  if (found == 0) return false;
  dropSlice(changetype<Slice>(found));
  return true;
}

export function keepSlice(namespace: usize, namespaceLength: usize, name: usize, nameLength: usize): void {
  const key = keyOf(namespace, namespaceLength, name, nameLength);
  markListed(slices, key, keyLength);
}

function deleteNamed(table: Table, name: usize, nameLength: usize): bool {
  const found = table.find(name, nameLength);
  if (found == 0) return false;
  dropNamed(table, changetype<Entry>(found));
  return true;
}

export function storeNode(name: usize, nameLength: usize, record: usize): bool {
  return putNamed(nodes, name, nameLength, record);
}
export function deleteNode(name: usize, nameLength: usize): bool {
  return deleteNamed(nodes, name, nameLength);
}
export function keepNode(name: usize, nameLength: usize): void {
  markListed(nodes, name, nameLength);
}

export function storeServiceCIDR(name: usize, nameLength: usize, record: usize): bool {
  return putNamed(serviceCIDRs, name, nameLength, record);
}
export function deleteServiceCIDR(name: usize, nameLength: usize): bool {
  return deleteNamed(serviceCIDRs, name, nameLength);
}
export function keepServiceCIDR(name: usize, nameLength: usize): void {
  markListed(serviceCIDRs, name, nameLength);
}

/** In the order of the contract's `enum kind`. */
function tableOf(kind: u32): Table {
  return kind == 0 ? services : kind == 1 ? slices : kind == 2 ? nodes : serviceCIDRs;
}

/** A complete list of that kind begins. */
export function beginList(kind: u32): void {
  tableOf(kind).list++;
}

/** Drops what the list did not contain; returns how many objects that were. */
export function endList(kind: u32): u32 {
  const table = tableOf(kind);
  let dropped: u32 = 0;
  let at = table.following(0);
  while (at != 0) {
    const entry = changetype<Entry>(at);
    const next = table.following(at);
    if (entry.listed != table.list && entry.record != 0) {
      dropped++;
      if (kind == 0) dropService(changetype<Service>(at));
      else if (kind == 1) dropSlice(changetype<Slice>(at));
      else dropNamed(table, entry);
    }
    at = next;
  }
  return dropped;
}
