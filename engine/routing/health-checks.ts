// Health-check node ports: how many endpoints of a Service this node has, for load balancers that ask.
import { listResult } from "../abi/lists";
import { arenaAlloc, Vector } from "../bytes/memory";
import { sortVector } from "../bytes/sort";
import { EndpointFlag, ServiceFlag, ServiceRecord, ServiceType } from "../cluster/records";
import { Service, sortedServices } from "../cluster/services";
import { endpointAt, endpoints, mergeEndpoints, Routed } from "./endpoints";
import { FamilyPort, ServicePort } from "./service-ports";

/** Changes whenever the list of health checks does. */
export let healthChecksRevision: u32 = 0;

function compareAddresses(a: u32, b: u32): i32 {
  return memory.compare(<usize>a, <usize>b, 16);
}

/** True for Services whose health-check node port is to be answered, in the families in which they have a cluster IP. */
export function hasHealthCheck(service: Service): bool {
  if (service.record == 0) return false;
  const record = changetype<ServiceRecord>(service.record);
  return (
    record.healthCheckNodePort != 0 &&
    record.type == ServiceType.LOAD_BALANCER &&
    (record.flags & ServiceFlag.EXTERNAL_LOCAL) != 0
  );
}

function isInFamily(service: Service, family: u32): bool {
  const flag = family == 0 ? ServiceFlag.HAS_IPV4 : ServiceFlag.HAS_IPV6;
  return (changetype<ServiceRecord>(service.record).flags & flag) != 0;
}

// What `beginHealthCheck` has begun: the Service, the family and port that are next, and the addresses so far.
let checked: Service = changetype<Service>(0);
let family: u32 = 0;
let portAt: usize = 0;
/** Addresses of EndpointRecords: the first `distinct` are sorted and differ. */
const addresses = new Vector();
let distinct: u32 = 0;
let workDone: u32 = 0;

function dropDuplicates(): void {
  sortVector(addresses, 0, addresses.length, compareAddresses);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < addresses.length; i++) {
    if (kept > 0 && compareAddresses(addresses.get(kept - 1), addresses.get(i)) == 0) continue;
    addresses.set(kept++, addresses.get(i));
  }
  addresses.length = kept;
  distinct = kept;
}

/** Notes the addresses of a port's endpoints that are ready and on this node: ready, not only serving. */
function noteAddresses(port: FamilyPort): void {
  mergeEndpoints(port);
  workDone += endpoints.length;
  const wanted: u32 = EndpointFlag.READY | Routed.LOCAL;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & wanted) == wanted) addresses.push(<u32>endpoint.ip());
  }
  // Ports mostly have the same ones.
  if (addresses.length > 2 * distinct + 1024) dropDuplicates();
}

/** The Service, its endpoints or this node has changed, and its ports are up to date: then call `continueHealthCheck`. */
export function beginHealthCheck(service: Service): void {
  checked = service;
  family = service.healthCheck == 0 && !hasHealthCheck(service) ? 2 : 0;
  portAt = service.ports;
  addresses.clear();
  distinct = 0;
}

/** How many endpoints the last `continueHealthCheck` has looked at, and one. */
export function healthCheckWork(): u32 {
  return 1 + workDone;
}

/** Looks at the next port; true once there is none and what is to be told is known. */
export function continueHealthCheck(): bool {
  workDone = 0;
  if (family == 2) return true;
  if (hasHealthCheck(checked) && portAt != 0) {
    const port = changetype<ServicePort>(portAt).family(family);
    if (port != 0 && changetype<FamilyPort>(port).present) noteAddresses(changetype<FamilyPort>(port));
    portAt = changetype<ServicePort>(portAt).next;
    return false;
  }
  dropDuplicates();
  if (family == 0) checked.localIPv4 = distinct;
  else checked.localIPv6 = distinct;
  addresses.clear();
  distinct = 0;
  portAt = checked.ports;
  if (++family == 2) tell(checked);
  return family == 2;
}

/** More endpoints of one Service and family than this are not on one node. */
const MOST: u32 = 0xfffffe;

/** What its health check says, as one number: the port, and for each family 0 or one more than its endpoints; 0: none. */
function contentsOf(service: Service): u64 {
  if (!hasHealthCheck(service)) return 0;
  let contents: u64 = <u64>changetype<ServiceRecord>(service.record).healthCheckNodePort;
  contents = (contents << 24) | (isInFamily(service, 0) ? <u64>min(service.localIPv4, MOST) + 1 : 0);
  contents = (contents << 24) | (isInFamily(service, 1) ? <u64>min(service.localIPv6, MOST) + 1 : 0);
  return contents;
}

function tell(service: Service): void {
  const contents = contentsOf(service);
  if (contents == service.healthCheck) return;
  service.healthCheck = contents;
  healthChecksRevision++;
}

/** `record health-check` as the canonical ABI lays it out. */
@unmanaged
class Row {
  namespace: usize;
  namespaceLength: usize;
  name: usize;
  nameLength: usize;
  port: u16;
  hasIPv4: u32;
  ipv4: u32;
  hasIPv6: u32;
  ipv6: u32;
}

/** All health checks as a result of the contract: list<health-check>. */
export function listHealthChecks(): usize {
  const all = sortedServices();
  let count: u32 = 0;
  for (let i: u32 = 0; i < all.length; i++) if (hasHealthCheck(changetype<Service>(<usize>all.get(i)))) count++;
  const rows = arenaAlloc(<usize>count * offsetof<Row>());
  let at = rows;
  for (let i: u32 = 0; i < all.length; i++) {
    const service = changetype<Service>(<usize>all.get(i));
    if (!hasHealthCheck(service)) continue;
    const row = changetype<Row>(at);
    row.namespace = service.key;
    row.namespaceLength = service.namespaceLength;
    row.name = service.key + service.namespaceLength + 1;
    row.nameLength = service.keyLength - service.namespaceLength - 1;
    row.port = changetype<ServiceRecord>(service.record).healthCheckNodePort;
    row.hasIPv4 = <u32>isInFamily(service, 0);
    row.ipv4 = service.localIPv4;
    row.hasIPv6 = <u32>isInFamily(service, 1);
    row.ipv6 = service.localIPv6;
    at += offsetof<Row>();
  }
  return listResult(rows, count);
}
