// What the kernel holds of a service port in iptables mode: its chains, and those of its endpoints.
import { Vector } from "../../bytes/memory";
import { beginSort, continueSort } from "../../bytes/sliced-sort";
import { isSpent } from "../../bytes/slices";
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { routeSignature } from "../../routing/route";
import { FamilyPort } from "../../routing/service-ports";
import { noteSnapshot } from "./chain-uses";
import { chainHash, chainsOf, endpointHash, PortChain } from "./names";
import { Snapshot } from "./snapshot";
import { addStale, noteUsed } from "./stale-chains";

function compareHashes(a: u32, b: u32): i32 {
  return memory.compare(<usize>a, <usize>b, 16);
}

const order = new Vector();

/** Sorts the endpoint chains of a service port that has just been routed and written, for a slice; true: they are sorted. */
export function sortHashes(): bool {
  if (!isSortBegun) {
    isSortBegun = true;
    order.clear();
    for (let i: u32 = 0; i < endpoints.length; i++) {
      if ((endpointAt(i).flags & Routed.REACHABLE) != 0) order.push(<u32>endpointHash(i));
    }
    beginSort(order, compareHashes);
  }
  for (let count = continueSort(); count != 0; count = continueSort()) if (isSpent(count / 8)) return false;
  isSortBegun = false;
  return true;
}

/** A plan that was given up may have left a sort half done. */
export function beginHashes(): void {
  isSortBegun = false;
}

let isSortBegun: bool = false;

/** After that. */
export function makeSnapshot(port: FamilyPort): usize {
  const at = heap.alloc(offsetof<Snapshot>() + ((<usize>order.length) << 4));
  const snapshot = changetype<Snapshot>(at);
  snapshot.signature = routeSignature(port);
  snapshot.signatureRest = port.signatureRest;
  snapshot.record = port.port.service.recordNumber;
  snapshot.decision = port.decision;
  snapshot.chains = chainsOf(port);
  snapshot.endpointCount = order.length;
  for (let i: u32 = 0; i < order.length; i++) {
    memory.copy(snapshot.hash(i), <usize>order.get(i), 16);
  }
  noteSnapshot(port, at);
  return at;
}

/** Notes the chains of `before` that `after` (0: nothing is left) does not have. */
export function findStale(port: FamilyPort, before: usize, after: usize): void {
  if (before == 0) return;
  const old = changetype<Snapshot>(before);
  const left = after == 0 ? 0 : changetype<Snapshot>(after).chains;
  for (let chain: u32 = 1; chain <= PortChain.LOCAL; chain <<= 1) {
    if ((old.chains & chain & ~left) != 0) addStale(chain, chainHash(port.port));
  }
  let at: usize = after == 0 ? 0 : after + offsetof<Snapshot>();
  const end: usize = after == 0 ? 0 : at + ((<usize>changetype<Snapshot>(after).endpointCount) << 4);
  for (let i: u32 = 0; i < old.endpointCount; i++) {
    const hash = old.hash(i);
    while (at < end && memory.compare(at, hash, 16) < 0) at += 16;
    if (at >= end || memory.compare(at, hash, 16) != 0) addStale(0, hash);
  }
}

/** Says which chains a service port has when this plan has come to pass. */
export function findUsedOf(port: FamilyPort): u32 {
  const snapshot = port.open ? port.planned : port.committed;
  if (snapshot == 0) return 0;
  const chains = changetype<Snapshot>(snapshot).chains;
  for (let chain: u32 = 1; chain <= PortChain.LOCAL; chain <<= 1) {
    if ((chains & chain) != 0) noteUsed(chain, chainHash(port.port));
  }
  const first = snapshot + offsetof<Snapshot>();
  const count = changetype<Snapshot>(snapshot).endpointCount;
  const end = first + ((<usize>count) << 4);
  for (let hash = first; hash < end; hash += 16) noteUsed(0, hash);
  return count;
}

/** The chains of the service port itself that the kernel holds. */
export function heldChains(port: FamilyPort): u32 {
  return port.committed == 0 ? 0 : changetype<Snapshot>(port.committed).chains;
}
