// The plan of an instance: from what the kernel has acknowledged to what it should have, for both families.
import { Vector } from "../bytes/memory";
import { outReset } from "../bytes/out";
import { sortVector } from "../bytes/sort";
import { Service, services, sortedServices } from "../cluster/services";
import { planTriggers } from "../cluster/trigger-times";
import { stockHash } from "../routing/facts";
import { noteKeySettled, notePortSettled } from "../routing/flow-checks";
import { Mode, options } from "../routing/options";
import { changedKeys, dropUnusedKey, eachKey, Key, KeyKind, noteKeyChange } from "../routing/ownership";
import { forgetGone, markStale, refresh, stalePorts } from "../routing/refresh";
import { FamilyPort, ServicePort } from "../routing/service-ports";
import {
  adoptStock,
  beginPlan,
  closeBatch,
  forgetStock,
  isForgotten,
  isPlanned,
  lastBatchOfRouting,
  setStockDirty,
  settledKeys,
  settledPorts,
  tableIsAbsent,
} from "./batches";
import { dropUnusedChains, planFlat } from "./flat";
import { forgetFlatChains } from "./flat-chains";
import { forgetHeldNeeds, restoreNeeds } from "./flat-needs";
import { planIptables } from "./iptables";
import { allowCuts, isTooLong } from "./nft-parts";
import { planNftables } from "./nftables";
import { adoptSlots, readKernel, writeDifference } from "./reconcile";
import { findRefused, refused } from "./refusals";
import { forgetAllStale } from "./stale-chains";
import { beginFirstWave, endFirstWave, isKeyWaiting, isWaiting } from "./waves";

let plannedStock: u64 = 0;

/** In iptables mode only owners matter, not sets. */
function ownersChanged(family: u32): bool {
  for (let i: u32 = 0; i < changedKeys.length; i++) {
    const key = changetype<Key>(<usize>changedKeys.get(i));
    if (<u32>key.family == family && key.kind <= <u8>KeyKind.NODE_PORT) return true;
  }
  return false;
}

function planFamily(family: u32, now: u64): void {
  if (options().mode == Mode.IPTABLES) planIptables(family, ownersChanged(family));
  else if (options().mode == Mode.NFTABLES) planNftables(family, now);
  else planFlat(family, now);
  settleFamily(family);
}

/** What was stale of the family has been planned. */
function settleFamily(family: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family != family || isWaiting(port)) {
      stalePorts.set(kept++, stalePorts.get(i));
    } else {
      port.stale = false;
      if (!port.open) notePortSettled(port);
      settledPorts.push(stalePorts.get(i));
    }
  }
  stalePorts.length = kept;
  kept = 0;
  for (let i: u32 = 0; i < changedKeys.length; i++) {
    const key = changetype<Key>(<usize>changedKeys.get(i));
    if (<u32>key.family != family || isKeyWaiting(key)) {
      changedKeys.set(kept++, changedKeys.get(i));
    } else {
      key.changed = false;
      if (!key.open) noteKeySettled(key);
      settledKeys.push(changedKeys.get(i));
    }
  }
  changedKeys.length = kept;
}

function begin(now: u64): void {
  beginPlan(now);
  refresh();
  if (stockHash != plannedStock) setStockDirty();
  plannedStock = stockHash;
}

/** Makes the batches of the contract's `plan`: layouts/batches.ts has them afterwards. */
export function makePlan(now: u64): void {
  begin(now);
  planBoth(now);
  if (isTooLong() && (isForgotten(0) || isForgotten(1))) {
    beginPlan(now);
    outReset();
    allowCuts(true);
    planBoth(now);
    allowCuts(false);
  }
  for (let family: u32 = 0; family < 2; family++) planTriggers(family, lastBatchOfRouting(family));
  forgetSettled();
}

function planBoth(now: u64): void {
  for (let family: u32 = 0; family < 2; family++) planFamily(family, now);
}

/** Makes the batches of the contract's `plan-first-wave`. */
export function makeFirstWave(now: u64): void {
  begin(now);
  // In iptables mode the chains that dispatch are written whole: there is nothing that could go ahead.
  if (options().mode == Mode.IPTABLES) return;
  beginFirstWave();
  planBoth(now);
  endFirstWave();
  forgetSettled();
}

/**
 * Makes the batches of the contract's `reconcile`: those that take what the kernel has dumped of one family's table to
 * what it should be. iptables mode has no dump to read, and writes everything.
 */
export function makeReconciliation(family: u32, dump: usize, length: usize, now: u64): void {
  begin(now);
  forgetFamily(family);
  const compares = options().mode != Mode.IPTABLES && readKernel(dump, length);
  if (compares) {
    adoptStock(family);
    if (options().mode == Mode.FLAT) adoptSlots(family);
  } else if (length == 0) {
    tableIsAbsent(family);
  }
  planFamily(family, now);
  if (compares && !writeDifference(family, now)) replan(family, now);
  if (isTooLong() && isForgotten(family)) {
    allowCuts(true);
    replan(family, now);
    allowCuts(false);
  }
  planTriggers(family, lastBatchOfRouting(family));
  forgetSettled();
}

/** Plans the family anew, for a table that has to be replaced. */
function replan(family: u32, now: u64): void {
  beginPlan(now);
  forgetFamily(family);
  outReset();
  planFamily(family, now);
}

/**
 * The kernel has refused the batch because of messages with these sequence numbers: as `close` for one that has failed,
 * and the Services that they belong to are left out from now on. layouts/refusals.ts has them afterwards.
 */
export function closeRefused(id: u32, sequences: usize, count: u32, now: u64): void {
  findRefused(sequences, isPlanned(id) ? count : 0);
  closeBatch(id, false, now);
  for (let i: u32 = 0; i < refused.length; i++) {
    if (refused.get(i) == 0) continue;
    const service = changetype<Service>(<usize>refused.get(i));
    service.refused = true;
    for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at);
      if (port.ipv4 != 0) restoreNeeds(changetype<FamilyPort>(port.ipv4));
      if (port.ipv6 != 0) restoreNeeds(changetype<FamilyPort>(port.ipv6));
    }
  }
  forgetSettled();
}

/** Nothing is left out any more. */
export function retryRefused(): void {
  for (let at = services.following(0); at != 0; at = services.following(at)) changetype<Service>(at).refused = false;
}

export function close(id: u32, acknowledged: bool, now: u64): void {
  closeBatch(id, acknowledged, now);
  forgetSettled();
}

const gone = new Vector();

function compareNumbers(a: u32, b: u32): i32 {
  return a < b ? -1 : a == b ? 0 : 1;
}

/** Frees service ports, Services and keys that nothing is left of. */
function forgetSettled(): void {
  gone.clear();
  for (let i: u32 = 0; i < settledPorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>settledPorts.get(i));
    if (!port.present) gone.push(<u32>changetype<usize>(port.port.service));
  }
  settledPorts.clear();
  sortVector(gone, 0, gone.length, compareNumbers);
  for (let i: u32 = 0; i < gone.length; i++) {
    if (i == 0 || gone.get(i) != gone.get(i - 1)) forgetGone(changetype<Service>(<usize>gone.get(i)));
  }
  sortVector(settledKeys, 0, settledKeys.length, compareNumbers);
  for (let i: u32 = 0; i < settledKeys.length; i++) {
    if (i == 0 || settledKeys.get(i) != settledKeys.get(i - 1)) {
      dropUnusedKey(changetype<Key>(<usize>settledKeys.get(i)));
    }
  }
  settledKeys.clear();
  dropUnusedChains();
}

function forgetPort(at: usize): void {
  if (at == 0) return;
  const port = changetype<FamilyPort>(at);
  if (port.committed != 0) heap.free(port.committed);
  port.committed = 0;
  forgetHeldNeeds(port);
  markStale(port);
}

let forgottenFamily: u32 = 0;

function forgetKey(key: Key): void {
  if (<u32>key.family != forgottenFamily) return;
  key.committedChain = 0;
  key.committedFirewall = 0;
  key.committedNoEndpoints = 0;
  key.committedOwner = 0;
  key.committedSlots = 0;
  key.committedLocalSlots = 0;
  noteKeyChange(key);
}

/** Forgets what the kernel holds of one family. */
function forgetFamily(family: u32): void {
  retryRefused();
  forgetStock(family);
  forgetAllStale(family);
  forgetFlatChains(family);
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    for (let at = changetype<Service>(<usize>services.get(i)).ports; at != 0; at = changetype<ServicePort>(at).next) {
      forgetPort(changetype<ServicePort>(at).family(family));
    }
  }
  forgottenFamily = family;
  eachKey(forgetKey);
}

/** It is not known what the kernel holds: the next plan writes everything. */
export function forgetKernel(): void {
  beginPlan(0);
  forgetFamily(0);
  forgetFamily(1);
}
