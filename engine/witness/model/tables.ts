// Tables and chains of the rule sets that were loaded. A rule set is one node's rules, whatever number of texts they came in.

import { Vector } from "../../bytes/memory";
import { sizeOf } from "../../bytes/sizes";
import { ABSENT, PairMap } from "./pairs";

/** The families a table serves. */
export namespace TableFamily {
  export const IP: u32 = 0;
  export const IP6: u32 = 1;
  export const INET: u32 = 2;
  /** arp, bridge, netdev: its rules see no packet that we follow. */
  export const OTHER: u32 = 3;
}

/** Netfilter's hooks, in our own numbers. */
export namespace Hook {
  export const PREROUTING: u32 = 0;
  export const INPUT: u32 = 1;
  export const FORWARD: u32 = 2;
  export const OUTPUT: u32 = 3;
  export const POSTROUTING: u32 = 4;
  /** A regular chain, or one of a hook that we do not follow (ingress, egress). */
  export const NONE: u32 = 5;
}

export namespace ChainType {
  export const FILTER: u32 = 0;
  export const NAT: u32 = 1;
  export const ROUTE: u32 = 2;
}

@unmanaged
export class Table {
  ruleset: u32 = 0;
  family: u32 = 0;
  name: u32 = 0;
  /** Of iptables: its chains are upper-case words, and targets may be extensions. */
  isIptables: bool = false;
  /** Of iptables-nft: nft lists it, too, as a table of its own. */
  isNft: bool = false;
  /** `flags dormant`, or deleted: no packet sees it. */
  isOff: bool = false;
}

@unmanaged
export class Chain {
  table: u32 = 0;
  name: u32 = 0;
  /** Where it is declared; 0: it is only jumped to. */
  line: u32 = 0;
  hook: u32 = Hook.NONE;
  type: u32 = ChainType.FILTER;
  priority: i32 = 0;
  policyDrop: bool = false;
  /** Rules linked through Rule.next; ABSENT: none. */
  firstRule: u32 = ABSENT;
  lastRule: u32 = ABSENT;
  ruleCount: u32 = 0;
  // What tracing makes of it: see tracing/chain-index.ts.
  start: u32 = 0;
  isIndexed: bool = false;
  isForLocal: bool = false;
  addressKeys: u32 = 0;
  addressCount: u32 = 0;
  portKeys: u32 = 0;
  portCount: u32 = 0;
  wildStart: u32 = 0;
  wildCount: u32 = 0;
}

/** Addresses of Table and Chain records by number. */
const tables = new Vector();
const chains = new Vector();
const tableNumbers = new PairMap();
const chainNumbers = new PairMap();

export function tableCount(): u32 {
  return tables.length;
}

export function tableAt(number: u32): Table {
  return changetype<Table>(<usize>tables.get(number));
}

export function chainCount(): u32 {
  return chains.length;
}

export function chainAt(number: u32): Chain {
  return changetype<Chain>(<usize>chains.get(number));
}

function tableKey(ruleset: u32, family: u32, isIptables: bool): u32 {
  return (ruleset << 3) | (family << 1) | <u32>isIptables;
}

/** The table of that name, or ABSENT. */
export function findTable(ruleset: u32, family: u32, name: u32, isIptables: bool): u32 {
  return tableNumbers.get(tableKey(ruleset, family, isIptables), name);
}

/** The table of that name, made if there is none. */
export function tableNamed(ruleset: u32, family: u32, name: u32, isIptables: bool): u32 {
  const key = tableKey(ruleset, family, isIptables);
  const found = tableNumbers.get(key, name);
  return found != ABSENT ? found : makeTable(ruleset, family, name, isIptables);
}

function makeTable(ruleset: u32, family: u32, name: u32, isIptables: bool): u32 {
  const table = changetype<Table>(heap.alloc(sizeOf(1, offsetof<Table>())));
  table.ruleset = ruleset;
  table.family = family;
  table.name = name;
  table.isIptables = isIptables;
  table.isNft = false;
  table.isOff = false;
  tables.push(<u32>changetype<usize>(table));
  tableNumbers.set(tableKey(ruleset, family, isIptables), name, tables.length - 1);
  return tables.length - 1;
}

/** What nft lists of a table that iptables-nft has, where iptables-save has listed it as well: the same rules once more. */
export function isListedTwice(table: Table): bool {
  if (table.isIptables) return false;
  const other = tableNumbers.get(tableKey(table.ruleset, table.family, true), table.name);
  return other != ABSENT && tableAt(other).isNft;
}

/** Deletes a table: an empty one takes its name, so that what refers to the name later finds that. */
export function deleteTable(number: u32): void {
  const table = tableAt(number);
  table.isOff = true;
  makeTable(table.ruleset, table.family, table.name, table.isIptables);
}

/** The chain of that name, or ABSENT. */
export function findChain(table: u32, name: u32): u32 {
  return chainNumbers.get(table, name);
}

/** The chain of that name; one that is not declared yet has line 0. */
export function chainNamed(table: u32, name: u32): u32 {
  const found = chainNumbers.get(table, name);
  if (found != ABSENT) return found;
  const chain = changetype<Chain>(heap.alloc(sizeOf(1, offsetof<Chain>())));
  memory.fill(changetype<usize>(chain), 0, offsetof<Chain>());
  chain.table = table;
  chain.name = name;
  chain.hook = Hook.NONE;
  chain.firstRule = ABSENT;
  chain.lastRule = ABSENT;
  chains.push(<u32>changetype<usize>(chain));
  chainNumbers.set(table, name, chains.length - 1);
  return chains.length - 1;
}

/** Empties a chain. */
export function flushChain(number: u32): void {
  const chain = chainAt(number);
  chain.firstRule = ABSENT;
  chain.lastRule = ABSENT;
  chain.ruleCount = 0;
}

/** Takes a chain away: to who still jumps to it, it is missing. */
export function deleteChain(number: u32): void {
  flushChain(number);
  const chain = chainAt(number);
  chain.line = 0;
  chain.hook = Hook.NONE;
}
