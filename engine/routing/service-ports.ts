// Service ports: one per Service, port name and protocol; and what is known of each in each family that it serves.
import { compareBytes, hashBytes } from "../bytes/compare";
import { SLACK } from "../bytes/memory";
import { writeLiteral } from "../bytes/out";
import { IPV4, protocolName } from "../bytes/protocols";
import { hashText } from "../bytes/sha256";
import { PortRecord, ServiceFlag, ServiceRecord } from "../cluster/records";
import { compareServices, Service } from "../cluster/services";

/** What `decision` of a FamilyPort consists of (kube-proxy: pkg/proxy/topology.go). */
export namespace Decision {
  /** Some endpoint could serve, here or elsewhere. */
  export const HAS_ENDPOINTS: u32 = 1;
  /** Traffic to the cluster IP is served here. */
  export const INTERNAL: u32 = 2;
  /** Traffic from outside to node port, external or load-balancer IP is served here. */
  export const EXTERNAL: u32 = 4;
  /** There are endpoints for the Cluster policy. */
  export const CLUSTER_ENDPOINTS: u32 = 8;
  /** There are endpoints for the Local policy. */
  export const LOCAL_ENDPOINTS: u32 = 16;
  /** It has a node port, external or load-balancer IP in this family. */
  export const EXTERNALLY_ACCESSIBLE: u32 = 32;
  /** It has a load-balancer IP and source ranges in this family. */
  export const SOURCE_RANGES: u32 = 64;
  /** One of the source ranges contains this node's IP. */
  export const NODE_IN_RANGES: u32 = 128;
}

@unmanaged
export class ServicePort {
  /** Next of the same Service, by name, then protocol. */
  next: usize;
  service: Service;
  /** PortRecord in the Service's record; 0 once the Service has no such port any more. */
  record: usize;
  protocol: u32;
  /** `namespace/name:port`, or `namespace/name` for an unnamed port. */
  printable: usize;
  printableLength: u32;
  nameLength: u32;
  /** nftables: 8 characters of hash, `-`, `namespace/name/protocol/port`, cut to 240 bytes. */
  base: usize;
  baseLength: u32;
  /** No other service port has had this number, not even one of the same name. */
  number: u64;
  /** Hash of `base`, for hashes that people compare. */
  baseHash: u64;
  /** iptables: the sixteen characters of the per-service chains' names. */
  chainHash0: u64;
  chainHash1: u64;
  /** FamilyPort of each family, or 0. */
  ipv4: usize;
  ipv6: usize;

  name(): usize {
    return this.printable + this.printableLength - this.nameLength;
  }

  family(family: u32): usize {
    return family == IPV4 ? this.ipv4 : this.ipv6;
  }
}

/** A service port in one family. */
@unmanaged
export class FamilyPort {
  port: ServicePort;
  family: u32;
  /** The Service has this port and a cluster IP of this family. */
  present: bool;
  /** Waits among the stale ports for the next plan. */
  stale: bool;
  /** What of it waits for a portion (routing/portions.ts): bits of `Change`. Until then plans leave it out. */
  pending: u32;
  /** What it cost when it was taken up last in a portion, its claims left out. */
  weight: u32;
  /** Bits of `Decision`, as of the last `route`. */
  decision: u32;
  /** Endpoints of all slices, distinct, ready or not, as of the last `route`. */
  endpointCount: u32;
  /** Digest of all that its rules depend on, as of the last `route` (128 bits); the first half is 0 while it is not routed. */
  signature: u64;
  signatureRest: u64;
  /** What routing/counters.ts has counted of it: bits of `Counted`. */
  counted: u32;
  /** Rules in its own chains, as of the last plan that wrote them (iptables). */
  chainRules: u32;
  /** Number of the call that has looked last which endpoints serve (conntrack/serving-endpoints.ts); any of them does. */
  servingCall: u32;
  serves: bool;
  /** TCP: an endpoint has gone, and the kernel does not hold what it should yet. */
  hasLostEndpoints: bool;
  /** creationTimestamp of its Service when it made its claims: that ranks them until they are given back. */
  claimedSince: u64;
  /** First of the entry points that it claims (routing/ownership.ts), in the order of the rules. */
  claims: usize;
  /** Keys of its hairpin connections, as of the last `route`: a block of addresses. */
  hairpins: usize;
  hairpinCount: u32;
  /** The shared chains that it needs: a block that belongs to the layout (layouts/flat/needs.ts). */
  sharedChains: usize;
  /** The same for what the kernel holds of it. */
  heldChains: usize;
  /** What the kernel holds of it, and what an open batch will make of that: blocks that belong to the layout. */
  committed: usize;
  planned: usize;
  /** An open batch will make `planned` of `committed`. */
  open: bool;
}

/** What is longer is cut, and told apart by its hash alone. */
export const MAX_BASE: u32 = 240;

function setNames(port: ServicePort, name: usize, nameLength: usize): void {
  const service = port.service;
  const length = <usize>service.keyLength + (nameLength == 0 ? 0 : nameLength + 1);
  port.printable = heap.alloc(length + SLACK);
  port.printableLength = <u32>length;
  port.nameLength = <u32>nameLength;
  memory.copy(port.printable, service.key, service.keyLength);
  if (nameLength != 0) {
    store<u8>(port.printable + service.keyLength, 0x3a);
    memory.copy(port.printable + service.keyLength + 1, name, nameLength);
  }

  // iptables hashes printable name and protocol; nftables a path, which it also shows.
  const text = heap.alloc(length + 16 + SLACK);
  memory.copy(text, port.printable, length);
  let end = writeLiteral(text + length, protocolName(port.protocol));
  hashText(text, end - text, changetype<usize>(port) + offsetof<ServicePort>("chainHash0"), 16);
  memory.copy(text, service.key, service.keyLength);
  end = text + service.keyLength;
  store<u8>(end++, 0x2f);
  end = writeLiteral(end, protocolName(port.protocol));
  store<u8>(end++, 0x2f);
  memory.copy(end, name, nameLength);
  end += nameLength;
  port.base = makeBase(text, end - text);
  port.baseLength = lastBaseLength;
  port.baseHash = hashBytes(port.base, lastBaseLength);
  heap.free(text);
}

/** Length of what `makeBase` or `writeBase` has made last. */
export let lastBaseLength: u32 = 0;

/** Writes `HASH-text` at `to` (room for the text and nine bytes), cut as kube-proxy cuts it. */
export function writeBase(to: usize, text: usize, length: usize): void {
  hashText(text, length, to, 8);
  store<u8>(to + 8, 0x2d);
  memory.copy(to + 9, text, length);
  lastBaseLength = <u32>length + 9;
  if (lastBaseLength <= MAX_BASE) return;
  lastBaseLength = MAX_BASE;
  store<u8>(to + MAX_BASE - 3, 0x2e);
  store<u8>(to + MAX_BASE - 2, 0x2e);
  store<u8>(to + MAX_BASE - 1, 0x2e);
}

function makeBase(text: usize, length: usize): usize {
  const base = heap.alloc(length + 9 + SLACK);
  writeBase(base, text, length);
  return base;
}

function freePort(port: ServicePort): void {
  heap.free(port.printable);
  heap.free(port.base);
  heap.free(changetype<usize>(port));
}

function compareTo(port: ServicePort, name: usize, nameLength: usize, protocol: u32): i32 {
  const order = compareBytes(port.name(), port.nameLength, name, nameLength);
  return order != 0 ? order : <i32>port.protocol - <i32>protocol;
}

/** How many service ports there have been. */
let ports: u64 = 0;

/** The port of that name and protocol among those from `link` on, made where it belongs if it is not there. */
function portFrom(service: Service, link: usize, name: usize, nameLength: usize, protocol: u32): ServicePort {
  let at = link;
  while (load<usize>(at) != 0) {
    const port = changetype<ServicePort>(load<usize>(at));
    const order = compareTo(port, name, nameLength, protocol);
    if (order == 0) return port;
    if (order > 0) break;
    at = load<usize>(at) + offsetof<ServicePort>("next");
  }
  const made = heap.alloc(offsetof<ServicePort>());
  memory.fill(made, 0, offsetof<ServicePort>());
  const port = changetype<ServicePort>(made);
  port.next = load<usize>(at);
  store<usize>(at, made);
  port.service = service;
  port.protocol = protocol;
  port.number = ++ports;
  setNames(port, name, nameLength);
  return port;
}

function setPresent(port: ServicePort, family: u32, present: bool): void {
  const field =
    changetype<usize>(port) + (family == IPV4 ? offsetof<ServicePort>("ipv4") : offsetof<ServicePort>("ipv6"));
  let at = load<usize>(field);
  if (at == 0) {
    if (!present) return;
    at = heap.alloc(offsetof<FamilyPort>());
    memory.fill(at, 0, offsetof<FamilyPort>());
    store<usize>(field, at);
    changetype<FamilyPort>(at).port = port;
    changetype<FamilyPort>(at).family = family;
  }
  changetype<FamilyPort>(at).present = present;
}

// How far `continuePorts` has come: the next port of the record, and the link at which its place is looked for.
let nextPort: u32 = 0;
let nextLink: usize = 0;

/** Begins to make the Service's ports those of its record; then call `continuePorts` until it is done. */
export function beginPorts(service: Service): void {
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) changetype<ServicePort>(at).record = 0;
  nextPort = 0;
  nextLink = changetype<usize>(service) + offsetof<Service>("ports");
}

/**
 * Goes on for up to `most` ports and returns how many it was; fewer once all are done. Ports that are gone stay until
 * `dropGonePorts` finds them unused.
 */
export function continuePorts(service: Service, most: u32): u32 {
  let hasIPv4 = false;
  let hasIPv6 = false;
  let count: u32 = 0;
  if (service.record != 0) {
    const record = changetype<ServiceRecord>(service.record);
    hasIPv4 = (record.flags & ServiceFlag.HAS_IPV4) != 0;
    hasIPv6 = (record.flags & ServiceFlag.HAS_IPV6) != 0;
    // The record's ports stand in the order of the list.
    for (; nextPort < record.portCount; nextPort++) {
      if (count++ == most) return most;
      const at = service.record + offsetof<ServiceRecord>() + <usize>nextPort * offsetof<PortRecord>();
      const portRecord = changetype<PortRecord>(at);
      const name = service.record + portRecord.nameOffset;
      const port = portFrom(service, nextLink, name, portRecord.nameLength, portRecord.protocol);
      port.record = at;
      nextLink = changetype<usize>(port) + offsetof<ServicePort>("next");
    }
    if (count == most) return most;
  }
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    const port = changetype<ServicePort>(at);
    setPresent(port, 0, port.record != 0 && hasIPv4);
    setPresent(port, 1, port.record != 0 && hasIPv6);
  }
  return count;
}

function unused(at: usize): bool {
  if (at == 0) return true;
  const port = changetype<FamilyPort>(at);
  return !port.present && !port.stale && port.pending == 0 && !port.open && port.committed == 0;
}

/** Frees what the Service, the kernel and open batches have no use for any more. */
export function dropGonePorts(service: Service): void {
  let link = changetype<usize>(service) + offsetof<Service>("ports");
  while (load<usize>(link) != 0) {
    const port = changetype<ServicePort>(load<usize>(link));
    if (port.ipv4 != 0 && unused(port.ipv4)) {
      heap.free(port.ipv4);
      port.ipv4 = 0;
    }
    if (port.ipv6 != 0 && unused(port.ipv6)) {
      heap.free(port.ipv6);
      port.ipv6 = 0;
    }
    if (port.record == 0 && port.ipv4 == 0 && port.ipv6 == 0) {
      store<usize>(link, port.next);
      freePort(port);
    } else {
      link = changetype<usize>(port) + offsetof<ServicePort>("next");
    }
  }
}

/** The Service of a family port, and its record. */
export function serviceOf(port: FamilyPort): Service {
  return port.port.service;
}

export function recordOf(port: FamilyPort): ServiceRecord {
  return changetype<ServiceRecord>(port.port.service.record);
}

/** The cluster IP is served by the Local policy's endpoints. */
export function internalIsLocal(port: FamilyPort): bool {
  return (recordOf(port).flags & ServiceFlag.INTERNAL_LOCAL) != 0;
}

/** Addresses from outside are served by the Local policy's endpoints. */
export function externalIsLocal(port: FamilyPort): bool {
  return (recordOf(port).flags & ServiceFlag.EXTERNAL_LOCAL) != 0;
}

/** Session affinity is ClientIP. */
export function hasAffinity(port: FamilyPort): bool {
  return recordOf(port).affinityTimeout != 0;
}

/** Order of two service ports by Service, name and protocol. */
export function comparePorts(a: ServicePort, b: ServicePort): i32 {
  const order = compareServices(<u32>changetype<usize>(a.service), <u32>changetype<usize>(b.service));
  return order != 0 ? order : compareTo(a, b.name(), b.nameLength, b.protocol);
}
