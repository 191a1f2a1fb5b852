// kube-proxy's iptables rules of one family: the whole text, and what a plan rewrites of it.
import { Vector } from "../../bytes/memory";
import { outFlush, outSelect, StreamName } from "../../bytes/out";
import { sortVector } from "../../bytes/sort";
import { Service, sortedServices } from "../../cluster/services";
import { filterRulesWritten, natRulesWritten } from "../../encodings/iptables-restore";
import { chainRulesOf, countChainRules, sumsOf, totalEndpoints } from "../../routing/counters";
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { Claim, changedKeys, EntryPoint, Key, KeyKind } from "../../routing/keys";
import { listPresentPorts, markStale, stalePorts } from "../../routing/refresh";
import { route, routeSignature, routeUnsigned } from "../../routing/route";
import { Decision, FamilyPort, internalIsLocal, ServicePort } from "../../routing/service-ports";
import { beginBatch, currentBatch, endBatch, journal } from "../../transactions/batches";
import { DELETION, writeLinesFor } from "../../transactions/iptables-lines";
import { journalEmptyKey } from "../../transactions/key-journal";
import { journalPort } from "../../transactions/port-journal";
import { STOCK, stockIsDirty } from "../../transactions/stock";
import { findLacking } from "./extensions";
import {
  chainHash,
  chainsOf,
  endpointHash,
  nameEndpoints,
  PortChain,
  servesAll,
  writeChains,
  writeEntryPoint,
  writeHealthCheckNodePort,
  writeUnservedLoadBalancerIP,
} from "./service";
import { addStale, askUsed, beginStale, noteUsed, tellUsed, writeStale } from "./stale-chains";
import { writeStockBegin, writeStockEnd } from "./stock";

/** Above this many endpoints kube-proxy leaves the comments of endpoint rules out. */
const LARGE_CLUSTER: u32 = 1000;

/** What the kernel holds of a service port; after it, the hashes of its endpoint chains, sorted. */
@unmanaged
class Snapshot {
  signature: u64;
  signatureRest: u64;
  /** Number of the Service's record. */
  record: u64;
  /** Bits of Decision. */
  decision: u32;
  /** Bits of PortChain. */
  chains: u32;
  endpointCount: u32;
}

function compareHashes(a: u32, b: u32): i32 {
  return memory.compare(<usize>a, <usize>b, 16);
}

const order = new Vector();

/** Of a service port that has just been routed and written. */
function makeSnapshot(port: FamilyPort): usize {
  order.clear();
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) != 0) order.push(<u32>endpointHash(i));
  }
  sortVector(order, 0, order.length, compareHashes);
  const at = heap.alloc(offsetof<Snapshot>() + ((<usize>order.length) << 4));
  const snapshot = changetype<Snapshot>(at);
  snapshot.signature = routeSignature(port);
  snapshot.signatureRest = port.signatureRest;
  snapshot.record = port.port.service.recordNumber;
  snapshot.decision = port.decision;
  snapshot.chains = chainsOf(port);
  snapshot.endpointCount = order.length;
  for (let i: u32 = 0; i < order.length; i++) {
    memory.copy(at + offsetof<Snapshot>() + ((<usize>i) << 4), <usize>order.get(i), 16);
  }
  return at;
}

/**
 * More than a thousand endpoints in all? Ports that have not been routed since they changed are routed only as far as
 * the answer needs it.
 */
export function isLargeCluster(family: u32): bool {
  let exact = totalEndpoints(family);
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family == family && port.present) exact -= port.endpointCount;
  }
  for (let i: u32 = 0; exact <= LARGE_CLUSTER && i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family != family || !port.present) continue;
    route(port);
    exact += port.endpointCount;
  }
  return exact > LARGE_CLUSTER;
}

const NO_FAMILY: u32 = 2;
/** Whose lines a plan notes for entry points that another service port owns. */
let lineFamily: u32 = NO_FAMILY;

/** Entry points that another service port owns: their rules come after all others, so that the owner's match first. */
const losers = new Vector();

/**
 * A service port that has an address twice (as external IP and as load-balancer IP, or twice in a list) gets rules for each, where
 * kube-proxy writes them: the first of them counts.
 */
function ownsKey(claim: Claim): bool {
  return claim.key.owner().port == claim.port;
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

/** What `writeDispatch` has put off. */
export function writeLosers(): void {
  for (let i: u32 = 0; i < losers.length; i++) {
    const claim = changetype<Claim>(<usize>losers.get(i));
    // What the owner's rule, which comes first, lets pass by would be taken over by a rule here.
    const owner = claim.key.owner().port;
    if (owner.port.service.isLeftOut(owner.family) || !servesAll(claim.key.owner())) continue;
    if (lineFamily != NO_FAMILY) writeLinesFor(lineFamily, changetype<usize>(claim.port.port.service));
    writeEntryPoint(claim);
    if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP) writeUnservedLoadBalancerIP(claim);
  }
  losers.clear();
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

// ---- plan

/** Notes the chains of `before` that `after` (0: nothing is left) does not have. */
function findStale(port: FamilyPort, before: usize, after: usize): void {
  if (before == 0) return;
  const old = changetype<Snapshot>(before);
  const left = after == 0 ? 0 : changetype<Snapshot>(after).chains;
  for (let chain: u32 = 1; chain <= PortChain.LOCAL; chain <<= 1) {
    if ((old.chains & chain & ~left) != 0) addStale(chain, chainHash(port.port));
  }
  let at: usize = after == 0 ? 0 : after + offsetof<Snapshot>();
  const end: usize = after == 0 ? 0 : at + ((<usize>changetype<Snapshot>(after).endpointCount) << 4);
  for (let i: u32 = 0; i < old.endpointCount; i++) {
    const hash = before + offsetof<Snapshot>() + ((<usize>i) << 4);
    while (at < end && memory.compare(at, hash, 16) < 0) at += 16;
    if (at >= end || memory.compare(at, hash, 16) != 0) addStale(0, hash);
  }
}

/** Says which chains all service ports of the family have when this plan has come to pass. */
function findUsed(family: u32): void {
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    for (let at = changetype<Service>(<usize>services.get(i)).ports; at != 0; at = changetype<ServicePort>(at).next) {
      const familyPort = changetype<ServicePort>(at).family(family);
      if (familyPort == 0) continue;
      const port = changetype<FamilyPort>(familyPort);
      const snapshot = port.open ? port.planned : port.committed;
      if (snapshot == 0) continue;
      const chains = changetype<Snapshot>(snapshot).chains;
      for (let chain: u32 = 1; chain <= PortChain.LOCAL; chain <<= 1) {
        if ((chains & chain) != 0) noteUsed(chain, chainHash(port.port));
      }
      const first = snapshot + offsetof<Snapshot>();
      const end = first + ((<usize>changetype<Snapshot>(snapshot).endpointCount) << 4);
      for (let hash = first; hash < end; hash += 16) noteUsed(0, hash);
    }
  }
}

/**
 * Which chains of nat some service port has, as far as the kernel is known to hold it or a plan is writing it, whether a rule
 * leads to it or not: a byte for each of `count` names (rows of address and length) at `answers`.
 */
export function tellChainsInUse(family: u32, names: usize, count: u32, answers: usize): void {
  askUsed(names, count);
  if (beginStale()) findUsed(family);
  tellUsed(answers, count);
}

let planNumber: u32 = 0;
let changedCount: u32 = 0; // Services to be written
let anyChange: bool = false;
let chainRulesWritten: u32 = 0; // by this plan, in chains of service ports

/** Decides for one stale port whether its Service has to be written. */
function examine(port: FamilyPort): void {
  if (port.port.service.isLeftOut(port.family)) return;
  if (port.present && port.committed != 0) {
    route(port);
    const held = changetype<Snapshot>(port.committed);
    if (held.signature == routeSignature(port) && held.signatureRest == port.signatureRest) return;
  } else if (!port.present && port.committed == 0) {
    return;
  }
  anyChange = true;
  const service = port.port.service;
  if (service.mark == planNumber) return;
  service.mark = planNumber;
  changedCount++;
}

/** The chains that `writeDispatch` leads to, with the decision of the moment. */
function dispatchTargets(port: FamilyPort): u32 {
  let chains: u32 = 0;
  if ((port.decision & Decision.INTERNAL) != 0) chains |= internalIsLocal(port) ? PortChain.LOCAL : PortChain.CLUSTER;
  if ((port.decision & Decision.HAS_ENDPOINTS) == 0) return chains;
  if ((port.decision & Decision.SOURCE_RANGES) != 0) chains |= PortChain.FIREWALL;
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    if (changetype<Claim>(at).entryPoint != EntryPoint.CLUSTER_IP) chains |= PortChain.EXTERNAL;
  }
  return chains;
}

/** The chains of the service port itself that the kernel holds. */
export function heldChains(port: FamilyPort): u32 {
  return port.committed == 0 ? 0 : changetype<Snapshot>(port.committed).chains;
}

/** Writes the dispatch to the chains that the kernel holds; false: it has none, or they don't fit what the Service says now. */
export function writeHeldDispatch(port: FamilyPort): bool {
  if (port.committed == 0) return false;
  const held = changetype<Snapshot>(port.committed);
  const service = port.port.service;
  if (!port.present || held.record != service.recordNumber || ((service.refusedAgain >> port.family) & 1) != 0)
    return false;
  const decision = port.decision;
  port.decision = held.decision;
  const fits = (dispatchTargets(port) & ~held.chains) == 0;
  const lost = losers.length;
  if (fits) writeDispatch(port);
  losers.length = lost;
  port.decision = decision;
  return fits;
}

/**
 * A Service that is left out: what the kernel holds of it stays where only its endpoints have changed since, and the kernel
 * still takes what leads there; else it goes, since the dispatch chains are written whole, and nothing may lead to what is
 * not there.
 */
function leaveOut(service: Service, family: u32): void {
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    const familyPort = changetype<ServicePort>(at).family(family);
    if (familyPort == 0) continue;
    const port = changetype<FamilyPort>(familyPort);
    if (port.committed == 0 || writeHeldDispatch(port)) continue;
    findStale(port, port.committed, 0);
    countChainRules(port, 0);
    journalPort(port, 0);
    markStale(port); // it is to be written again as soon as it may be
  }
}

function planService(service: Service, family: u32, large: bool): void {
  if (service.ports == 0) return;
  writeLinesFor(family, changetype<usize>(service));
  if (service.isLeftOut(family)) {
    leaveOut(service, family);
    return;
  }
  const write = service.mark == planNumber;
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    const familyPort = changetype<ServicePort>(at).family(family);
    if (familyPort == 0) continue;
    const port = changetype<FamilyPort>(familyPort);
    if (!port.present) {
      if (port.committed == 0) continue;
      findStale(port, port.committed, 0);
      journalPort(port, 0);
      continue;
    }
    if (!write) {
      writeDispatch(port);
      continue;
    }
    route(port);
    nameEndpoints(port);
    writeDispatch(port);
    const before = natRulesWritten;
    writeChains(port, large);
    chainRulesWritten += natRulesWritten - before;
    countChainRules(port, natRulesWritten - before);
    const snapshot = makeSnapshot(port);
    findStale(port, port.committed, snapshot);
    journalPort(port, snapshot);
  }
}

/** Rules are not kept by key here; but whose flows are looked for has to know what the kernel holds. */
function journalKeys(family: u32): void {
  for (let i: u32 = 0; i < changedKeys.length; i++) {
    const key = changetype<Key>(<usize>changedKeys.get(i));
    if (<u32>key.family == family && key.kind <= <u8>KeyKind.NODE_PORT) journalEmptyKey(currentBatch(), key);
  }
}

/** Adds the batch that brings the kernel up to date, if there is anything to write. `keysChanged`: an owner changed. */
export function planIptables(family: u32, keysChanged: bool): void {
  planNumber++;
  changedCount = 0;
  anyChange = keysChanged || stockIsDirty(family);
  const large = isLargeCluster(family);
  if (findLacking(family)) anyChange = true;
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family == family) examine(port);
  }
  if (!anyChange) return;
  beginBatch(family, 0);
  chainRulesWritten = 0;
  const filterRules = filterRulesWritten;
  const natRules = natRulesWritten;
  writeLinesFor(family, 0);
  writeStockBegin(family, false);
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    planService(changetype<Service>(<usize>services.get(i)), family, large);
  }
  writeLinesFor(family, 0);
  lineFamily = family;
  writeLosers();
  lineFamily = NO_FAMILY;
  writeLinesFor(family, DELETION);
  if (beginStale()) findUsed(family);
  writeStale(family);
  writeLinesFor(family, 0);
  writeStockEnd(family);
  writeLinesFor(family, 0);
  flushStreams();
  const sums = sumsOf(family);
  sums.filterRules = filterRulesWritten - filterRules; // the dispatch is written whole
  sums.natRules = natRulesWritten - natRules - chainRulesWritten + chainRulesOf(family);
  journalKeys(family);
  journal(STOCK, <usize>family);
  endBatch(changedCount, stockIsDirty(family));
}
