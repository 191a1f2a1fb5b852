// The chains of our own layout that Services share: one for each number of endpoints (or pair of numbers) and for each list
// of source ranges, however many Services there are; who needs them, and what the kernel has of them.
import { Vector } from "../../bytes/memory";
import { writeDecimal, writeLiteral } from "../../bytes/out";
import { sortVector } from "../../bytes/sort";
import { compareEntries, Entry, Table } from "../../cluster/table";
import { leavesOutSpares } from "../../transactions/waves";
import {
  addSourceList,
  findMergedList,
  findSourceList,
  isListName,
  removeSourceList,
  SourceList,
  writeListName,
} from "./source-lists";

export namespace FlatKind {
  /** DNAT to one of N endpoints of the address and port. */
  export const BALANCE: u32 = 0;
  /** The same with masquerading: traffic from outside. */
  export const MASQUERADE: u32 = 1;
  /** Local policy: pods and the node itself to one of C endpoints, others to one of L on this node. */
  export const LOCAL: u32 = 2;
  /** The same three for node ports, whose endpoints are found by port alone. */
  export const NODE_PORT_BALANCE: u32 = 3;
  export const NODE_PORT_MASQUERADE: u32 = 4;
  export const NODE_PORT_LOCAL: u32 = 5;
  /** Drops what comes from outside a list of ranges. */
  export const FIREWALL: u32 = 6;
}

export function kindPrefix(kind: u32): string {
  switch (kind) {
    case FlatKind.BALANCE:
      return "lb-";
    case FlatKind.MASQUERADE:
      return "masquerade-lb-";
    case FlatKind.LOCAL:
      return "local-lb-";
    case FlatKind.NODE_PORT_BALANCE:
      return "nodeport-lb-";
    case FlatKind.NODE_PORT_MASQUERADE:
      return "masquerade-nodeport-lb-";
    case FlatKind.NODE_PORT_LOCAL:
      return "local-nodeport-lb-";
    default:
      return "firewall-";
  }
}

@unmanaged
export class FlatChain extends Entry {
  /** No other chain has had this number: its last four bits are 0, those of chains of one service port's own are not. */
  number: u64;
  family: u32;
  kind: u32;
  /** Endpoints under the Cluster policy, and under the Local policy. */
  count: u32;
  localCount: u32;
  /** FIREWALL: the SourceList that may pass. */
  sources: usize;
  /** How many service ports need it. */
  wanted: u32;
  /** It stands ready in the kernel, needed or not. */
  kept: bool;
  /** The kernel holds it, with all its rules. */
  committed: bool;
  /** An open batch makes it. */
  open: bool;
  /** FIREWALL: the kernel holds it without rules, and some elements of its set. */
  begun: bool;
  /** FIREWALL: the plan that is being made has written all elements of its set. */
  filled: bool;
  /** FIREWALL: of those whose service ports the plan `askedIn` writes, the Service that has asked for it last. */
  askedBy: usize;
  askedIn: u32;
}

/** The kernel does not take the chain: it is written only where it is needed. */
export function stopKeeping(chain: FlatChain): void {
  chain.kept = false;
}

const ipv4 = new Table();
const ipv6 = new Table();

/** Chains for 1 to so many endpoints stand ready. */
let keptCount: u32 = 0;

export function keepFlatChains(count: u32): void {
  const most = max(keptCount, count);
  keptCount = count;
  for (let family: u32 = 0; family < 2; family++) {
    for (let i: u32 = 1; i <= most; i++) countChain(family, FlatKind.BALANCE, i, 0).kept = i <= count;
  }
}

/** The kernel should have it. */
export function isWanted(chain: FlatChain): bool {
  return chain.wanted != 0 || (chain.kept && (chain.committed || !leavesOutSpares()));
}

/** Needs of chains of kind FIREWALL, a number for each family. */
const firewallNeeds: usize = memory.data(8, 4);

/** One service port more needs the chain. */
export function needChain(chain: FlatChain): void {
  chain.wanted++;
  if (chain.kind == FlatKind.FIREWALL) countFirewall(chain.family, 1);
}

/** One service port less needs it. */
export function releaseChain(chain: FlatChain): void {
  chain.wanted--;
  if (chain.kind == FlatKind.FIREWALL) countFirewall(chain.family, -1);
}

function countFirewall(family: u32, more: i32): void {
  const at = firewallNeeds + ((<usize>family) << 2);
  store<i32>(at, load<i32>(at) + more);
}

/** Some Service of the family limits its sources. */
export function hasFirewalls(family: u32): bool {
  return load<i32>(firewallNeeds + ((<usize>family) << 2)) != 0;
}

function tableOf(family: u32): Table {
  return family == 0 ? ipv4 : ipv6;
}

const nameBuffer: usize = memory.data(96, 16);

/** How many chains there have been. */
let made: u64 = 0;

function chainNamed(family: u32, kind: u32, length: usize): FlatChain {
  const table = tableOf(family);
  const found = table.find(nameBuffer, length);
  if (found != 0) return changetype<FlatChain>(found);
  const at = heap.alloc(offsetof<FlatChain>());
  memory.fill(at, 0, offsetof<FlatChain>());
  const chain = changetype<FlatChain>(at);
  table.add(chain, nameBuffer, length, 0);
  chain.number = ++made << 4;
  chain.family = family;
  chain.kind = kind;
  return chain;
}

/** The chain for that many endpoints; `localCount` counts for the Local policy alone. */
export function countChain(family: u32, kind: u32, count: u32, localCount: u32): FlatChain {
  let end = writeDecimal(writeLiteral(nameBuffer, kindPrefix(kind)), count);
  if (kind == FlatKind.LOCAL || kind == FlatKind.NODE_PORT_LOCAL) {
    store<u8>(end++, 0x2d);
    end = writeDecimal(end, localCount);
  }
  const chain = chainNamed(family, kind, end - nameBuffer);
  chain.count = count;
  chain.localCount = localCount;
  return chain;
}

/** The chain that drops what comes from none of the CIDRs: merged first, since one list may be written in many ways. */
export function firewallChain(family: u32, cidrs: Vector): FlatChain {
  const found = findSourceList(family, cidrs);
  if (found != 0) return changetype<FlatChain>(changetype<SourceList>(found).chain);
  // Another list may have the same hash, and so the name already.
  const at = writeLiteral(nameBuffer, kindPrefix(FlatKind.FIREWALL));
  let number: u32 = 1;
  while (tableOf(family).find(nameBuffer, writeListName(at, number) - nameBuffer) != 0) number++;
  return makeFirewall(family, writeListName(at, number) - nameBuffer);
}

/** Makes the chain of the list that was looked for last; `nameBuffer` has its name. */
function makeFirewall(family: u32, nameLength: usize): FlatChain {
  const chain = chainNamed(family, FlatKind.FIREWALL, nameLength);
  const list = addSourceList(family);
  list.chain = changetype<usize>(chain);
  chain.sources = changetype<usize>(list);
  return chain;
}

/**
 * The kernel has a set `sources-NAME` with that list (`count` pairs of addresses, merged): the list keeps that name, if it
 * may have it and has no other. So what another process has numbered in another order stays as it is.
 */
export function adoptFirewall(family: u32, name: usize, length: usize, merged: usize, count: u32): void {
  if (findMergedList(family, merged, count) != 0 || !isListName(name, length)) return;
  const at = writeLiteral(nameBuffer, kindPrefix(FlatKind.FIREWALL));
  memory.copy(at, name, length);
  const whole = at + length - nameBuffer;
  if (tableOf(family).find(nameBuffer, whole) == 0) makeFirewall(family, whole);
}

/** By kind, then by numbers: chains that others go to come first. */
function compareChains(a: u32, b: u32): i32 {
  const left = changetype<FlatChain>(<usize>a);
  const right = changetype<FlatChain>(<usize>b);
  const leftPlain = left.kind % 3 == 0 ? 0 : 1;
  const rightPlain = right.kind % 3 == 0 ? 0 : 1;
  if (leftPlain != rightPlain) return leftPlain - rightPlain;
  if (left.kind != right.kind) return left.kind < right.kind ? -1 : 1;
  if (left.count != right.count) return left.count < right.count ? -1 : 1;
  if (left.localCount != right.localCount) return left.localCount < right.localCount ? -1 : 1;
  return compareEntries(a, b);
}

/** The chains that `listWhere` has found last, in the order in which they are written. */
export const list = new Vector();

export function listWhere(family: u32, keep: (chain: FlatChain) => bool): void {
  list.clear();
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; at = table.following(at)) {
    if (keep(changetype<FlatChain>(at))) list.push(<u32>at);
  }
  sortVector(list, 0, list.length, compareChains);
}

/** Forgets chains that neither the kernel nor a service port needs. */
export function dropUnusedFlatChains(family: u32): void {
  listWhere(family, (chain: FlatChain) => !isWanted(chain) && !chain.committed && !chain.open && !chain.begun);
  for (let i: u32 = 0; i < list.length; i++) {
    const chain = changetype<FlatChain>(<usize>list.get(i));
    if (chain.sources != 0) removeSourceList(family, changetype<SourceList>(chain.sources));
    tableOf(family).remove(chain);
  }
}

/** The kernel holds none of them. */
export function forgetFlatChains(family: u32): void {
  const table = tableOf(family);
  for (let at = table.following(0); at != 0; at = table.following(at)) {
    changetype<FlatChain>(at).committed = false;
    changetype<FlatChain>(at).open = false;
    changetype<FlatChain>(at).begun = false;
  }
}
