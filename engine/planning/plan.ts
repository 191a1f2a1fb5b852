// The plan of an instance: from what the kernel has acknowledged to what it should have, for both families.
import { outReset } from "../bytes/out";
import { beginSlice, isSpent } from "../bytes/slices";
import { Change, noteChange, Service, services, sortedServices } from "../cluster/services";
import { planTriggers } from "../cluster/trigger-times";
import { beginFlatPlan, continueFlatPlan } from "../layouts/flat/layout";
import { needsChain, restoreNeeds } from "../layouts/flat/needs";
import { FlatChain, stopKeeping } from "../layouts/flat/shared-chains";
import { forgetLacking } from "../layouts/iptables/extensions";
import { beginIptablesPlan, continueIptablesPlan } from "../layouts/iptables/plan";
import { keepStaleNoMore, keepStaleOnce } from "../layouts/iptables/stale-chains";
import { allowCuts, isTooLong, mayCut } from "../layouts/nft/cuts";
import { beginNftablesPlan, continueNftablesPlan } from "../layouts/nftables/layout";
import { forgetMerged } from "../routing/endpoints";
import { stock } from "../routing/facts";
import { changedKeys, Key, KeyKind } from "../routing/keys";
import { Mode, options } from "../routing/options";
import { isHeavy } from "../routing/portions";
import { beforeTakingUp, refresh, refreshAll } from "../routing/refresh";
import { FamilyPort, ServicePort } from "../routing/service-ports";
import { familyOfBatch, handOut, isPlanned } from "../transactions/batches";
import { beginPlan, closeBatch, closeSome, lastBatchOfRouting, orderEntries } from "../transactions/closing";
import { deletionRefused, findRefused, findRefusedSuspects, forgetMessages, refused } from "../transactions/refusals";
import { doubtStale, forgetAllStale } from "../transactions/stale-chains";
import { adoptStock, isForgotten, setFamilyStockDirty, setStockDirty, tableIsAbsent } from "../transactions/stock";
import { beginFirstWave, endFirstWave, isKeyWaiting } from "../transactions/waves";
import { beginAdoption, continueAdoption } from "./adoption";
import { beginDump, endDump, readDump } from "./dump";
import { beginForgetting, forgetSome, isForgetting } from "./forgetting";
import { beginDifference, continueDifference, Difference, forgetDifference, isComparing } from "./reconcile";
import { beginSettling, forgetSettled, settleFamily } from "./settling";

/** Number of the stock rules as they were planned last. */
let plannedStock: u32 = 0;

/** In iptables mode only owners matter, not sets. */
function ownersChanged(family: u32): bool {
  for (let i: u32 = 0; i < changedKeys.length; i++) {
    const key = changetype<Key>(<usize>changedKeys.get(i));
    if (<u32>key.family == family && key.kind <= <u8>KeyKind.NODE_PORT && !isKeyWaiting(key)) return true;
  }
  return false;
}

function beginFamilyPlan(family: u32): void {
  if (options().mode == Mode.NFTABLES) beginNftablesPlan(family);
  else if (options().mode == Mode.FLAT) beginFlatPlan(family);
  else beginIptablesPlan(family, ownersChanged(family));
}

/** The family's batches are written. */
let isWritten: bool = false;

/** Goes on for a slice; true: the plan of the family is complete. */
function continueFamilyPlan(family: u32): bool {
  if (!isWritten) {
    if (options().mode == Mode.IPTABLES && !continueIptablesPlan(family)) return false;
    else if (options().mode == Mode.NFTABLES && !continueNftablesPlan(family, startedAt)) return false;
    else if (options().mode == Mode.FLAT && !continueFlatPlan(family, startedAt)) return false;
    isWritten = true;
    beginSettling();
  }
  return settleFamily(family);
}

// ---- a plan in slices

namespace Work {
  export const NONE: u32 = 0;
  export const PLAN: u32 = 1;
  export const FIRST_WAVE: u32 = 2;
  export const RECONCILIATION: u32 = 3;
}

namespace Stage {
  /** Reconciliation: the dump is being read, and what was known of the kernel forgotten. */
  export const READ: u32 = 0;
  /** Reconciliation, flat: service ports take up the slots that the kernel has for them. */
  export const ADOPT: u32 = 1;
  export const PLAN: u32 = 2;
  /** Reconciliation: what was planned is compared with what the kernel holds. */
  export const COMPARE: u32 = 3;
  /** Reconciliation: what was planned is forgotten, for a table that has to be replaced. */
  export const REPLAN: u32 = 4;
  /** Everything is planned: the journal is put in the order of the batches. */
  export const ORDER: u32 = 5;
  /** What nothing is left of is forgotten. */
  export const FORGET: u32 = 6;
  /** The host gets copies of the batches. */
  export const HAND_OUT: u32 = 7;
}

let work: u32 = Work.NONE;
let stage: u32 = Stage.PLAN;
/** The family that is being planned. */
let plannedFamily: u32 = 0;
let startedAt: u64 = 0;
/** Bytes of the dump so far. */
let dumped: usize = 0;

/** What a call of `continuePlan` has come to. */
export namespace Progress {
  export const MORE: u32 = 0;
  export const ABANDONED: u32 = 1;
  /** Batches are handed out, and more are to come. */
  export const BATCHES: u32 = 2;
  /** The last batches are handed out. */
  export const COMPLETE: u32 = 3;
}

/** Forgets the plan before, and what was said of it. */
function beginAnew(time: u64): void {
  beginPlan(time);
  forgetMessages();
  forgetMerged();
  forgetLacking();
}

function begin(what: u32, time: u64): void {
  work = what;
  startedAt = time;
  beginAnew(time);
  // Of a table that is read back, or replaced, no Service may be there in part.
  if (what == Work.RECONCILIATION || (what == Work.PLAN && (isForgotten(0) || isForgotten(1)))) refreshAll();
  else refresh();
  if (stock.number != plannedStock) setStockDirty();
  plannedStock = stock.number;
}

/** Begins the contract's `begin-plan`. */
export function startPlan(time: u64): void {
  begin(Work.PLAN, time);
  planFrom(0);
}

/** Begins the contract's `begin-first-wave`. */
export function startFirstWave(time: u64): void {
  begin(Work.FIRST_WAVE, time);
  beginFirstWave();
  planFrom(0);
}

/** Begins the contract's `begin-reconcile`; `size`: bytes of the dump that `readDump` will be given. */
export function startReconciliation(reconciled: u32, size: usize, time: u64): void {
  begin(Work.RECONCILIATION, time);
  forgetRules(reconciled);
  doubtStale(reconciled);
  beginDump(size);
  forgetDifference();
  dumped = 0;
  plannedFamily = reconciled;
  stage = Stage.READ;
}

/** Messages that the kernel has dumped: they must stay where they are until the reconciliation is complete. */
export function takeDump(bytes: usize, length: usize): void {
  if (work != Work.RECONCILIATION || stage != Stage.READ) return;
  dumped += length;
  readDump(bytes, length);
}

function planFrom(first: u32): void {
  plannedFamily = first;
  stage = Stage.PLAN;
  isWritten = false;
  beginFamilyPlan(first);
}

/** Goes on for a slice. Once everything is planned, transactions/batches.ts hands out batches. */
export function continuePlan(): u32 {
  if (work == Work.NONE) return Progress.ABANDONED;
  if (stage < Stage.ORDER) {
    if (work == Work.RECONCILIATION ? !continueReconciliation() : !continueFamilies()) return Progress.MORE;
    stage = Stage.ORDER;
  }
  if (stage == Stage.ORDER) {
    if (!orderEntries()) return Progress.MORE;
    if (work != Work.FIRST_WAVE) {
      for (let each: u32 = 0; each < 2; each++) {
        if (work == Work.PLAN || each == plannedFamily) planTriggers(each, lastBatchOfRouting(each));
      }
    }
    allowCuts(false);
    endFirstWave();
    stage = Stage.FORGET;
  }
  if (stage == Stage.FORGET) {
    if (!forgetSettled()) return Progress.MORE;
    stage = Stage.HAND_OUT;
    if (isSpent(0)) return Progress.MORE;
  }
  if (!handOut()) return Progress.BATCHES;
  work = Work.NONE;
  return Progress.COMPLETE;
}

/** A plan has begun that is not complete. */
export function isPlanning(): bool {
  return work != Work.NONE;
}

/** It is a reconciliation. */
export function isReconciling(): bool {
  return work == Work.RECONCILIATION;
}

function continueFamilies(): bool {
  // In iptables mode the chains that dispatch are written whole: there is nothing that could go ahead.
  if (work == Work.FIRST_WAVE && options().mode == Mode.IPTABLES) return true;
  while (continueFamilyPlan(plannedFamily)) {
    if (plannedFamily == 0) {
      planFrom(1);
    } else if (work == Work.PLAN && !mayCut && isTooLong() && (isForgotten(0) || isForgotten(1))) {
      beginAnew(startedAt);
      outReset();
      allowCuts(true);
      planFrom(0);
    } else {
      return true;
    }
  }
  return false;
}

/** Between two stages there is always a slice's end: what it takes to begin one is bounded by the cluster's size alone. */
function continueReconciliation(): bool {
  if (!forgetSome()) return false;
  if (stage == Stage.READ) {
    if (options().mode != Mode.IPTABLES && endDump()) {
      adoptStock(plannedFamily);
      beginAdoption(plannedFamily, options().mode == Mode.FLAT);
      stage = Stage.ADOPT;
    } else {
      forgetAllStale(plannedFamily);
      if (dumped == 0) tableIsAbsent(plannedFamily);
      planFrom(plannedFamily);
    }
    return false;
  }
  if (stage == Stage.ADOPT) {
    if (!continueAdoption()) return false;
    planFrom(plannedFamily);
    beginDifference();
    return false;
  }
  if (stage == Stage.REPLAN) {
    planFrom(plannedFamily);
    return false;
  }
  if (stage == Stage.PLAN) {
    if (!continueFamilyPlan(plannedFamily)) return false;
    if (isComparing()) {
      stage = Stage.COMPARE;
      return false;
    }
    if (mayCut || !isTooLong() || !isForgotten(plannedFamily)) return true;
    allowCuts(true);
    replan();
    return false;
  }
  const difference = continueDifference(plannedFamily, startedAt);
  if (difference == Difference.REBUILT) replan();
  return difference == Difference.WRITTEN;
}

/** Plans the family anew, for a table that has to be replaced. */
function replan(): void {
  beginAnew(startedAt);
  forgetFamily(plannedFamily);
  outReset();
  stage = Stage.REPLAN;
}

/** Adds the Services that need a shared chain of our own layout to `refused`. */
function addNeeding(family: u32, chain: usize): void {
  stopKeeping(changetype<FlatChain>(chain));
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    for (let at = changetype<Service>(<usize>services.get(i)).ports; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at).family(family);
      if (port == 0 || !needsChain(changetype<FamilyPort>(port), chain)) continue;
      refused.push(services.get(i));
      break;
    }
  }
}

/**
 * The kernel has refused the batch because of messages with these sequence numbers: as `close` for one that has failed,
 * and the Services that they belong to are left out from now on. transactions/refusals.ts has them afterwards.
 */
export function closeRefused(id: u32, sequences: usize, count: u32, now: u64): void {
  const family = familyOfBatch(id);
  findRefused(family, sequences, isPlanned(id) ? count : 0, addNeeding);
  if (deletionRefused) keepStaleOnce(family);
  leaveOutRefused(id, family, now);
}

/** As `closeRefused`, for Services by their numbers among the batch's suspects (iptables mode). */
export function closeRefusedSuspects(id: u32, numbers: usize, count: u32, now: u64): void {
  const family = familyOfBatch(id);
  findRefusedSuspects(family, numbers, isPlanned(id) ? count : 0);
  leaveOutRefused(id, family, now);
}

/** Closes a batch of that family as failed, and leaves the Services in `refused` out of its plans from now on. */
function leaveOutRefused(id: u32, family: u32, now: u64): void {
  closeBatch(id, false, now);
  isClosing = true;
  // Our own layout needs to know what the kernel holds. Elsewhere a batch may be about a million keys, and that can wait.
  if (options().mode == Mode.FLAT) settleAll();
  for (let i: u32 = 0; i < refused.length; i++) {
    if (refused.get(i) == 0) continue;
    const service = changetype<Service>(<usize>refused.get(i));
    service.refusedAgain |= service.refused & (1 << family);
    service.refused |= 1 << family;
    // The dispatch chains of iptables mode have to be written without it.
    if (options().mode == Mode.IPTABLES) setFamilyStockDirty(family);
    for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at).family(family);
      if (port != 0) restoreNeeds(changetype<FamilyPort>(port));
    }
  }
  settleSome(CLOSED_AT_ONCE);
}

/** Nothing is left out any more. */
export function retryRefused(): void {
  for (let at = services.following(0); at != 0; at = services.following(at)) {
    const service = changetype<Service>(at);
    if (options().mode == Mode.IPTABLES) {
      if ((service.refused & 1) != 0) setFamilyStockDirty(0);
      if ((service.refused & 2) != 0) setFamilyStockDirty(1);
    }
    // The rules of a heavy one come in portions again.
    if (service.refused != 0 && isHeavy(service)) noteChange(service, Change.SERVICE);
    service.refused = 0;
    service.refusedAgain = 0;
  }
}

/** What a call that closes a batch does of it at once, in endpoints; `take-up` goes on with the rest. */
const CLOSED_AT_ONCE: u32 = 2000;
/** Something of it is left. */
let isClosing: bool = false;

export function close(id: u32, acknowledged: bool, now: u64): void {
  if (acknowledged && isPlanned(id)) keepStaleNoMore(familyOfBatch(id));
  closeBatch(id, acknowledged, now);
  isClosing = true;
  settleSome(CLOSED_AT_ONCE);
}

/** Goes on with what follows from batches that are closed, then with what is to be forgotten; true: all is done. */
function settleSome(work: u32): bool {
  if (!isClosing && !isForgetting()) return true;
  beginSlice(work);
  if (isClosing) {
    if (!closeSome() || !forgetSettled()) return false;
    isClosing = false;
  }
  return forgetSome();
}

/** The same in one go: before what depends on what the kernel holds. */
export function settleAll(): void {
  while (!settleSome(u32.MAX_VALUE)) {}
}

beforeTakingUp(settleSome);

/** Forgets what the kernel holds of one family, for the rest with `forgetSome`. */
function forgetFamily(family: u32): void {
  forgetAllStale(family);
  forgetRules(family);
}

/** The same, but for what is due to go. */
function forgetRules(family: u32): void {
  // In nftables modes a reconciliation would else be refused again for the same reason, each time.
  if (options().mode == Mode.IPTABLES) retryRefused();
  beginForgetting(family);
}

/** It is not known what the kernel holds: the next plan writes everything. */
export function forgetKernel(): void {
  beginAnew(0);
  forgetFamily(0);
  forgetFamily(1);
}
