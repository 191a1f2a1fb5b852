// What this Node's object says: its addresses, pod CIDRs and zone.
import { parseAddress } from "../bytes/address";
import { equalBytes } from "../bytes/compare";
import { arenaAlloc, SLACK } from "../bytes/memory";
import { IPV4, IPV6 } from "../bytes/protocols";
import { sizeOf } from "../bytes/sizes";
import { nodes } from "../cluster/nodes";
import { NodeAddressKind, NodeAddressRecord, NodeRecord, RangeRecord } from "../cluster/records";
import { Entry } from "../cluster/table";
import { factsOf } from "./family-facts";
import { options } from "./options";

/** IPV4 or IPV6: the family of the node's first address. */
export let primaryFamily: u32 = IPV4;
/** This node's record, or 0. */
export let nodeRecord: usize = 0;
/** The record whose addresses count: this node's, or the last one that had any (`keepLastNode`). Or 0. */
export let addressRecord: usize = 0;
/** The same for pod CIDRs. */
export let podCIDRRecord: usize = 0;
/** Copies of the last record of this node that had addresses, and of the last that had pod CIDRs; 0: none. */
let lastWithAddresses: usize = 0;
let lastWithPodCIDRs: usize = 0;
/** Name of the node that they are of. */
let lastName: usize = heap.alloc(0);
let lastNameLength: usize = 0;
let keepsLastNode: bool = false;
/** Bytes of the zone; length 0 if unknown. */
export let zone: usize = 0;
export let zoneLength: usize = 0;

/** From now on what this node's object has said last stays in force while it is gone, or says nothing. */
export function keepLastNode(): void {
  keepsLastNode = true;
}

/** Memory that is made large enough for so many bytes, and filled with them. */
function copied(to: usize, from: usize, length: usize): usize {
  const copy = heap.realloc(to == 0 ? heap.alloc(0) : to, sizeOf(<u32>length, 1, SLACK));
  memory.copy(copy, from, length);
  return copy;
}

/** What was remembered of a node of another name is of no use. */
function forgetOtherNode(): void {
  if (equalBytes(lastName, lastNameLength, options().nodeName, options().nodeNameLength)) return;
  lastNameLength = options().nodeNameLength;
  lastName = copied(lastName, options().nodeName, lastNameLength);
  if (lastWithAddresses != 0) heap.free(lastWithAddresses);
  if (lastWithPodCIDRs != 0) heap.free(lastWithPodCIDRs);
  lastWithAddresses = 0;
  lastWithPodCIDRs = 0;
}

/** Looks the Node up by its name. */
export function findNode(): void {
  const found = nodes.find(options().nodeName, options().nodeNameLength);
  nodeRecord = found == 0 ? 0 : changetype<Entry>(found).record;
  const hasAddresses = nodeRecord != 0 && changetype<NodeRecord>(nodeRecord).addressCount != 0;
  const hasPodCIDRs = nodeRecord != 0 && changetype<NodeRecord>(nodeRecord).podCIDRCount != 0;
  forgetOtherNode();
  if (keepsLastNode && nodeRecord != 0) {
    const size = <usize>changetype<NodeRecord>(nodeRecord).size;
    if (hasAddresses) lastWithAddresses = copied(lastWithAddresses, nodeRecord, size);
    if (hasPodCIDRs) lastWithPodCIDRs = copied(lastWithPodCIDRs, nodeRecord, size);
  }
  addressRecord = hasAddresses || lastWithAddresses == 0 ? nodeRecord : lastWithAddresses;
  podCIDRRecord = hasPodCIDRs || lastWithPodCIDRs == 0 ? nodeRecord : lastWithPodCIDRs;
  const zoneRecord = nodeRecord != 0 || lastWithAddresses == 0 ? nodeRecord : lastWithAddresses;
  zoneLength = 0;
  if (zoneRecord != 0) {
    zone = zoneRecord + changetype<NodeRecord>(zoneRecord).zoneOffset;
    zoneLength = changetype<NodeRecord>(zoneRecord).zoneLength;
  }
}

/** Internal addresses before external ones, in listed order; 0 at the end. */
export function nodeAddress(node: NodeRecord, position: u32): usize {
  const first = changetype<usize>(node) + offsetof<NodeRecord>() + <usize>node.podCIDRCount * offsetof<RangeRecord>();
  let left = position;
  for (let kind: u8 = NodeAddressKind.INTERNAL_IP; kind <= NodeAddressKind.EXTERNAL_IP; kind++) {
    for (let i: u32 = 0; i < node.addressCount; i++) {
      const at = first + <usize>i * offsetof<NodeAddressRecord>();
      if (changetype<NodeAddressRecord>(at).kind == kind && left-- == 0) return at;
    }
  }
  return 0;
}

/** Node IPs and primary family as kube-proxy finds them. */
export function findNodeIPs(): void {
  memory.fill(factsOf(IPV4).nodeIP, 0, 16);
  memory.fill(factsOf(IPV6).nodeIP, 0, 16);
  store<u32>(factsOf(IPV4).nodeIP, 0x0100007f);
  store<u8>(factsOf(IPV6).nodeIP, 1, 15);
  primaryFamily = IPV4;
  if (addressRecord != 0) {
    let found: u32 = 0; // bit per family
    for (let i: u32 = 0; ; i++) {
      const at = nodeAddress(changetype<NodeRecord>(addressRecord), i);
      if (at == 0) break;
      const address = changetype<NodeAddressRecord>(at);
      if ((found & (1 << (<u32>address.family))) != 0) continue;
      if (found == 0) primaryFamily = <u32>address.family;
      found |= 1 << (<u32>address.family);
      memory.copy(factsOf(<u32>address.family).nodeIP, at + offsetof<NodeAddressRecord>("word0"), 16);
    }
  }
  const ip = arenaAlloc(16);
  const family = parseAddress(options().bindAddress, options().bindAddressLength, ip);
  if (family == 0 || (load<u64>(ip) == 0 && load<u64>(ip, 8) == 0)) return;
  primaryFamily = family == 4 ? IPV4 : IPV6;
  memory.copy(factsOf(primaryFamily).nodeIP, ip, 16);
}

/** True if the endpoint's node is this one. */
export function isThisNode(name: usize, length: usize): bool {
  return length != 0 && equalBytes(name, length, options().nodeName, options().nodeNameLength);
}
