// Health-check node ports: how many endpoints of a Service this node has, for load balancers that ask.
import { listResult } from "../abi/lists";
import { mix } from "../bytes/compare";
import { arenaAlloc, Vector } from "../bytes/memory";
import { sortVector } from "../bytes/sort";
import { EndpointFlag, ServiceFlag, ServiceRecord, ServiceType } from "../cluster/records";
import { Service, sortedServices } from "../cluster/services";
import { endpointAt, endpoints, mergeEndpoints, Routed } from "./endpoints";
import { FamilyPort, ServicePort } from "./service-ports";

/** Changes whenever the list of health checks does. */
export let healthChecksRevision: u32 = 0;

const addresses = new Vector();

function compareAddresses(a: u32, b: u32): i32 {
  return memory.compare(<usize>a, <usize>b, 16);
}

/** True for Services whose health-check node port is to be answered, in the families in which they have a cluster IP. */
function hasHealthCheck(service: Service): bool {
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

/** Distinct addresses of the Service's endpoints that are ready and on this node: ready, not only serving. */
function countLocalEndpoints(service: Service, family: u32): u32 {
  addresses.clear();
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    const familyPort = changetype<ServicePort>(at).family(family);
    if (familyPort == 0 || !changetype<FamilyPort>(familyPort).present) continue;
    mergeEndpoints(changetype<FamilyPort>(familyPort));
    for (let i: u32 = 0; i < endpoints.length; i++) {
      const endpoint = endpointAt(i);
      const wanted: u32 = EndpointFlag.READY | Routed.LOCAL;
      if ((endpoint.flags & wanted) != wanted) continue;
      const address = arenaAlloc(16);
      memory.copy(address, endpoint.ip(), 16);
      addresses.push(<u32>address);
    }
  }
  sortVector(addresses, 0, addresses.length, compareAddresses);
  let count: u32 = 0;
  for (let i: u32 = 0; i < addresses.length; i++) {
    if (i == 0 || compareAddresses(addresses.get(i - 1), addresses.get(i)) != 0) count++;
  }
  return count;
}

function hashOf(service: Service): u64 {
  if (!hasHealthCheck(service)) return 0;
  let h: u64 = <u64>changetype<ServiceRecord>(service.record).healthCheckNodePort;
  for (let family: u32 = 0; family < 2; family++) {
    h = mix(h, isInFamily(service, family) ? <u64>countLocalEndpoints(service, family) + 1 : 0);
  }
  return h == 0 ? 1 : h;
}

/** The Service, its endpoints or this node has changed; its service ports are up to date. */
export function noteHealthCheck(service: Service): void {
  if (service.healthCheck == 0 && !hasHealthCheck(service)) return;
  const hash = hashOf(service);
  if (hash == service.healthCheck) return;
  service.healthCheck = hash;
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
    row.ipv4 = countLocalEndpoints(service, 0);
    row.hasIPv6 = <u32>isInFamily(service, 1);
    row.ipv6 = countLocalEndpoints(service, 1);
    at += offsetof<Row>();
  }
  return listResult(rows, count);
}

export function noteAllHealthChecks(): void {
  const all = sortedServices();
  for (let i: u32 = 0; i < all.length; i++) noteHealthCheck(changetype<Service>(<usize>all.get(i)));
}
