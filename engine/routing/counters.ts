// Sums over all Services and service ports, kept up to date as they are routed.
import { mix } from "../bytes/compare";
import { Service } from "../cluster/services";
import { Decision, FamilyPort } from "./service-ports";

/** What of a service port is in the sums. */
export namespace Counted {
  export const PORT: u32 = 1;
  /** internalTrafficPolicy Local, endpoints elsewhere, none here. */
  export const NO_LOCAL_INTERNAL: u32 = 2;
  /** externalTrafficPolicy Local, likewise, and it can be reached from outside. */
  export const NO_LOCAL_EXTERNAL: u32 = 4;
}

@unmanaged
export class FamilySums {
  ports: u32;
  /** Endpoints of all service ports together, ready or not. */
  endpoints: u32;
  noLocalInternal: u32;
  noLocalExternal: u32;
  /** iptables mode: rules of each table that are desired, as of the last plan that wrote any. */
  filterRules: u32;
  natRules: u32;
}

const ipv4 = newSums();
const ipv6 = newSums();

/** Services with a cluster IP. */
export let serviceCount: u32 = 0;
/** Sum of hashes of all service ports: the order in which they came does not matter. For people: nothing depends on it. */
export let portsHash: u64 = 0;

function newSums(): FamilySums {
  const at = heap.alloc(offsetof<FamilySums>());
  memory.fill(at, 0, offsetof<FamilySums>());
  return changetype<FamilySums>(at);
}

/** The sums of a family, as far as its service ports have been routed. */
export function sumsOf(family: u32): FamilySums {
  return family == 0 ? ipv4 : ipv6;
}

/** Endpoints of all service ports of a family together, ready or not, as far as they have been routed. */
export function totalEndpoints(family: u32): u32 {
  return sumsOf(family).endpoints;
}

function bit(bits: u32, mask: u32): u32 {
  return (bits & mask) == 0 ? 0 : 1;
}

/** A signature says what the rules depend on; a rule's names come from the service port's. */
function hashOf(port: FamilyPort): u64 {
  return port.signature == 0 ? 0 : mix(port.signature, port.port.baseHash);
}

/**
 * A service port was routed, or (`signature` 0) is not present any more; `decision` is set already. The two words are its
 * signature from now on.
 */
export function countPort(port: FamilyPort, endpoints: u32, signature: u64, rest: u64): void {
  const sums = sumsOf(port.family);
  const before = port.counted;
  const decision = port.decision;
  let now: u32 = signature == 0 ? 0 : Counted.PORT;
  if ((decision & Decision.HAS_ENDPOINTS) != 0) {
    if ((decision & Decision.INTERNAL) == 0) now |= Counted.NO_LOCAL_INTERNAL;
    if ((decision & (Decision.EXTERNAL | Decision.EXTERNALLY_ACCESSIBLE)) == Decision.EXTERNALLY_ACCESSIBLE) {
      now |= Counted.NO_LOCAL_EXTERNAL;
    }
  }
  sums.ports += bit(now, Counted.PORT) - bit(before, Counted.PORT);
  sums.noLocalInternal += bit(now, Counted.NO_LOCAL_INTERNAL) - bit(before, Counted.NO_LOCAL_INTERNAL);
  sums.noLocalExternal += bit(now, Counted.NO_LOCAL_EXTERNAL) - bit(before, Counted.NO_LOCAL_EXTERNAL);
  sums.endpoints += endpoints - port.endpointCount;
  if (signature == 0) countChainRules(port, 0);
  portsHash -= hashOf(port);
  port.counted = now;
  port.endpointCount = endpoints;
  port.signature = signature;
  port.signatureRest = rest;
  portsHash += hashOf(port);
}

let chainRulesIPv4: u32 = 0;
let chainRulesIPv6: u32 = 0;

/** Rules in chains of service ports, of all of them together. */
export function chainRulesOf(family: u32): u32 {
  return family == 0 ? chainRulesIPv4 : chainRulesIPv6;
}

/** The service port's own chains have so many rules. */
export function countChainRules(port: FamilyPort, rules: u32): void {
  if (port.family == 0) chainRulesIPv4 += rules - port.chainRules;
  else chainRulesIPv6 += rules - port.chainRules;
  port.chainRules = rules;
}

/** A Service has come, changed or gone. */
export function countService(service: Service): void {
  const now = service.record != 0;
  if (now == service.counted) return;
  service.counted = now;
  if (now) serviceCount++;
  else serviceCount--;
}
