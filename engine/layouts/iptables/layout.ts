// kube-proxy's iptables rules of one family: the whole text, and what is written of every service port. plan.ts rewrites parts.
import { Vector } from "../../bytes/memory";
import { outFlush, outSelect, StreamName } from "../../bytes/out";
import { isSpent } from "../../bytes/slices";
import { totalEndpoints } from "../../routing/counters";
import { Claim, EntryPoint } from "../../routing/keys";
import { listPresentPorts, stalePorts } from "../../routing/refresh";
import { route, routeUnsigned } from "../../routing/route";
import { FamilyPort } from "../../routing/service-ports";
import { writeLinesFor } from "../../transactions/iptables-lines";
import { servesAll, writeEntryPoint, writeHealthCheckNodePort, writeUnservedLoadBalancerIP } from "./dispatch";
import { nameEndpoints } from "./names";
import { writeChains } from "./service";
import { writeStockBegin, writeStockEnd } from "./stock";

/** Above this many endpoints kube-proxy leaves the comments of endpoint rules out. */
export const LARGE_CLUSTER: u32 = 1000;

/** Endpoints that stale ports are counted with, from when they were routed last. */
export function countedOfStale(family: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family == family && port.present) count += port.endpointCount;
  }
  return count;
}

/**
 * More than a thousand endpoints in all? Ports that have not been routed since they changed are routed only as far as
 * the answer needs it.
 */
export function isLargeCluster(family: u32): bool {
  let exact = totalEndpoints(family) - countedOfStale(family);
  for (let i: u32 = 0; exact <= LARGE_CLUSTER && i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family != family || !port.present) continue;
    route(port);
    exact += port.endpointCount;
  }
  return exact > LARGE_CLUSTER;
}

export const NO_FAMILY: u32 = 2;
/** Whose lines a plan notes for entry points that another service port owns. */
let lineFamily: u32 = NO_FAMILY;

/** Entry points that another service port owns: their rules come after all others, so that the owner's match first. */
const losers = new Vector();

/**
 * A service port that has an address twice (as external IP and as load-balancer IP, or twice in a list) gets rules for each, where
 * kube-proxy writes them: the first of them counts.
 */
function ownsKey(claim: Claim): bool {
  const first = claim.key.claims;
  return first == changetype<usize>(claim) || changetype<Claim>(first).port == claim.port;
}

function writeLoadBalancerRejects(first: Claim): void {
  let at = changetype<usize>(first);
  while (at != 0 && changetype<Claim>(at).entryPoint == EntryPoint.LOAD_BALANCER_IP) {
    if (ownsKey(changetype<Claim>(at))) writeUnservedLoadBalancerIP(changetype<Claim>(at));
    at = changetype<Claim>(at).nextOfPort;
  }
}

/** What is written for every service port, changed or not. */
export function writeDispatch(port: FamilyPort): void {
  let firstLoadBalancer: usize = 0;
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    const claim = changetype<Claim>(at);
    const loadBalancer = claim.entryPoint == EntryPoint.LOAD_BALANCER_IP;
    if (loadBalancer && firstLoadBalancer == 0) firstLoadBalancer = at;
    if (!loadBalancer && firstLoadBalancer != 0) {
      writeLoadBalancerRejects(changetype<Claim>(firstLoadBalancer));
      firstLoadBalancer = 0;
    }
    if (ownsKey(claim)) writeEntryPoint(claim);
    else losers.push(<u32>at);
  }
  if (firstLoadBalancer != 0) writeLoadBalancerRejects(changetype<Claim>(firstLoadBalancer));
  writeHealthCheckNodePort(port);
}

/** From now on the lines of what `writeDispatch` puts off are noted for that family's batch; NO_FAMILY: for none. */
export function noteLinesOfLosers(family: u32): void {
  lineFamily = family;
}

/** How many entry points are put off; what comes after so many of them is not written after all. */
export function countLosers(): u32 {
  return losers.length;
}

export function dropLosers(from: u32): void {
  losers.length = from;
  nextLoser = 0;
}

/** The first that is not written. */
let nextLoser: u32 = 0;

/** What `writeDispatch` has put off. */
export function writeLosers(): void {
  while (!writeSomeLosers()) {}
}

/** Goes on with that for a slice; true: all is written. */
export function writeSomeLosers(): bool {
  while (nextLoser < losers.length) {
    writeLoser(changetype<Claim>(<usize>losers.get(nextLoser++)));
    if (isSpent(1) && nextLoser < losers.length) return false;
  }
  dropLosers(0);
  return true;
}

function writeLoser(claim: Claim): void {
  // What the owner's rule, which comes first, lets pass by would be taken over by a rule here.
  const owner = claim.key.owner().port;
  if (owner.port.service.isLeftOut(owner.family) || !servesAll(claim.key.owner())) return;
  if (lineFamily != NO_FAMILY) writeLinesFor(lineFamily, changetype<usize>(claim.port.port.service));
  writeEntryPoint(claim);
  if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP) writeUnservedLoadBalancerIP(claim);
}

const ports = new Vector();

/** The whole text of a family, for empty tables, into the results. */
export function renderIptables(family: u32): void {
  const large = isLargeCluster(family);
  writeStockBegin(family, true);
  listPresentPorts(family, ports);
  for (let i: u32 = 0; i < ports.length; i++) {
    const port = changetype<FamilyPort>(<usize>ports.get(i));
    routeUnsigned(port);
    nameEndpoints(port);
    writeDispatch(port);
    writeChains(port, large);
  }
  writeLosers();
  writeStockEnd(family);
  flushStreams();
}

export function flushStreams(): void {
  outFlush(StreamName.MAIN);
  outFlush(StreamName.NAT_CHAINS);
  outFlush(StreamName.NAT_RULES);
  outSelect(StreamName.MAIN);
}
