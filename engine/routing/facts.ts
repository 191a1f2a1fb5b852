// What the options, this Node and the ServiceCIDRs say about each family, in the form that rules need it.
import { compareBytes } from "../bytes/compare";
import { IPV4, IPV6 } from "../bytes/protocols";
import { Remembered } from "../bytes/remembered";
import { sortVector } from "../bytes/sort";
import { factsRead, serviceCIDRs } from "../cluster/nodes";
import { RangeRecord, ServiceCIDRRecord } from "../cluster/records";
import { Entry } from "../cluster/table";
import {
  addCIDR,
  CIDR,
  compareCIDRs,
  distinct,
  factsOf,
  freeBlocks,
  LocalDetector,
  localhostHandling,
  localhostNodePorts,
  masqueradeMark,
} from "./family-facts";
import { findLocalDetectors } from "./local-detectors";
import { findNodePortIPs } from "./node-port-addresses";
import { Mode, options } from "./options";
import { findNode, findNodeIPs, zone, zoneLength } from "./this-node";

/** What the rules of every service port depend on, besides Service and endpoints. */
export const settings = new Remembered();
/** What the rules that belong to no Service depend on. */
export const stock = new Remembered();
/** What else routing depends on: name, zone and IPs of this node. */
const node = new Remembered();
/** Of equal CIDRs, the one of the object whose name comes first. */
function compareOwnedCIDRs(a: u32, b: u32): i32 {
  const order = compareCIDRs(a, b);
  if (order != 0) return order;
  const left = changetype<Entry>(changetype<CIDR>(<usize>a).owner);
  const right = changetype<Entry>(changetype<CIDR>(<usize>b).owner);
  return compareBytes(left.key, left.keyLength, right.key, right.keyLength);
}

function findServiceCIDRs(): void {
  factsOf(IPV4).serviceCIDRs.clear();
  factsOf(IPV6).serviceCIDRs.clear();
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
  node.text(factsOf(IPV4).nodeIP, 16);
  node.text(factsOf(IPV6).nodeIP, 16);
  return node.end();
}

/** Set by `computeFacts` when every service port has to be looked at again; cleared by whoever does. */
export let routingFactsChanged: bool = false;

export function routingFactsRead(): void {
  routingFactsChanged = false;
}

/** Changes whenever facts are computed anew. */
export let factsNumber: u32 = 0;

/** Computes all facts anew from options and tables. */
export function computeFacts(): void {
  factsNumber++;
  freeBlocks();
  findNode();
  findNodeIPs();
  findLocalDetectors();
  findNodePortIPs(factsOf(IPV4));
  findNodePortIPs(factsOf(IPV6));
  findServiceCIDRs();
  const changed = noteSettings();
  if (noteNode() || changed) routingFactsChanged = true;
  noteStock();
  factsRead();
}
