// kube-proxy's nftables rules of one family: the whole script, and the transactions of a plan.
import { Vector } from "../bytes/memory";
import { outFlush, StreamName } from "../bytes/out";
import { sortVector } from "../bytes/sort";
import { Service, compareServices, sortedServices } from "../cluster/services";
import { nft } from "../encodings/nft";
import { changedKeys, updateHairpins } from "../routing/ownership";
import { stalePorts } from "../routing/refresh";
import { route, routeSignature } from "../routing/route";
import { FamilyPort, ServicePort } from "../routing/service-ports";
import {
  beginBatch,
  endBatch,
  isForgotten,
  journal,
  JournalKind,
  journalPort,
  stockIsDirty,
  stockIsKnown,
} from "./batches";
import { beginFullText, endFullText, settleUnclaimed, writeChangedKeys, writeLeftovers } from "./nft-elements";
import { writeEntryElements } from "./nftables-elements";
import { makeSnapshot, retireChains, reviveChains, Snapshot } from "./nft-snapshots";
import { chainsOf, writeChainsAndElements, writeRules } from "./nftables-service";
import { writeEmptyTable, writeStock } from "./nftables-stock";
import { planDeletions, writeRetired } from "./retiring";

const TABLE: string = "kube-proxy";

/** Services per transaction of a big load: the kernel's cost grows with maps times commands. */
const SERVICES_PER_BATCH: u32 = 1000;

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
      writeRules(port, chainsOf(port));
    }
  }
  endFullText();
  nft.finish();
  outFlush(StreamName.MAIN);
}

// ---- plan

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
  if (!write) {
    reviveChains(port, port.committed); // what a plan retired that never came to pass
    return;
  }
  writeRules(port, chainsOf(port));
  const snapshot = makeSnapshot(port, signature, chainsOf(port), 0, 0);
  reviveChains(port, snapshot);
  retireChains(port, port.committed, snapshot);
  journalPort(port, snapshot);
}

/** Order of two service ports (addresses of FamilyPorts) by Service, name and protocol. */
export function comparePorts(a: u32, b: u32): i32 {
  const left = changetype<FamilyPort>(<usize>a).port;
  const right = changetype<FamilyPort>(<usize>b).port;
  const order = compareServices(<u32>changetype<usize>(left.service), <u32>changetype<usize>(right.service));
  if (order != 0) return order;
  const names = memory.compare(left.name(), right.name(), min(left.nameLength, right.nameLength));
  if (names != 0) return names;
  if (left.nameLength != right.nameLength) return <i32>left.nameLength - <i32>right.nameLength;
  return <i32>left.protocol - <i32>right.protocol;
}

const ports = new Vector();

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
    if (isForgotten(family)) writeEmptyTable(false);
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
      writeLeftovers();
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
  writeChangedKeys(changedKeys, family, writeEntryElements, settleUnclaimed);
  writeRetired(family);
  writeLeftovers();
  nft.finish();
  outFlush(StreamName.MAIN);
  endBatch(inBatch, full && first);
  planDeletions(family, now, true);
  planDeletions(family, now, false);
}
