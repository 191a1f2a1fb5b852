// The endpoints of one service port in one family: merged from its slices, distinct, sorted by their text.
import { formatHost } from "../bytes/address";
import { SLACK, Vector } from "../bytes/memory";
import { writeDecimal } from "../bytes/out";
import { IPV4 } from "../bytes/protocols";
import { productOf, sizeOf, sumOf } from "../bytes/sizes";
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

/** Fills `endpoints` with all endpoints of the service port. */
export function mergeEndpoints(port: FamilyPort): void {
  endpoints.clear();
  lastNode = 0;
  reserveRows(countRows(port));
  let at = rows;
  let sorted = true;
  for (let s = firstSlice(port.port.service, port.family); s != 0; s = changetype<Slice>(s).nextOfService) {
    const slice = changetype<Slice>(s);
    const record = changetype<SliceRecord>(slice.record);
    for (let p = firstFeeding(record, port.port); feeds(record, p, port.port); p++) {
      const slicePort = slicePortAt(record, p);
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
    }
  }
  if (sorted) return;
  sortVector(endpoints, 0, endpoints.length, compareEndpoints);
  dropDuplicates();
}
