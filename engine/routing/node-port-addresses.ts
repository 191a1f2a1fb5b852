// On which addresses of this machine node ports answer (nodePortAddresses).
import { parseAddress, parseCIDR } from "../bytes/address";
import { equalLiteral } from "../bytes/compare";
import { arenaAlloc, Vector } from "../bytes/memory";
import { IPV4, IPV6 } from "../bytes/protocols";
import { sortVector } from "../bytes/sort";
import { NodeAddressKind, NodeAddressRecord, NodeRecord } from "../cluster/records";
import {
  addCIDR,
  block,
  CIDR,
  compareIPs,
  contains,
  distinct,
  FamilyFacts,
  factsOf,
  isLoopback,
  localhostNodePorts,
} from "./family-facts";
import { Mode, options } from "./options";
import { addressRecord, nodeAddress } from "./this-node";

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

/** Finds them for one family. */
export function findNodePortIPs(facts: FamilyFacts): void {
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
