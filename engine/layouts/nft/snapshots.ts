// What the kernel holds of a service port in an nftables layout, apart from elements of shared sets and maps: its own
// chains, its affinity sets, and (in our layout) which endpoint stands in which slot.
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { markStale } from "../../routing/refresh";
import { FamilyPort, hasAffinity, MAX_BASE, ServicePort } from "../../routing/service-ports";
import { journal } from "../../transactions/batches";
import { journalKind } from "../../transactions/journal";
import { notePlannedService } from "../../transactions/planned-services";
import { dropPlanned, holdPlanned } from "../../transactions/port-journal";
import { ChainPrefix, endpointName, endpointNameLength, nameEndpoint, OwnMap, ownMapPrefix, prefixText } from "./names";
import { keep, retire, revive } from "./retiring";

/** After it: texts of the endpoints with affinity chains (48 bytes each, sorted), then Slots of both policies. */
@unmanaged
export class Snapshot {
  /** The service port's signature at the time; 0: it is not known what the kernel has. */
  signature: u64;
  signatureRest: u64;
  /** Our layout, with maps of its own: what the rules of its chains depend on; 0: not known. */
  chainSignature: u64;
  /** The same: what the elements under its keys depend on; 0: not known. */
  entrySignature: u64;
  /** Chains of its own: bits of ChainPrefix. */
  chains: u32;
  /** Maps of its own with its slots: bits of OwnMap; 0: slots stand under its keys, in the maps that all share. */
  maps: u32;
  /** Endpoints that have chains and affinity sets. */
  affinityCount: u32;
  /** Slots under the Cluster policy, and under the Local policy. */
  clusterCount: u32;
  localCount: u32;
  /** Its elements are written by several transactions: keys say so until the last one is acknowledged. */
  split: bool;

  slots(local: bool): usize {
    const first = changetype<usize>(this) + offsetof<Snapshot>() + <usize>this.affinityCount * TEXT;
    return local ? first + <usize>this.clusterCount * offsetof<Slot>() : first;
  }
}

/** An endpoint in a slot. */
@unmanaged
export class Slot {
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
  port: u32;
}

const TEXT: usize = 48;

/** What the kernel holds of a service port is what it should hold, as it was routed last. */
export function holdsRoute(port: FamilyPort): bool {
  if (port.committed == 0) return false;
  const held = changetype<Snapshot>(port.committed);
  return held.signature == port.signature && held.signatureRest == port.signatureRest;
}

/** A snapshot of a service port that has just been routed, with room for slots. `signature`: its own, or 0. */
export function makeSnapshot(port: FamilyPort, signature: u64, chains: u32, clusterCount: u32, localCount: u32): usize {
  let count: u32 = 0;
  if (hasAffinity(port)) {
    for (let i: u32 = 0; i < endpoints.length; i++) if ((endpointAt(i).flags & Routed.REACHABLE) != 0) count++;
  }
  const size = offsetof<Snapshot>() + <usize>count * TEXT + <usize>(clusterCount + localCount) * offsetof<Slot>();
  const at = heap.alloc(size);
  const snapshot = changetype<Snapshot>(at);
  snapshot.signature = signature;
  snapshot.signatureRest = port.signatureRest;
  snapshot.chainSignature = 0;
  snapshot.entrySignature = 0;
  snapshot.chains = chains;
  snapshot.maps = 0;
  snapshot.affinityCount = count;
  snapshot.clusterCount = clusterCount;
  snapshot.localCount = localCount;
  snapshot.split = false;
  let to = at + offsetof<Snapshot>();
  for (let i: u32 = 0; count != 0 && i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) == 0) continue;
    memory.copy(to, endpointAt(i).text(), TEXT);
    to += TEXT;
  }
  return at;
}

function textLength(text: usize): usize {
  let length: usize = 0;
  while (length < TEXT && load<u8>(text + length) != 0) length++;
  return length;
}

/** True if its name was cut, so that another endpoint of the service port may have it, too. */
function retireEndpoint(port: FamilyPort, text: usize): bool {
  nameEndpoint(port.port, text, textLength(text));
  retire(port.family, false, "endpoint-", endpointName(), endpointNameLength());
  retire(port.family, true, "affinity-", endpointName(), endpointNameLength());
  return endpointNameLength() == <usize>MAX_BASE;
}

/** Retires what `before` (0: nothing) has and `after` (0: nothing is left) has not. */
export function retireChains(port: FamilyPort, before: usize, after: usize): void {
  if (before == 0) return;
  const old = changetype<Snapshot>(before);
  const owner: ServicePort = port.port;
  const left = after == 0 ? 0 : changetype<Snapshot>(after).chains;
  for (let prefix: u32 = 1; prefix <= ChainPrefix.FIREWALL; prefix <<= 1) {
    if ((old.chains & prefix & ~left) != 0)
      retire(port.family, false, prefixText(prefix), owner.base, owner.baseLength);
  }
  const maps = old.maps & ~(after == 0 ? 0 : changetype<Snapshot>(after).maps);
  for (let bit: u32 = OwnMap.CLUSTER; bit <= OwnMap.LOCAL; bit <<= 1) {
    if ((maps & bit) != 0) retire(port.family, true, ownMapPrefix(bit), owner.base, owner.baseLength);
  }
  let at: usize = after == 0 ? 0 : after + offsetof<Snapshot>();
  const stop: usize = after == 0 ? 0 : at + <usize>changetype<Snapshot>(after).affinityCount * TEXT;
  let cut = false;
  for (let i: u32 = 0; i < old.affinityCount; i++) {
    const text = before + offsetof<Snapshot>() + <usize>i * TEXT;
    while (at < stop && memory.compare(at, text, TEXT) < 0) at += TEXT;
    if (at < stop && memory.compare(at, text, TEXT) == 0) continue;
    cut = retireEndpoint(port, text) || cut;
  }
  if (cut && after != 0) reviveChains(port, after);
}

/** The chains and sets of the snapshot, which is planned, are in use: none of them may be deleted as stale. */
export function reviveChains(port: FamilyPort, snapshot: usize): void {
  eachName(port, snapshot, revive);
}

/** The same for the snapshot of what the kernel holds, which no open batch changes. */
export function keepChains(port: FamilyPort): void {
  eachName(port, port.committed, keep);
}

function eachName(
  port: FamilyPort,
  snapshot: usize,
  use: (family: u32, prefix: string, base: usize, length: usize) => void,
): void {
  const chains = changetype<Snapshot>(snapshot).chains;
  for (let prefix: u32 = 1; prefix <= ChainPrefix.FIREWALL; prefix <<= 1) {
    if ((chains & prefix) != 0) use(port.family, prefixText(prefix), port.port.base, port.port.baseLength);
  }
  const maps = changetype<Snapshot>(snapshot).maps;
  for (let bit: u32 = OwnMap.CLUSTER; bit <= OwnMap.LOCAL; bit <<= 1) {
    if ((maps & bit) != 0) use(port.family, ownMapPrefix(bit), port.port.base, port.port.baseLength);
  }
  for (let i: u32 = 0; i < changetype<Snapshot>(snapshot).affinityCount; i++) {
    const text = snapshot + offsetof<Snapshot>() + <usize>i * TEXT;
    nameEndpoint(port.port, text, textLength(text));
    use(port.family, "endpoint-", endpointName(), endpointNameLength());
    use(port.family, "affinity-", endpointName(), endpointNameLength());
  }
}

/**
 * What the kernel has when the chains and maps of `planned` are written and its elements are not: chains of both, and
 * slots of `planned` where they stand in a map of its own, else those of `committed` (or 0).
 */
function mergeSnapshots(committed: usize, planned: usize): usize {
  const plan = changetype<Snapshot>(planned);
  const cluster = (plan.maps & OwnMap.CLUSTER) != 0 ? planned : committed;
  const local = (plan.maps & OwnMap.LOCAL) != 0 ? planned : committed;
  const made = mergeTexts(committed, planned, plan.affinityCount, cluster, local);
  const snapshot = changetype<Snapshot>(made);
  snapshot.chainSignature = plan.chainSignature;
  snapshot.chains |= plan.chains;
  snapshot.maps |= plan.maps;
  return made;
}

/** The same when only the chains and sets of the first `count` endpoints of `planned` are written. */
export function mergeEndpointChains(committed: usize, planned: usize, count: u32): usize {
  return mergeTexts(committed, planned, count, committed, committed);
}

/**
 * A copy of `committed` (or 0) of unknown signature, with chains of the first `planCount` endpoints of `planned` besides, and
 * with the slots of the snapshots `cluster` and `local` (0: none).
 */
function mergeTexts(committed: usize, planned: usize, planCount: u32, cluster: usize, local: usize): usize {
  const old = changetype<Snapshot>(committed);
  const oldCount: u32 = committed == 0 ? 0 : old.affinityCount;
  const clusterCount: u32 = cluster == 0 ? 0 : changetype<Snapshot>(cluster).clusterCount;
  const localCount: u32 = local == 0 ? 0 : changetype<Snapshot>(local).localCount;
  const slotBytes = <usize>(clusterCount + localCount) * offsetof<Slot>();
  const at = heap.alloc(offsetof<Snapshot>() + <usize>(oldCount + planCount) * TEXT + slotBytes);
  const made = changetype<Snapshot>(at);
  made.signature = 0;
  made.signatureRest = 0;
  made.chainSignature = 0;
  made.entrySignature = committed == 0 ? 0 : old.entrySignature;
  made.chains = committed == 0 ? 0 : old.chains;
  made.maps = committed == 0 ? 0 : old.maps;
  made.clusterCount = clusterCount;
  made.localCount = localCount;
  made.split = false;
  let to = at + offsetof<Snapshot>();
  let a: u32 = 0;
  let b: u32 = 0;
  let count: u32 = 0;
  const left = committed + offsetof<Snapshot>();
  const right = planned + offsetof<Snapshot>();
  while (a < oldCount || b < planCount) {
    const order: i32 =
      a >= oldCount ? 1 : b >= planCount ? -1 : memory.compare(left + <usize>a * TEXT, right + <usize>b * TEXT, TEXT);
    memory.copy(to, order <= 0 ? left + <usize>a * TEXT : right + <usize>b * TEXT, TEXT);
    if (order <= 0) a++;
    if (order >= 0) b++;
    to += TEXT;
    count++;
  }
  made.affinityCount = count;
  if (clusterCount != 0) {
    memory.copy(to, changetype<Snapshot>(cluster).slots(false), <usize>clusterCount * offsetof<Slot>());
  }
  to += <usize>clusterCount * offsetof<Slot>();
  if (localCount != 0) {
    memory.copy(to, changetype<Snapshot>(local).slots(true), <usize>localCount * offsetof<Slot>());
  }
  return at;
}

/**
 * A copy of `committed` (or 0: nothing) of unknown signature with so many slots, of which the first `…Done` are those of
 * `planned`.
 */
export function mergeSlots(
  committed: usize,
  planned: usize,
  clusterDone: u32,
  clusterCount: u32,
  localDone: u32,
  localCount: u32,
): usize {
  const old = changetype<Snapshot>(committed);
  const head = committed == 0 ? offsetof<Snapshot>() : offsetof<Snapshot>() + <usize>old.affinityCount * TEXT;
  const at = heap.alloc(head + <usize>(clusterCount + localCount) * offsetof<Slot>());
  const made = changetype<Snapshot>(at);
  if (committed == 0) memory.fill(at, 0, head);
  else memory.copy(at, committed, head);
  made.signature = 0;
  made.chainSignature = 0;
  made.clusterCount = clusterCount;
  made.localCount = localCount;
  copySlots(made.slots(false), committed, planned, false, clusterDone, clusterCount);
  copySlots(made.slots(true), committed, planned, true, localDone, localCount);
  return at;
}

function copySlots(to: usize, committed: usize, planned: usize, local: bool, done: u32, count: u32): void {
  const size = offsetof<Slot>();
  memory.copy(to, changetype<Snapshot>(planned).slots(local), <usize>done * size);
  if (count <= done) return;
  const from = changetype<Snapshot>(committed).slots(local) + <usize>done * size;
  memory.copy(to + <usize>done * size, from, <usize>(count - done) * size);
}

/** What the kernel has by the snapshot (or 0) is not known to be right: its chains and elements are looked at again. */
export function forgetSignatures(at: usize): void {
  if (at == 0) return;
  const snapshot = changetype<Snapshot>(at);
  snapshot.signature = 0;
  snapshot.signatureRest = 0;
  snapshot.chainSignature = 0;
}

function commitOwnChains(at: usize, _now: u64): void {
  const port = changetype<FamilyPort>(at);
  const merged = mergeSnapshots(port.committed, port.planned);
  if (port.committed != 0) heap.free(port.committed);
  port.committed = merged;
}

function failOwnChains(at: usize, _now: u64): void {
  dropPlanned(changetype<FamilyPort>(at));
  markStale(changetype<FamilyPort>(at));
}

/** A FamilyPort's own chains and maps are written, ahead of its elements. */
const OWN_CHAINS = journalKind(commitOwnChains, failOwnChains);

/** The batch being written takes the service port's own chains and maps to that snapshot. */
export function journalOwnChains(port: FamilyPort, snapshot: usize): void {
  holdPlanned(port, snapshot);
  notePlannedService(port.port.service, port.family);
  journal(OWN_CHAINS, changetype<usize>(port));
}
