// The endpoints of one service port in one family: merged from its slices, distinct, sorted by their text.
import { formatHost } from "../bytes/address";
import { SLACK, Vector } from "../bytes/memory";
import { writeDecimal } from "../bytes/out";
import { IPV4 } from "../bytes/protocols";
import { productOf, sizeOf, sumOf } from "../bytes/sizes";
import { beginSort, continueSort } from "../bytes/sliced-sort";
import { isSpent } from "../bytes/slices";
import { sortVector } from "../bytes/sort";
import { EndpointFlag, EndpointRecord, firstEndpoint, SliceRecord } from "../cluster/records";
import { firstSlice, Slice } from "../cluster/slices";
import { stringBytes, stringLength } from "../cluster/strings";
import { feeds, firstFeeding, slicePortAt } from "./feeding-ports";
import { FamilyPort } from "./service-ports";
import { isThisNode } from "./this-node";

/** Flags of a routed endpoint, besides those of EndpointFlag. */
export namespace Routed {
  export const LOCAL: u32 = 8;
  /** Serves traffic under the Cluster policy. */
  export const CLUSTER: u32 = 16;
  /** Serves traffic under the Local policy. */
  export const LOCAL_POLICY: u32 = 32;
  /** A hint names this node's zone, or this node: kept for explanations. */
  export const ZONE_HINTED: u32 = 64;
  export const NODE_HINTED: u32 = 128;
  /** Serves traffic under either policy. */
  export const REACHABLE: u32 = CLUSTER | LOCAL_POLICY;
}

/** 48 bytes of text, zero-filled, then what is known of it. */
@unmanaged
export class RoutedEndpoint {
  /** `ip:port` or `[ip]:port` */
  text0: u64;
  text1: u64;
  text2: u64;
  text3: u64;
  text4: u64;
  text5: u64;
  textLength: u32;
  /** Length of `ip` or `[ip]`. */
  addressLength: u32;
  port: u32;
  flags: u32;
  record: EndpointRecord;
  slice: Slice;

  text(): usize {
    return changetype<usize>(this);
  }

  /** The sixteen bytes of the address. */
  ip(): usize {
    return changetype<usize>(this.record);
  }

  /** The bare address: without brackets. */
  address(): usize {
    return load<u8>(changetype<usize>(this)) == 0x5b ? changetype<usize>(this) + 1 : changetype<usize>(this);
  }

  bareLength(): usize {
    return load<u8>(changetype<usize>(this)) == 0x5b ? this.addressLength - 2 : this.addressLength;
  }
}

/** The endpoints that `mergeEndpoints` has found, in order: addresses of RoutedEndpoints. */
export const endpoints = new Vector();

let rows: usize = 0;
let rowCapacity: u32 = 0;

export function endpointAt(index: u32): RoutedEndpoint {
  return changetype<RoutedEndpoint>(<usize>endpoints.get(index));
}

function reserveRows(count: u32): void {
  if (count <= rowCapacity) return;
  if (rows != 0) heap.free(rows);
  rows = 0;
  rowCapacity = max<u32>(count, 64);
  rows = heap.alloc(sizeOf(rowCapacity, offsetof<RoutedEndpoint>(), SLACK));
}

// Endpoints of one node follow each other often enough that the last comparison is worth keeping.
let lastNode: u32 = 0;
let lastNodeIsThis: bool = false;

function onThisNode(id: u32): bool {
  if (id == 0) return false;
  if (id != lastNode) {
    lastNode = id;
    lastNodeIsThis = isThisNode(stringBytes(id), stringLength(id));
  }
  return lastNodeIsThis;
}

function setText(row: RoutedEndpoint, family: u32): void {
  const start = changetype<usize>(row);
  v128.store(start, i64x2(0, 0));
  v128.store(start, i64x2(0, 0), 16);
  v128.store(start, i64x2(0, 0), 32);
  let at = formatHost(start, changetype<usize>(row.record), family != IPV4);
  row.addressLength = <u32>(at - start);
  store<u8>(at, 0x3a);
  at = writeDecimal(at + 1, row.port);
  // Numbers of an address are written four bytes at a time: of the shortest texts (10.0.0.1:1) one lies behind the end.
  store<u32>(at, 0);
  row.textLength = <u32>(at - start);
}

function compareEndpoints(a: u32, b: u32): i32 {
  for (let i: usize = 0; i < 48; i += 8) {
    const left = bswap(load<u64>(<usize>a + i));
    const right = bswap(load<u64>(<usize>b + i));
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

/**
 * Of several copies of one `ip:port`, the last one that is not terminating counts, else the first. The
 * copies stand in the order of slice names and positions, since the sort is stable.
 */
function dropDuplicates(): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const row = endpoints.get(i);
    if (kept > 0 && compareEndpoints(endpoints.get(kept - 1), row) == 0) {
      if ((changetype<RoutedEndpoint>(<usize>row).flags & EndpointFlag.TERMINATING) == 0) endpoints.set(kept - 1, row);
    } else {
      endpoints.set(kept++, row);
    }
  }
  endpoints.length = kept;
}

/** How many rows there are before duplicates are dropped. */
function countRows(port: FamilyPort): u32 {
  let count: u32 = 0;
  for (let at = firstSlice(port.port.service, port.family); at != 0; at = changetype<Slice>(at).nextOfService) {
    const record = changetype<SliceRecord>(changetype<Slice>(at).record);
    const first = firstFeeding(record, port.port);
    let next = first;
    while (feeds(record, next, port.port)) next++;
    count = sumOf(count, productOf(next - first, record.endpointCount));
  }
  return count;
}

/** The service port whose endpoints are in `endpoints`, or are being found; and all of them are found. */
let mergedPort: usize = 0;
let isMerged: bool = false;

/** `endpoints` has those of the service port: no other port was routed since it was. */
export function areRouted(port: FamilyPort): bool {
  return isMerged && mergedPort == changetype<usize>(port);
}

/** Slices may have changed since: nothing is merged, and what was begun is begun anew. */
export function forgetMerged(): void {
  mergedPort = 0;
  isMerged = false;
  begunPort = 0;
}

/** Where rows go on: the slice, which of its ports; and the next row. */
let nextSlice: usize = 0;
let nextSlicePort: u32 = 0;
let nextRow: usize = 0;
/** The rows so far are in order and distinct. */
let areSorted: bool = true;
let isSorting: bool = false;

function beginRows(port: FamilyPort, count: u32): void {
  endpoints.clear();
  lastNode = 0;
  reserveRows(count);
  mergedPort = changetype<usize>(port);
  isMerged = false;
  isSorting = false;
  areSorted = true;
  nextRow = rows;
  enterSlice(port, firstSlice(port.port.service, port.family));
}

function enterSlice(port: FamilyPort, slice: usize): void {
  nextSlice = slice;
  if (slice != 0) nextSlicePort = firstFeeding(changetype<SliceRecord>(changetype<Slice>(slice).record), port.port);
}

/** Makes rows of the endpoints of one port of a slice; false: there are no more. */
function addRows(port: FamilyPort): bool {
  while (nextSlice != 0) {
    const slice = changetype<Slice>(nextSlice);
    const record = changetype<SliceRecord>(slice.record);
    if (!feeds(record, nextSlicePort, port.port)) {
      enterSlice(port, slice.nextOfService);
      continue;
    }
    const slicePort = slicePortAt(record, nextSlicePort++);
    let at = nextRow;
    let sorted = areSorted;
    let endpoint = firstEndpoint(record);
    for (let e: u32 = 0; e < record.endpointCount; e++, endpoint += offsetof<EndpointRecord>()) {
      const row = changetype<RoutedEndpoint>(at);
      row.record = changetype<EndpointRecord>(endpoint);
      row.slice = slice;
      row.port = slicePort.port;
      row.flags = row.record.flags | (onThisNode(row.record.nodeName) ? Routed.LOCAL : 0);
      setText(row, port.family);
      if (sorted && endpoints.length > 0) sorted = compareEndpoints(endpoints.get(endpoints.length - 1), <u32>at) < 0;
      endpoints.push(<u32>at);
      at += offsetof<RoutedEndpoint>();
    }
    nextRow = at;
    areSorted = sorted;
    return true;
  }
  return false;
}

/** Fills `endpoints` with all endpoints of the service port. */
export function mergeEndpoints(port: FamilyPort): void {
  beginRows(port, countRows(port));
  while (addRows(port)) {}
  if (!areSorted) {
    sortVector(endpoints, 0, endpoints.length, compareEndpoints);
    dropDuplicates();
  }
  isMerged = true;
}

/** The port whose endpoints have been begun to be merged in slices, until they are. */
let begunPort: usize = 0;

/** From so many rows on they are made and sorted in slices. */
const MANY: u32 = 8192;

/** Does that for a slice; true: all are there. */
export function mergeSomeEndpoints(port: FamilyPort): bool {
  if (isMerged || mergedPort != changetype<usize>(port)) {
    const count = countRows(port);
    // Where somebody has asked for routes between two slices, all is done at once: else it might never come to an end.
    if (count < MANY || begunPort == changetype<usize>(port)) {
      begunPort = 0;
      mergeEndpoints(port);
      return true;
    }
    beginRows(port, count);
    begunPort = changetype<usize>(port);
  }
  while (!isSorting) {
    const before = endpoints.length;
    const isMore = addRows(port);
    if (!isMore) {
      isSorting = true;
      if (!areSorted) beginSort(endpoints, compareEndpoints);
    }
    if (isSpent(1 + (endpoints.length - before) / 8)) return false;
  }
  for (let count: u32 = 1; !areSorted && count != 0; ) {
    count = continueSort();
    if (count != 0 && isSpent(count / 8)) return false;
  }
  if (!areSorted) dropDuplicates();
  isMerged = true;
  begunPort = 0;
  return true;
}
