// All Services that have been named: by an object, or by EndpointSlices that came before it.
import { compareBytes } from "../bytes/compare";
import { Vector } from "../bytes/memory";
import { mergeRuns, sortVector } from "../bytes/sort";
import { Entry, Table } from "./table";

@unmanaged
export class Service extends Entry {
  /** First EndpointSlice of each family, in the order of their names (cluster/slices.ts). */
  slicesIPv4: usize;
  slicesIPv6: usize;
  /** A bit for each family whose slices are not in that order yet. */
  unsortedSlices: u32;
  /** No other record of any Service has had this number. */
  recordNumber: u64;
  /** Digest of the record and the settings with these numbers (routing/route.ts). */
  digest0: u64;
  digest1: u64;
  digestedRecord: u64;
  digestedSettings: u32;
  // What plans of iptables mode read of every Service: on one line of the cache.
  /** First service port (routing/service-ports.ts). */
  ports: usize;
  /** Number of the plan that writes its chains anew (layouts/iptables/plan.ts). */
  mark: u32;
  /** A bit for each family in which the kernel has refused one of its rules: plans leave it out until it changes. */
  refused: u32;
  /** The same where it has refused rules again that it had taken before (iptables mode). */
  refusedAgain: u32;
  /** The same for what the node lacks an extension of iptables for (layouts/iptables/extensions.ts). */
  lacking: u32;

  /** What has changed since routing last looked: bits of `Change`. */
  changes: u32;
  /** It is among those that routing/counters.ts has counted. */
  counted: bool;
  /** What its health check says (routing/health-checks.ts); 0 without one. */
  healthCheck: u64;
  /** What it says: endpoints on this node in each family, by distinct address. */
  localIPv4: u32;
  localIPv6: u32;
  // Of routing/portions.ts: what is still to be taken up (bits of `Change`), the port that is next, and whether it is the turn of
  // ports that are gone; what the Service weighed when all of it was taken up.
  postponed: u32;
  nextPort: usize;
  isAtGone: bool;
  weight: u64;
  /** Its row in planning/service-differences.ts, if that row says so too. */
  differences: u32;
  /** It is being taken up as a whole, and some of its claims are given back already. */
  isBegun: bool;

  /** Plans of the family leave it out. */
  isLeftOut(family: u32): bool {
    return (((this.refused | this.lacking) >> family) & 1) != 0;
  }
}

export namespace Change {
  export const SERVICE: u32 = 1;
  export const ENDPOINTS_IPV4: u32 = 2;
  export const ENDPOINTS_IPV6: u32 = 4;
  /** What its health check says may have changed. */
  export const HEALTH_CHECK: u32 = 8;
  /** Something that served may serve no more. */
  export const LOST_IPV4: u32 = 16;
  export const LOST_IPV6: u32 = 32;
}

export const services = new Table();

/** Services with `changes`, each once, in order of arrival. */
export const changedServices = new Vector();

/** Sorted by namespace and name, but for `unsorted`, which are the latest. */
const sorted = new Vector();
let sortedCount: u32 = 0;

/** The Service of that key (`namespace/name`), made if it is not there. */
export function serviceNamed(key: usize, keyLength: usize, namespaceLength: usize): Service {
  const found = services.find(key, keyLength);
  if (found != 0) return changetype<Service>(found);
  const at = heap.alloc(offsetof<Service>());
  memory.fill(at, 0, offsetof<Service>());
  const service = changetype<Service>(at);
  services.add(service, key, keyLength, namespaceLength);
  const inOrder =
    sortedCount == sorted.length && (sortedCount == 0 || compareServices(sorted.get(sortedCount - 1), <u32>at) < 0);
  sorted.push(<u32>at);
  if (inOrder) sortedCount++;
  return service;
}

export function noteChange(service: Service, change: u32): void {
  if (service.changes == 0) changedServices.push(<u32>changetype<usize>(service));
  service.changes |= change;
}

/** Nothing is left of the Service: neither object, slices nor service ports. */
export function isUnused(service: Service): bool {
  return service.record == 0 && service.slicesIPv4 == 0 && service.slicesIPv6 == 0 && service.ports == 0;
}

/** Forgets a Service that is unused. It must not be among `changedServices`. */
export function dropUnusedService(service: Service): void {
  const order = sortedServices();
  let low: u32 = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareServices(order.get(middle), <u32>changetype<usize>(service)) < 0) low = middle + 1;
    else high = middle;
  }
  const at = order.data + ((<usize>low) << 2);
  memory.copy(at, at + 4, (<usize>(order.length - low - 1)) << 2);
  order.length--;
  sortedCount--;
  services.remove(service);
}

/** All Services, by namespace, then name. */
export function sortedServices(): Vector {
  if (sortedCount < sorted.length) {
    sortVector(sorted, sortedCount, sorted.length, compareServices);
    if (sortedCount > 0) mergeRuns(sorted, 0, sortedCount, sorted.length, compareServices);
    sortedCount = sorted.length;
  }
  return sorted;
}

/** Order of two Services (addresses) by namespace, then name. */
export function compareServices(a: u32, b: u32): i32 {
  const left = changetype<Service>(<usize>a);
  const right = changetype<Service>(<usize>b);
  const order = compareBytes(left.key, left.namespaceLength, right.key, right.namespaceLength);
  return order != 0 ? order : compareBytes(left.key, left.keyLength, right.key, right.keyLength);
}
