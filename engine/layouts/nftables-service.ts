// kube-proxy's nftables chains and rules of one service port (reference: nftables.md §6), in the order in which it writes
// them: chains and elements first, then rules.
import { byte, decimal, lit, put } from "../bytes/out";
import { AddressRecord, AddressKind, PortRecord, RangeRecord, ServiceFlag } from "../cluster/records";
import {
  addRule,
  address,
  command,
  end,
  familyName,
  freshChain,
  hex32,
  name,
  protocol,
  addressType,
} from "../encodings/nft";
import { alsoOwnedBy, Field, ownedBy, OwnerKind } from "../encodings/owners";
import { endpointAt, endpoints, Routed, RoutedEndpoint } from "../routing/endpoints";
import { factsOf, formatCIDR, LocalDetector, masqueradeMark } from "../routing/facts";
import { Claim, clusterIP, EntryPoint, Key, keyOf, KeyKind } from "../routing/ownership";
import { firstAddress, firstRange } from "../routing/route";
import {
  Decision,
  FamilyPort,
  lastBaseLength,
  protocolName,
  recordOf,
  ServicePort,
  writeBase,
} from "../routing/service-ports";
import {
  ChainPrefix,
  externalPolicyChain,
  prefixText,
  writeClusterIP,
  writeEntryElements,
  writeSetElement,
} from "./nftables-elements";
import { matchLocal } from "./nftables-stock";

/** The chains that a routed service port needs, as bits of ChainPrefix (endpoint chains not counted). */
export function chainsOf(port: FamilyPort): u32 {
  const decision = port.decision;
  let chains: u32 = 0;
  if ((decision & Decision.CLUSTER_ENDPOINTS) != 0) chains |= ChainPrefix.CLUSTER;
  if ((decision & Decision.LOCAL_ENDPOINTS) != 0) chains |= ChainPrefix.LOCAL;
  if ((decision & Decision.HAS_ENDPOINTS) != 0 && (decision & Decision.EXTERNALLY_ACCESSIBLE) != 0) {
    chains |= ChainPrefix.EXTERNAL;
  }
  if ((decision & Decision.SOURCE_RANGES) != 0) chains |= ChainPrefix.FIREWALL;
  return chains;
}

// Room for the longest namespace, name, protocol, port name and endpoint.
const pathBuffer: usize = memory.data(576, 16);
const nameBuffer: usize = memory.data(640, 16);
let nameLength: usize = 0;

/**
 * Names an endpoint (`ip:port` or `[ip]:port`, `textLength` bytes) of a service port: `nameBuffer`, `nameLength` is what
 * follows `endpoint-` and `affinity-`.
 */
export function nameEndpoint(port: ServicePort, text: usize, textLength: usize): void {
  let to = pathBuffer;
  memory.copy(to, port.service.key, port.service.keyLength);
  to += port.service.keyLength;
  store<u8>(to++, 0x2f);
  const protocolText = protocolName(port.protocol);
  for (let i = 0; i < protocolText.length; i++) store<u8>(to++, <u8>protocolText.charCodeAt(i));
  store<u8>(to++, 0x2f);
  memory.copy(to, port.name(), port.nameLength);
  to += port.nameLength;
  store<u16>(to, 0x5f5f);
  to += 2;
  // ":" separates address and port only; inside an IPv6 address it becomes ".".
  let colon = text + textLength - 1;
  while (load<u8>(colon) != 0x3a) colon--;
  for (let at = text; at < text + textLength; at++) {
    const character = load<u8>(at);
    if (character == 0x5b || character == 0x5d) continue;
    store<u8>(to++, at == colon ? 0x2f : character == 0x3a ? 0x2e : character);
  }
  writeBase(nameBuffer, pathBuffer, to - pathBuffer);
  nameLength = lastBaseLength;
}

/** The bytes of the last name, and their number. */
export function endpointName(): usize {
  return nameBuffer;
}

export function endpointNameLength(): usize {
  return nameLength;
}

function ownPort(port: FamilyPort): void {
  const index = changetype<PortRecord>(port.port.record).index;
  ownedBy(OwnerKind.SERVICE, changetype<usize>(port.port.service), Field.PORT, index);
}

function alsoEndpoint(endpoint: RoutedEndpoint): void {
  alsoOwnedBy(OwnerKind.ENDPOINT_SLICE, changetype<usize>(endpoint.slice), Field.ENDPOINT, endpoint.record.index);
}

function ownEndpoint(endpoint: RoutedEndpoint): void {
  ownedBy(OwnerKind.ENDPOINT_SLICE, changetype<usize>(endpoint.slice), Field.ENDPOINT, endpoint.record.index);
}

function ownField(port: FamilyPort, field: u32): void {
  ownedBy(OwnerKind.SERVICE, changetype<usize>(port.port.service), field, 0);
}

function fresh(port: FamilyPort, prefix: u32): void {
  freshChain(prefixText(prefix), port.port.base, port.port.baseLength);
}

function appendTo(port: FamilyPort, prefix: u32): void {
  addRule(prefixText(prefix), port.port.base, port.port.baseLength);
}

function gotoChain(port: FamilyPort, prefix: u32): void {
  lit("goto ");
  name(prefixText(prefix), port.port.base, port.port.baseLength);
}

function markForMasquerade(): void {
  lit("mark set mark or ");
  hex32(masqueradeMark());
}

/**
 * Chains and elements of a service port that has just been routed. `chainsToo`: its chains are to be written; elements
 * are written as far as the kernel does not have them.
 */
export function writeChainsAndElements(port: FamilyPort, chainsToo: bool): void {
  const chains = chainsOf(port);
  const affinity = recordOf(port).affinityTimeout != 0;
  let hairpin = port.hairpins; // its keys stand in the order of its endpoints
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & Routed.REACHABLE) == 0) continue;
    ownEndpoint(endpoint);
    if (affinity && chainsToo) {
      nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
      freshChain("endpoint-", nameBuffer, nameLength);
    }
    if ((endpoint.flags & Routed.LOCAL) != 0) {
      writeSetElement(changetype<Key>(<usize>load<u32>(hairpin)));
      hairpin += 4;
    }
  }
  ownPort(port);
  if (chainsToo) {
    if ((chains & ChainPrefix.CLUSTER) != 0) fresh(port, ChainPrefix.CLUSTER);
    if ((chains & ChainPrefix.LOCAL) != 0) fresh(port, ChainPrefix.LOCAL);
    if ((chains & ChainPrefix.EXTERNAL) != 0) fresh(port, ChainPrefix.EXTERNAL);
  }
  let firewallDone = !chainsToo || (chains & ChainPrefix.FIREWALL) == 0;
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    const claim = changetype<Claim>(at);
    if (claim.entryPoint == EntryPoint.CLUSTER_IP) {
      writeClusterIP(claim, keyOf(KeyKind.CLUSTER_IP, port.family, 0, 0, clusterIP(recordOf(port), port.family)));
    }
    if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP && !firewallDone) {
      firewallDone = true;
      ownPort(port);
      fresh(port, ChainPrefix.FIREWALL);
    }
    if (claim.isOwner()) writeEntryElements(claim);
  }
}

function writeExternalRules(port: FamilyPort): void {
  if ((recordOf(port).flags & ServiceFlag.EXTERNAL_LOCAL) == 0) {
    ownPort(port);
    appendTo(port, ChainPrefix.EXTERNAL);
    markForMasquerade();
    lit(' comment "masquerade"');
    end();
  } else {
    // Pods and the node itself may use every endpoint: their addresses need no preserving.
    ownField(port, Field.EXTERNAL_TRAFFIC_POLICY);
    if (factsOf(port.family).localDetector != LocalDetector.NONE) {
      appendTo(port, ChainPrefix.EXTERNAL);
      matchLocal(port.family, false);
      byte(0x20);
      gotoChain(port, ChainPrefix.CLUSTER);
      lit(' comment "short-circuit pod traffic"');
      end();
    }
    appendTo(port, ChainPrefix.EXTERNAL);
    lit("fib saddr type local ");
    markForMasquerade();
    lit(' comment "masquerade local traffic"');
    end();
    appendTo(port, ChainPrefix.EXTERNAL);
    lit("fib saddr type local ");
    gotoChain(port, ChainPrefix.CLUSTER);
    lit(' comment "short-circuit local traffic"');
    end();
  }
  if ((port.decision & Decision.EXTERNAL) == 0) return;
  ownPort(port);
  appendTo(port, ChainPrefix.EXTERNAL);
  gotoChain(port, externalPolicyChain(port));
  end();
}

const scratch: usize = memory.data(128, 16);

function writeFirewallRule(port: FamilyPort): void {
  const service = changetype<usize>(port.port.service);
  const record = recordOf(port);
  ownPort(port);
  appendTo(port, ChainPrefix.FIREWALL);
  familyName();
  lit(" saddr != { ");
  let first = true;
  let at = firstRange(record);
  for (let i: u32 = 0; i < record.rangeCount; i++, at += offsetof<RangeRecord>()) {
    const range = changetype<RangeRecord>(at);
    if (<u32>range.family != port.family) continue;
    alsoOwnedBy(OwnerKind.SERVICE, service, Field.SOURCE_RANGE, range.index);
    if (!first) lit(" , ");
    first = false;
    const ip = at + offsetof<RangeRecord>("word0");
    put(scratch, formatCIDR(scratch, port.family, ip, <u32>range.prefix) - scratch);
  }
  if ((port.decision & Decision.NODE_IN_RANGES) != 0) {
    // The node may use the load-balancer IP itself as source if the IP is one of its own addresses.
    at = firstAddress(record);
    for (let i: u32 = 0; i < record.addressCount; i++, at += offsetof<AddressRecord>()) {
      const ingress = changetype<AddressRecord>(at);
      if (ingress.kind != AddressKind.LOAD_BALANCER || <u32>ingress.family != port.family) continue;
      alsoOwnedBy(OwnerKind.SERVICE, service, Field.INGRESS, ingress.index);
      lit(" , ");
      address(at + offsetof<AddressRecord>("word0"));
    }
  }
  lit(" } drop");
  end();
}

function writeAffinitySet(port: FamilyPort, endpoint: RoutedEndpoint): void {
  nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
  ownField(port, Field.SESSION_AFFINITY);
  alsoEndpoint(endpoint);
  command("add set");
  name("affinity-", nameBuffer, nameLength);
  lit(" { type ");
  addressType();
  lit(" ; flags dynamic,timeout ; timeout ");
  decimal(recordOf(port).affinityTimeout);
  lit("s ; }");
  end();
}

function translate(port: FamilyPort): void {
  lit("meta l4proto ");
  protocol(port.port.protocol);
  lit(" dnat ");
}

/** `ip . port` */
function writeTarget(endpoint: RoutedEndpoint): void {
  put(endpoint.address(), endpoint.bareLength());
  lit(" . ");
  decimal(endpoint.port);
}

/** The balancing rule of a chain without affinity, over the endpoints with `policy` set. */
function writeBalancer(port: FamilyPort, prefix: u32, policy: u32): void {
  let count: u32 = 0;
  let only: u32 = 0;
  ownPort(port);
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if ((endpointAt(i).flags & policy) == 0) continue;
    alsoEndpoint(endpointAt(i));
    only = i;
    count++;
  }
  appendTo(port, prefix);
  translate(port);
  if (count == 1) {
    lit("to ");
    put(endpointAt(only).text(), endpointAt(only).textLength);
    end();
    return;
  }
  familyName();
  lit(" addr . port to numgen random mod ");
  decimal(count);
  lit(" map { ");
  let slot: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if ((endpointAt(i).flags & policy) == 0) continue;
    if (slot != 0) lit(" , ");
    decimal(slot++);
    lit(" : ");
    writeTarget(endpointAt(i));
  }
  lit(" }");
  end();
}

/** With affinity: known clients first, then a choice among the endpoints' chains. */
function writeAffinityBalancer(port: FamilyPort, prefix: u32, policy: u32): void {
  let count: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & policy) == 0) continue;
    count++;
    nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
    ownField(port, Field.SESSION_AFFINITY);
    alsoEndpoint(endpoint);
    appendTo(port, prefix);
    familyName();
    lit(" saddr @affinity-");
    put(nameBuffer, nameLength);
    lit(" goto endpoint-");
    put(nameBuffer, nameLength);
    end();
  }
  ownPort(port);
  appendTo(port, prefix);
  lit("numgen random mod ");
  decimal(count);
  lit(" vmap { ");
  let slot: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & policy) == 0) continue;
    alsoEndpoint(endpoint);
    if (slot != 0) lit(" , ");
    decimal(slot++);
    lit(" : goto endpoint-");
    nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
    put(nameBuffer, nameLength);
  }
  lit(" }");
  end();
}

function writeEndpointRules(port: FamilyPort, endpoint: RoutedEndpoint): void {
  nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
  ownEndpoint(endpoint);
  addRule("endpoint-", nameBuffer, nameLength);
  lit("update @affinity-");
  put(nameBuffer, nameLength);
  lit(" { ");
  familyName();
  lit(" saddr }");
  end();
  addRule("endpoint-", nameBuffer, nameLength);
  translate(port);
  lit("to ");
  put(endpoint.text(), endpoint.textLength);
  end();
}

/** The rules of all chains of a service port that has just been routed. */
export function writeRules(port: FamilyPort): void {
  const chains = chainsOf(port);
  const affinity = recordOf(port).affinityTimeout != 0;
  if ((chains & ChainPrefix.EXTERNAL) != 0) writeExternalRules(port);
  if ((chains & ChainPrefix.FIREWALL) != 0) writeFirewallRule(port);
  for (let i: u32 = 0; affinity && i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) != 0) writeAffinitySet(port, endpointAt(i));
  }
  if ((chains & ChainPrefix.CLUSTER) != 0) {
    if (affinity) writeAffinityBalancer(port, ChainPrefix.CLUSTER, Routed.CLUSTER);
    else writeBalancer(port, ChainPrefix.CLUSTER, Routed.CLUSTER);
  }
  if ((chains & ChainPrefix.LOCAL) != 0) {
    if (affinity) writeAffinityBalancer(port, ChainPrefix.LOCAL, Routed.LOCAL_POLICY);
    else writeBalancer(port, ChainPrefix.LOCAL, Routed.LOCAL_POLICY);
  }
  for (let i: u32 = 0; affinity && i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) != 0) writeEndpointRules(port, endpointAt(i));
  }
}
