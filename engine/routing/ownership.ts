// Who owns which address, protocol and port. Several Services may claim one; one of them has it (one key, one
// owner): a cluster IP before a load-balancer IP before an external IP, then the older Service, then by name. So nobody
// takes the API server's address away with an external IP.
import { arenaAlloc } from "../bytes/memory";
import { sizeOf } from "../bytes/sizes";
import { AddressKind, AddressRecord, PortRecord, ServiceRecord } from "../cluster/records";
import { addClaim, removeClaim } from "./claim-heap";
import { endpointAt, endpoints, Routed } from "./endpoints";
import { noteGivenBack } from "./gone-entry-points";
import { Claim, EntryPoint, Key, KeyKind, keyOf, noteKeyChange } from "./keys";
import { firstAddress, isProgrammed } from "./route";
import { FamilyPort, recordOf } from "./service-ports";

let lastClaim: usize = 0; // link to fill with the port's next claim

function claim(port: FamilyPort, key: Key, entryPoint: u32, index: u32): void {
  const at = heap.alloc(offsetof<Claim>());
  memory.fill(at, 0, offsetof<Claim>());
  const made = changetype<Claim>(at);
  made.key = key;
  made.port = port;
  made.entryPoint = entryPoint;
  made.index = index;
  store<usize>(lastClaim, at);
  lastClaim = at + offsetof<Claim>("nextOfPort");
  addClaim(key, made);
  noteKeyChange(key);
}

function unclaim(dropped: Claim): void {
  const key = dropped.key;
  removeClaim(key, dropped);
  if (key.claims == 0) noteGivenBack(key, dropped.port, dropped.entryPoint);
  heap.free(changetype<usize>(dropped));
  noteKeyChange(key);
}

function want(key: Key, more: i32): void {
  key.wanted += more;
  noteKeyChange(key);
}

/** The cluster IP of a record in that family: sixteen bytes. */
export function clusterIP(record: ServiceRecord, family: u32): usize {
  const at = changetype<usize>(record);
  if (family == 1) return at + offsetof<ServiceRecord>("clusterIPv6Word0");
  // IPv4 addresses stand in the first four of sixteen bytes wherever they are compared.
  const ip = arenaAlloc(16);
  memory.fill(ip, 0, 16);
  store<u32>(ip, record.clusterIPv4);
  return ip;
}

/** Gives up to `most` claims of a service port back; returns how many. None is left if there were fewer. */
export function dropClaims(port: FamilyPort, most: u32): u32 {
  let count: u32 = 0;
  while (port.claims != 0 && count < most) {
    const dropped = changetype<Claim>(port.claims);
    port.claims = dropped.nextOfPort;
    count++;
    if (dropped.entryPoint == EntryPoint.CLUSTER_IP) {
      want(keyOf(KeyKind.CLUSTER_IP, port.family, 0, 0, dropped.key.ip()), -1);
    }
    unclaim(dropped);
  }
  return count;
}

// What `beginClaims` has begun: whose claims are made, and which of the addresses is next.
let claiming: FamilyPort = changetype<FamilyPort>(0);
let nextIndex: u32 = 0;

/** Claims what a present service port's record says, the cluster IP first; `continueClaims` the rest. It must have no claims. */
export function beginClaims(port: FamilyPort): void {
  const record = recordOf(port);
  const family = port.family;
  claiming = port;
  nextIndex = 0;
  lastClaim = changetype<usize>(port) + offsetof<FamilyPort>("claims");
  port.claimedSince = record.creationTimestamp;
  const ip = clusterIP(record, family);
  const index = <u32>(family == 0 ? record.clusterIPv4Index : record.clusterIPv6Index);
  want(keyOf(KeyKind.CLUSTER_IP, family, 0, 0, ip), 1);
  const number = changetype<PortRecord>(port.port.record).port;
  claim(port, keyOf(KeyKind.ADDRESS, family, port.port.protocol, number, ip), EntryPoint.CLUSTER_IP, index);
}

/** Looks at up to `most` addresses and returns how many; at fewer once all claims are made. */
export function continueClaims(most: u32): u32 {
  const port = claiming;
  const record = recordOf(port);
  const portRecord = changetype<PortRecord>(port.port.record);
  const protocol = port.port.protocol;
  const family = port.family;
  const begun = nextIndex;
  const end = most < record.addressCount - begun ? begun + most : record.addressCount;
  let at = firstAddress(record) + <usize>begun * offsetof<AddressRecord>();
  for (; nextIndex < end; nextIndex++, at += offsetof<AddressRecord>()) {
    const address = changetype<AddressRecord>(at);
    if (<u32>address.family != family || !isProgrammed(address)) continue;
    const key = keyOf(KeyKind.ADDRESS, family, protocol, portRecord.port, at + offsetof<AddressRecord>("word0"));
    claim(
      port,
      key,
      address.kind == AddressKind.EXTERNAL ? EntryPoint.EXTERNAL_IP : EntryPoint.LOAD_BALANCER_IP,
      address.index,
    );
  }
  const count = end - begun;
  if (count < most && portRecord.nodePort != 0) {
    const key = keyOf(KeyKind.NODE_PORT, family, protocol, portRecord.nodePort, 0);
    claim(port, key, EntryPoint.NODE_PORT, portRecord.index);
  }
  return count;
}

/** True if the endpoint that was routed last can meet itself through its Service on this node. */
function isHairpin(flags: u32): bool {
  return (flags & Routed.LOCAL) != 0 && (flags & Routed.REACHABLE) != 0;
}

/** Makes the hairpin connections of a service port those that `route` has just found, or none if it is not present. */
export function updateHairpins(port: FamilyPort): void {
  let count: u32 = 0;
  if (port.present) {
    for (let i: u32 = 0; i < endpoints.length; i++) if (isHairpin(endpointAt(i).flags)) count++;
  }
  const old = port.hairpins;
  const oldCount = port.hairpinCount;
  port.hairpins = count == 0 ? 0 : heap.alloc(sizeOf(count, 4));
  port.hairpinCount = count;
  let to = port.hairpins;
  for (let i: u32 = 0; count > 0 && i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if (!isHairpin(endpoint.flags)) continue;
    const ip = changetype<usize>(endpoint.record);
    const key = keyOf(KeyKind.HAIRPIN, port.family, port.port.protocol, endpoint.port, ip);
    want(key, 1);
    store<u32>(to, <u32>changetype<usize>(key));
    to += 4;
  }
  for (let i: u32 = 0; i < oldCount; i++) want(changetype<Key>(<usize>load<u32>(old + ((<usize>i) << 2))), -1);
  if (old != 0) heap.free(old);
}
