// What rules need to know of a family, and helpers for those who find it out.
import { formatIPv4, formatIPv6 } from "../bytes/address";
import { SLACK, Vector } from "../bytes/memory";
import { IPV4, IPV6 } from "../bytes/protocols";
import { options } from "./options";

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

/** Zeroed memory that lasts until facts are computed anew. */
export function block(size: usize): usize {
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

export function compareIPs(a: u32, b: u32): i32 {
  return memory.compare(<usize>a, <usize>b, 16);
}

export function compareCIDRs(a: u32, b: u32): i32 {
  const order = memory.compare(<usize>a, <usize>b, 16);
  if (order != 0) return order;
  return <i32>changetype<CIDR>(<usize>a).prefix - <i32>changetype<CIDR>(<usize>b).prefix;
}

/** Removes neighbours that compare as equal. */
export function distinct(vector: Vector, compare: (a: u32, b: u32) => i32): void {
  if (vector.length < 2) return;
  let kept: u32 = 1;
  for (let i: u32 = 1; i < vector.length; i++) {
    if (compare(vector.get(kept - 1), vector.get(i)) != 0) vector.set(kept++, vector.get(i));
  }
  vector.length = kept;
}

/** Frees what `block` has given. */
export function freeBlocks(): void {
  for (let i: u32 = 0; i < blocks.length; i++) heap.free(<usize>blocks.get(i));
  blocks.clear();
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

export function addCIDR(list: Vector, ip: usize, prefix: u32): void {
  const at = block(offsetof<CIDR>());
  memory.copy(at, ip, 16);
  changetype<CIDR>(at).prefix = prefix;
  list.push(<u32>at);
}
