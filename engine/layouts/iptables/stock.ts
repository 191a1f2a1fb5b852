// kube-proxy's iptables chains and rules that belong to no Service (kube-proxy: pkg/proxy/iptables).
import { hex32, outSelect, StreamName } from "../../bytes/out";
import { IPV4 } from "../../bytes/protocols";
import {
  append,
  commit,
  declareBuiltin,
  declareChain,
  destination,
  endRule,
  fixedComment,
  jump,
  markAndMask,
  rule,
  table,
  words,
  writeComments,
} from "../../encodings/iptables-restore";
import { Field, ownedByNobody } from "../../encodings/owners";
import { factsOf, isLoopback, localhostNodePorts, masqueradeMark } from "../../routing/family-facts";
import { options } from "../../routing/options";
import { ownOption } from "../owning";
import { canComment } from "./extensions";

const NEW: string = "-m conntrack --ctstate NEW";
const FIREWALL: string = "kubernetes load balancer firewall";
const PORTALS: string = "kubernetes service portals";
const EXTERNAL_PORTALS: string = "kubernetes externally-visible service portals";

/** A jump from a built-in chain. `match`: "" for none. */
function jumpFrom(builtin: string, match: string, text: string, to: string): void {
  append(builtin, 0);
  if (match.length != 0) words(match);
  fixedComment(text);
  jump(to, 0);
}

/** The jumps from built-in chains, in the order in which kube-proxy's insertions leave them on an empty host. */
function filterJumps(): void {
  rule("-A INPUT -j KUBE-FIREWALL");
  jumpFrom("INPUT", NEW, FIREWALL, "KUBE-PROXY-FIREWALL");
  jumpFrom("INPUT", "", "kubernetes health check service ports", "KUBE-NODEPORTS");
  jumpFrom("INPUT", NEW, EXTERNAL_PORTALS, "KUBE-EXTERNAL-SERVICES");
  jumpFrom("FORWARD", NEW, FIREWALL, "KUBE-PROXY-FIREWALL");
  jumpFrom("FORWARD", "", "kubernetes forwarding rules", "KUBE-FORWARD");
  jumpFrom("FORWARD", NEW, PORTALS, "KUBE-SERVICES");
  jumpFrom("FORWARD", NEW, EXTERNAL_PORTALS, "KUBE-EXTERNAL-SERVICES");
  rule("-A OUTPUT -j KUBE-FIREWALL");
  jumpFrom("OUTPUT", NEW, FIREWALL, "KUBE-PROXY-FIREWALL");
  jumpFrom("OUTPUT", NEW, PORTALS, "KUBE-SERVICES");
}

function natJumps(): void {
  jumpFrom("PREROUTING", "", PORTALS, "KUBE-SERVICES");
  jumpFrom("OUTPUT", "", PORTALS, "KUBE-SERVICES");
  jumpFrom("POSTROUTING", "", "kubernetes postrouting rules", "KUBE-POSTROUTING");
}

/**
 * All that comes before the rules of Services: both tables' chains and stock rules. `standalone`: for empty tables, with
 * built-in chains and jumps; else for tables in which the jumps are.
 */
export function writeStockBegin(family: u32, standalone: bool): void {
  const guard = localhostNodePorts(family);
  writeComments(canComment(family));
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
    append("KUBE-FIREWALL", 0);
    fixedComment("block incoming localnet connections");
    words("-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT");
    jump("DROP", 0);
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
  fixedComment("kubernetes service traffic requiring SNAT");
  words("-j MASQUERADE");
  if (options().randomFully) words("--random-fully");
  endRule();
  append("KUBE-MARK-MASQ", 0);
  words("-j MARK --or-mark ");
  hex32(mark);
  endRule();
}

const NODE_PORTS_COMMENT: string = "kubernetes service nodeports; NOTE: this must be the last rule in this chain";

function writeNodePortJumps(family: u32): void {
  const facts = factsOf(family);
  outSelect(StreamName.NAT_RULES);
  ownOption(Field.NODE_PORT_ADDRESSES);
  if (facts.nodePortsEverywhere) {
    append("KUBE-SERVICES", 0);
    fixedComment(NODE_PORTS_COMMENT);
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
    fixedComment(NODE_PORTS_COMMENT);
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
  fixedComment("kubernetes forwarding rules");
  words("-m mark --mark ");
  markAndMask(masqueradeMark());
  jump("ACCEPT", 0);
  ownedByNobody();
  append("KUBE-FORWARD", 0);
  fixedComment("kubernetes forwarding conntrack rule");
  words("-m conntrack --ctstate RELATED,ESTABLISHED");
  jump("ACCEPT", 0);
}

/** All that comes after the rules of Services. */
export function writeStockEnd(family: u32): void {
  writeNodePortJumps(family);
  commit();
  writeForward();
  commit();
}
