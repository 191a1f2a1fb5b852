// kube-proxy's iptables rules of one service port (kube-proxy: pkg/proxy/iptables). filter rules go to the main
// stream, nat chains and nat rules to their own.
import { decimal, lit, outSelect, put, StreamName } from "../../bytes/out";
import { isSpent } from "../../bytes/slices";
import { RangeRecord } from "../../cluster/records";
import {
  append,
  comment,
  commentOfTwo,
  declareChain,
  endRule,
  ip,
  jump,
  nameComment,
  probability,
  protocol,
  words,
} from "../../encodings/iptables-restore";
import { alsoOwnedBy, Field, OwnerKind, ownedBy } from "../../encodings/owners";
import { endpointAt, endpoints, Routed, RoutedEndpoint } from "../../routing/endpoints";
import { factsOf, formatCIDR, LocalDetector } from "../../routing/family-facts";
import { Claim, EntryPoint } from "../../routing/keys";
import { options } from "../../routing/options";
import { firstRange } from "../../routing/route";
import { Decision, externalIsLocal, FamilyPort, hasAffinity, recordOf } from "../../routing/service-ports";
import { ownClaim, ownEndpoint, ownField, ownPort } from "../owning";
import { externalPrefix, internalPrefix, matchEntry, serviceComment } from "./dispatch";
import {
  CLUSTER_PREFIX,
  chainHash,
  chainsOf,
  ENDPOINT_PREFIX,
  ENDPOINTS_AT_ONCE,
  EXTERNAL_PREFIX,
  endpointHash,
  FIREWALL_PREFIX,
  LOCAL_PREFIX,
  MARK_CHAIN,
  PortChain,
} from "./names";

/** `-s CIDR`, `-i INTERFACE` or `-i PREFIX+` */
function matchLocal(family: u32): void {
  const facts = factsOf(family);
  lit(facts.localDetector == LocalDetector.SOURCE ? " -s " : " -i ");
  put(facts.localText, facts.localTextLength);
  if (facts.localDetector == LocalDetector.INTERFACE_PREFIX) lit("+");
}

/** Masquerades what comes to the cluster IP from outside the cluster (or everything). */
function writeClusterIPMasquerade(port: FamilyPort): void {
  const detector = factsOf(port.family).localDetector;
  const all = options().masqueradeAll;
  if (!all && detector == LocalDetector.NONE) return;
  // Nothing comes from outside of 0.0.0.0/0, and iptables-nft takes no rule that says so.
  if (!all && detector == LocalDetector.SOURCE && factsOf(port.family).localPrefix == 0) return;
  const claim = changetype<Claim>(port.claims); // the cluster IP comes first
  ownClaim(claim);
  alsoOwnedBy(OwnerKind.OPTION, 0, all ? Field.MASQUERADE_ALL : Field.DETECT_LOCAL, 0);
  append(internalPrefix(port), chainHash(port.port));
  serviceComment(port.port, " cluster IP");
  matchEntry(claim);
  if (!all) {
    words("!");
    matchLocal(port.family);
  }
  jump(MARK_CHAIN, 0);
}

/** `-A KUBE-EXT-H -m comment --comment "before NAME external destinations"` */
function appendExternal(port: FamilyPort, before: string): void {
  append(EXTERNAL_PREFIX, chainHash(port.port));
  comment(before, port.port.printable, port.port.printableLength, " external destinations");
}

function writeExternalChain(port: FamilyPort): void {
  const hash = chainHash(port.port);
  ownPort(port);
  if (!externalIsLocal(port)) {
    appendExternal(port, "masquerade traffic for ");
    jump(MARK_CHAIN, 0);
  } else {
    // Pods and the node itself may use every endpoint: their addresses need no preserving.
    ownField(port, Field.EXTERNAL_TRAFFIC_POLICY);
    if (factsOf(port.family).localDetector != LocalDetector.NONE) {
      appendExternal(port, "pod traffic for ");
      matchLocal(port.family);
      jump(CLUSTER_PREFIX, hash);
    }
    appendExternal(port, "masquerade LOCAL traffic for ");
    words("-m addrtype --src-type LOCAL");
    jump(MARK_CHAIN, 0);
    appendExternal(port, "route LOCAL traffic for ");
    words("-m addrtype --src-type LOCAL");
    jump(CLUSTER_PREFIX, hash);
  }
  if ((port.decision & Decision.EXTERNAL) == 0) return;
  append(EXTERNAL_PREFIX, hash);
  jump(externalPrefix(port), hash);
}

/** Traffic that no range lets through keeps its destination and is dropped by KUBE-PROXY-FIREWALL. */
function writeFirewallChain(port: FamilyPort): void {
  const hash = chainHash(port.port);
  const service = changetype<usize>(port.port.service);
  const record = recordOf(port);
  let at = firstRange(record);
  for (let i: u32 = 0; i < record.rangeCount; i++, at += offsetof<RangeRecord>()) {
    const range = changetype<RangeRecord>(at);
    if (<u32>range.family != port.family) continue;
    ownedBy(OwnerKind.SERVICE, service, Field.SOURCE_RANGE, range.index);
    append(FIREWALL_PREFIX, hash);
    serviceComment(port.port, " loadbalancer IP");
    lit(" -s ");
    const to = scratch;
    put(to, formatCIDR(to, port.family, at + offsetof<RangeRecord>("word0"), <u32>range.prefix) - to);
    jump(EXTERNAL_PREFIX, hash);
  }
  if ((port.decision & Decision.NODE_IN_RANGES) != 0) {
    // The node may use the load-balancer IP itself as source if the IP is one of its own addresses.
    for (let c = port.claims; c != 0; c = changetype<Claim>(c).nextOfPort) {
      const claim = changetype<Claim>(c);
      if (claim.entryPoint != EntryPoint.LOAD_BALANCER_IP) continue;
      ownClaim(claim);
      append(FIREWALL_PREFIX, hash);
      serviceComment(port.port, " loadbalancer IP");
      lit(" -s ");
      ip(port.family, claim.key.ip());
      jump(EXTERNAL_PREFIX, hash);
    }
  }
  ownPort(port);
  append(FIREWALL_PREFIX, hash);
  comment(
    "other traffic to ",
    port.port.printable,
    port.port.printableLength,
    " will be dropped by KUBE-PROXY-FIREWALL",
  );
  endRule();
}

const scratch: usize = memory.data(128, 16);

/** `-m comment --comment "NAME -> ip:port"`, left out in large clusters. */
function endpointComment(port: FamilyPort, endpoint: RoutedEndpoint, large: bool): void {
  if (large) return;
  commentOfTwo(port.port.printable, port.port.printableLength, " -> ", endpoint.text(), endpoint.textLength);
}

/** The rule of an endpoint in a chain with affinity: clients that it has had lately. */
function writeRecent(port: FamilyPort, prefix: string, index: u32, large: bool): void {
  const endpoint = endpointAt(index);
  ownEndpoint(endpoint);
  alsoOwnedBy(OwnerKind.SERVICE, changetype<usize>(port.port.service), Field.SESSION_AFFINITY, 0);
  append(prefix, chainHash(port.port));
  endpointComment(port, endpoint, large);
  lit(" -m recent --name KUBE-SEP-");
  put(endpointHash(index), 16);
  lit(" --rcheck --seconds ");
  decimal(recordOf(port).affinityTimeout);
  lit(" --reap");
  jump(ENDPOINT_PREFIX, endpointHash(index));
}

/** The rule of an endpoint in a chain that balances: one of `left` gets it. */
function writeChoice(port: FamilyPort, prefix: string, index: u32, left: u32, large: bool): void {
  const endpoint = endpointAt(index);
  ownEndpoint(endpoint);
  append(prefix, chainHash(port.port));
  endpointComment(port, endpoint, large);
  if (left > 1) probability(left);
  jump(ENDPOINT_PREFIX, endpointHash(index));
}

function writeEndpointChain(port: FamilyPort, endpoint: RoutedEndpoint, hash: usize, large: bool): void {
  const owner = port.port;
  ownEndpoint(endpoint);
  append(ENDPOINT_PREFIX, hash);
  if (!large) nameComment(owner.printable, owner.printableLength);
  lit(" -s ");
  put(endpoint.address(), endpoint.bareLength());
  jump(MARK_CHAIN, 0);
  append(ENDPOINT_PREFIX, hash);
  if (!large) nameComment(owner.printable, owner.printableLength);
  if (hasAffinity(port)) {
    lit(" -m recent --name KUBE-SEP-");
    put(hash, 16);
    lit(" --set");
  }
  protocol(owner.protocol);
  lit(" -j DNAT --to-destination ");
  put(endpoint.text(), endpoint.textLength);
  endRule();
}

/** Declares chains (bits of PortChain) of the service port itself. */
export function declarePortChains(port: FamilyPort, chains: u32): void {
  const hash = chainHash(port.port);
  if ((chains & PortChain.EXTERNAL) != 0) declareChain(EXTERNAL_PREFIX, hash);
  if ((chains & PortChain.FIREWALL) != 0) declareChain(FIREWALL_PREFIX, hash);
  if ((chains & PortChain.CLUSTER) != 0) declareChain(CLUSTER_PREFIX, hash);
  if ((chains & PortChain.LOCAL) != 0) declareChain(LOCAL_PREFIX, hash);
}

/** What is written of a service port's chains, in this order; most of it for each endpoint with some bits. */
namespace Part {
  export const CHAINS: u32 = 0;
  export const ENDPOINT_CHAINS: u32 = 1;
  export const ENTRY_RULES: u32 = 2;
  export const CLUSTER_RECENT: u32 = 3;
  export const CLUSTER: u32 = 4;
  export const LOCAL_RECENT: u32 = 5;
  export const LOCAL: u32 = 6;
  export const ENDPOINT_RULES: u32 = 7;
  export const DONE: u32 = 8;
}

let part: u32 = Part.CHAINS;
/** The next endpoint of the part, and how many there are left to choose from. */
let next: u32 = 0;
let left: u32 = 0;

/** The chains of a service port are going to be written. */
export function beginChains(): void {
  part = Part.CHAINS;
  next = 0;
}

/** All chains of a service port that has just been routed and whose endpoints have been named. */
export function writeChains(port: FamilyPort, large: bool): void {
  beginChains();
  while (!writeSomeChains(port, large)) {}
}

/** Goes on with that for a slice; true: all are written. */
export function writeSomeChains(port: FamilyPort, large: bool): bool {
  outSelect(part <= Part.ENDPOINT_CHAINS ? StreamName.NAT_CHAINS : StreamName.NAT_RULES);
  while (part < Part.DONE) {
    if (!writePart(port, large)) return false;
    part++;
    next = 0;
  }
  return true;
}

/** The bits that endpoints have of which the part writes something; 0: it writes nothing for endpoints. */
function policyOf(port: FamilyPort): u32 {
  const chains = chainsOf(port);
  const cluster = (chains & PortChain.CLUSTER) != 0 ? Routed.CLUSTER : 0;
  const local = (chains & PortChain.LOCAL) != 0 ? Routed.LOCAL_POLICY : 0;
  const affinity = recordOf(port).affinityTimeout != 0;
  if (part == Part.ENDPOINT_CHAINS || part == Part.ENDPOINT_RULES) return Routed.REACHABLE;
  if (part == Part.CLUSTER_RECENT) return affinity ? cluster : 0;
  if (part == Part.CLUSTER) return cluster;
  if (part == Part.LOCAL_RECENT) return affinity ? local : 0;
  return part == Part.LOCAL ? local : 0;
}

function writePart(port: FamilyPort, large: bool): bool {
  if (part == Part.CHAINS) {
    ownPort(port);
    declarePortChains(port, chainsOf(port));
    return true;
  }
  if (part == Part.ENTRY_RULES) {
    const chains = chainsOf(port);
    outSelect(StreamName.NAT_RULES);
    if ((port.decision & Decision.INTERNAL) != 0) writeClusterIPMasquerade(port);
    if ((chains & PortChain.EXTERNAL) != 0) writeExternalChain(port);
    if ((chains & PortChain.FIREWALL) != 0) writeFirewallChain(port);
    return true;
  }
  const policy = policyOf(port);
  if (policy == 0) return true;
  if (next == 0) {
    left = 0;
    for (let i: u32 = 0; i < endpoints.length; i++) if ((endpointAt(i).flags & policy) != 0) left++;
  }
  while (next < endpoints.length) {
    const end = min(next + ENDPOINTS_AT_ONCE, endpoints.length);
    for (; next < end; next++) if ((endpointAt(next).flags & policy) != 0) writeOfEndpoint(port, next, large);
    if (isSpent(ENDPOINTS_AT_ONCE) && next < endpoints.length) return false;
  }
  return true;
}

function writeOfEndpoint(port: FamilyPort, index: u32, large: bool): void {
  if (part == Part.ENDPOINT_CHAINS) {
    ownEndpoint(endpointAt(index));
    declareChain(ENDPOINT_PREFIX, endpointHash(index));
  } else if (part == Part.CLUSTER_RECENT || part == Part.LOCAL_RECENT) {
    writeRecent(port, part == Part.CLUSTER_RECENT ? CLUSTER_PREFIX : LOCAL_PREFIX, index, large);
  } else if (part == Part.ENDPOINT_RULES) {
    writeEndpointChain(port, endpointAt(index), endpointHash(index), large);
  } else {
    writeChoice(port, part == Part.CLUSTER ? CLUSTER_PREFIX : LOCAL_PREFIX, index, left--, large);
  }
}
