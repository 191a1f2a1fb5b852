// What the options, this Node and the ServiceCIDRs say about each family, in the form that rules need it.
import { formatIPv4, formatIPv6, parseAddress, parseCIDR } from "../bytes/address";
import { compareBytes, equalBytes, equalLiteral } from "../bytes/compare";
import { arenaAlloc, SLACK, Vector } from "../bytes/memory";
import { IPV4, IPV6 } from "../bytes/protocols";
import { Remembered } from "../bytes/remembered";
import { sizeOf } from "../bytes/sizes";
import { sortVector } from "../bytes/sort";
import { factsRead, nodes, serviceCIDRs } from "../cluster/nodes";
import { NodeAddressKind, NodeAddressRecord, NodeRecord, RangeRecord, ServiceCIDRRecord } from "../cluster/records";
import { Entry } from "../cluster/table";
import { DetectLocalMode, MAX_INTERFACE_NAME, Mode, options } from "./options";

/** How traffic from this node's pods is recognised. */
export namespace LocalDetector {
  export const NONE: u32 = 0;
  /** by source CIDR */
  export const SOURCE: u32 = 1;
  /** by incoming interface */
  export const INTERFACE: u32 = 2;
  /** by prefix of the incoming interface's name */
  export const INTERFACE_PREFIX: u32 = 3;
}

/** A CIDR: sixteen bytes of address, then the prefix length; `owner` is the object it comes from, if any. */
@unmanaged
export class CIDR {
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
  prefix: u32;
  owner: usize;
  /** Index in the list of `owner`. */
  index: u32;
}

@unmanaged
export class FamilyFacts {
  family: u32;
  /** This node's IP: sixteen bytes. */
  nodeIP: usize;
  localDetector: u32;
  /** CIDR or interface name, as text; of a CIDR also the address and prefix length. */
  localText: usize;
  localTextLength: usize;
  localIP: usize;
  localPrefix: u32;
  /** Node ports answer on every address of the node. */
  nodePortsEverywhere: bool;
  /** Else: addresses (sixteen bytes each) of this machine that they answer on, sorted; loopback ones included. */
  nodePortIPs: Vector;
  /** Node ports answer everywhere: the addresses of this machine that are known, sorted. */
  machineIPs: Vector;
  /** nodePortAddresses, as far as they count, contain IPv4 loopback addresses. */
  loopbackListed: bool;
  /** What nobody listens for on loopback addresses is refused there (nftables modes, with the feature gate). */
  rejectsLocalhost: bool;
  /** For TCP the host listens on 127.0.0.1 or ::1: nodePortAddresses names loopback. */
  listensOnLocalhost: bool;
  /** Sorted, distinct. */
  serviceCIDRs: Vector;
}

const ipv4 = newFamilyFacts(IPV4);
const ipv6 = newFamilyFacts(IPV6);

/** IPV4 or IPV6: the family of the node's first address. */
export let primaryFamily: u32 = IPV4;
/** This node's record, or 0. */
export let nodeRecord: usize = 0;
/** The record whose addresses count: this node's, or the last one that had any (`keepLastNode`). Or 0. */
let addressRecord: usize = 0;
/** The same for pod CIDRs. */
export let podCIDRRecord: usize = 0;
/** A copy of the last record of this node that had addresses, with the node's name behind it; 0: none. */
let lastNode: usize = 0;
let lastNodeNameLength: usize = 0;
let keepsLastNode: bool = false;
/** What the rules of every service port depend on, besides Service and endpoints. */
export const settings = new Remembered();
/** What the rules that belong to no Service depend on. */
export const stock = new Remembered();
/** What else routing depends on: name, zone and IPs of this node. */
const node = new Remembered();
/** Bytes of the zone; length 0 if unknown. */
export let zone: usize = 0;
export let zoneLength: usize = 0;

const blocks = new Vector(); // what the facts point to; freed when they are computed again

function newFamilyFacts(family: u32): FamilyFacts {
  const at = heap.alloc(offsetof<FamilyFacts>());
  memory.fill(at, 0, offsetof<FamilyFacts>());
  const facts = changetype<FamilyFacts>(at);
  facts.family = family;
  facts.nodeIP = heap.alloc(16 + SLACK);
  facts.nodePortIPs = new Vector();
  facts.machineIPs = new Vector();
  facts.serviceCIDRs = new Vector();
  return facts;
}

export function factsOf(family: u32): FamilyFacts {
  return family == IPV4 ? ipv4 : ipv6;
}

/** The martian guard and its exception for 127.0.0.0/8 node ports (iptables, IPv4). */
export function localhostNodePorts(family: u32): bool {
  return family == IPV4 && options().localhostNodePorts && factsOf(family).loopbackListed;
}

/** How node ports on loopback addresses are handled in each family, as one number. */
export function localhostHandling(): u32 {
  let bits: u32 = 0;
  for (let family = IPV4; family <= IPV6; family++) {
    const facts = factsOf(family);
    bits = (bits << 2) | ((<u32>facts.rejectsLocalhost) << 1) | <u32>facts.listensOnLocalhost;
  }
  return bits;
}

export function masqueradeMark(): u32 {
  return 1 << (<u32>options().masqueradeBit);
}

function block(size: usize): usize {
  const at = heap.alloc(size + SLACK);
  memory.fill(at, 0, size);
  blocks.push(<u32>at);
  return at;
}

/** 127.0.0.0/8 or ::1 */
export function isLoopback(family: u32, ip: usize): bool {
  if (family == IPV4) return load<u8>(ip) == 127;
  return load<u64>(ip) == 0 && load<u64>(ip, 8) == 0x0100000000000000;
}

/** True if `ip` lies in the CIDR at `network` with that prefix length (both of one family). */
export function contains(network: usize, prefix: u32, ip: usize): bool {
  const whole = <usize>(prefix >> 3);
  for (let i: usize = 0; i < whole; i++) if (load<u8>(network + i) != load<u8>(ip + i)) return false;
  const bits = prefix & 7;
  if (bits == 0) return true;
  const mask = <u8>(0xff00 >> bits);
  return (load<u8>(network + whole) & mask) == (load<u8>(ip + whole) & mask);
}

function compareIPs(a: u32, b: u32): i32 {
  return memory.compare(<usize>a, <usize>b, 16);
}

function compareCIDRs(a: u32, b: u32): i32 {
  const order = memory.compare(<usize>a, <usize>b, 16);
  if (order != 0) return order;
  return <i32>changetype<CIDR>(<usize>a).prefix - <i32>changetype<CIDR>(<usize>b).prefix;
}

/** Of equal CIDRs, the one of the object whose name comes first. */
function compareOwnedCIDRs(a: u32, b: u32): i32 {
  const order = compareCIDRs(a, b);
  if (order != 0) return order;
  const left = changetype<Entry>(changetype<CIDR>(<usize>a).owner);
  const right = changetype<Entry>(changetype<CIDR>(<usize>b).owner);
  return compareBytes(left.key, left.keyLength, right.key, right.keyLength);
}

/** Removes neighbours that compare as equal. */
function distinct(vector: Vector, compare: (a: u32, b: u32) => i32): void {
  if (vector.length < 2) return;
  let kept: u32 = 1;
  for (let i: u32 = 1; i < vector.length; i++) {
    if (compare(vector.get(kept - 1), vector.get(i)) != 0) vector.set(kept++, vector.get(i));
  }
  vector.length = kept;
}

/** Internal addresses before external ones, in listed order; 0 at the end. */
function nodeAddress(node: NodeRecord, position: u32): usize {
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
function findNodeIPs(): void {
  memory.fill(ipv4.nodeIP, 0, 16);
  memory.fill(ipv6.nodeIP, 0, 16);
  store<u32>(ipv4.nodeIP, 0x0100007f);
  store<u8>(ipv6.nodeIP, 1, 15);
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

function setLocalText(facts: FamilyFacts, detector: u32, text: usize, length: usize): void {
  facts.localDetector = detector;
  facts.localText = block(length);
  facts.localTextLength = length;
  memory.copy(facts.localText, text, length);
}

/** Writes a CIDR as text; returns the address after it. `to` has 64 bytes. */
export function formatCIDR(to: usize, family: u32, ip: usize, prefix: u32): usize {
  let at = family == IPV4 ? formatIPv4(to, ip) : formatIPv6(to, ip);
  store<u8>(at++, 0x2f);
  if (prefix >= 100) store<u8>(at++, <u8>(0x30 + prefix / 100));
  if (prefix >= 10) store<u8>(at++, <u8>(0x30 + ((prefix / 10) % 10)));
  store<u8>(at++, <u8>(0x30 + (prefix % 10)));
  return at;
}

function setLocalCIDR(facts: FamilyFacts, ip: usize, prefix: u32): void {
  const text = arenaAlloc(80);
  facts.localIP = block(16);
  facts.localPrefix = prefix;
  memory.copy(facts.localIP, ip, 16);
  setLocalText(facts, LocalDetector.SOURCE, text, formatCIDR(text, facts.family, ip, prefix) - text);
}

let listAt: usize = 0; // rest of the comma-separated list that `nextInList` walks
let listEnd: usize = 0;
let itemStart: usize = 0;
let itemLength: usize = 0;

/** The next item of a comma-separated list, trimmed of spaces: `itemStart`, `itemLength`. */
function nextInList(): bool {
  if (listAt > listEnd) return false;
  let end = listAt;
  while (end < listEnd && load<u8>(end) != 0x2c) end++;
  let start = listAt;
  listAt = end + 1;
  while (start < end && load<u8>(start) <= 0x20) start++;
  while (end > start && load<u8>(end - 1) <= 0x20) end--;
  itemStart = start;
  itemLength = end - start;
  return true;
}

function findLocalDetectors(): void {
  ipv4.localDetector = LocalDetector.NONE;
  ipv6.localDetector = LocalDetector.NONE;
  const o = options();
  const ip = arenaAlloc(16);
  if (o.detectLocalMode == DetectLocalMode.CLUSTER_CIDR) {
    listAt = o.clusterCIDR;
    listEnd = o.clusterCIDR + o.clusterCIDRLength;
    while (nextInList()) {
      const parsed = parseCIDR(itemStart, itemLength, ip);
      if (parsed < 0) continue;
      const facts = factsOf(parsed >> 8 == 4 ? IPV4 : IPV6);
      if (facts.localDetector == LocalDetector.NONE) setLocalCIDR(facts, ip, parsed & 0xff);
    }
  } else if (o.detectLocalMode == DetectLocalMode.NODE_CIDR) {
    if (podCIDRRecord == 0) return;
    const node = changetype<NodeRecord>(podCIDRRecord);
    for (let i: u32 = 0; i < node.podCIDRCount; i++) {
      const at = podCIDRRecord + offsetof<NodeRecord>() + <usize>i * offsetof<RangeRecord>();
      const range = changetype<RangeRecord>(at);
      const facts = factsOf(<u32>range.family);
      if (facts.localDetector != LocalDetector.NONE) continue;
      setLocalCIDR(facts, at + offsetof<RangeRecord>("word0"), <u32>range.prefix);
    }
  } else {
    const prefix = o.detectLocalMode == DetectLocalMode.INTERFACE_NAME_PREFIX;
    const text = prefix ? o.interfaceNamePrefix : o.bridgeInterface;
    const length = prefix ? o.interfaceNamePrefixLength : o.bridgeInterfaceLength;
    if (length == 0) return;
    // A prefix as long as a name can be is a name, and neither iptables nor nft takes a + or * after it.
    const isWhole = !prefix || length == MAX_INTERFACE_NAME;
    const detector = isWhole ? LocalDetector.INTERFACE : LocalDetector.INTERFACE_PREFIX;
    setLocalText(ipv4, detector, text, length);
    setLocalText(ipv6, detector, text, length);
  }
}

function addCIDR(list: Vector, ip: usize, prefix: u32): void {
  const at = block(offsetof<CIDR>());
  memory.copy(at, ip, 16);
  changetype<CIDR>(at).prefix = prefix;
  list.push(<u32>at);
}

/** nodePortAddresses of one family as CIDRs, the mode's default filled in (kube-proxy: pkg/proxy/util/nodeport_addresses.go). */
function nodePortCIDRs(family: u32, list: Vector): void {
  const o = options();
  const ip = arenaAlloc(16);
  memory.fill(ip, 0, 16);
  const facts = factsOf(family);
  const bits: u32 = family == IPV4 ? 32 : 128;
  const primaryByDefault = o.nodePortAddressCount == 0 && o.mode != Mode.IPTABLES;
  if (primaryByDefault && !isLoopback(family, facts.nodeIP)) addCIDR(list, facts.nodeIP, bits);
  for (let i: usize = 0; i < o.nodePortAddressCount; i++) {
    const text = load<usize>(o.nodePortAddresses + (i << 3));
    const length = load<usize>(o.nodePortAddresses + (i << 3), 4);
    if (equalLiteral(text, length, "primary")) {
      if (!isLoopback(family, facts.nodeIP)) addCIDR(list, facts.nodeIP, bits);
      continue;
    }
    memory.fill(ip, 0, 16);
    if (equalLiteral(text, length, "localhost")) {
      store<u8>(ip, family == IPV4 ? 127 : 0);
      if (family == IPV6) store<u8>(ip, 1, 15);
      addCIDR(list, ip, family == IPV4 ? 8 : 128);
      continue;
    }
    if (equalLiteral(text, length, "all")) {
      addCIDR(list, ip, 0);
      continue;
    }
    const parsed = parseCIDR(text, length, ip);
    if (parsed >= 0 && (parsed >> 8 == 4) == (family == IPV4)) addCIDR(list, ip, parsed & 0xff);
  }
  if (list.length == 0) {
    memory.fill(ip, 0, 16);
    addCIDR(list, ip, 0);
  }
}

/** Adds an address of this machine to the list if one of the CIDRs contains it. */
function addInterfaceAddress(list: Vector, cidrs: Vector, ip: usize): void {
  for (let i: u32 = 0; i < cidrs.length; i++) {
    const cidr = changetype<CIDR>(<usize>cidrs.get(i));
    if (!contains(changetype<usize>(cidr), cidr.prefix, ip)) continue;
    const copy = block(16);
    memory.copy(copy, ip, 16);
    list.push(<u32>copy);
    return;
  }
}

/** 127.0.0.1 or ::1, in scratch memory. */
function localhost(family: u32): usize {
  const ip = arenaAlloc(16);
  memory.fill(ip, 0, 16);
  if (family == IPV4) store<u32>(ip, 0x0100007f);
  else store<u8>(ip, 1, 15);
  return ip;
}

/** Fills the list with the addresses of this machine in the CIDRs, as far as they are known. */
function findMachineIPs(facts: FamilyFacts, list: Vector, cidrs: Vector): void {
  const family = facts.family;
  const ip = arenaAlloc(16);
  if ((options().hasInterfaceAddresses & 0xff) != 0) {
    for (let i: usize = 0; i < options().interfaceAddressCount; i++) {
      const at = options().interfaceAddresses + (i << 3);
      const parsed = parseAddress(load<usize>(at), load<usize>(at, 4), ip);
      if (parsed != 0 && (parsed == 4) == (family == IPV4)) addInterfaceAddress(list, cidrs, ip);
    }
  } else {
    addInterfaceAddress(list, cidrs, localhost(family));
    for (let i: u32 = 0; addressRecord != 0; i++) {
      const at = nodeAddress(changetype<NodeRecord>(addressRecord), i);
      if (at == 0) break;
      const address = changetype<NodeAddressRecord>(at);
      if (address.kind != NodeAddressKind.INTERNAL_IP || <u32>address.family != family) continue;
      addInterfaceAddress(list, cidrs, at + offsetof<NodeAddressRecord>("word0"));
    }
  }
  sortVector(list, 0, list.length, compareIPs);
  distinct(list, compareIPs);
}

/** One of the CIDRs contains 127.0.0.1 or ::1 and is not all of the family (kube-proxy 1.38). */
function namesLoopback(family: u32, cidrs: Vector): bool {
  const ip = localhost(family);
  for (let i: u32 = 0; i < cidrs.length; i++) {
    const cidr = changetype<CIDR>(<usize>cidrs.get(i));
    if (cidr.prefix != 0 && contains(changetype<usize>(cidr), cidr.prefix, ip)) return true;
  }
  return false;
}

function findNodePortIPs(facts: FamilyFacts): void {
  const family = facts.family;
  const cidrs = new Vector();
  nodePortCIDRs(family, cidrs);
  facts.nodePortsEverywhere = false;
  facts.loopbackListed = false;
  facts.nodePortIPs.clear();
  facts.machineIPs.clear();
  const loopback = arenaAlloc(16);
  memory.fill(loopback, 0, 16);
  store<u8>(loopback, 127);
  facts.rejectsLocalhost = options().nftablesLocalhostNodePorts && options().mode != Mode.IPTABLES;
  facts.listensOnLocalhost = facts.rejectsLocalhost && namesLoopback(family, cidrs);
  for (let i: u32 = 0; i < cidrs.length && !facts.nodePortsEverywhere; i++) {
    const cidr = changetype<CIDR>(<usize>cidrs.get(i));
    const network = changetype<usize>(cidr);
    if (family == IPV4 && (load<u8>(network) == 127 || contains(network, cidr.prefix, loopback))) {
      facts.loopbackListed = true;
    }
    facts.nodePortsEverywhere = cidr.prefix == 0;
  }
  findMachineIPs(facts, facts.nodePortsEverywhere ? facts.machineIPs : facts.nodePortIPs, cidrs);
  if (cidrs.data != 0) heap.free(cidrs.data);
  heap.free(changetype<usize>(cidrs));
}

/** Rules for node ports answer on that address (sixteen bytes), as far as this machine's addresses are known. */
export function answersNodePorts(family: u32, ip: usize): bool {
  // nftables modes leave loopback out; iptables mode has it on request, and never ::1.
  if (isLoopback(family, ip)) {
    if (options().mode != Mode.IPTABLES || !localhostNodePorts(family)) return false;
    if (factsOf(family).nodePortsEverywhere) return true;
  }
  const facts = factsOf(family);
  const list = facts.nodePortsEverywhere ? facts.machineIPs : facts.nodePortIPs;
  let low: u32 = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareIPs(list.get(middle), <u32>ip);
    if (order == 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}

function findServiceCIDRs(): void {
  ipv4.serviceCIDRs.clear();
  ipv6.serviceCIDRs.clear();
  for (let at = serviceCIDRs.following(0); at != 0; at = serviceCIDRs.following(at)) {
    const record = changetype<Entry>(at).record;
    for (let i: u32 = 0; i < changetype<ServiceCIDRRecord>(record).rangeCount; i++) {
      const rangeAt = record + offsetof<ServiceCIDRRecord>() + <usize>i * offsetof<RangeRecord>();
      const range = changetype<RangeRecord>(rangeAt);
      const list = factsOf(<u32>range.family).serviceCIDRs;
      addCIDR(list, rangeAt + offsetof<RangeRecord>("word0"), <u32>range.prefix);
      const cidr = changetype<CIDR>(<usize>list.get(list.length - 1));
      cidr.owner = at;
      cidr.index = <u32>range.index;
    }
  }
  for (let family = IPV4; family <= IPV6; family++) {
    const list = factsOf(family).serviceCIDRs;
    sortVector(list, 0, list.length, compareOwnedCIDRs);
    distinct(list, compareCIDRs);
  }
}

function writeSettings(to: Remembered): void {
  const o = options();
  to.begin();
  to.word(<u32>o.mode);
  to.word(masqueradeMark());
  to.word(<u32>o.masqueradeAll | ((<u32>o.allowServiceExternalIPs) << 1));
  if (o.mode == Mode.IPTABLES) {
    to.word(<u32>o.nfacctLocalhostAccepted | ((<u32>localhostNodePorts(IPV4)) << 1));
  }
  to.word(localhostHandling());
  for (let family = IPV4; family <= IPV6; family++) {
    const facts = factsOf(family);
    to.word(facts.localDetector);
    if (facts.localDetector != LocalDetector.NONE) to.text(facts.localText, facts.localTextLength);
  }
}

function noteSettings(): bool {
  writeSettings(settings);
  return settings.end();
}

function noteStock(): void {
  const o = options();
  writeSettings(stock);
  stock.word(<u32>o.nfacctInvalidDropped | ((<u32>o.conntrackTCPBeLiberal) << 1) | ((<u32>o.randomFully) << 2));
  for (let family = IPV4; family <= IPV6; family++) {
    const facts = factsOf(family);
    stock.word(<u32>facts.nodePortsEverywhere);
    stock.word(facts.nodePortIPs.length);
    for (let i: u32 = 0; i < facts.nodePortIPs.length; i++) stock.text(<usize>facts.nodePortIPs.get(i), 16);
    stock.word(facts.serviceCIDRs.length);
    // Address and prefix length of each.
    for (let i: u32 = 0; i < facts.serviceCIDRs.length; i++) stock.text(<usize>facts.serviceCIDRs.get(i), 20);
  }
  stock.end();
}

function noteNode(): bool {
  node.begin();
  node.text(options().nodeName, options().nodeNameLength);
  node.text(zone, zoneLength);
  node.text(ipv4.nodeIP, 16);
  node.text(ipv6.nodeIP, 16);
  return node.end();
}

/** Set by `computeFacts` when every service port has to be looked at again; cleared by whoever does. */
export let routingFactsChanged: bool = false;

export function routingFactsRead(): void {
  routingFactsChanged = false;
}

/** Changes whenever facts are computed anew. */
export let factsNumber: u32 = 0;

/** From now on what this node's object has said last stays in force while it is gone, or says nothing. */
export function keepLastNode(): void {
  keepsLastNode = true;
}

/** The record that counts, where `record` says nothing. */
function lastInstead(record: usize, says: bool): usize {
  return says || lastNode == 0 ? record : lastNode;
}

function rememberNode(): void {
  const size = <usize>changetype<NodeRecord>(nodeRecord).size;
  lastNodeNameLength = options().nodeNameLength;
  lastNode = heap.realloc(lastNode == 0 ? heap.alloc(0) : lastNode, sizeOf(<u32>(size + lastNodeNameLength), 1, SLACK));
  memory.copy(lastNode, nodeRecord, size);
  memory.copy(lastNode + size, options().nodeName, lastNodeNameLength);
}

/** What was remembered of a node of another name is of no use. */
function forgetOtherNode(): void {
  if (lastNode == 0) return;
  const name = lastNode + <usize>changetype<NodeRecord>(lastNode).size;
  if (equalBytes(name, lastNodeNameLength, options().nodeName, options().nodeNameLength)) return;
  heap.free(lastNode);
  lastNode = 0;
}

function findNode(): void {
  const found = nodes.find(options().nodeName, options().nodeNameLength);
  nodeRecord = found == 0 ? 0 : changetype<Entry>(found).record;
  const hasAddresses = nodeRecord != 0 && changetype<NodeRecord>(nodeRecord).addressCount != 0;
  const hasPodCIDRs = nodeRecord != 0 && changetype<NodeRecord>(nodeRecord).podCIDRCount != 0;
  forgetOtherNode();
  const isMore = lastNode == 0 || hasPodCIDRs || changetype<NodeRecord>(lastNode).podCIDRCount == 0;
  if (keepsLastNode && hasAddresses && isMore) rememberNode();
  addressRecord = lastInstead(nodeRecord, hasAddresses);
  podCIDRRecord = lastInstead(nodeRecord, hasPodCIDRs);
  const zoneRecord = lastInstead(nodeRecord, nodeRecord != 0);
  zoneLength = 0;
  if (zoneRecord != 0) {
    zone = zoneRecord + changetype<NodeRecord>(zoneRecord).zoneOffset;
    zoneLength = changetype<NodeRecord>(zoneRecord).zoneLength;
  }
}

/** Computes all facts anew from options and tables. */
export function computeFacts(): void {
  factsNumber++;
  for (let i: u32 = 0; i < blocks.length; i++) heap.free(<usize>blocks.get(i));
  blocks.clear();
  findNode();
  findNodeIPs();
  findLocalDetectors();
  findNodePortIPs(ipv4);
  findNodePortIPs(ipv6);
  findServiceCIDRs();
  const changed = noteSettings();
  if (noteNode() || changed) routingFactsChanged = true;
  noteStock();
  factsRead();
}

/** True if the endpoint's node is this one. */
export function isThisNode(name: usize, length: usize): bool {
  return length != 0 && equalBytes(name, length, options().nodeName, options().nodeNameLength);
}
