// EndpointSlices, each with the Service that it names.
import { compareBytes } from "../bytes/compare";
import { arenaAlloc } from "../bytes/memory";
import { EndpointRecord, IPV4, SlicePortRecord, SliceRecord } from "./records";
import { Change, noteChange, Service, serviceNamed } from "./services";
import { releaseString } from "./strings";
import { Entry, replaceRecord, Table } from "./table";

@unmanaged
export class Slice extends Entry {
  service: Service;
  /** Next slice of the same Service and family, by name. */
  nextOfService: usize;
}

export const slices = new Table();

/** The first EndpointRecord of a slice. */
export function firstEndpoint(record: SliceRecord): usize {
  return changetype<usize>(record) + offsetof<SliceRecord>() + <usize>record.portCount * offsetof<SlicePortRecord>();
}

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

function listOf(service: Service, record: usize): usize {
  const field =
    changetype<SliceRecord>(record).family == IPV4 ? offsetof<Service>("slicesIPv4") : offsetof<Service>("slicesIPv6");
  return changetype<usize>(service) + field;
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

function link(slice: Slice): void {
  let at = listOf(slice.service, slice.record);
  while (load<usize>(at) != 0) {
    const other = changetype<Slice>(load<usize>(at));
    if (compareBytes(other.key, other.keyLength, slice.key, slice.keyLength) > 0) break;
    at = load<usize>(at) + offsetof<Slice>("nextOfService");
  }
  slice.nextOfService = load<usize>(at);
  store<usize>(at, changetype<usize>(slice));
}

function unlink(slice: Slice): void {
  let at = listOf(slice.service, slice.record);
  while (load<usize>(at) != changetype<usize>(slice)) at = load<usize>(at) + offsetof<Slice>("nextOfService");
  store<usize>(at, slice.nextOfService);
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
  noteChange(slice.service, changeOf(slice.record));
  unlink(slice);
  releaseStrings(slice.record);
  replaceRecord(slice, record);
  slice.service = service;
  link(slice);
  noteChange(service, changeOf(record));
  return true;
}

export function dropSlice(slice: Slice): void {
  noteChange(slice.service, changeOf(slice.record));
  unlink(slice);
  releaseStrings(slice.record);
  slices.remove(slice);
}
