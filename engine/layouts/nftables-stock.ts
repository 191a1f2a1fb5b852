// kube-proxy's nftables table without Services (reference: nftables.md §1, §3, §7).
import { lit, put } from "../bytes/out";
import { IPV4 } from "../cluster/records";
import {
  address,
  addressType,
  addRule,
  addTable,
  chainCommand,
  command,
  element,
  end,
  endElement,
  familyName,
  fixedRule,
  freshChain,
  hex32,
} from "../encodings/nft";
import { alsoOwnedBy, Field, ownedBy, ownedByNobody, OwnerKind } from "../encodings/owners";
import { CIDR, factsOf, formatCIDR, isLoopback, LocalDetector, masqueradeMark } from "../routing/facts";
import { options } from "../routing/options";

function ownOption(field: u32): void {
  ownedBy(OwnerKind.OPTION, 0, field, 0);
}

/** Base chains, by number, in the order in which they are made. Priorities are numbers: old nft knows few names. */
function baseChain(number: u32): string {
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

function baseChainType(number: u32): string {
  switch (number) {
    case 0:
      return " { type filter hook prerouting priority -110 ; }";
    case 1:
      return " { type filter hook output priority -110 ; }";
    case 2:
      return " { type filter hook input priority 0 ; }";
    case 3:
      return " { type filter hook forward priority 0 ; }";
    case 4:
      return " { type filter hook output priority 0 ; }";
    case 5:
      return " { type nat hook prerouting priority -100 ; }";
    case 6:
      return " { type nat hook output priority -100 ; }";
    default:
      return " { type nat hook postrouting priority 100 ; }";
  }
}

const BASE_CHAINS: u32 = 8;

/** `again`: the base chains may be there from another version, with another type, hook or priority. */
function writeBaseChains(again: bool): void {
  for (let i: u32 = 0; again && i < BASE_CHAINS; i++) {
    chainCommand("add chain", baseChain(i), 0, 0);
    chainCommand("delete chain", baseChain(i), 0, 0);
  }
  for (let i: u32 = 0; i < BASE_CHAINS; i++) {
    command("add chain");
    lit(baseChain(i));
    lit(baseChainType(i));
    end();
    chainCommand("flush chain", baseChain(i), 0, 0);
  }
}

function fresh(chain: string): void {
  freshChain(chain, 0, 0);
}

function writeJumps(): void {
  fresh("nodeport-endpoints-check");
  fixedRule("filter-input", "ct state new jump nodeport-endpoints-check", "");
  fresh("service-endpoints-check");
  fixedRule("filter-input", "ct state new jump service-endpoints-check", "");
  fixedRule("filter-forward", "ct state new jump service-endpoints-check", "");
  fixedRule("filter-output", "ct state new jump service-endpoints-check", "");
  fresh("firewall-check");
  fixedRule("filter-prerouting-pre-dnat", "ct state new jump firewall-check", "");
  fixedRule("filter-output-pre-dnat", "ct state new jump firewall-check", "");
  fresh("services");
  fixedRule("nat-output", "jump services", "");
  fixedRule("nat-prerouting", "jump services", "");
  fresh("masquerading");
  fixedRule("nat-postrouting", "jump masquerading", "");
  fresh("cluster-ips-check");
  fixedRule("filter-forward", "ct state new jump cluster-ips-check", "");
  fixedRule("filter-output", "ct state new jump cluster-ips-check", "");
}

/** ` { type …` with `A` for the family's address type, up to ` ; }`. */
function container(verb: string, name: string, addresses: u32, key: string, comment: string): void {
  command(verb);
  lit(name);
  lit(" { type ");
  for (let i: u32 = 0; i < addresses; i++) {
    if (i != 0) lit(" . ");
    addressType();
  }
  lit(key);
  lit(' ; comment "');
  lit(comment);
  lit('" ; }');
  end();
}

const scratch: usize = memory.data(128, 16);

function writeClusterIPsCheck(family: u32): void {
  fixedRule(
    "cluster-ips-check",
    "",
    ' daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"',
  );
  const cidrs = factsOf(family).serviceCIDRs;
  if (cidrs.length == 0) return;
  ownedByNobody();
  addRule("cluster-ips-check", 0, 0);
  familyName();
  lit(" daddr { ");
  for (let i: u32 = 0; i < cidrs.length; i++) {
    const cidr = changetype<CIDR>(<usize>cidrs.get(i));
    alsoOwnedBy(OwnerKind.SERVICE_CIDR, cidr.owner, Field.CIDR, cidr.index);
    if (i != 0) lit(",");
    put(scratch, formatCIDR(scratch, family, changetype<usize>(cidr), cidr.prefix) - scratch);
  }
  lit(' } drop comment "Drop traffic to unallocated ClusterIPs"');
  end();
  ownedByNobody();
}

function writeMasquerading(): void {
  ownOption(Field.MASQUERADE_BIT);
  addRule("masquerading", 0, 0);
  lit("mark and ");
  hex32(masqueradeMark());
  lit(" != 0 mark set mark xor ");
  hex32(masqueradeMark());
  lit(" masquerade fully-random");
  end();
  ownedByNobody();
  addRule("masquerading", 0, 0);
  lit("ct status dnat ");
  familyName();
  lit(" saddr . ");
  familyName();
  lit(" daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random");
  end();
}

function writeNodePortIPs(family: u32): void {
  const facts = factsOf(family);
  ownOption(Field.NODE_PORT_ADDRESSES);
  container("add set", "nodeport-ips", 1, "", "IPs that accept NodePort traffic");
  if (facts.nodePortsEverywhere) {
    command("delete set");
    lit("nodeport-ips");
    end();
    return;
  }
  command("flush set");
  lit("nodeport-ips");
  end();
  alsoOwnedBy(OwnerKind.NODE, 0, Field.NODE_ADDRESSES, 0);
  for (let i: u32 = 0; i < facts.nodePortIPs.length; i++) {
    const ip = <usize>facts.nodePortIPs.get(i);
    if (isLoopback(family, ip)) continue; // what comes for it from outside is a martian; kube-proxy leaves it out too
    element("add element", "nodeport-ips");
    address(ip);
    endElement();
  }
}

/** `ip daddr != 127.0.0.0/8` or `ip6 daddr != ::1` */
function notLoopback(family: u32): void {
  lit(family == IPV4 ? "ip daddr != 127.0.0.0/8" : "ip6 daddr != ::1");
}

function writeEndpointChecks(family: u32): void {
  ownedByNobody();
  command("add chain");
  lit('reject-chain { comment "helper for @no-endpoint-services / @no-endpoint-nodeports" ; }');
  end();
  chainCommand("flush chain", "reject-chain", 0, 0);
  fixedRule("reject-chain", "reject", "");
  fixedRule("service-endpoints-check", "", " daddr . meta l4proto . th dport vmap @no-endpoint-services");
  ownOption(Field.NODE_PORT_ADDRESSES);
  addRule("nodeport-endpoints-check", 0, 0);
  if (factsOf(family).nodePortsEverywhere) {
    notLoopback(family);
  } else {
    familyName();
    lit(" daddr @nodeport-ips");
  }
  lit(" meta l4proto . th dport vmap @no-endpoint-nodeports");
  end();
}

/** Objects of kube-proxy's localhost gate, which is off: left by a version that had it on, they must go. */
function dropLocalhostObjects(): void {
  ownedByNobody();
  container(
    "add map",
    "localhost-nodeport-reject-ports",
    0,
    "inet_proto . inet_service : verdict",
    "localhost NodePorts rejected by kube-proxy",
  );
  command("delete map");
  lit("localhost-nodeport-reject-ports");
  end();
  for (let i = 0; i < 3; i++) {
    const protocol = i == 0 ? "tcp" : i == 1 ? "udp" : "sctp";
    command("add chain");
    lit("localhost-nodeport-reject-");
    lit(protocol);
    end();
    command("delete chain");
    lit("localhost-nodeport-reject-");
    lit(protocol);
    end();
    command("add counter");
    lit("localhost-nodeport-rejected-");
    lit(protocol);
    end();
    command("delete counter");
    lit("localhost-nodeport-rejected-");
    lit(protocol);
    end();
  }
}

/** `ip saddr != CIDR`, `iifname != NAME` or `iifname != PREFIX*`; without `!= ` for what is local. */
export function matchLocal(family: u32, not: bool): void {
  const facts = factsOf(family);
  if (facts.localDetector == LocalDetector.SOURCE) {
    familyName();
    lit(" saddr ");
  } else {
    lit("iifname ");
  }
  if (not) lit("!= ");
  put(facts.localText, facts.localTextLength);
  if (facts.localDetector == LocalDetector.INTERFACE_PREFIX) lit("*");
}

function writeServices(family: u32): void {
  const facts = factsOf(family);
  if (options().masqueradeAll || facts.localDetector != LocalDetector.NONE) {
    ownOption(options().masqueradeAll ? Field.MASQUERADE_ALL : Field.DETECT_LOCAL);
    addRule("services", 0, 0);
    familyName();
    lit(" daddr @cluster-ips ");
    if (!options().masqueradeAll) {
      matchLocal(family, true);
      lit(" ");
    }
    lit("mark set mark or ");
    hex32(masqueradeMark());
    lit(
      options().masqueradeAll
        ? ' comment "masquerade all clusterIP traffic"'
        : ' comment "masquerade clusterIP traffic from outside cluster"',
    );
    end();
  }
  ownedByNobody();
  fixedRule("services", "", " daddr . meta l4proto . th dport vmap @service-ips");
  ownOption(Field.NODE_PORT_ADDRESSES);
  addRule("services", 0, 0);
  if (facts.nodePortsEverywhere) {
    lit("fib daddr type local ");
    notLoopback(family);
  } else {
    familyName();
    lit(" daddr @nodeport-ips");
  }
  lit(" meta l4proto . th dport vmap @service-nodeports");
  end();
}

/**
 * The table with all that belongs to no Service. `again`: it is not known what the kernel holds, so base chains are made
 * anew; else they are only emptied and filled.
 */
export function writeStock(family: u32, again: bool): void {
  ownedByNobody();
  addTable("rules for kube-proxy");
  writeBaseChains(again);
  writeJumps();
  container("add set", "hairpin-connections", 2, " . inet_proto . inet_service", "service hairpin connections");
  writeMasquerading();
  container("add set", "cluster-ips", 1, "", "Active ClusterIPs");
  writeClusterIPsCheck(family);
  writeNodePortIPs(family);
  ownedByNobody();
  container(
    "add map",
    "no-endpoint-services",
    1,
    " . inet_proto . inet_service : verdict",
    "vmap to drop or reject packets to services with no endpoints",
  );
  container(
    "add map",
    "no-endpoint-nodeports",
    0,
    "inet_proto . inet_service : verdict",
    "vmap to drop or reject packets to service nodeports with no endpoints",
  );
  writeEndpointChecks(family);
  dropLocalhostObjects();
  container(
    "add map",
    "firewall-ips",
    1,
    " . inet_proto . inet_service : verdict",
    "destinations that are subject to LoadBalancerSourceRanges",
  );
  fixedRule("firewall-check", "", " daddr . meta l4proto . th dport vmap @firewall-ips");
  container(
    "add map",
    "service-ips",
    1,
    " . inet_proto . inet_service : verdict",
    "ClusterIP, ExternalIP and LoadBalancer IP traffic",
  );
  container("add map", "service-nodeports", 0, "inet_proto . inet_service : verdict", "NodePort traffic");
  writeServices(family);
  ownedByNobody();
}
