// The nftables table without Services: kube-proxy's (kube-proxy: pkg/proxy/nftables), and ours, which has the same
// hooks and checks and differs in what Services put into it.
import { Vector } from "../../bytes/memory";
import { Protocol } from "../../bytes/protocols";
import { nft } from "../../encodings/nft";
import { ChainType, DataType, Hook, KeyType, Verb } from "../../encodings/nft-encoding";
import { alsoOwnedBy, Field, OwnerKind, ownedByNobody } from "../../encodings/owners";
import { CIDR, factsOf, isLoopback, LocalDetector, masqueradeMark } from "../../routing/family-facts";
import { options } from "../../routing/options";
import { ownOption } from "../owning";
import { dropLocalhostRejects, writeLocalhostRejects } from "./localhost-node-ports";

const BASE_CHAINS: u32 = 8;

/** Base chains, by number, in the order in which they are made. */
function baseChainName(number: u32): string {
  switch (number) {
    case 0:
      return "filter-prerouting-pre-dnat";
    case 1:
      return "filter-output-pre-dnat";
    case 2:
      return "filter-input";
    case 3:
      return "filter-forward";
    case 4:
      return "filter-output";
    case 5:
      return "nat-prerouting";
    case 6:
      return "nat-output";
    default:
      return "nat-postrouting";
  }
}

function addBaseChain(number: u32): void {
  const name = baseChainName(number);
  switch (number) {
    case 0:
      nft.addBaseChain(name, ChainType.FILTER, Hook.PREROUTING, -110);
      break;
    case 1:
      nft.addBaseChain(name, ChainType.FILTER, Hook.OUTPUT, -110);
      break;
    case 2:
      nft.addBaseChain(name, ChainType.FILTER, Hook.INPUT, 0);
      break;
    case 3:
      nft.addBaseChain(name, ChainType.FILTER, Hook.FORWARD, 0);
      break;
    case 4:
      nft.addBaseChain(name, ChainType.FILTER, Hook.OUTPUT, 0);
      break;
    case 5:
      nft.addBaseChain(name, ChainType.NAT, Hook.PREROUTING, -100);
      break;
    case 6:
      nft.addBaseChain(name, ChainType.NAT, Hook.OUTPUT, -100);
      break;
    default:
      nft.addBaseChain(name, ChainType.NAT, Hook.POSTROUTING, 100);
  }
}

/** `again`: the base chains may be there from another version, with another type, hook or priority. */
function writeBaseChains(again: bool): void {
  for (let i: u32 = 0; again && i < BASE_CHAINS; i++) {
    nft.chain(Verb.ADD, baseChainName(i), 0, 0);
    nft.chain(Verb.DELETE, baseChainName(i), 0, 0);
  }
  for (let i: u32 = 0; i < BASE_CHAINS; i++) {
    addBaseChain(i);
    nft.chain(Verb.FLUSH, baseChainName(i), 0, 0);
  }
}

function fresh(chain: string): void {
  nft.chain(Verb.ADD, chain, 0, 0);
  nft.chain(Verb.FLUSH, chain, 0, 0);
}

function jumpRule(from: string, to: string, newOnly: bool): void {
  nft.rule(from, 0, 0);
  if (newOnly) nft.ctStateNew();
  nft.jump(to);
  nft.endRule();
}

/** Leads new connections to `firewall-check`. */
export function writeFirewallJumps(): void {
  jumpRule("filter-prerouting-pre-dnat", "firewall-check", true);
  jumpRule("filter-output-pre-dnat", "firewall-check", true);
}

/** Takes them back. */
export function dropFirewallJumps(): void {
  nft.chain(Verb.FLUSH, "filter-prerouting-pre-dnat", 0, 0);
  nft.chain(Verb.FLUSH, "filter-output-pre-dnat", 0, 0);
}

/** ServiceCIDRs cause the line to come. */
function ownCIDRs(cidrs: Vector): void {
  ownedByNobody();
  for (let i: u32 = 0; i < cidrs.length; i++) {
    const cidr = changetype<CIDR>(<usize>cidrs.get(i));
    alsoOwnedBy(OwnerKind.SERVICE_CIDR, cidr.owner, Field.CIDR, cidr.index);
  }
}

/**
 * Flat: what has been sent to an endpoint outside of the Service CIDRs is no Service's address, and needs no look-up in
 * two sets to know it.
 */
function acceptTranslated(from: string, family: u32): void {
  const cidrs = factsOf(family).serviceCIDRs;
  if (cidrs.length == 0) return;
  ownCIDRs(cidrs);
  nft.rule(from, 0, 0);
  nft.ctStatusDNAT();
  if (cidrs.length == 1) {
    const cidr = changetype<CIDR>(<usize>cidrs.get(0));
    nft.matchCIDR(false, true, changetype<usize>(cidr), cidr.prefix);
  } else {
    nft.matchCIDRs(false, true, cidrs, true);
  }
  nft.accept();
  nft.endRule();
  ownedByNobody();
}

function writeJumps(family: u32, flat: bool, firewalls: bool): void {
  if (flat) {
    acceptTranslated("filter-forward", family);
    acceptTranslated("filter-output", family);
  }
  fresh("nodeport-endpoints-check");
  jumpRule("filter-input", "nodeport-endpoints-check", true);
  fresh("service-endpoints-check");
  jumpRule("filter-input", "service-endpoints-check", true);
  jumpRule("filter-forward", "service-endpoints-check", true);
  jumpRule("filter-output", "service-endpoints-check", true);
  fresh("firewall-check");
  if (firewalls) writeFirewallJumps();
  fresh("services");
  jumpRule("nat-output", "services", false);
  jumpRule("nat-prerouting", "services", false);
  fresh("masquerading");
  jumpRule("nat-postrouting", "masquerading", false);
  fresh("cluster-ips-check");
  jumpRule("filter-forward", "cluster-ips-check", true);
  jumpRule("filter-output", "cluster-ips-check", true);
}

function writeClusterIPsCheck(family: u32, flat: bool): void {
  if (flat) writeRejectChain(true);
  nft.rule("cluster-ips-check", 0, 0);
  nft.matchAddress(false, false, "cluster-ips", 0, 0);
  if (flat) nft.goto("reject-chain", 0, 0);
  else nft.reject();
  nft.comment("Reject traffic to invalid ports of ClusterIPs");
  nft.endRule();
  const cidrs = factsOf(family).serviceCIDRs;
  if (cidrs.length == 0) return;
  ownCIDRs(cidrs);
  nft.rule("cluster-ips-check", 0, 0);
  nft.matchCIDRs(false, false, cidrs, true);
  nft.drop();
  nft.comment("Drop traffic to unallocated ClusterIPs");
  nft.endRule();
  ownedByNobody();
}

function writeMasquerading(): void {
  ownOption(Field.MASQUERADE_BIT);
  nft.rule("masquerading", 0, 0);
  nft.markHas(masqueradeMark());
  nft.markXor(masqueradeMark());
  nft.masquerade();
  nft.endRule();
  ownedByNobody();
  nft.rule("masquerading", 0, 0);
  nft.ctStatusDNAT();
  nft.matchConnection("hairpin-connections");
  nft.masquerade();
  nft.endRule();
}

function writeNodePortIPs(family: u32): void {
  const facts = factsOf(family);
  ownOption(Field.NODE_PORT_ADDRESSES);
  nft.addSet("nodeport-ips", KeyType.ADDRESS, DataType.NONE, "IPs that accept NodePort traffic");
  if (facts.nodePortsEverywhere) {
    nft.set(Verb.DELETE, DataType.NONE, "nodeport-ips", 0, 0);
    return;
  }
  nft.set(Verb.FLUSH, DataType.NONE, "nodeport-ips", 0, 0);
  alsoOwnedBy(OwnerKind.NODE, 0, Field.NODE_ADDRESSES, 0);
  for (let i: u32 = 0; i < facts.nodePortIPs.length; i++) {
    const ip = <usize>facts.nodePortIPs.get(i);
    if (isLoopback(family, ip)) continue; // what comes for it from outside is a martian; kube-proxy leaves it out too
    nft.element(Verb.ADD, "nodeport-ips", 0, 0);
    nft.addressKey(ip);
    nft.endElement();
  }
}

/**
 * Flat: TCP is answered with a reset. The kernel limits ICMP errors to one a second for each client, so that most of many
 * connections would wait for their time-out.
 */
function writeRejectChain(flat: bool): void {
  nft.addCommentedChain("reject-chain", "helper for @no-endpoint-services / @no-endpoint-nodeports");
  nft.chain(Verb.FLUSH, "reject-chain", 0, 0);
  if (flat) {
    nft.rule("reject-chain", 0, 0);
    nft.protocolIs(Protocol.TCP);
    nft.rejectTCP();
    nft.endRule();
  }
  nft.rule("reject-chain", 0, 0);
  nft.reject();
  nft.endRule();
}

function writeEndpointChecks(family: u32, flat: bool): void {
  ownedByNobody();
  if (!flat) writeRejectChain(false);
  nft.rule("service-endpoints-check", 0, 0);
  nft.addressVerdict("no-endpoint-services");
  nft.endRule();
  ownOption(Field.NODE_PORT_ADDRESSES);
  nft.rule("nodeport-endpoints-check", 0, 0);
  if (factsOf(family).nodePortsEverywhere) nft.matchLoopback(true);
  else nft.matchAddress(false, false, "nodeport-ips", 0, 0);
  nft.portVerdict("no-endpoint-nodeports");
  nft.endRule();
  writeLocalhostRejects(family, flat);
}

/** Traffic that comes from this node's pods, or with `not` all other. There must be a detector. */
function matchLocal(family: u32, not: bool): void {
  const facts = factsOf(family);
  if (facts.localDetector == LocalDetector.SOURCE) {
    nft.matchCIDR(true, not, facts.localIP, facts.localPrefix);
    return;
  }
  const isPrefix = facts.localDetector == LocalDetector.INTERFACE_PREFIX;
  nft.matchInterface(not, isPrefix, facts.localText, facts.localTextLength);
}

/**
 * Rules of a chain for the Local policy: pods and the node itself may use every endpoint, by way of the chain `to`, since
 * their addresses need no preserving.
 */
export function writeShortCircuits(
  family: u32,
  from: string,
  fromBase: usize,
  fromLength: usize,
  to: string,
  toBase: usize,
  toLength: usize,
): void {
  if (factsOf(family).localDetector != LocalDetector.NONE) {
    nft.rule(from, fromBase, fromLength);
    matchLocal(family, false);
    nft.goto(to, toBase, toLength);
    nft.comment("short-circuit pod traffic");
    nft.endRule();
  }
  nft.rule(from, fromBase, fromLength);
  nft.isLocal(true);
  nft.markOr(masqueradeMark());
  nft.comment("masquerade local traffic");
  nft.endRule();
  nft.rule(from, fromBase, fromLength);
  nft.isLocal(true);
  nft.goto(to, toBase, toLength);
  nft.comment("short-circuit local traffic");
  nft.endRule();
}

/** `flat`: what tells the most packets apart comes first, and it is not the look-up in a set. */
function writeServices(family: u32, flat: bool): void {
  const facts = factsOf(family);
  const all = options().masqueradeAll;
  if (all || facts.localDetector != LocalDetector.NONE) {
    ownOption(all ? Field.MASQUERADE_ALL : Field.DETECT_LOCAL);
    nft.rule("services", 0, 0);
    if (flat && !all) matchLocal(family, true);
    nft.matchAddress(false, false, "cluster-ips", 0, 0);
    if (!flat && !all) matchLocal(family, true);
    nft.markOr(masqueradeMark());
    nft.comment(all ? "masquerade all clusterIP traffic" : "masquerade clusterIP traffic from outside cluster");
    nft.endRule();
  }
  ownedByNobody();
  nft.rule("services", 0, 0);
  nft.addressVerdict("service-ips");
  nft.endRule();
  ownOption(Field.NODE_PORT_ADDRESSES);
  nft.rule("services", 0, 0);
  if (facts.nodePortsEverywhere) {
    nft.isLocal(false);
    nft.matchLoopback(true);
  } else {
    nft.matchAddress(false, false, "nodeport-ips", 0, 0);
  }
  nft.portVerdict("service-nodeports");
  nft.endRule();
}

function verdictMap(name: string, byPort: bool, comment: string): void {
  nft.addSet(name, byPort ? KeyType.PORT : KeyType.ADDRESS_PORT, DataType.VERDICT, comment);
}

/** The maps of our own layout: endpoints by the address and port that leads to them, and by slot. */
function addBackends(): void {
  nft.addSet("backends", KeyType.ADDRESS_PORT_SLOT, DataType.ENDPOINT, "endpoints by address, port and slot");
  nft.addSet(
    "local-backends",
    KeyType.ADDRESS_PORT_SLOT,
    DataType.ENDPOINT,
    "endpoints on this node, for the Local policy",
  );
  nft.addSet("nodeport-backends", KeyType.PORT_SLOT, DataType.ENDPOINT, "endpoints by node port and slot");
  nft.addSet(
    "local-nodeport-backends",
    KeyType.PORT_SLOT,
    DataType.ENDPOINT,
    "endpoints on this node, for the Local policy",
  );
}

function addTable(flat: bool): void {
  nft.addTable(flat ? "Kubernetes Services, by sluice" : "rules for kube-proxy");
}

/** Makes an empty table of whatever is there, in the transaction that fills it: traffic never sees it empty. */
export function writeEmptyTable(flat: bool): void {
  ownedByNobody();
  addTable(flat);
  nft.deleteTable();
}

/**
 * The table with all that belongs to no Service. `flat`: ours, else kube-proxy's. `again`: it is not known what the
 * kernel holds, so base chains are made anew; else they are only emptied and filled. `firewalls`: new connections are led
 * to `firewall-check`.
 */
export function writeStock(family: u32, flat: bool, again: bool, firewalls: bool): void {
  ownedByNobody();
  addTable(flat);
  writeBaseChains(again);
  writeJumps(family, flat, firewalls);
  nft.addSet("hairpin-connections", KeyType.HAIRPIN, DataType.NONE, "service hairpin connections");
  writeMasquerading();
  nft.addSet("cluster-ips", KeyType.ADDRESS, DataType.NONE, "Active ClusterIPs");
  writeClusterIPsCheck(family, flat);
  writeNodePortIPs(family);
  ownedByNobody();
  verdictMap("no-endpoint-services", false, "vmap to drop or reject packets to services with no endpoints");
  verdictMap("no-endpoint-nodeports", true, "vmap to drop or reject packets to service nodeports with no endpoints");
  writeEndpointChecks(family, flat);
  ownedByNobody();
  if (flat) addBackends();
  else if (!factsOf(family).rejectsLocalhost) dropLocalhostRejects();
  verdictMap("firewall-ips", false, "destinations that are subject to LoadBalancerSourceRanges");
  nft.rule("firewall-check", 0, 0);
  nft.addressVerdict("firewall-ips");
  nft.endRule();
  verdictMap("service-ips", false, "ClusterIP, ExternalIP and LoadBalancer IP traffic");
  verdictMap("service-nodeports", true, "NodePort traffic");
  writeServices(family, flat);
  ownedByNobody();
}
