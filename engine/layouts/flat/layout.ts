// Our own nftables layout of one family: the whole script, and the transactions of a plan.
//
// A plan has up to four kinds of transactions, in this order, so that no packet meets a hole (a packet keeps the rules
// of the moment in which it came in, but looks sets and maps up as they are at that moment):
//   1. chains that do not exist yet, with their rules; nothing points to them;
//   2. elements, which may point to those chains now; chains that are not needed any more are emptied;
//   3. deletion of the slots of entry points that lead elsewhere now;
//   4. a little later, deletion of what was emptied.
import { Vector } from "../../bytes/memory";
import { outFlush, StreamName } from "../../bytes/out";
import { isSpent } from "../../bytes/slices";
import { nft } from "../../encodings/nft";
import { endpoints, Routed } from "../../routing/endpoints";
import { Claim, changedKeys, EntryPoint, KeyKind, keyOf } from "../../routing/keys";
import { Mode, options } from "../../routing/options";
import { clusterIP, updateHairpins } from "../../routing/ownership";
import { listPresentPorts, stalePorts } from "../../routing/refresh";
import { route, routeAhead, routeSignature, routeUnsigned, serviceSignature } from "../../routing/route";
import { FamilyPort, hasAffinity, recordOf } from "../../routing/service-ports";
import { endNftBatch, journal } from "../../transactions/batches";
import { journalKind } from "../../transactions/journal";
import { holdPlanned, journalPort, whenPortCommits } from "../../transactions/port-journal";
import { writeFor } from "../../transactions/refusals";
import { CHECK_FIREWALLS, checksFirewalls, isForgotten, SKIP_FIREWALLS } from "../../transactions/stock";
import {
  allowCutsWithin,
  beginTransaction,
  cutIfLong,
  hasRoom,
  isLimited,
  longestTransaction,
  makeRoomForAll,
  mayCut,
} from "../nft/cuts";
import { beginChangedKeys, continueChangedKeys, writeClusterIP, writeHairpins } from "../nft/elements";
import { beginFullText, endFullText } from "../nft/full-text";
import { ChainPrefix } from "../nft/names";
import { beginFamily, beginParts, countEntryPoints, endParts, planAllDeletions, writeParts } from "../nft/parts";
import {
  holdsRoute,
  journalOwnChains,
  keepChains,
  makeSnapshot,
  retireChains,
  reviveChains,
  Snapshot,
} from "../nft/snapshots";
import { dropFirewallJumps, writeEmptyTable, writeFirewallJumps, writeStock } from "../nft/stock";
import { splitAffinity } from "../nftables/affinity-parts";
import { chainsOf, writePortChains, writeRules } from "../nftables/service";
import {
  askForFirewall,
  beginFlatChains,
  listFlatChains,
  retireFlatChains,
  writeAllFlatChains,
  writeListedChains,
} from "./chains";
import {
  beginEntries,
  dropFlatKey,
  endEntries,
  joinKeys,
  planEmptying,
  useSnapshots,
  writeFlatEntry,
  writeFlatKey,
} from "./elements";
import { clusterCount, countPolicies, firewallOf, holdNeeds, localCount, updateNeeds } from "./needs";
import { hasOwnChains, hasOwnMap, mapsOf, signChains, writeOwnMaps } from "./own-maps";
import { dropUnusedFlatChains, FlatChain, hasFirewalls } from "./shared-chains";
import { freshSlots, keepSlots } from "./slots";

const TABLE: string = "sluice";

/** Chains of the service port's own: all that kube-proxy has, but for the firewall, which is shared. */
function ownChains(port: FamilyPort): u32 {
  return hasOwnChains(port) ? chainsOf(port) & ~ChainPrefix.FIREWALL : 0;
}

/** A snapshot of the service port that was routed last, its slots as near as possible to those of `old` (or 0). */
function takeSnapshot(port: FamilyPort, signature: u64, old: usize): usize {
  countPolicies(port);
  const slots = !hasAffinity(port);
  const made = makeSnapshot(port, signature, ownChains(port), slots ? clusterCount : 0, slots ? localCount : 0);
  if (!slots) return made;
  const snapshot = changetype<Snapshot>(made);
  if (hasOwnMap(port)) {
    snapshot.maps = mapsOf(snapshot.chains);
    snapshot.chainSignature = signChains(port);
    snapshot.entrySignature = serviceSignature(port);
  }
  if (old == 0) {
    freshSlots(Routed.CLUSTER, snapshot.slots(false));
    freshSlots(Routed.LOCAL_POLICY, snapshot.slots(true));
  } else {
    const before = changetype<Snapshot>(old);
    keepSlots(Routed.CLUSTER, before.slots(false), before.clusterCount, snapshot.slots(false), snapshot.clusterCount);
    keepSlots(Routed.LOCAL_POLICY, before.slots(true), before.localCount, snapshot.slots(true), snapshot.localCount);
  }
  return made;
}

/** All elements of a service port that has just been routed, as `useSnapshots` has said. */
function writeElements(port: FamilyPort): void {
  writeHairpins(port);
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    const claim = changetype<Claim>(at);
    if (claim.entryPoint == EntryPoint.CLUSTER_IP) {
      writeClusterIP(claim, keyOf(KeyKind.CLUSTER_IP, port.family, 0, 0, clusterIP(recordOf(port), port.family)));
    }
    if (claim.isOwner()) writeFlatEntry(claim);
  }
}

function writeOwnChains(port: FamilyPort, endpointsToo: bool): void {
  const chains = ownChains(port);
  writePortChains(port, chains, endpointsToo);
  writeRules(port, chains, endpointsToo);
}

const ports = new Vector();

/** The whole script of a family, which replaces the table if there is one, into the results. */
export function renderFlat(family: u32): void {
  nft.begin(TABLE, family);
  beginFullText();
  // Service ports that are gone may not have been planned since: they want nothing any more.
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family == family && !port.present) updateNeeds(port);
  }
  listPresentPorts(family, ports);
  for (let i: u32 = 0; i < ports.length; i++) {
    const port = changetype<FamilyPort>(<usize>ports.get(i));
    routeUnsigned(port);
    updateHairpins(port);
    updateNeeds(port);
  }
  // The script may be loaded again: nft 1.0.6 refuses elements of slot maps that are there already ("conflicting protocols").
  writeEmptyTable(true);
  writeStock(family, true, true, hasFirewalls(family));
  writeAllFlatChains(family);
  for (let i: u32 = 0; i < ports.length; i++) {
    const port = changetype<FamilyPort>(<usize>ports.get(i));
    routeUnsigned(port);
    if (hasAffinity(port)) writeOwnChains(port, true);
    const snapshot = takeSnapshot(port, 0, 0);
    if (hasOwnMap(port)) writeOwnMaps(port, snapshot, 0);
    useSnapshots(snapshot, 0, firewallOf(port));
    writeElements(port);
    heap.free(snapshot);
  }
  endFullText();
  nft.finish();
  outFlush(StreamName.MAIN);
}

// ---- plan

/** How many shared chains are written before anybody looks whether the transaction is long: some 100 KB at most. */
const CHAINS_AT_ONCE: u32 = 64;

function chainsAtOnce(): u32 {
  return longestTransaction() == 0 ? CHAINS_AT_ONCE : min(CHAINS_AT_ONCE, <u32>(longestTransaction() >> 12) + 1);
}

function settleChain(chain: FlatChain, committed: bool): void {
  chain.committed = committed;
  chain.open = false;
  chain.begun = false;
}

function commitMade(at: usize, _now: u64): void {
  settleChain(changetype<FlatChain>(at), true);
}

function commitDropped(at: usize, _now: u64): void {
  settleChain(changetype<FlatChain>(at), false);
}

function chainFailed(at: usize, _now: u64): void {
  changetype<FlatChain>(at).open = false;
}

const MAKE = journalKind(commitMade, chainFailed);
const DROP = journalKind(commitDropped, chainFailed);

function noteMade(chain: FlatChain): void {
  chain.open = true;
  journal(MAKE, changetype<usize>(chain));
}

function noteDropped(chain: FlatChain): void {
  journal(DROP, changetype<usize>(chain));
}

function portCommitted(port: FamilyPort): void {
  if (options().mode == Mode.FLAT && port.committed != 0) joinKeys(port);
  holdNeeds(port);
}

whenPortCommits(portCommitted);

/** First look at a stale service port: which shared chains it needs, and its own chains if it has any. */
function prepare(port: FamilyPort): void {
  if (port.present) route(port);
  updateHairpins(port);
  updateNeeds(port);
  if (port.present) askForFirewall(firewallOf(port), changetype<usize>(port.port.service));
  if (!port.present || !hasOwnChains(port) || holdsRoute(port)) return;
  const snapshot = takeSnapshot(port, routeSignature(port), port.committed);
  holdPlanned(port, snapshot);
  const size = sizeOfChains(port);
  makeRoomForAll(size);
  const fits = hasRoom(size);
  writeHairpins(port);
  if (hasAffinity(port)) {
    if (!fits) splitAffinity(port, snapshot);
    writeOwnChains(port, fits);
  } else writeOwnMaps(port, snapshot, port.committed);
  reviveChains(port, snapshot);
  journalOwnChains(port, snapshot);
}

/** The kernel has all elements under the keys of the service port, but for keys that have changed by themselves. */
function entriesStand(snapshot: usize, old: usize): bool {
  if (old == 0) return false;
  const signature = changetype<Snapshot>(snapshot).entrySignature;
  return signature != 0 && changetype<Snapshot>(old).entrySignature == signature;
}

/** Second look: its elements. */
function planPort(port: FamilyPort): void {
  if (!port.present) {
    if (port.committed == 0) return;
    retireChains(port, port.committed, 0);
    journalPort(port, 0);
    return;
  }
  routeUnsigned(port);
  const old = port.committed;
  if (holdsRoute(port)) {
    keepChains(port); // what a plan retired that never came to pass
    useSnapshots(old, old, firewallOf(port));
    writeElements(port);
    return;
  }
  // Its own chains and maps have been planned already.
  const snapshot = hasOwnChains(port) ? port.planned : takeSnapshot(port, routeSignature(port), old);
  if (!entriesStand(snapshot, old)) {
    useSnapshots(snapshot, old, firewallOf(port));
    beginEntries(port);
    writeElements(port);
  }
  endEntries();
  reviveChains(port, snapshot);
  retireChains(port, old, snapshot);
  journalPort(port, snapshot);
}

/** An entry point whose owner has changed, though nothing else of its service port has. */
function writeMovedEntry(claim: Claim): void {
  const port = claim.port;
  if (port.planned == 0 && port.committed == 0) return;
  routeUnsigned(port);
  const snapshot = port.planned != 0 ? port.planned : port.committed;
  useSnapshots(snapshot, port.committed, firewallOf(port));
  writeFlatKey(claim);
}

/** At least as many bytes as the chains and maps of its own take that a service port with affinity, or with maps, has. */
function sizeOfChains(port: FamilyPort): usize {
  const name = <usize>port.port.baseLength;
  const each: usize = hasAffinity(port) ? 7 * (200 + name) : 200;
  return 16 * (300 + name) + <usize>endpoints.length * each;
}

/** At least as many bytes as the elements of a service port take that has as many endpoints as it was routed with last. */
function sizeOfElements(port: FamilyPort): usize {
  if (!port.present) return 0;
  const slots: usize = hasOwnChains(port) ? 0 : <usize>port.endpointCount * 2 * 200;
  return (
    <usize>countEntryPoints(port) * (600 + 2 * <usize>port.port.baseLength + slots) + <usize>port.endpointCount * 128
  );
}

/** The family's plan has its first transaction with the stock rules. */
let full: bool = false;
/** What comes before the elements is in the same transaction. */
let together: bool = false;
/** How many of `ports` `prepare` has had. */
let prepared: u32 = 0;
let hasChains: bool = false;
/** All service ports have been written. */
let hasParts: bool = false;

/** Begins to add the batches that bring the kernel's table of the family up to date, if there is anything to write. */
export function beginFlatPlan(family: u32): void {
  full = beginFamily(TABLE, true, family, ports);
  beginFlatChains();
  // Of a table that is replaced no Service may be missing for a moment, so that is one transaction if it can be.
  together = full && isForgotten(family) && !mayCut;
  prepared = 0;
  hasChains = false;
  hasParts = false;
  allowCutsWithin(!together);
}

/** Goes on for a slice; true: the plan of the family is complete. */
export function continueFlatPlan(family: u32, now: u64): bool {
  if (!hasChains && !preparePorts(family)) return false;
  if (!hasParts) {
    if (!writeParts(family, planPort)) return false;
    beginChangedKeys(changedKeys, family);
    hasParts = true;
  }
  if (!continueChangedKeys(writeMovedEntry, dropFlatKey)) return false;
  retireFlatChains(family, noteDropped);
  if (!hasFirewalls(family) && checksFirewalls(family)) {
    dropFirewallJumps();
    journal(SKIP_FIREWALLS, <usize>family);
  }
  endParts(family);
  planEmptying(family);
  planAllDeletions(family, now);
  return true;
}

/** Everything that has to be there before elements point to it. */
function preparePorts(family: u32): bool {
  while (prepared < ports.length) {
    const port = changetype<FamilyPort>(<usize>ports.get(prepared));
    if (port.present && !routeAhead(port)) return false;
    prepared++;
    writeFor(changetype<usize>(port.port.service));
    prepare(port);
    if (!together) cutIfLong(family, full);
    if (isSpent(1 + endpoints.length + countEntryPoints(port))) return false;
  }
  writeFor(0);
  // Chains that others go to come first, so that they can be cut anywhere.
  for (let left = listFlatChains(family, full); left; ) {
    left = writeListedChains(together || !isLimited() ? u32.MAX_VALUE : chainsAtOnce(), noteMade);
    if (!together) cutIfLong(family, full);
  }
  if (hasFirewalls(family) && !checksFirewalls(family)) {
    writeFirewallJumps();
    journal(CHECK_FIREWALLS, <usize>family);
  }
  if (!together) {
    endNftBatch(0, full);
    beginTransaction(family, 0);
  }
  hasChains = true;
  beginParts(ports, together, !together, sizeOfElements);
  return true;
}

/** After a plan: forgets shared chains that nothing needs any more. */
export function dropUnusedChains(): void {
  dropUnusedFlatChains(0);
  dropUnusedFlatChains(1);
}
