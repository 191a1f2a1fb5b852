// The plan of one family in an nftables layout: its frame, and how it is cut into transactions.
import { Vector } from "../bytes/memory";
import { outLength } from "../bytes/out";
import { sortVector } from "../bytes/sort";
import { nft } from "../encodings/nft";
import { endpoints } from "../routing/endpoints";
import { stalePorts } from "../routing/refresh";
import { comparePorts, FamilyPort } from "../routing/service-ports";
import {
  beginBatch,
  checksFirewalls,
  endNftBatch,
  isForgotten,
  journal,
  JournalKind,
  longestBatch,
  stockIsDirty,
  stockIsKnown,
} from "./batches";
import { writeLeftovers } from "./nft-elements";
import { writeEmptyTable, writeStock } from "./nftables-stock";
import { keepChainsOfRefused, writeFor } from "./refusals";
import { planDeletions, writeRetired } from "./retiring";
import { isSpent } from "./slices";
import { isWaiting } from "./waves";

/** Services per transaction of a big load: the kernel's cost grows with anonymous maps times commands. */
const SERVICES_PER_BATCH: u32 = 1000;

/** Bytes at which a transaction ends, and that the kernel takes at most; 0: any number. */
let preferred: usize = 0;
let largest: usize = 0;

/** The contract's `set-batch-limits`. */
export function setBatchLimits(wanted: u32, most: u32): void {
  preferred = <usize>wanted;
  largest = <usize>most;
}

export function isLimited(): bool {
  return preferred != 0;
}

/** What should better be one transaction has turned out to be too long for one. */
export let mayCut: bool = false;

export function allowCuts(allow: bool): void {
  mayCut = allow;
}

/** The kernel would not take one of the planned batches. */
export function isTooLong(): bool {
  return largest != 0 && longestBatch() > largest;
}

function isLong(): bool {
  return preferred != 0 && outLength() >= preferred;
}

/** Ends the open transaction and begins another, if it is as long as transactions should be. */
export function cutIfLong(family: u32, full: bool): void {
  if (!isLong()) return;
  endNftBatch(0, full);
  beginBatch(family, 0);
}

function compareFamilyPorts(a: u32, b: u32): i32 {
  return comparePorts(changetype<FamilyPort>(<usize>a).port, changetype<FamilyPort>(<usize>b).port);
}

/** Fills `ports` with the service ports of the family that the plan has to look at, by Service, name and protocol. */
function listStalePorts(family: u32, ports: Vector): void {
  ports.clear();
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family == family && !isWaiting(port)) ports.push(stalePorts.get(i));
  }
  sortVector(ports, 0, ports.length, compareFamilyPorts);
}

/**
 * Begins a family's plan with its first transaction: the stock rules, if they are to be written (then true is returned).
 * Fills `ports` as `listStalePorts` does.
 */
export function beginFamily(table: string, flat: bool, family: u32, ports: Vector): bool {
  nft.begin(table, family);
  listStalePorts(family, ports);
  const full = stockIsDirty(family);
  const id = beginBatch(family, 0);
  if (full) {
    if (isForgotten(family)) writeEmptyTable(flat);
    writeStock(family, flat, !stockIsKnown(family), !flat || checksFirewalls(family));
    journal(id, JournalKind.STOCK, <usize>family);
  }
  return full;
}

/** Ends the transaction that `writeParts` has left open. */
export function endParts(family: u32): void {
  keepChainsOfRefused(family);
  writeRetired(family);
  writeLeftovers();
  endNftBatch(openServices, openFull);
}

/** Adds the transactions that delete what was retired: now what has rested, the rest later. */
export function planAllDeletions(family: u32, now: u64): void {
  planDeletions(family, now, true);
  planDeletions(family, now, false);
}

/** Services of the transaction that `writeParts` has left open, and whether it is the one that has the stock rules. */
let openServices: u32 = 0;
let openFull: bool = false;

/** What `writeParts` goes over, how far it has come, and the Service that it wrote last. */
let parts: Vector = new Vector();
let nextPart: u32 = 0;
let lastService: usize = 0;
let cutsParts: bool = false;

/**
 * Says what `writeParts` writes into the transaction that is open. `cut`: it ends and a new one begins after many Services
 * or bytes; ports of one Service stay together, so that none is ever half loaded. `full`: it has the stock rules.
 */
export function beginParts(ports: Vector, full: bool, cut: bool): void {
  parts = ports;
  nextPart = 0;
  lastService = 0;
  cutsParts = cut;
  openServices = 0;
  openFull = full;
}

/** Calls `write` with one port after the other. False: there are more, for the next slice. The last transaction stays open. */
export function writeParts(family: u32, write: (port: FamilyPort) => void): bool {
  while (nextPart < parts.length) {
    const port = changetype<FamilyPort>(<usize>parts.get(nextPart++));
    const service = changetype<usize>(port.port.service);
    if (cutsParts && service != lastService && (openServices >= SERVICES_PER_BATCH || isLong())) {
      writeFor(0);
      writeLeftovers();
      endNftBatch(openServices, openFull);
      beginBatch(family, 0);
      openServices = 0;
      openFull = false;
    }
    if (service != lastService) openServices++;
    lastService = service;
    writeFor(service);
    write(port);
    if (isSpent(1 + endpoints.length)) return false;
  }
  writeFor(0);
  return true;
}
