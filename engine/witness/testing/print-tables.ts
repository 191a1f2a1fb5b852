// A rule set as text: its tables with chains, sets, elements and rules.
import { byte, decimal, lit } from "../../bytes/out";
import { ABSENT } from "../model/pairs";
import { nextRule } from "../model/rules";
import { Column, columnType, setAt, setCount, Value } from "../model/sets";
import { Chain, ChainType, chainAt, chainCount, Hook, TableFamily, tableAt, tableCount } from "../model/tables";
import { printIptablesRule } from "./print-iptables";
import { printElements, printNftRule } from "./print-nft";
import { hook, name } from "./print-words";

/** `part`: 0 and 1 iptables' tables of IPv4 and IPv6, 2 nft's. */
export function printRuleset(ruleset: u32, part: u32): void {
  for (let number: u32 = 0; number < tableCount(); number++) {
    const table = tableAt(number);
    if (table.ruleset != ruleset || table.isOff || table.isIptables != part < 2) continue;
    if (part == 2) printNftTable(number);
    else if (table.family == part) printIptablesTable(number);
  }
}

function isOf(chain: Chain, table: u32): bool {
  return chain.table == table && chain.line != 0;
}

function printIptablesTable(number: u32): void {
  if (tableAt(number).isNft) lit("# (nf_tables)\n");
  byte(0x2a);
  name(tableAt(number).name);
  byte(0x0a);
  for (let i: u32 = 0; i < chainCount(); i++) {
    const chain = chainAt(i);
    if (!isOf(chain, number)) continue;
    byte(0x3a);
    name(chain.name);
    if (chain.hook == Hook.NONE) lit(" - [0:0]\n");
    else lit(chain.policyDrop ? " DROP [0:0]\n" : " ACCEPT [0:0]\n");
  }
  for (let i: u32 = 0; i < chainCount(); i++) {
    const chain = chainAt(i);
    if (!isOf(chain, number)) continue;
    for (let rule = chain.firstRule; rule != ABSENT; rule = nextRule(rule)) {
      lit("-A ");
      name(chain.name);
      printIptablesRule(rule);
      byte(0x0a);
    }
  }
  lit("COMMIT\n");
}

/** `VERB family table ` */
function begin(verb: string, number: u32): void {
  const family = tableAt(number).family;
  lit(verb);
  if (family == TableFamily.IP) lit(" ip ");
  else if (family == TableFamily.IP6) lit(" ip6 ");
  else lit(family == TableFamily.INET ? " inet " : " bridge ");
  name(tableAt(number).name);
  byte(0x20);
}

function printNftTable(number: u32): void {
  begin("add table", number);
  byte(0x0a);
  for (let i: u32 = 0; i < setCount(); i++) if (isSetOf(i, number)) printSet(number, i);
  for (let i: u32 = 0; i < chainCount(); i++) if (isOf(chainAt(i), number)) printChain(number, chainAt(i));
  for (let i: u32 = 0; i < setCount(); i++) {
    const set = setAt(i);
    if (!isSetOf(i, number) || (set.rowCount == 0 && !set.isUnknown)) continue;
    begin("add element", number);
    name(set.name);
    byte(0x20);
    printElements(set);
    byte(0x0a);
  }
  for (let i: u32 = 0; i < chainCount(); i++) {
    const chain = chainAt(i);
    if (!isOf(chain, number)) continue;
    for (let rule = chain.firstRule; rule != ABSENT; rule = nextRule(rule)) {
      begin("add rule", number);
      name(chain.name);
      printNftRule(number, rule);
      byte(0x0a);
    }
  }
}

function isSetOf(set: u32, table: u32): bool {
  return setAt(set).table == table && setAt(set).name != 0 && setAt(set).line != 0;
}

function column(type: u32): void {
  if (type == Column.IPV4) lit("ipv4_addr");
  else if (type == Column.IPV6) lit("ipv6_addr");
  else if (type == Column.PROTOCOL) lit("inet_proto");
  else if (type == Column.PORT) lit("inet_service");
  else if (type == Column.INTERFACE) lit("ifname");
  else lit(type == Column.NUMBER ? "mark" : "?");
}

function printSet(table: u32, number: u32): void {
  const set = setAt(number);
  begin(set.value == Value.NONE ? "add set" : "add map", table);
  name(set.name);
  lit(" { type ");
  for (let i: u32 = 0; i < set.columns; i++) {
    if (i > 0) lit(" . ");
    column(columnType(set, i));
  }
  if (set.value == Value.VERDICT) lit(" : verdict");
  else if (set.value == Value.OTHER) lit(" : ?");
  else if (set.value == Value.ENDPOINT) lit(set.valueFamily == 1 ? " : ipv6_addr" : " : ipv4_addr");
  lit(" ;");
  if (set.isInterval || set.isDynamic) {
    lit(" flags ");
    if (set.isInterval) lit(set.isDynamic ? "interval,dynamic" : "interval");
    else lit("dynamic");
    lit(" ;");
  }
  if (set.timeout != 0) {
    lit(" timeout ");
    decimal(set.timeout);
    lit("s ;");
  }
  lit(" }\n");
}

function printChain(table: u32, chain: Chain): void {
  begin("add chain", table);
  name(chain.name);
  if (chain.hook != Hook.NONE) {
    lit(" { type ");
    lit(chain.type == ChainType.NAT ? "nat" : chain.type == ChainType.ROUTE ? "route" : "filter");
    lit(" hook ");
    hook(chain.hook);
    lit(" priority ");
    if (chain.priority < 0) byte(0x2d);
    decimal(<u32>abs(chain.priority));
    lit(chain.policyDrop ? " ; policy drop ; }" : " ; }");
  }
  byte(0x0a);
}
