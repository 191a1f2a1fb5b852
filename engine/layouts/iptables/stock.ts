// kube-proxy's iptables chains and rules that belong to no Service (kube-proxy: pkg/proxy/iptables).
import { hex32, outSelect, StreamName } from "../../bytes/out";
import { IPV4 } from "../../cluster/records";
import {
  append,
  commit,
  declareBuiltin,
  declareChain,
  destination,
  endRule,
  jump,
  markAndMask,
  rule,
  table,
  words,
} from "../../encodings/iptables-restore";
import { Field, ownedByNobody } from "../../encodings/owners";
import { factsOf, isLoopback, localhostNodePorts, masqueradeMark } from "../../routing/facts";
import { options } from "../../routing/options";
import { ownOption } from "../owning";

/** The jumps from built-in chains, in the order in which kube-proxy's insertions leave them on an empty host. */
function filterJumps(): void {
  rule("-A INPUT -j KUBE-FIREWALL");
  rule(
    '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
  );
  rule('-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS');
  rule(
    '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
  );
  rule(
    '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
  );
  rule('-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD');
  rule('-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES');
  rule(
    '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
  );
  rule("-A OUTPUT -j KUBE-FIREWALL");
  rule(
    '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
  );
  rule('-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES');
}

function natJumps(): void {
  rule('-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES');
  rule('-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES');
  rule('-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING');
}

/**
 * All that comes before the rules of Services: both tables' chains and stock rules. `standalone`: for empty tables, with
 * built-in chains and jumps; else for tables in which the jumps are.
 */
export function writeStockBegin(family: u32, standalone: bool): void {
  const guard = localhostNodePorts(family);
  ownedByNobody();
  outSelect(StreamName.MAIN);
  table("filter");
  if (standalone) {
    declareBuiltin("INPUT");
    declareBuiltin("FORWARD");
    declareBuiltin("OUTPUT");
  }
  declareChain("KUBE-SERVICES", 0);
  declareChain("KUBE-EXTERNAL-SERVICES", 0);
  declareChain("KUBE-FORWARD", 0);
  declareChain("KUBE-NODEPORTS", 0);
  declareChain("KUBE-PROXY-FIREWALL", 0);
  // Shared with kubelet, so it is written (and so emptied) only where there is a rule for it.
  if (guard || standalone) declareChain("KUBE-FIREWALL", 0);
  if (standalone) filterJumps();
  if (guard) {
    ownOption(Field.LOCALHOST_NODE_PORTS);
    rule(
      '-A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    );
  }

  const mark = masqueradeMark();
  outSelect(StreamName.NAT_CHAINS);
  ownedByNobody();
  table("nat");
  if (standalone) {
    declareBuiltin("PREROUTING");
    declareBuiltin("INPUT");
    declareBuiltin("OUTPUT");
    declareBuiltin("POSTROUTING");
  }
  declareChain("KUBE-SERVICES", 0);
  declareChain("KUBE-NODEPORTS", 0);
  declareChain("KUBE-POSTROUTING", 0);
  declareChain("KUBE-MARK-MASQ", 0);

  outSelect(StreamName.NAT_RULES);
  if (standalone) natJumps();
  ownOption(Field.MASQUERADE_BIT);
  append("KUBE-POSTROUTING", 0);
  words("-m mark ! --mark ");
  markAndMask(mark);
  jump("RETURN", 0);
  append("KUBE-POSTROUTING", 0);
  words("-j MARK --xor-mark ");
  hex32(mark);
  endRule();
  append("KUBE-POSTROUTING", 0);
  words('-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE');
  if (options().randomFully) words("--random-fully");
  endRule();
  append("KUBE-MARK-MASQ", 0);
  words("-j MARK --or-mark ");
  hex32(mark);
  endRule();
}

const NODE_PORTS_COMMENT: string =
  '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"';

function writeNodePortJumps(family: u32): void {
  const facts = factsOf(family);
  outSelect(StreamName.NAT_RULES);
  ownOption(Field.NODE_PORT_ADDRESSES);
  if (facts.nodePortsEverywhere) {
    append("KUBE-SERVICES", 0);
    words(NODE_PORTS_COMMENT);
    words("-m addrtype --dst-type LOCAL");
    if (family != IPV4) words("! -d ::1/128");
    else if (!localhostNodePorts(family)) words("! -d 127.0.0.0/8");
    jump("KUBE-NODEPORTS", 0);
    return;
  }
  for (let i: u32 = 0; i < facts.nodePortIPs.length; i++) {
    const address = <usize>facts.nodePortIPs.get(i);
    if (isLoopback(family, address) && !localhostNodePorts(family)) continue;
    append("KUBE-SERVICES", 0);
    words(NODE_PORTS_COMMENT);
    destination(family, address);
    jump("KUBE-NODEPORTS", 0);
  }
}

function writeForward(): void {
  outSelect(StreamName.MAIN);
  ownedByNobody();
  if (!options().conntrackTCPBeLiberal) {
    append("KUBE-FORWARD", 0);
    words("-m conntrack --ctstate INVALID");
    if (options().nfacctInvalidDropped) words("-m nfacct --nfacct-name ct_state_invalid_dropped_pkts");
    jump("DROP", 0);
  }
  ownOption(Field.MASQUERADE_BIT);
  append("KUBE-FORWARD", 0);
  words('-m comment --comment "kubernetes forwarding rules" -m mark --mark ');
  markAndMask(masqueradeMark());
  jump("ACCEPT", 0);
  ownedByNobody();
  rule(
    '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  );
}

/** All that comes after the rules of Services. */
export function writeStockEnd(family: u32): void {
  writeNodePortJumps(family);
  commit();
  writeForward();
  commit();
}
