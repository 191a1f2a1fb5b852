// The plan of one family in an nftables layout: its frame, and how it is cut into transactions.
import { Vector } from "../../bytes/memory";
import { outLength } from "../../bytes/out";
import { sortVector } from "../../bytes/sort";
import { heldBack } from "../../encodings/netlink-message";
import { nft } from "../../encodings/nft";
import { endpoints } from "../../routing/endpoints";
import { stalePorts } from "../../routing/refresh";
import { comparePorts, FamilyPort, recordOf } from "../../routing/service-ports";
import {
  beginBatch,
  checksFirewalls,
  endNftBatch,
  isForgotten,
  JournalKind,
  journal,
  longestBatch,
  stockIsDirty,
  stockIsKnown,
} from "../../transactions/batches";
import { keepChainsOfWaiting, writeFor } from "../../transactions/refusals";
import { planDeletions, writeRetired } from "../../transactions/retiring";
import { isSpent } from "../../transactions/slices";
import { isWaiting } from "../../transactions/waves";
import { fullText, leftoverCount, writeLeftovers } from "./elements";
import { writeEmptyTable, writeStock } from "./stock";

/** Services per transaction of a big load: the kernel's cost grows with anonymous maps times commands. */
const SERVICES_PER_BATCH: u32 = 1000;

/** A longer transaction would keep the kernel from other ones, and the host from all else, for too long. */
const LONGEST: usize = 2 << 20;
/** What ends a batch, and a little more. */
const END: usize = 64;
/** An element that is left over goes from up to three maps. */
const LEFTOVER: usize = 200;

/** Bytes at which a transaction ends, and that the kernel takes at most; 0: any number. */
let preferred: usize = 0;
let largest: usize = 0;
/** Bytes at which a transaction ends within a Service; 0: any number. */
let bound: usize = 0;

/** The contract's `set-batch-limits`. */
export function setBatchLimits(wanted: u32, most: u32): void {
  preferred = <usize>wanted;
  largest = <usize>most;
  bound = most == 0 ? 0 : min(largest, max(preferred, LONGEST));
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

/** Bytes that the open transaction has to have room for when it ends. */
let reserved: usize = 0;

export function reserve(bytes: usize): void {
  reserved += bytes;
}

/** What it was for is not written after all. */
export function releaseReserved(): void {
  reserved = 0;
}

function batchLength(): usize {
  return outLength() + heldBack() + reserved + <usize>leftoverCount() * LEFTOVER;
}

function isLong(): bool {
  return preferred != 0 && batchLength() >= preferred;
}

/** Transactions of the plan that is being made may end within a Service. */
let cuts: bool = false;
/** Called before one does. */
let beforeCut: () => void = noteNothing;

function noteNothing(): void {}

/** Says what notes how far the kernel is when a transaction ends within what is being written. */
export function whenCut(note: () => void): void {
  beforeCut = note;
}

/** Called with each transaction that ends while others follow: writes what it can't do without. */
let finishing: () => void = noteNothing;

/** Says what does that until the family is planned. */
export function whenTransactionEnds(finish: () => void): void {
  finishing = finish;
}

/** Nothing that is being written depends on where transactions end. */
export function cutAnywhere(): void {
  beforeCut = noteNothing;
}

/** No transaction ends before this is called with true. */
export function allowCutsWithin(allow: bool): void {
  cuts = allow;
}

/** True if so many bytes more fit into the open transaction, or if it must not end here. */
export function hasRoom(bytes: usize): bool {
  if (bound == 0 || !cuts || fullText) return true;
  return batchLength() + bytes + END <= bound;
}

/** Ends the open transaction, with what is left over of the elements in it, and begins another. */
export function cut(): void {
  beforeCut();
  finishing();
  reserved = 0;
  writeLeftovers();
  endNftBatch(openServices, openFull);
  beginBatch(openFamily, openWait);
  openServices = 0;
  openFull = false;
}

/** Sees to it that so many bytes fit into the open transaction, if they fit into any. */
export function makeRoom(bytes: usize): void {
  if (!hasRoom(bytes) && batchLength() != 0) cut();
}

/** The same for what should not be torn apart, though nothing is lost if it is: half a transaction is kept for it. */
export function makeRoomForAll(bytes: usize): void {
  makeRoom(min(bytes, bound >> 1));
}

/** How many bytes a transaction has at most; 0: any number. */
export function longestTransaction(): usize {
  return bound;
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
  openFamily = family;
  openFull = full;
  openServices = 0;
  openWait = 0;
  cuts = true;
  reserved = 0;
  cutAnywhere();
  whenTransactionEnds(noteNothing);
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
  keepChainsOfWaiting(family);
  writeRetired(family);
  writeLeftovers();
  endNftBatch(openServices, openFull);
}

/** Adds the transactions that delete what was retired: what has rested now, and when all of that is gone, the rest later. */
export function planAllDeletions(family: u32, now: u64): void {
  if (!planDeletions(family, now, true)) planDeletions(family, now, false);
}

/** Of the open transaction: its family, when it may be sent, its Services, and whether it has the stock rules. */
let openFamily: u32 = 0;
let openWait: u32 = 0;
let openServices: u32 = 0;
let openFull: bool = false;

/** Begins a transaction that may be sent after so many milliseconds, outside of what `writeParts` has left open. */
export function beginTransaction(family: u32, wait: u32): void {
  openFamily = family;
  openWait = wait;
  openServices = 0;
  openFull = false;
  beginBatch(family, wait);
}

/** What `writeParts` goes over, how far it has come, and the Service that it wrote last. */
let parts: Vector = new Vector();
let nextPart: u32 = 0;
let lastService: usize = 0;
let cutsParts: bool = false;
let measure: (port: FamilyPort) => usize = measureNothing;

function measureNothing(port: FamilyPort): usize {
  return 0;
}

/** How many entry points and source ranges a service port has, if it is there: what its rules cost besides its endpoints. */
export function countEntryPoints(port: FamilyPort): u32 {
  if (!port.present) return 0;
  const record = recordOf(port);
  return record.addressCount + record.rangeCount + 2;
}

/**
 * Says what `writeParts` writes into the transaction that is open. `cut`: it ends and a new one begins after many Services
 * or bytes; what of one Service fits into a transaction stays together, so that it is never half loaded. `full`: it has
 * the stock rules. `size` says how many bytes a port takes at most.
 */
export function beginParts(ports: Vector, full: bool, cut: bool, size: (port: FamilyPort) => usize): void {
  measure = size;
  parts = ports;
  nextPart = 0;
  lastService = 0;
  cutsParts = cut;
  openServices = 0;
  openFull = full;
}

/** At least as many bytes as the elements of the Service take whose first port is `first` of the parts. */
function sizeOfService(first: u32): usize {
  const service = changetype<FamilyPort>(<usize>parts.get(first)).port.service;
  let size: usize = 0;
  for (let i = first; i < parts.length; i++) {
    const port = changetype<FamilyPort>(<usize>parts.get(i));
    if (changetype<usize>(port.port.service) != changetype<usize>(service)) break;
    size += measure(port);
    if (size > bound) break;
  }
  return size;
}

/** Calls `write` with one port after the other. False: there are more, for the next slice. The last transaction stays open. */
export function writeParts(family: u32, write: (port: FamilyPort) => void): bool {
  while (nextPart < parts.length) {
    const port = changetype<FamilyPort>(<usize>parts.get(nextPart++));
    const service = changetype<usize>(port.port.service);
    if (cutsParts && service != lastService) {
      if (openServices >= SERVICES_PER_BATCH || isLong()) {
        writeFor(0);
        cut();
      } else if (bound != 0) {
        // What fits into one transaction is never torn apart.
        const size = sizeOfService(nextPart - 1);
        if (size + END <= bound && !hasRoom(size)) {
          writeFor(0);
          cut();
        }
      }
    }
    if (service != lastService) openServices++;
    lastService = service;
    writeFor(service);
    write(port);
    if (isSpent(1 + endpoints.length + countEntryPoints(port))) return false;
  }
  writeFor(0);
  return true;
}
