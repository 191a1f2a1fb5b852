// kube-proxy's nftables chains and rules of one service port (kube-proxy: pkg/proxy/nftables), in the order in which it writes
// them: chains and elements first, then rules.
import { arenaAlloc, Vector } from "../../bytes/memory";
import { AddressKind, AddressRecord, RangeRecord } from "../../cluster/records";
import { nft } from "../../encodings/nft";
import { Verb } from "../../encodings/nft-encoding";
import { alsoOwnedBy, Field, OwnerKind } from "../../encodings/owners";
import { endpointAt, endpoints, Routed, RoutedEndpoint } from "../../routing/endpoints";
import { CIDR, masqueradeMark } from "../../routing/family-facts";
import { Claim, EntryPoint, Key, KeyKind, keyOf } from "../../routing/keys";
import { Mode, options } from "../../routing/options";
import { clusterIP } from "../../routing/ownership";
import { firstAddress, firstRange } from "../../routing/route";
import { Decision, externalIsLocal, FamilyPort, hasAffinity, recordOf } from "../../routing/service-ports";
import { writeClusterIP, writeSetElement } from "../nft/elements";
import { ChainPrefix, endpointName, endpointNameLength, nameEndpoint, prefixText } from "../nft/names";
import { writeShortCircuits } from "../nft/stock";
import { alsoEndpoint, ownEndpoint, ownField, ownPort } from "../owning";
import { externalPolicyChain, writeEntryElements } from "./verdicts";

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

/** Adds a chain if it is not there, and empties it. */
function freshChain(prefix: string, base: usize, length: usize): void {
  nft.chain(Verb.ADD, prefix, base, length);
  nft.chain(Verb.FLUSH, prefix, base, length);
}

function fresh(port: FamilyPort, prefix: u32): void {
  freshChain(prefixText(prefix), port.port.base, port.port.baseLength);
}

function appendTo(port: FamilyPort, prefix: u32): void {
  nft.rule(prefixText(prefix), port.port.base, port.port.baseLength);
}

function gotoChain(port: FamilyPort, prefix: u32): void {
  nft.goto(prefixText(prefix), port.port.base, port.port.baseLength);
}

/**
 * Chains and elements of a service port that has just been routed. `chainsToo`: its chains are to be written; elements
 * are written as far as the kernel does not have them.
 */
export function writeChainsAndElements(port: FamilyPort, chainsToo: bool): void {
  const chains = chainsOf(port);
  const affinity = hasAffinity(port);
  let hairpin = port.hairpins; // its keys stand in the order of its endpoints
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & Routed.REACHABLE) == 0) continue;
    ownEndpoint(endpoint);
    if (affinity && chainsToo) {
      nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
      freshChain("endpoint-", endpointName(), endpointNameLength());
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

/** Writes `external-X` anew, apart from the other chains of the service port. */
export function writeExternalChain(port: FamilyPort): void {
  ownPort(port);
  fresh(port, ChainPrefix.EXTERNAL);
  writeExternalRules(port);
}

/** Whatever comes to the end of `external-X` is dropped. */
export function closeExternalChain(port: FamilyPort): void {
  ownPort(port);
  appendTo(port, ChainPrefix.EXTERNAL);
  nft.drop();
  nft.endRule();
}

/** The rules of `external-X`. */
export function writeExternalRules(port: FamilyPort): void {
  if (!externalIsLocal(port)) {
    ownPort(port);
    appendTo(port, ChainPrefix.EXTERNAL);
    nft.markOr(masqueradeMark());
    nft.comment("masquerade");
    nft.endRule();
  } else {
    ownField(port, Field.EXTERNAL_TRAFFIC_POLICY);
    const owner = port.port;
    const to = prefixText(ChainPrefix.CLUSTER);
    const from = prefixText(ChainPrefix.EXTERNAL);
    writeShortCircuits(port.family, from, owner.base, owner.baseLength, to, owner.base, owner.baseLength);
  }
  if ((port.decision & Decision.EXTERNAL) == 0) {
    if (options().mode == Mode.FLAT) closeExternalChain(port);
    return;
  }
  ownPort(port);
  appendTo(port, ChainPrefix.EXTERNAL);
  gotoChain(port, externalPolicyChain(port));
  nft.endRule();
}

/** The sources that may use the load-balancer IPs of a service port: CIDRs in the order in which they are written. */
const sources = new Vector();
const WHOLE: u32 = 255; // more than any prefix length: a single address, written without one

function addSource(ip: usize, prefix: u32): void {
  const at = arenaAlloc(offsetof<CIDR>());
  memory.copy(at, ip, 16);
  changetype<CIDR>(at).prefix = prefix;
  sources.push(<u32>at);
}

/** Finds the allowed sources, and owns the rule to come by what they come from. */
export function findSources(port: FamilyPort): Vector {
  const service = changetype<usize>(port.port.service);
  const record = recordOf(port);
  sources.clear();
  let at = firstRange(record);
  for (let i: u32 = 0; i < record.rangeCount; i++, at += offsetof<RangeRecord>()) {
    const range = changetype<RangeRecord>(at);
    if (<u32>range.family != port.family) continue;
    alsoOwnedBy(OwnerKind.SERVICE, service, Field.SOURCE_RANGE, range.index);
    addSource(at + offsetof<RangeRecord>("word0"), <u32>range.prefix);
  }
  if ((port.decision & Decision.NODE_IN_RANGES) == 0) return sources;
  // The node may use the load-balancer IP itself as source if the IP is one of its own addresses.
  at = firstAddress(record);
  for (let i: u32 = 0; i < record.addressCount; i++, at += offsetof<AddressRecord>()) {
    const ingress = changetype<AddressRecord>(at);
    if (ingress.kind != AddressKind.LOAD_BALANCER || <u32>ingress.family != port.family) continue;
    alsoOwnedBy(OwnerKind.SERVICE, service, Field.INGRESS, ingress.index);
    addSource(at + offsetof<AddressRecord>("word0"), WHOLE);
  }
  return sources;
}

function writeFirewallRule(port: FamilyPort): void {
  ownPort(port);
  const allowed = findSources(port);
  appendTo(port, ChainPrefix.FIREWALL);
  nft.matchCIDRs(true, true, allowed, false);
  nft.drop();
  nft.endRule();
}

function writeAffinitySet(port: FamilyPort, endpoint: RoutedEndpoint): void {
  nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
  ownField(port, Field.SESSION_AFFINITY);
  alsoEndpoint(endpoint);
  nft.addDynamicSet("affinity-", endpointName(), endpointNameLength(), recordOf(port).affinityTimeout);
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
  nft.protocolIs(port.port.protocol);
  if (count == 1) {
    nft.dnatTo(endpointAt(only).ip(), endpointAt(only).port);
    nft.endRule();
    return;
  }
  nft.dnatToChoice(count);
  let slot: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & policy) != 0) nft.choice(slot++, endpoint.ip(), endpoint.port);
  }
  nft.endChoice();
  nft.endRule();
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
    nft.matchAddress(true, false, "affinity-", endpointName(), endpointNameLength());
    nft.goto("endpoint-", endpointName(), endpointNameLength());
    nft.endRule();
  }
  ownPort(port);
  if (options().mode == Mode.FLAT) {
    // A packet that is in these rules while they are replaced finds the choice's map empty already (a packet keeps its
    // rules, but maps are looked up as they are now). It goes on with the rule after it.
    if (count > 1) writeChoice(port, prefix, policy, count);
    for (let i: u32 = 0; i < endpoints.length; i++) {
      const endpoint = endpointAt(i);
      if ((endpoint.flags & policy) == 0) continue;
      alsoEndpoint(endpoint);
      nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
      appendTo(port, prefix);
      nft.goto("endpoint-", endpointName(), endpointNameLength());
      nft.endRule();
      return;
    }
    return;
  }
  writeChoice(port, prefix, policy, count);
}

/** One of so many endpoints' chains. */
function writeChoice(port: FamilyPort, prefix: u32, policy: u32, count: u32): void {
  appendTo(port, prefix);
  nft.gotoChoice(count);
  let slot: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & policy) == 0) continue;
    alsoEndpoint(endpoint);
    nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
    nft.choiceGoto(slot++, "endpoint-", endpointName(), endpointNameLength());
  }
  nft.endChoice();
  nft.endRule();
}

function writeEndpointRules(port: FamilyPort, endpoint: RoutedEndpoint): void {
  nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
  ownEndpoint(endpoint);
  nft.rule("endpoint-", endpointName(), endpointNameLength());
  nft.updateSet("affinity-", endpointName(), endpointNameLength());
  nft.endRule();
  nft.rule("endpoint-", endpointName(), endpointNameLength());
  nft.protocolIs(port.port.protocol);
  nft.dnatTo(endpoint.ip(), endpoint.port);
  nft.endRule();
}

/** The chain and the set of an endpoint of a service port with affinity. */
export function writeEndpointChain(port: FamilyPort, endpoint: RoutedEndpoint): void {
  addEndpointChain(port, endpoint);
  writeAffinitySet(port, endpoint);
  writeEndpointRules(port, endpoint);
}

function addEndpointChain(port: FamilyPort, endpoint: RoutedEndpoint): void {
  ownEndpoint(endpoint);
  nameEndpoint(port.port, endpoint.text(), endpoint.textLength);
  freshChain("endpoint-", endpointName(), endpointNameLength());
}

/**
 * Adds (and empties) those chains of a service port that has just been routed, and, with `endpointsToo`, its
 * endpoints' chains.
 */
export function writePortChains(port: FamilyPort, chains: u32, endpointsToo: bool): void {
  const affinity = endpointsToo && hasAffinity(port);
  for (let i: u32 = 0; affinity && i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) != 0) addEndpointChain(port, endpointAt(i));
  }
  ownPort(port);
  for (let prefix: u32 = 1; prefix <= ChainPrefix.FIREWALL; prefix <<= 1) {
    if ((chains & prefix) != 0) fresh(port, prefix);
  }
}

/** The rules of chains that `writePortChains` has made. */
export function writeRules(port: FamilyPort, chains: u32, endpointsToo: bool): void {
  const affinity = hasAffinity(port);
  const own = affinity && endpointsToo;
  if ((chains & ChainPrefix.EXTERNAL) != 0) writeExternalRules(port);
  if ((chains & ChainPrefix.FIREWALL) != 0) writeFirewallRule(port);
  for (let i: u32 = 0; own && i < endpoints.length; i++) {
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
  for (let i: u32 = 0; own && i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) != 0) writeEndpointRules(port, endpointAt(i));
  }
}
