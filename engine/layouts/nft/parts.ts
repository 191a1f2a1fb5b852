// The plan of one family in an nftables layout: its frame, and how it is cut into transactions.
import { Vector } from "../../bytes/memory";
import { isSpent } from "../../bytes/slices";
import { sortVector } from "../../bytes/sort";
import { nft } from "../../encodings/nft";
import { endpoints } from "../../routing/endpoints";
import { stalePorts } from "../../routing/refresh";
import { routeAhead } from "../../routing/route";
import { comparePorts, FamilyPort, recordOf } from "../../routing/service-ports";
import { journal } from "../../transactions/batches";
import { writeFor } from "../../transactions/refusals";
import { checksFirewalls, isForgotten, STOCK, stockIsDirty, stockIsKnown } from "../../transactions/stock";
import { isWaiting } from "../../transactions/waves";
import {
  beginFirstTransaction,
  countService,
  countServices,
  cut,
  endTransaction,
  fitsAlone,
  hasRoom,
  isFull,
  longestTransaction,
} from "./cuts";
import { planDeletions, writeRetired } from "./retiring";
import { keepChains } from "./snapshots";
import { writeEmptyTable, writeStock } from "./stock";

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
  beginFirstTransaction(family, full);
  if (full) {
    if (isForgotten(family)) writeEmptyTable(flat);
    writeStock(family, flat, !stockIsKnown(family), !flat || checksFirewalls(family));
    journal(STOCK, <usize>family);
  }
  return full;
}

/** Chains that a plan had retired that never came to pass are in use as long as their service port is left out, or waits. */
function keepChainsOfWaiting(family: u32): void {
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.family != family || port.committed == 0) continue;
    if (port.pending != 0 || port.port.service.isLeftOut(family)) keepChains(port);
  }
}

/** Ends the transaction that `writeParts` has left open. */
export function endParts(family: u32): void {
  keepChainsOfWaiting(family);
  writeRetired(family);
  endTransaction();
}

/** Adds the transactions that delete what was retired: what has rested now, and when all of that is gone, the rest later. */
export function planAllDeletions(family: u32, now: u64): void {
  if (!planDeletions(family, now, true)) planDeletions(family, now, false);
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
  countServices(full);
}

/** At least as many bytes as the elements of the Service take whose first port is `first` of the parts. */
function sizeOfService(first: u32): usize {
  const service = changetype<FamilyPort>(<usize>parts.get(first)).port.service;
  let size: usize = 0;
  for (let i = first; i < parts.length; i++) {
    const port = changetype<FamilyPort>(<usize>parts.get(i));
    if (changetype<usize>(port.port.service) != changetype<usize>(service)) break;
    size += measure(port);
    if (size > longestTransaction()) break;
  }
  return size;
}

/** Calls `write` with one port after the other. False: there are more, for the next slice. The last transaction stays open. */
export function writeParts(family: u32, write: (port: FamilyPort) => void): bool {
  while (nextPart < parts.length) {
    const port = changetype<FamilyPort>(<usize>parts.get(nextPart));
    if (port.present && !routeAhead(port)) return false;
    nextPart++;
    const service = changetype<usize>(port.port.service);
    if (cutsParts && service != lastService) {
      if (isFull()) {
        writeFor(0);
        cut();
      } else if (longestTransaction() != 0) {
        // What fits into one transaction is never torn apart.
        const size = sizeOfService(nextPart - 1);
        if (fitsAlone(size) && !hasRoom(size)) {
          writeFor(0);
          cut();
        }
      }
    }
    if (service != lastService) countService();
    lastService = service;
    writeFor(service);
    write(port);
    if (isSpent(1 + endpoints.length + countEntryPoints(port))) return false;
  }
  writeFor(0);
  return true;
}
