// kube-proxy's nftables rules of one family: the whole script, and the transactions of a plan.
import { Vector } from "../bytes/memory";
import { outFlush, StreamName } from "../bytes/out";
import { sortVector } from "../bytes/sort";
import { Service, compareServices, sortedServices } from "../cluster/services";
import { nft } from "../encodings/nft";
import { DataType, Verb } from "../encodings/nft-encoding";
import { ownedByNobody } from "../encodings/owners";
import { endpointAt, endpoints, Routed } from "../routing/endpoints";
import { changedKeys, Key, updateHairpins } from "../routing/ownership";
import { stalePorts } from "../routing/refresh";
import { route, routeSignature } from "../routing/route";
import { FamilyPort, recordOf, ServicePort } from "../routing/service-ports";
import {
  beginBatch,
  currentBatch,
  endBatch,
  journal,
  JournalKind,
  journalPort,
  stockIsDirty,
  stockIsKnown,
} from "./batches";
import {
  beginFullText,
  ChainPrefix,
  endFullText,
  prefixText,
  sortKeys,
  writeChangedKey,
  writeLeftovers,
} from "./nftables-elements";
import {
  chainsOf,
  endpointName,
  endpointNameLength,
  nameEndpoint,
  writeChainsAndElements,
  writeRules,
} from "./nftables-service";
import { writeStock } from "./nftables-stock";
import { addStaleChain, listStaleChains, REST, StaleChain, staleChain } from "./stale-chains";

const TABLE: string = "kube-proxy";

/** Services per transaction of a big load: the kernel's cost grows with maps times commands (nft-performance.md §1). */
const SERVICES_PER_BATCH: u32 = 1000;

/** What the kernel holds of a service port; after it, the texts of its affinity endpoints, 48 bytes each, sorted. */
@unmanaged
class Snapshot {
  signature: u64;
  /** Bits of ChainPrefix. */
  chains: u32;
  endpointCount: u32;
}

const TEXT: usize = 48;

function makeSnapshot(port: FamilyPort, signature: u64): usize {
  let count: u32 = 0;
  if (recordOf(port).affinityTimeout != 0) {
    for (let i: u32 = 0; i < endpoints.length; i++) if ((endpointAt(i).flags & Routed.REACHABLE) != 0) count++;
  }
  const at = heap.alloc(offsetof<Snapshot>() + <usize>count * TEXT);
  const snapshot = changetype<Snapshot>(at);
  snapshot.signature = signature;
  snapshot.chains = chainsOf(port);
  snapshot.endpointCount = count;
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

/** The whole script of a family, for an empty table, into the results. */
export function renderNftables(family: u32): void {
  nft.begin(TABLE, family);
  beginFullText();
  writeStock(family, false, true);
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    let at = changetype<Service>(<usize>services.get(i)).ports;
    for (; at != 0; at = changetype<ServicePort>(at).next) {
      const familyPort = changetype<ServicePort>(at).family(family);
      if (familyPort == 0 || !changetype<FamilyPort>(familyPort).present) continue;
      const port = changetype<FamilyPort>(familyPort);
      route(port);
      updateHairpins(port);
      writeChainsAndElements(port, true);
      writeRules(port);
    }
  }
  endFullText();
  nft.finish();
  outFlush(StreamName.MAIN);
}

// ---- plan

/** Names of chains and affinity sets that the plan has found stale: StaleChains, and pairs of address and length. */
const flushes = new Vector();
const deadSets = new Vector();

/** Notes a chain that the kernel holds and that is not needed any more. */
function retire(family: u32, prefix: string, base: usize, length: usize): void {
  const room = heap.alloc(length + 64);
  for (let i = 0; i < prefix.length; i++) store<u8>(room + <usize>i, <u8>prefix.charCodeAt(i));
  memory.copy(room + <usize>prefix.length, base, length);
  flushes.push(<u32>changetype<usize>(addStaleChain(family, room, <usize>prefix.length + length)));
  heap.free(room);
}

const reviveBuffer: usize = memory.data(512, 16);

/** A chain that waits for its deletion is needed again. */
function revive(family: u32, prefix: string, base: usize, length: usize): void {
  const room = reviveBuffer;
  for (let i = 0; i < prefix.length; i++) store<u8>(room + <usize>i, <u8>prefix.charCodeAt(i));
  memory.copy(room + <usize>prefix.length, base, length);
  const found = staleChain(family, room, <usize>prefix.length + length);
  if (found == 0) return;
  changetype<StaleChain>(found).wanted = true;
  journal(currentBatch(), JournalKind.KEEP_CHAIN, found);
}

function retireEndpoint(port: FamilyPort, text: usize): void {
  nameEndpoint(port.port, text, textLength(text));
  retire(port.family, "endpoint-", endpointName(), endpointNameLength());
  const copy = heap.alloc(endpointNameLength() + 32);
  memory.copy(copy, endpointName(), endpointNameLength());
  deadSets.push(<u32>copy);
  deadSets.push(<u32>endpointNameLength());
}

/** Retires what `before` has and `after` (0: nothing) has not. */
function retireChains(port: FamilyPort, before: usize, after: usize): void {
  if (before == 0) return;
  const old = changetype<Snapshot>(before);
  const left = after == 0 ? 0 : changetype<Snapshot>(after).chains;
  for (let prefix: u32 = 1; prefix <= ChainPrefix.FIREWALL; prefix <<= 1) {
    if ((old.chains & prefix & ~left) != 0) {
      retire(port.family, prefixText(prefix), port.port.base, port.port.baseLength);
    }
  }
  let at: usize = after == 0 ? 0 : after + offsetof<Snapshot>();
  const stop: usize = after == 0 ? 0 : at + <usize>changetype<Snapshot>(after).endpointCount * TEXT;
  for (let i: u32 = 0; i < old.endpointCount; i++) {
    const text = before + offsetof<Snapshot>() + <usize>i * TEXT;
    while (at < stop && memory.compare(at, text, TEXT) < 0) at += TEXT;
    if (at >= stop || memory.compare(at, text, TEXT) != 0) retireEndpoint(port, text);
  }
}

function reviveChains(port: FamilyPort, snapshot: usize): void {
  const chains = changetype<Snapshot>(snapshot).chains;
  for (let prefix: u32 = 1; prefix <= ChainPrefix.FIREWALL; prefix <<= 1) {
    if ((chains & prefix) != 0) revive(port.family, prefixText(prefix), port.port.base, port.port.baseLength);
  }
  for (let i: u32 = 0; i < changetype<Snapshot>(snapshot).endpointCount; i++) {
    const text = snapshot + offsetof<Snapshot>() + <usize>i * TEXT;
    nameEndpoint(port.port, text, textLength(text));
    revive(port.family, "endpoint-", endpointName(), endpointNameLength());
  }
}

/** Writes what has changed of one service port. */
function planPort(port: FamilyPort): void {
  if (!port.present) {
    updateHairpins(port);
    if (port.committed == 0) return;
    retireChains(port, port.committed, 0);
    journalPort(port, 0);
    return;
  }
  route(port);
  updateHairpins(port);
  const signature = routeSignature(port);
  const write = port.committed == 0 || changetype<Snapshot>(port.committed).signature != signature;
  writeChainsAndElements(port, write);
  if (!write) return;
  writeRules(port);
  const snapshot = makeSnapshot(port, signature);
  reviveChains(port, snapshot);
  retireChains(port, port.committed, snapshot);
  journalPort(port, snapshot);
}

function comparePorts(a: u32, b: u32): i32 {
  const left = changetype<FamilyPort>(<usize>a).port;
  const right = changetype<FamilyPort>(<usize>b).port;
  const order = compareServices(<u32>changetype<usize>(left.service), <u32>changetype<usize>(right.service));
  if (order != 0) return order;
  const names = memory.compare(left.name(), right.name(), min(left.nameLength, right.nameLength));
  if (names != 0) return names;
  if (left.nameLength != right.nameLength) return <i32>left.nameLength - <i32>right.nameLength;
  return <i32>left.protocol - <i32>right.protocol;
}

/** Stale chains are emptied, so that chains refer to nothing, then affinity sets that nothing refers to go. */
function writeFlushes(now: u64): void {
  ownedByNobody();
  sortVector(flushes, 0, flushes.length, compareChainNames);
  for (let i: u32 = 0; i < flushes.length; i++) {
    const chain = changetype<StaleChain>(<usize>flushes.get(i));
    nft.chain(Verb.FLUSH, "", chain.key, chain.keyLength);
    chain.flushed = true;
    chain.since = now;
    journal(currentBatch(), JournalKind.FLUSH_CHAIN, changetype<usize>(chain));
  }
  flushes.clear();
  for (let i: u32 = 0; i < deadSets.length; i += 2) {
    nft.set(Verb.DELETE, DataType.NONE, "affinity-", <usize>deadSets.get(i), <usize>deadSets.get(i + 1));
    heap.free(<usize>deadSets.get(i));
  }
  deadSets.clear();
}

function compareChainNames(a: u32, b: u32): i32 {
  const left = changetype<StaleChain>(<usize>a);
  const right = changetype<StaleChain>(<usize>b);
  const order = memory.compare(left.key, right.key, min(left.keyLength, right.keyLength));
  return order != 0 ? order : <i32>left.keyLength - <i32>right.keyLength;
}

const list = new Vector();

/** A batch that deletes stale chains: those that have rested (`due`), or the others, which include this plan's. */
function planDeletions(family: u32, now: u64, due: bool): void {
  listStaleChains(family, list);
  let wait: u64 = 0;
  let count: u32 = 0;
  for (let i: u32 = 0; i < list.length; i++) {
    const chain = changetype<StaleChain>(<usize>list.get(i));
    const left = chain.since + REST > now ? chain.since + REST - now : 0;
    if (chain.wanted || !chain.flushed || (left == 0) != due) continue;
    wait = max(wait, left);
    list.set(count++, list.get(i));
  }
  list.length = count;
  if (count == 0) return;
  const id = beginBatch(family, <u32>wait);
  for (let i: u32 = 0; i < count; i++) {
    const chain = changetype<StaleChain>(<usize>list.get(i));
    nft.chain(Verb.DELETE, "", chain.key, chain.keyLength);
    journal(id, JournalKind.DELETE_CHAIN, changetype<usize>(chain));
  }
  nft.finish();
  outFlush(StreamName.MAIN);
  endBatch(0, false);
}

const ports = new Vector();
const keys = new Vector();

/** Adds the batches that bring the kernel's table of the family up to date, if there is anything to write. */
export function planNftables(family: u32, now: u64): void {
  nft.begin(TABLE, family);
  ports.clear();
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    if (changetype<FamilyPort>(<usize>stalePorts.get(i)).family == family) ports.push(stalePorts.get(i));
  }
  sortVector(ports, 0, ports.length, comparePorts);

  const full = stockIsDirty(family);
  let id = beginBatch(family, 0);
  if (full) {
    writeStock(family, false, !stockIsKnown(family));
    journal(id, JournalKind.STOCK, <usize>family);
  }
  let inBatch: u32 = 0;
  let first = true;
  let last: usize = 0;
  for (let i: u32 = 0; i < ports.length; i++) {
    const port = changetype<FamilyPort>(<usize>ports.get(i));
    const service = changetype<usize>(port.port.service);
    // Ports of one Service stay together: a Service is never half loaded.
    if (service != last && inBatch >= SERVICES_PER_BATCH) {
      nft.finish();
      outFlush(StreamName.MAIN);
      endBatch(inBatch, full && first);
      id = beginBatch(family, 0);
      inBatch = 0;
      first = false;
    }
    if (service != last) inBatch++;
    last = service;
    planPort(port);
  }
  keys.clear();
  for (let i: u32 = 0; i < changedKeys.length; i++) {
    if (<u32>changetype<Key>(<usize>changedKeys.get(i)).family == family) keys.push(changedKeys.get(i));
  }
  sortKeys(keys);
  for (let i: u32 = 0; i < keys.length; i++) writeChangedKey(changetype<Key>(<usize>keys.get(i)));
  writeFlushes(now);
  writeLeftovers();
  nft.finish();
  outFlush(StreamName.MAIN);
  endBatch(inBatch, full && first);
  planDeletions(family, now, true);
  planDeletions(family, now, false);
}
