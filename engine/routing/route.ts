// Which endpoints of a service port serve which traffic on this node: as kube-proxy decides it in pkg/proxy/topology.go.
import { blake2s } from "../bytes/blake2s";
import { Vector } from "../bytes/memory";
import { IPV4 } from "../bytes/protocols";
import { productOf, sizeOf, sumOf } from "../bytes/sizes";
import { AddressKind, AddressRecord, EndpointFlag, PortRecord, RangeRecord, ServiceRecord } from "../cluster/records";
import { Service } from "../cluster/services";
import { stringBytes, stringLength } from "../cluster/strings";
import { countPort } from "./counters";
import { areRouted, endpointAt, endpoints, mergeEndpoints, mergeSomeEndpoints, Routed } from "./endpoints";
import { factsNumber, settings } from "./facts";
import { contains, factsOf } from "./family-facts";
import { options } from "./options";
import { Decision, externalIsLocal, FamilyPort, internalIsLocal, recordOf } from "./service-ports";
import { zone, zoneLength } from "./this-node";

/** How the last `route` chose among ready endpoints. */
export namespace Topology {
  export const NONE: u32 = 0;
  export const SAME_NODE: u32 = 1;
  export const SAME_ZONE: u32 = 2;
}

export let topology: u32 = Topology.NONE;
/** The last `route` fell back to endpoints that are serving and terminating, for the Cluster or Local policy. */
export let clusterFallback: bool = false;
export let localFallback: bool = false;

/** False for external IPs where AllowServiceExternalIPs is false. */
export function isProgrammed(address: AddressRecord): bool {
  return options().allowServiceExternalIPs || address.kind != AddressKind.EXTERNAL;
}

/** The first AddressRecord of a ServiceRecord; RangeRecords follow the addresses. */
export function firstAddress(record: ServiceRecord): usize {
  return changetype<usize>(record) + offsetof<ServiceRecord>() + <usize>record.portCount * offsetof<PortRecord>();
}

export function firstRange(record: ServiceRecord): usize {
  return firstAddress(record) + <usize>record.addressCount * offsetof<AddressRecord>();
}

/** True if the list of names, each followed by a zero byte, contains the name. */
function listsName(list: u32, name: usize, length: usize): bool {
  let at = stringBytes(list);
  const end = at + stringLength(list);
  while (at < end) {
    let to = at;
    while (load<u8>(to) != 0) to++;
    if (to - at == length && memory.compare(at, name, length) == 0) return true;
    at = to + 1;
  }
  return false;
}

let lastList: u32 = 0; // neighbours mostly share their hints
let lastListHolds: bool = false;

function hinted(list: u32, name: usize, length: usize): bool {
  if (list != lastList) {
    lastList = list;
    lastListHolds = listsName(list, name, length);
  }
  return lastListHolds;
}

/** Marks the ready endpoints hinted for this node or zone, and says which hint counts. */
function findTopology(): u32 {
  let allNode = true;
  let anyNode = false;
  let allZone = true;
  let anyZone = false;
  lastList = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & EndpointFlag.READY) == 0) continue;
    if (endpoint.record.nodeHints == 0) allNode = false;
    else if (hinted(endpoint.record.nodeHints, options().nodeName, options().nodeNameLength)) {
      anyNode = true;
      endpoint.flags |= Routed.NODE_HINTED;
    }
  }
  lastList = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & EndpointFlag.READY) == 0) continue;
    if (endpoint.record.zoneHints == 0) allZone = false;
    else if (hinted(endpoint.record.zoneHints, zone, zoneLength)) {
      anyZone = true;
      endpoint.flags |= Routed.ZONE_HINTED;
    }
  }
  return allNode && anyNode ? Topology.SAME_NODE : allZone && anyZone ? Topology.SAME_ZONE : Topology.NONE;
}

/** Sets `bit` on all endpoints whose flags have `wanted` set and `unwanted` not; returns how many. */
function select(wanted: u32, unwanted: u32, bit: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & (wanted | unwanted)) != wanted) continue;
    endpoint.flags |= bit;
    count++;
  }
  return count;
}

const SERVING_TERMINATING: u32 = EndpointFlag.SERVING | EndpointFlag.TERMINATING;

function selectCluster(): bool {
  topology = findTopology();
  let wanted = EndpointFlag.READY;
  if (topology == Topology.SAME_NODE) wanted |= Routed.NODE_HINTED;
  if (topology == Topology.SAME_ZONE) wanted |= Routed.ZONE_HINTED;
  if (select(wanted, 0, Routed.CLUSTER) > 0) return true;
  clusterFallback = select(SERVING_TERMINATING, 0, Routed.CLUSTER) > 0;
  return clusterFallback;
}

function selectLocal(): bool {
  if (select(EndpointFlag.READY | Routed.LOCAL, 0, Routed.LOCAL_POLICY) > 0) return true;
  localFallback = select(SERVING_TERMINATING | Routed.LOCAL, 0, Routed.LOCAL_POLICY) > 0;
  return localFallback;
}

function anyUsable(): bool {
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const flags = endpointAt(i).flags;
    if ((flags & EndpointFlag.READY) != 0 || (flags & SERVING_TERMINATING) == SERVING_TERMINATING) return true;
  }
  return false;
}

/** EXTERNALLY_ACCESSIBLE, SOURCE_RANGES, NODE_IN_RANGES: what depends on the Service and the node alone. */
function serviceDecision(port: FamilyPort): u32 {
  const hasNodePort = changetype<PortRecord>(port.port.record).nodePort != 0;
  return addressDecision(port) | (hasNodePort ? Decision.EXTERNALLY_ACCESSIBLE : 0);
}

// Ports of one Service come one after the other, and its addresses and source ranges say the same to all of them.
let decidedRecord: u64 = 0;
let decidedFacts: u32 = 0;
let decidedFamily: u32 = 0;
let decided: u32 = 0;

function addressDecision(port: FamilyPort): u32 {
  const service = port.port.service;
  if (decidedRecord != service.recordNumber || decidedFacts != factsNumber || decidedFamily != port.family) {
    decided = decideAddresses(port);
    decidedRecord = service.recordNumber;
    decidedFacts = factsNumber;
    decidedFamily = port.family;
  }
  return decided;
}

function decideAddresses(port: FamilyPort): u32 {
  const record = recordOf(port);
  const family = <u8>port.family;
  let decision: u32 = 0;
  let loadBalancer = false;
  let at = firstAddress(record);
  for (let i: u32 = 0; i < record.addressCount; i++, at += offsetof<AddressRecord>()) {
    if (changetype<AddressRecord>(at).family != family || !isProgrammed(changetype<AddressRecord>(at))) continue;
    decision |= Decision.EXTERNALLY_ACCESSIBLE;
    if (changetype<AddressRecord>(at).kind == AddressKind.LOAD_BALANCER) loadBalancer = true;
  }
  if (!loadBalancer) return decision;
  at = firstRange(record);
  for (let i: u32 = 0; i < record.rangeCount; i++, at += offsetof<RangeRecord>()) {
    const range = changetype<RangeRecord>(at);
    if (range.family != family) continue;
    decision |= Decision.SOURCE_RANGES;
    const network = at + offsetof<RangeRecord>("word0");
    if (contains(network, <u32>range.prefix, factsOf(port.family).nodeIP)) decision |= Decision.NODE_IN_RANGES;
  }
  return decision;
}

/** Finds endpoints and decision of a service port that is present; the endpoints are in `endpoints` until the next call. */
export function route(port: FamilyPort): void {
  if (takeAhead(port)) return;
  routeUnsigned(port);
  sign(port);
}

/** The same for a slice; true: it is done. */
export function routeSome(port: FamilyPort): bool {
  if (!mergeSomeEndpoints(port)) return false;
  decide(port);
  sign(port);
  return true;
}

/**
 * The same for whoever only writes out what there is, or has routed it since anything changed: no signature is made, which takes
 * as long as all else.
 */
export function routeUnsigned(port: FamilyPort): void {
  if (takeAhead(port)) return;
  mergeEndpoints(port);
  decide(port);
}

/** Which of the endpoints serve which traffic. */
function decide(port: FamilyPort): void {
  topology = Topology.NONE;
  clusterFallback = false;
  localFallback = false;
  const internalLocal = internalIsLocal(port);
  const externalLocal = externalIsLocal(port);
  let decision = serviceDecision(port);
  const accessible = (decision & Decision.EXTERNALLY_ACCESSIBLE) != 0;
  let has = false;
  if (!internalLocal || accessible) {
    has = selectCluster();
    if (has) decision |= Decision.CLUSTER_ENDPOINTS;
  }
  if (internalLocal || (externalLocal && accessible)) {
    has = has || anyUsable();
    if (selectLocal()) decision |= Decision.LOCAL_ENDPOINTS;
  }
  const noLocal = (decision & Decision.LOCAL_ENDPOINTS) == 0;
  if (has) {
    decision |= Decision.HAS_ENDPOINTS;
    if (!(internalLocal && noLocal)) decision |= Decision.INTERNAL;
    if (!(externalLocal && noLocal)) decision |= Decision.EXTERNAL;
  }
  port.decision = decision;
}

/** A service port that `routeAhead` has routed, until that is made use of. */
let ahead: usize = 0;

/** Routes a service port that is routed next thing in any case, for a slice; true: it is done. */
export function routeAhead(port: FamilyPort): bool {
  ahead = 0;
  if (!routeSome(port)) return false;
  ahead = changetype<usize>(port);
  return true;
}

function takeAhead(port: FamilyPort): bool {
  const isAhead = ahead == changetype<usize>(port) && areRouted(port);
  ahead = 0;
  return isAhead;
}

/** A service port that is not present any more serves nothing. */
export function withdraw(port: FamilyPort): void {
  port.decision = 0;
  countPort(port, 0, 0, 0);
}

/**
 * After `route`: digest of all that the rules of this service port depend on, the first of its two halves; never 0. Nobody
 * can make two that are equal, so equal signatures mean equal rules.
 */
export function routeSignature(port: FamilyPort): u64 {
  return port.signature;
}

/** The same for the Service, the settings and the decision alone, whatever the endpoints are; never 0. */
export function serviceSignature(port: FamilyPort): u64 {
  return (port.port.service.recordNumber << 24) | ((<u64>(settings.number & 0xffff)) << 8) | <u64>port.decision;
}

const signed = new Vector();

/** Digest of the settings that have this number. */
let settingsDigest0: u64 = 0;
let settingsDigest1: u64 = 0;
let settingsDigested: u32 = 0;

function digestSettings(): void {
  if (settingsDigested == settings.number) return;
  const digest = blake2s(settings.bytes, settings.length);
  settingsDigest0 = load<u64>(digest);
  settingsDigest1 = load<u64>(digest, 8);
  settingsDigested = settings.number;
}

/** Digest of the settings and of a Service's record, once for all of its ports. */
function digestService(service: Service): void {
  if (service.digestedRecord == service.recordNumber && service.digestedSettings == settings.number) return;
  digestSettings();
  const size = <usize>load<u32>(service.record);
  const whole = sizeOf(1, size, 16);
  signed.reserve(<u32>(whole >> 2) + 1);
  store<u64>(signed.data, settingsDigest0);
  store<u64>(signed.data, settingsDigest1, 8);
  memory.copy(signed.data + 16, service.record, size);
  const digest = blake2s(signed.data, whole);
  service.digest0 = load<u64>(digest);
  service.digest1 = load<u64>(digest, 8);
  service.digestedRecord = service.recordNumber;
  service.digestedSettings = settings.number;
}

/** Signs what `route` has found. */
function sign(port: FamilyPort): void {
  const service = port.port.service;
  const ipv4 = port.family == IPV4;
  digestService(service);
  signed.clear();
  signed.reserve(sumOf(5, productOf(endpoints.length, ipv4 ? 2 : 5)));
  const start = signed.data;
  store<u64>(start, service.digest0);
  store<u64>(start, service.digest1, 8);
  store<u32>(start, port.decision | (port.family << 8), 16);
  let at = start + 20;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    const used = endpoint.flags & (Routed.REACHABLE | Routed.LOCAL);
    if ((used & Routed.REACHABLE) == 0) continue;
    store<u32>(at, endpoint.port | (used << 16));
    store<u32>(at, load<u32>(endpoint.ip()), 4);
    at += 8;
    if (ipv4) continue;
    store<u64>(at, load<u64>(endpoint.ip(), 4));
    store<u32>(at, load<u32>(endpoint.ip(), 12), 8);
    at += 12;
  }
  const digest = blake2s(start, at - start);
  const first = load<u64>(digest);
  countPort(port, endpoints.length, first == 0 ? 1 : first, load<u64>(digest, 8));
}
