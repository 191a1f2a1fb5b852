// The plan of an instance: from what the kernel has acknowledged to what it should have, for both families.
import { Vector } from "../bytes/memory";
import { sortVector } from "../bytes/sort";
import { Service, sortedServices } from "../cluster/services";
import { stockHash } from "../routing/facts";
import { Mode, options } from "../routing/options";
import { changedKeys, dropUnusedKey, eachKey, Key, KeyKind, noteKeyChange } from "../routing/ownership";
import { forgetGone, markStale, refresh, stalePorts } from "../routing/refresh";
import { FamilyPort, ServicePort } from "../routing/service-ports";
import { beginPlan, closeBatch, forgetStock, setStockDirty, settledKeys, settledPorts } from "./batches";
import { dropUnusedChains, planFlat } from "./flat";
import { forgetFlatChains } from "./flat-chains";
import { planIptables } from "./iptables";
import { planNftables } from "./nftables";
import { forgetAllStale } from "./stale-chains";

let plannedStock: u64 = 0;

/** In iptables mode only owners matter, not sets. */
function ownersChanged(family: u32): bool {
  for (let i: u32 = 0; i < changedKeys.length; i++) {
    const key = changetype<Key>(<usize>changedKeys.get(i));
    if (<u32>key.family == family && key.kind <= <u8>KeyKind.NODE_PORT) return true;
  }
  return false;
}

/** Makes the batches of the contract's `plan`: layouts/batches.ts has them afterwards. */
export function makePlan(now: u64): void {
  beginPlan(now);
  refresh();
  if (stockHash != plannedStock) setStockDirty();
  plannedStock = stockHash;
  for (let family: u32 = 0; family < 2; family++) {
    if (options().mode == Mode.IPTABLES) planIptables(family, ownersChanged(family));
    else if (options().mode == Mode.NFTABLES) planNftables(family, now);
    else planFlat(family, now);
  }
  const planned = stalePorts.length;
  for (let i: u32 = 0; i < planned; i++) settledPorts.push(stalePorts.get(i));
  for (let i: u32 = 0; i < planned; i++) changetype<FamilyPort>(<usize>stalePorts.get(i)).stale = false;
  stalePorts.clear();
  for (let i: u32 = 0; i < changedKeys.length; i++) {
    changetype<Key>(<usize>changedKeys.get(i)).changed = false;
    settledKeys.push(changedKeys.get(i));
  }
  changedKeys.clear();
  forgetSettled();
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
  markStale(port);
}

function forgetKey(key: Key): void {
  key.committedChain = 0;
  key.committedFirewall = 0;
  key.committedNoEndpoints = 0;
  key.committedSlots = 0;
  key.committedLocalSlots = 0;
  noteKeyChange(key);
}

/** It is not known what the kernel holds: the next plan writes everything. */
export function forgetKernel(): void {
  beginPlan(0);
  forgetAllStale();
  forgetFlatChains();
  forgetStock();
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    for (let at = changetype<Service>(<usize>services.get(i)).ports; at != 0; at = changetype<ServicePort>(at).next) {
      forgetPort(changetype<ServicePort>(at).ipv4);
      forgetPort(changetype<ServicePort>(at).ipv6);
    }
  }
  eachKey(forgetKey);
}
