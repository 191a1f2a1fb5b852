// Makes what was loaded ready to be walked through: ranks, indexes, interface classes, stages, and which endpoint the clients of
// a list go to. To be called before walks, after anything was loaded or a fact or packet has brought new addresses.
import { addressCount, IPV4, IPV6, rankAddresses } from "../model/addresses";
import { setListEndpoint } from "../model/affinity";
import { literalName } from "../model/names";
import { ABSENT } from "../model/pairs";
import { code, Field, nextRule, Op, ruleCount, ruleEnd, ruleStart } from "../model/rules";
import { Column, columnType, rowAt, setAt, setCount, Value } from "../model/sets";
import { chainAt, chainCount } from "../model/tables";
import { prepareChain, resetChains } from "./chain-index";
import { prepareFacts } from "./facts";
import { interfaceClass, noteInterface, resetInterfaces } from "./interfaces";
import { forgetProtocols, nameProtocols, rankProtocols } from "./protocol-ranks";
import { chooseOrder, prepareSet } from "./set-index";
import { prepareStages } from "./stages";

const LOOPBACK = literalName("lo");

/** What was there when all was prepared last. */
let rules: u32 = ABSENT;
let sets: u32 = 0;
let literals: u32 = 0;
let loads: u32 = 0;
let loadsPrepared: u32 = 0;

/** Something was loaded. */
export function loaded(): void {
  loads++;
}

export function prepare(): void {
  const isNew = rules != ruleCount() || sets != setCount() || loads != loadsPrepared;
  const all = addressCount(IPV4) + addressCount(IPV6);
  if (isNew || literals != all) {
    rankAddresses();
    if (isNew) {
      prepareStages();
      readRules();
    }
    resetChains();
    for (let i: u32 = 0; i < chainCount(); i++) prepareChain(chainAt(i));
    for (let i: u32 = 0; i < setCount(); i++) prepareSet(setAt(i));
    rules = ruleCount();
    sets = setCount();
    literals = all;
    loadsPrepared = loads;
  }
  prepareFacts();
}

/** What rules say about interfaces, sets and lists. */
function readRules(): void {
  resetInterfaces(LOOPBACK);
  forgetProtocols();
  for (let i: u32 = 0; i < chainCount(); i++) {
    let list: u32 = ABSENT;
    for (let rule = chainAt(i).firstRule; rule != ABSENT; rule = nextRule(rule)) list = readRule(rule, list);
  }
  for (let i: u32 = 0; i < setCount(); i++) {
    const set = setAt(i);
    for (let column: u32 = 0; column < set.columns; column++) {
      const type = columnType(set, column);
      if (type != Column.INTERFACE && type != Column.PROTOCOL) continue;
      for (let row: u32 = 0; row < set.rowCount; row++) {
        const at = rowAt(set, row) + ((<usize>column) << 3);
        if (type == Column.INTERFACE) interfaceClass(load<u32>(at), false);
        else nameProtocols(load<u32>(at), load<u32>(at, 4));
      }
    }
  }
  rankProtocols();
}

/** `list`: the one that the chain's rules before have put the client on; returns it, or the one that this rule does. */
function readRule(rule: u32, list: u32): u32 {
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const op = code.get(at) & 0xff;
    if (op == Op.PROTOCOL) nameProtocols(code.get(at + 1), code.get(at + 2));
    else if (op == Op.INTERFACE) noteInterface(code.get(at), code.get(at + 2));
    else if (op == Op.LOOKUP || op == Op.VMAP || op == Op.DNAT_MAP) {
      const set = setAt(code.get(at + 1));
      // The kernel would not have taken it: a key of another length, or values that fit no such statement.
      if (set.columns != (code.get(at) >> 16) - 1) set.isUnknown = true;
      if (op == Op.VMAP && set.value != Value.VERDICT) set.isUnknown = true;
      if (op == Op.DNAT_MAP && set.value != Value.ENDPOINT) set.isUnknown = true;
      chooseOrder(set, code.get(at + 2) == Field.SADDR);
    } else if (op == Op.STICK) list = code.get(at + 1);
    else if (op == Op.DNAT && list != ABSENT) {
      setListEndpoint(list, code.get(at + 1), code.get(at + 2), code.get(at + 3));
      list = ABSENT;
    }
  }
  return list;
}
