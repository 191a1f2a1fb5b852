// What a plan rewrites of kube-proxy's iptables rules of one family: the chains that dispatch whole, and the chains of Services that
// have changed. In slices: it is one batch, but the Services may have millions of endpoints.
import { isSpent, isSpentOnOne } from "../../bytes/slices";
import { Service, sortedServices } from "../../cluster/services";
import { filterRulesWritten, natRulesWritten } from "../../encodings/iptables-restore";
import { chainRulesOf, countChainRules, sumsOf, totalEndpoints } from "../../routing/counters";
import { areRouted, endpoints } from "../../routing/endpoints";
import { Claim, changedKeys, EntryPoint, Key, KeyKind } from "../../routing/keys";
import { markStale, stalePorts } from "../../routing/refresh";
import { routeSignature, routeSome, routeUnsigned } from "../../routing/route";
import { Decision, FamilyPort, internalIsLocal, ServicePort } from "../../routing/service-ports";
import { beginBatch, currentBatch, endBatch, journal } from "../../transactions/batches";
import { DELETION, writeLinesFor } from "../../transactions/iptables-lines";
import { journalEmptyKey } from "../../transactions/key-journal";
import { journalPort } from "../../transactions/port-journal";
import { STOCK, stockIsDirty } from "../../transactions/stock";
import { findLacking } from "./extensions";
import {
  countedOfStale,
  countLosers,
  dropLosers,
  flushStreams,
  LARGE_CLUSTER,
  NO_FAMILY,
  noteLinesOfLosers,
  writeDispatch,
  writeSomeLosers,
} from "./layout";
import { beginNames, nameSomeEndpoints, PortChain } from "./names";
import { beginChains, writeSomeChains } from "./service";
import { Snapshot } from "./snapshot";
import { beginHashes, findStale, findUsedOf, makeSnapshot, sortHashes } from "./snapshots";
import {
  askUsed,
  beginSortingStale,
  beginStale,
  forgetStale,
  mayBeUsed,
  sortStale,
  tellUsed,
  writeSomeStale,
} from "./stale-chains";
import { writeStockBegin, writeStockEnd } from "./stock";

/** Does that for all service ports of the family, for a slice; true: all are done. */
function findUsed(family: u32): bool {
  const services = sortedServices();
  for (; nextService < services.length; nextService++) {
    if (nextPort == 0) nextPort = changetype<Service>(<usize>services.get(nextService)).ports;
    while (nextPort != 0) {
      const familyPort = changetype<ServicePort>(nextPort).family(family);
      nextPort = changetype<ServicePort>(nextPort).next;
      const used: u32 = familyPort == 0 ? 0 : findUsedOf(changetype<FamilyPort>(familyPort));
      if (isSpent(1 + used / 16) && nextPort != 0) return false;
    }
  }
  return true;
}

/**
 * Which chains of nat some service port has, as far as the kernel is known to hold it or a plan is writing it, whether a rule
 * leads to it or not: a byte for each of `count` names (rows of address and length) at `answers`.
 */
export function tellChainsInUse(family: u32, names: usize, count: u32, answers: usize): void {
  askUsed(names, count);
  if (beginStale()) {
    nextService = 0;
    nextPort = 0;
    while (!findUsed(family)) {}
  }
  tellUsed(answers, count);
}

let planNumber: u32 = 0;
let changedCount: u32 = 0; // Services to be written
let anyChange: bool = false;
let chainRulesWritten: u32 = 0; // by this plan, in chains of service ports

/** Decides for one stale port whether its Service has to be written. False: it takes another slice. */
function examine(port: FamilyPort): bool {
  if (port.port.service.isLeftOut(port.family)) return true;
  if (port.present && port.committed != 0) {
    if (!routeSome(port)) return false;
    const held = changetype<Snapshot>(port.committed);
    if (held.signature == routeSignature(port) && held.signatureRest == port.signatureRest) return true;
  } else if (!port.present && port.committed == 0) {
    return true;
  }
  anyChange = true;
  const service = port.port.service;
  if (service.mark == planNumber) return true;
  service.mark = planNumber;
  changedCount++;
  return true;
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
  const lost = countLosers();
  if (fits) writeDispatch(port);
  dropLosers(lost);
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

/** The Service (its index among all, sorted) and its port that come next (0: its first one). */
let nextService: u32 = 0;
let nextPort: usize = 0;

/** How far the service port is that is being written. */
namespace Writing {
  export const BEGIN: u32 = 0;
  export const NAMES: u32 = 1;
  export const CHAINS: u32 = 2;
  export const HASHES: u32 = 3;
}

let writing: u32 = Writing.BEGIN;

/** `endpoints` has those of the service port: if somebody else has asked for another's between two slices, they are found again. */
function findEndpoints(port: FamilyPort): void {
  if (!areRouted(port)) routeUnsigned(port);
}

/** Writes a service port anew, for a slice; true: all of it is written. */
function writePort(port: FamilyPort): bool {
  if (writing == Writing.BEGIN) {
    if (!routeSome(port)) return false;
    beginNames();
    writing = Writing.NAMES;
  }
  findEndpoints(port);
  if (writing == Writing.NAMES) {
    if (!nameSomeEndpoints(port)) return false;
    writeDispatch(port);
    beginChains();
    writing = Writing.CHAINS;
  }
  if (writing == Writing.CHAINS) {
    const before = natRulesWritten;
    const isDone = writeSomeChains(port, large);
    chainRulesOfPort += natRulesWritten - before;
    if (!isDone) return false;
    writing = Writing.HASHES;
  }
  if (!sortHashes()) return false;
  writing = Writing.BEGIN;
  chainRulesWritten += chainRulesOfPort;
  countChainRules(port, chainRulesOfPort);
  chainRulesOfPort = 0;
  const snapshot = makeSnapshot(port);
  findStale(port, port.committed, snapshot);
  journalPort(port, snapshot);
  return true;
}

/** Writes what a plan writes of a service port, for a slice; true: all of it is written. */
function planPort(port: FamilyPort, anew: bool): bool {
  if (port.present && anew) return writePort(port);
  if (port.present) {
    writeDispatch(port);
  } else if (port.committed != 0) {
    findStale(port, port.committed, 0);
    journalPort(port, 0);
  }
  return true;
}

/** Writes all Services, for a slice; true: all are written. */
function planServices(family: u32): bool {
  const services = sortedServices();
  for (; nextService < services.length; nextService++) {
    const service = changetype<Service>(<usize>services.get(nextService));
    if (service.ports == 0) continue;
    if (nextPort == 0) {
      writeLinesFor(family, changetype<usize>(service));
      if (service.isLeftOut(family)) {
        leaveOut(service, family);
        continue;
      }
      nextPort = service.ports;
    }
    while (nextPort != 0) {
      const familyPort = changetype<ServicePort>(nextPort).family(family);
      let work: u32 = 1;
      if (familyPort != 0) {
        const before = natRulesWritten + filterRulesWritten + countLosers();
        const port = changetype<FamilyPort>(familyPort);
        const anew = service.mark == planNumber;
        if (!planPort(port, anew)) return false;
        work += (natRulesWritten + filterRulesWritten + countLosers() - before) / 4;
        if (anew && port.present) work += endpoints.length;
      }
      nextPort = changetype<ServicePort>(nextPort).next;
      // A Service's first port is told by 0.
      if (isSpent(work) && nextPort != 0) return false;
    }
    if (isSpent(1)) {
      nextService++;
      return false;
    }
  }
  return true;
}

/** Rules are not kept by key here; but whose flows are looked for has to know what the kernel holds. For a slice. */
function journalKeys(family: u32): bool {
  while (nextKey < changedKeys.length) {
    const key = changetype<Key>(<usize>changedKeys.get(nextKey++));
    if (<u32>key.family == family && key.kind <= <u8>KeyKind.NODE_PORT) journalEmptyKey(currentBatch(), key);
    if (isSpentOnOne(nextKey) && nextKey < changedKeys.length) return false;
  }
  return true;
}

let nextKey: u32 = 0;

namespace Stage {
  /** Whether there are many endpoints. */
  export const COUNT: u32 = 0;
  /** Which Services have to be written. */
  export const EXAMINE: u32 = 1;
  export const SERVICES: u32 = 2;
  /** Entry points that others own. */
  export const LOSERS: u32 = 3;
  /** Chains that are not needed any more: which of them others have, then their deletion. */
  export const SORT_STALE: u32 = 4;
  export const FIND_USED: u32 = 5;
  export const STALE: u32 = 6;
  export const KEYS: u32 = 7;
}

let stage: u32 = Stage.COUNT;
let large: bool = false;
/** How many stale ports have been looked at. */
let examined: u32 = 0;
/** Rules that had been written when the batch began; and so far in the chains of the port that is being written. */
let filterRules: u32 = 0;
let natRules: u32 = 0;
let chainRulesOfPort: u32 = 0;

/** Begins to make the batch that brings the kernel up to date, if there is anything to write. `keysChanged`: an owner changed. */
export function beginIptablesPlan(family: u32, keysChanged: bool): void {
  planNumber++;
  changedCount = 0;
  anyChange = keysChanged || stockIsDirty(family);
  stage = Stage.COUNT;
  counted = 0;
  endpointCount = totalEndpoints(family) - countedOfStale(family);
  examined = 0;
  writing = Writing.BEGIN;
  beginHashes();
  chainRulesWritten = 0;
  chainRulesOfPort = 0;
  // Of a plan that was given up.
  dropLosers(0);
  noteLinesOfLosers(NO_FAMILY);
  forgetStale();
}

/** Goes on for a slice; true: the family's plan is complete. */
export function continueIptablesPlan(family: u32): bool {
  if (stage == Stage.COUNT) {
    if (!countEndpoints(family)) return false;
    large = endpointCount > LARGE_CLUSTER;
    if (findLacking(family)) anyChange = true;
    stage = Stage.EXAMINE;
  }
  if (stage == Stage.EXAMINE) {
    if (!examineStale(family)) return false;
    if (!anyChange) return true;
    beginBatch(family, 0);
    filterRules = filterRulesWritten;
    natRules = natRulesWritten;
    writeLinesFor(family, 0);
    writeStockBegin(family, false);
    nextService = 0;
    nextPort = 0;
    stage = Stage.SERVICES;
  }
  if (stage == Stage.SERVICES) {
    if (!planServices(family)) return false;
    writeLinesFor(family, 0);
    noteLinesOfLosers(family);
    stage = Stage.LOSERS;
  }
  if (stage == Stage.LOSERS) {
    if (!writeSomeLosers()) return false;
    noteLinesOfLosers(NO_FAMILY);
    writeLinesFor(family, DELETION);
    beginSortingStale();
    stage = Stage.SORT_STALE;
  }
  if (stage == Stage.SORT_STALE) {
    if (!sortStale()) return false;
    nextService = 0;
    nextPort = 0;
    stage = mayBeUsed(family) ? Stage.FIND_USED : Stage.STALE;
  }
  if (stage == Stage.FIND_USED) {
    if (!findUsed(family)) return false;
    stage = Stage.STALE;
  }
  if (stage == Stage.STALE) {
    if (!writeSomeStale(family)) return false;
    writeLinesFor(family, 0);
    writeStockEnd(family);
    writeLinesFor(family, 0);
    flushStreams();
    const sums = sumsOf(family);
    sums.filterRules = filterRulesWritten - filterRules; // the dispatch is written whole
    sums.natRules = natRulesWritten - natRules - chainRulesWritten + chainRulesOf(family);
    nextKey = 0;
    stage = Stage.KEYS;
  }
  if (!journalKeys(family)) return false;
  journal(STOCK, <usize>family);
  endBatch(changedCount, stockIsDirty(family));
  return true;
}

/** How many stale ports `countEndpoints` has looked at, and endpoints there are without the others. */
let counted: u32 = 0;
let endpointCount: u32 = 0;

/** As far as it takes to know whether the cluster is large: for a slice; true: it is known. */
function countEndpoints(family: u32): bool {
  while (counted < stalePorts.length && endpointCount <= LARGE_CLUSTER) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(counted));
    if (port.family == family && port.present) {
      if (!routeSome(port)) return false;
      endpointCount += port.endpointCount;
    }
    counted++;
    if (isSpent(1 + port.endpointCount) && counted < stalePorts.length) return false;
  }
  return true;
}

/** Decides for a slice of the stale ports; true: for all. */
function examineStale(family: u32): bool {
  while (examined < stalePorts.length) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(examined));
    if (port.family == family && !examine(port)) return false;
    examined++;
    if (isSpent(1 + port.endpointCount) && examined < stalePorts.length) return false;
  }
  return true;
}
