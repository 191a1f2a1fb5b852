// EndpointSlices, each with the Service that it names.
import { arenaAlloc, Vector } from "../bytes/memory";
import { IPV4 } from "../bytes/protocols";
import { mergeRuns, sortVector } from "../bytes/sort";
import { mayLose } from "./lost-endpoints";
import { EndpointRecord, firstEndpoint, SliceRecord } from "./records";
import { Change, noteChange, Service, serviceNamed } from "./services";
import { releaseString } from "./strings";
import { compareEntries, Entry, replaceRecord, Table } from "./table";

@unmanaged
export class Slice extends Entry {
  service: Service;
  /** The slices of the same Service and family next to it, by name once `firstSlice` has been asked. */
  nextOfService: usize;
  beforeOfService: usize;
}

export const slices = new Table();

function releaseStrings(record: usize): void {
  const slice = changetype<SliceRecord>(record);
  let at = firstEndpoint(slice);
  for (let i: u32 = 0; i < slice.endpointCount; i++, at += offsetof<EndpointRecord>()) {
    const endpoint = changetype<EndpointRecord>(at);
    releaseString(endpoint.nodeName);
    releaseString(endpoint.zone);
    releaseString(endpoint.zoneHints);
    releaseString(endpoint.nodeHints);
  }
}

function changeOf(record: usize): u32 {
  return changetype<SliceRecord>(record).family == IPV4 ? Change.ENDPOINTS_IPV4 : Change.ENDPOINTS_IPV6;
}

/** What it means for the Service that the slice had the record and does not have it any more. */
function lossOf(record: usize): u32 {
  const slice = changetype<SliceRecord>(record);
  if (slice.endpointCount == 0) return changeOf(record);
  return changeOf(record) | (slice.family == IPV4 ? Change.LOST_IPV4 : Change.LOST_IPV6);
}

function listOf(service: Service, family: u32): usize {
  const field = family == IPV4 ? offsetof<Service>("slicesIPv4") : offsetof<Service>("slicesIPv6");
  return changetype<usize>(service) + field;
}

const order = new Vector();

/** The first of the Service's slices in that family; the others follow by name. */
export function firstSlice(service: Service, family: u32): usize {
  const list = listOf(service, family);
  const bit: u32 = 1 << family;
  if ((service.unsortedSlices & bit) == 0) return load<usize>(list);
  service.unsortedSlices &= ~bit;
  order.clear();
  for (let at = load<usize>(list); at != 0; at = changetype<Slice>(at).nextOfService) order.push(<u32>at);
  if (order.length == 0) return 0; // all of them are gone again
  // What was sorted before stands at the end; what has come since, mostly in order, stands before it, the latest first.
  let news = order.length - 1;
  while (news > 0 && compareEntries(order.get(news - 1), order.get(news)) < 0) news--;
  for (let i: u32 = 0; i < news >> 1; i++) {
    const other = news - 1 - i;
    const at = order.get(i);
    order.set(i, order.get(other));
    order.set(other, at);
  }
  sortVector(order, 0, news, compareEntries);
  if (news > 0) mergeRuns(order, 0, news, order.length, compareEntries);
  store<usize>(list, 0);
  for (let i = order.length; i > 0; i--) push(changetype<Slice>(<usize>order.get(i - 1)), list);
  return load<usize>(list);
}

function push(slice: Slice, list: usize): void {
  const next = load<usize>(list);
  slice.nextOfService = next;
  slice.beforeOfService = 0;
  if (next != 0) changetype<Slice>(next).beforeOfService = changetype<usize>(slice);
  store<usize>(list, changetype<usize>(slice));
}

/** The Service that the record names, in the namespace of `key`. */
function serviceOf(key: usize, namespaceLength: usize, record: usize): Service {
  const slice = changetype<SliceRecord>(record);
  const length = namespaceLength + 1 + <usize>slice.serviceNameLength;
  const text = arenaAlloc(length, 1);
  memory.copy(text, key, namespaceLength + 1);
  memory.copy(text + namespaceLength + 1, record + slice.serviceNameOffset, slice.serviceNameLength);
  return serviceNamed(text, length, namespaceLength);
}

/** Puts it in front; `firstSlice` puts all in order. A Service may have ten thousand. */
function link(slice: Slice): void {
  const family = changetype<SliceRecord>(slice.record).family;
  const list = listOf(slice.service, family);
  if (load<usize>(list) != 0) slice.service.unsortedSlices |= 1 << family;
  push(slice, list);
}

function unlink(slice: Slice): void {
  const next = slice.nextOfService;
  const before = slice.beforeOfService;
  if (before != 0) changetype<Slice>(before).nextOfService = next;
  else store<usize>(listOf(slice.service, changetype<SliceRecord>(slice.record).family), next);
  if (next != 0) changetype<Slice>(next).beforeOfService = before;
}

/** Keeps the record (from the arena) under `key`; takes over its string references. True if it differs. */
export function putSlice(key: usize, keyLength: usize, namespaceLength: usize, record: usize): bool {
  const service = serviceOf(key, namespaceLength, record);
  const found = slices.find(key, keyLength);
  if (found == 0) {
    const at = heap.alloc(offsetof<Slice>());
    memory.fill(at, 0, offsetof<Slice>());
    const slice = changetype<Slice>(at);
    slices.add(slice, key, keyLength, namespaceLength);
    slice.service = service;
    replaceRecord(slice, record);
    link(slice);
    noteChange(service, changeOf(record));
    return true;
  }
  const slice = changetype<Slice>(found);
  slice.listed = slices.list;
  if (memory.compare(slice.record, record, min(load<u32>(slice.record), load<u32>(record))) == 0) {
    releaseStrings(record);
    return false;
  }
  const stays = slice.service == service && changeOf(slice.record) == changeOf(record);
  const loses = !stays || mayLose(changetype<SliceRecord>(slice.record), changetype<SliceRecord>(record));
  noteChange(slice.service, loses ? lossOf(slice.record) : changeOf(slice.record));
  if (!stays) unlink(slice);
  releaseStrings(slice.record);
  replaceRecord(slice, record);
  slice.service = service;
  if (!stays) link(slice);
  noteChange(service, changeOf(record));
  return true;
}

export function dropSlice(slice: Slice): void {
  noteChange(slice.service, lossOf(slice.record));
  unlink(slice);
  releaseStrings(slice.record);
  slices.remove(slice);
}
