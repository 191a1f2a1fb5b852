// Which names of chains the service ports have, over what the kernel holds and what is planned: whether a chain that one of them
// has lost is anybody else's. Two have one only if hashes of 80 bits collide, so it is nearly never; but to look through all of
// them for it would cost half as much as all else that a change costs.
//
// A row counts the names that fall on it, and holds the XOR of their fingerprints. It may be unable to tell; then they are all
// looked through.
import { isSpent } from "../../bytes/slices";
import { Service, sortedServices } from "../../cluster/services";
import { FamilyPort, ServicePort } from "../../routing/service-ports";
import { whenSnapshotIsFreed } from "../../transactions/port-journal";
import { chainHash, PortChain } from "./names";
import { Snapshot } from "./snapshot";

/** Rows for each name at least, as long as these are not the most: 4 MiB. */
const ROWS_PER_NAME: u32 = 8;
const FEWEST_ROWS: u32 = 1 << 12;
const MOST_ROWS: u32 = 1 << 20;
/** The lowest byte of a row is the count: so many, or more than it can count, for ever. Above it is the XOR. */
const MANY: u32 = 0xff;

let rows: usize = 0;
let rowCount: u32 = 0;
let names: u32 = 0;
/** Another layout has been planned in between, whose snapshots are not told from those of this one. */
let isLost: bool = false;

/** The mode has changed: from now on nothing is told by this. */
export function loseChainUses(): void {
  isLost = true;
}

/** Of a name: prefix (a bit of PortChain, 0: endpoint) and sixteen characters of hash, in the family's table. */
function digest(family: u32, chain: u32, hash: usize): u64 {
  const mixed = (load<u64>(hash) ^ ((<u64>((chain << 1) | family)) << 56)) * 0x9e3779b97f4a7c15;
  return (rotl<u64>(mixed, 29) ^ load<u64>(hash, 8)) * 0xc2b2ae3d27d4eb4f;
}

function rowOf(digest: u64): usize {
  return rows + ((<usize>(<u32>(digest >> 40) & (rowCount - 1))) << 2);
}

function fingerprint(digest: u64): u32 {
  return <u32>digest & ~MANY;
}

function countName(digest: u64, by: u32): void {
  const row = rowOf(digest);
  const value = load<u32>(row);
  if ((value & MANY) == MANY) return;
  store<u32>(row, ((value & MANY) + by) | ((value ^ fingerprint(digest)) & ~MANY));
}

/** Counts the names in a snapshot, or takes them out (`by` is -1). */
function countSnapshot(port: FamilyPort, at: usize, by: u32): void {
  const snapshot = changetype<Snapshot>(at);
  for (let chain: u32 = 1; chain <= PortChain.LOCAL; chain <<= 1) {
    if ((snapshot.chains & chain) != 0) countName(digest(port.family, chain, chainHash(port.port)), by);
  }
  for (let i: u32 = 0; i < snapshot.endpointCount; i++) countName(digest(port.family, 0, snapshot.hash(i)), by);
  names += by * (popcnt(snapshot.chains) + snapshot.endpointCount);
}

/** The service port has a snapshot of which `port` does not know yet. */
export function noteSnapshot(port: FamilyPort, at: usize): void {
  if (isLost) return;
  const snapshot = changetype<Snapshot>(at);
  if (rowCount < MOST_ROWS && (names + snapshot.endpointCount + 4) * ROWS_PER_NAME > rowCount) {
    growFor(names + snapshot.endpointCount + 4);
  }
  countSnapshot(port, at, 1);
}

function forgetSnapshot(port: FamilyPort, at: usize): void {
  if (isLost || rowCount == 0) return;
  countSnapshot(port, at, -1);
  // Whoever frees snapshots in slices counts them, and not what they are about.
  isSpent(changetype<Snapshot>(at).endpointCount >> 4);
}

whenSnapshotIsFreed(forgetSnapshot);

/** Twice the rows that so many names need, with all that is counted in them anew. */
function growFor(needed: u32): void {
  if (rowCount == 0) rowCount = FEWEST_ROWS;
  else heap.free(rows);
  while (rowCount < MOST_ROWS && rowCount < needed * ROWS_PER_NAME * 2) rowCount <<= 1;
  rows = heap.alloc((<usize>rowCount) << 2);
  memory.fill(rows, 0, (<usize>rowCount) << 2);
  names = 0;
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    for (let at = changetype<Service>(<usize>services.get(i)).ports; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at);
      if (port.ipv4 != 0) countPort(changetype<FamilyPort>(port.ipv4));
      if (port.ipv6 != 0) countPort(changetype<FamilyPort>(port.ipv6));
    }
  }
}

function countPort(port: FamilyPort): void {
  if (port.committed != 0) countSnapshot(port, port.committed, 1);
  if (port.planned != 0) countSnapshot(port, port.planned, 1);
}

/** A snapshot that is still counted has the name. Nothing else has it, now or planned: certainly, if true. */
export function isUsedOnce(family: u32, chain: u32, hash: usize): bool {
  if (isLost || rowCount == 0) return false;
  const name = digest(family, chain, hash);
  const row = load<u32>(rowOf(name));
  const others = (row & MANY) - 1;
  return others == 0 || (others == 1 && ((row ^ fingerprint(name)) & ~MANY) != fingerprint(name));
}
