// What can be owned: an address, protocol and port, or a node port; besides a cluster IP and a hairpin connection, which many
// may want. A key also carries what the kernel holds under it, so that an address which moves from one Service to another
// is one replacement, whichever of the two is looked at first.
import { bucketHash, equalBytes } from "../bytes/compare";
import { SLACK, Vector } from "../bytes/memory";
import { Protocol } from "../bytes/protocols";
import { grown, sizeOf } from "../bytes/sizes";
import { isSpentOnOne } from "../bytes/slices";
import { PortRecord } from "../cluster/records";
import { factsOf } from "./family-facts";
import { FamilyPort } from "./service-ports";

export namespace KeyKind {
  /** address, protocol, port of an entry point */
  export const ADDRESS: u32 = 0;
  /** protocol and node port */
  export const NODE_PORT: u32 = 1;
  /** a cluster IP, whatever its ports */
  export const CLUSTER_IP: u32 = 2;
  /** address, protocol, port of an endpoint on this node */
  export const HAIRPIN: u32 = 3;
}

/** Entry points, by rank: what comes first owns the key. */
export namespace EntryPoint {
  export const CLUSTER_IP: u32 = 0;
  export const LOAD_BALANCER_IP: u32 = 1;
  export const EXTERNAL_IP: u32 = 2;
  export const NODE_PORT: u32 = 3;
}

@unmanaged
export class Key {
  next: usize;
  hash: u32;
  // What makes it: from here to before `wanted`.
  kind: u8;
  family: u8;
  protocol: u8;
  padding: u8;
  port: u32;
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
  /** CLUSTER_IP and HAIRPIN: how many service ports want it. */
  wanted: u32;
  /** ADDRESS and NODE_PORT: the owner's claim; the others hang on it (routing/claim-heap.ts). */
  claims: usize;
  /** Waits among `changedKeys`. */
  changed: bool;
  /** Waits to be looked at when the call ends, since nothing may be left of it (transactions/batches.ts). */
  settled: bool;
  /** Number of the full text in which it was written last. */
  written: u32;
  // What the kernel holds under it, as numbers that the layout gives; 0: nothing. For sets, `chain` is 1.
  committedChain: u64;
  committedFirewall: u64;
  committedNoEndpoints: u64;
  /** A node port is refused on loopback addresses. */
  committedLocalhost: bool;
  plannedChain: u64;
  plannedFirewall: u64;
  plannedNoEndpoints: u64;
  plannedLocalhost: bool;
  // Number of the service port that this was written for; 0: nothing is.
  committedOwner: u64;
  plannedOwner: u64;
  // In our own layout: whose slots stand under the key (a number), how many, and how many for the Local policy alone.
  committedPool: u64;
  plannedPool: u64;
  committedSlots: u32;
  committedLocalSlots: u32;
  plannedSlots: u32;
  plannedLocalSlots: u32;
  /** Waits among `listenerKeys`. */
  listenerChanged: bool;
  /** An open batch will make `planned` of `committed`. */
  open: bool;
  /** The plan that is being made empties its slots (bit 0), and those of the Local policy (bit 1). */
  emptying: u8;
  /** UDP entry points: who had it last (GoneEntryPoint), until that one's flows have been looked for; else 0. */
  gone: usize;

  ip(): usize {
    return changetype<usize>(this) + offsetof<Key>("word0");
  }

  owner(): Claim {
    return changetype<Claim>(this.claims);
  }
}

@unmanaged
export class Claim {
  // Among the claims of the same key (routing/claim-heap.ts).
  child: usize;
  sibling: usize;
  before: usize;
  /** Next of the same service port, in the order of the rules. */
  nextOfPort: usize;
  key: Key;
  port: FamilyPort;
  entryPoint: u32;
  /** Index in the list of the Service that it comes from. */
  index: u32;

  isOwner(): bool {
    return this.key.claims == changetype<usize>(this);
  }
}

const KEY_START: usize = offsetof<Key>("kind");
const KEY_SIZE: usize = offsetof<Key>("wanted") - offsetof<Key>("kind");

let buckets: usize = 0;
let bucketCount: u32 = 0;
let keyCount: u32 = 0;
// While the table grows: the smaller one before it, and how many of its buckets are empty by now. A few of them are with each
// key that is made, since to move a million at once would take 50 ms.
let oldBuckets: usize = 0;
let moved: u32 = 0;
const MOVED_AT_ONCE: u32 = 4;

/** Keys whose owner or need has changed since the last plan, each once. */
export const changedKeys = new Vector();
/** TCP node ports for which the host listens, as far as it has to be told of them anew, each once (routing/localhost-listeners.ts). */
export const listenerKeys = new Vector();

/** Has the fields of the key that is looked for. */
const probe = changetype<Key>(memory.data(192, 16));

function bucketOf(hash: u32): usize {
  const old = hash & ((bucketCount >> 1) - 1);
  if (oldBuckets != 0 && old >= moved) return oldBuckets + ((<usize>old) << 2);
  return buckets + ((<usize>(hash & (bucketCount - 1))) << 2);
}

function growKeys(): void {
  while (oldBuckets != 0) moveKeys();
  oldBuckets = buckets;
  moved = 0;
  bucketCount = grown(bucketCount, 0, 256);
  buckets = heap.alloc(sizeOf(bucketCount, 4));
  memory.fill(buckets, 0, (<usize>bucketCount) << 2);
}

/** Moves some keys to the larger table. */
function moveKeys(): void {
  for (let i: u32 = 0; i < MOVED_AT_ONCE; i++) {
    let at = load<usize>(oldBuckets + ((<usize>moved) << 2));
    moved++;
    while (at != 0) {
      const key = changetype<Key>(at);
      const next = key.next;
      key.next = load<usize>(bucketOf(key.hash));
      store<usize>(bucketOf(key.hash), at);
      at = next;
    }
  }
  if (moved != bucketCount >> 1) return;
  heap.free(oldBuckets);
  oldBuckets = 0;
}

/** The key of that kind, or 0. `ip`: sixteen bytes, or 0 for a node port. */
export function findKey(kind: u32, family: u32, protocol: u32, port: u32, ip: usize): usize {
  probe.kind = <u8>kind;
  probe.family = <u8>family;
  probe.protocol = <u8>protocol;
  probe.port = port;
  if (ip == 0) memory.fill(probe.ip(), 0, 16);
  else memory.copy(probe.ip(), ip, 16);
  const bytes = changetype<usize>(probe) + KEY_START;
  probe.hash = bucketHash(bytes, KEY_SIZE);
  if (bucketCount == 0) return 0;
  const hash = probe.hash;
  for (let at = load<usize>(bucketOf(hash)); at != 0; at = changetype<Key>(at).next) {
    if (changetype<Key>(at).hash == hash && equalBytes(at + KEY_START, KEY_SIZE, bytes, KEY_SIZE)) return at;
  }
  return 0;
}

/** As findKey; the key is made if it is not there. */
export function keyOf(kind: u32, family: u32, protocol: u32, port: u32, ip: usize): Key {
  const found = findKey(kind, family, protocol, port, ip);
  if (found != 0) return changetype<Key>(found);
  if (keyCount >= bucketCount) growKeys();
  if (oldBuckets != 0) moveKeys();
  const hash = probe.hash;
  const made = heap.alloc(offsetof<Key>() + SLACK);
  memory.fill(made, 0, offsetof<Key>());
  memory.copy(made + KEY_START, changetype<usize>(probe) + KEY_START, KEY_SIZE);
  const key = changetype<Key>(made);
  key.hash = hash;
  key.next = load<usize>(bucketOf(hash));
  store<usize>(bucketOf(hash), made);
  keyCount++;
  return key;
}

/** Frees the key if nobody claims it and the kernel does not hold it. */
export function dropUnusedKey(key: Key): void {
  if (key.claims != 0 || key.wanted != 0 || key.changed || key.open || key.settled || key.gone != 0) return;
  if (key.listenerChanged) return;
  if ((key.committedChain | key.committedFirewall | key.committedNoEndpoints) != 0 || key.committedLocalhost) return;
  if ((key.committedSlots | key.committedLocalSlots) != 0) return;
  let link = bucketOf(key.hash);
  while (load<usize>(link) != changetype<usize>(key)) link = load<usize>(link) + offsetof<Key>("next");
  store<usize>(link, key.next);
  keyCount--;
  heap.free(changetype<usize>(key));
}

/** Whoever serves the node port, or where it leads to, may have changed. */
export function noteListener(key: Key): void {
  if (key.listenerChanged || key.kind != <u8>KeyKind.NODE_PORT || key.protocol != <u8>Protocol.TCP) return;
  if (!factsOf(<u32>key.family).listensOnLocalhost) return;
  key.listenerChanged = true;
  listenerKeys.push(<u32>changetype<usize>(key));
}

/** The endpoints of a present service port have changed. */
export function noteEndpoints(port: FamilyPort): void {
  const nodePort = changetype<PortRecord>(port.port.record).nodePort;
  if (nodePort == 0 || port.port.protocol != Protocol.TCP || !factsOf(port.family).listensOnLocalhost) return;
  const found = findKey(KeyKind.NODE_PORT, port.family, Protocol.TCP, nodePort, 0);
  if (found != 0) noteListener(changetype<Key>(found));
}

export function noteKeyChange(key: Key): void {
  noteListener(key);
  if (key.changed) return;
  key.changed = true;
  changedKeys.push(<u32>changetype<usize>(key));
}

/** Calls `visit` with every key, in an order of no meaning. */
export function eachKey(visit: (key: Key) => void): void {
  while (oldBuckets != 0) moveKeys();
  for (let i: u32 = 0; i < bucketCount; i++) visitBucket(i, visit);
}

function visitBucket(index: u32, visit: (key: Key) => void): void {
  let at = load<usize>(buckets + ((<usize>index) << 2));
  while (at != 0) {
    const next = changetype<Key>(at).next;
    visit(changetype<Key>(at));
    at = next;
  }
}

/** How many buckets `visitSomeKeys` has come through. */
let visited: u32 = 0;

/** Every key is going to be visited. Until that is done none may be made. */
export function beginVisit(): void {
  visited = 0;
}

/** Calls `visit` with keys, in an order of no meaning, for a slice; true: with all. */
export function visitSomeKeys(visit: (key: Key) => void): bool {
  while (oldBuckets != 0) {
    moveKeys();
    if (isSpentOnOne(moved)) return false;
  }
  while (visited < bucketCount) {
    visitBucket(visited++, visit);
    if (isSpentOnOne(visited)) return false;
  }
  return true;
}
