// The way of a packet through netfilter's hooks, stage by stage, and which interfaces it has there.
import { Vector } from "../../bytes/memory";
import { IPV4 } from "../model/addresses";
import { Chain, ChainType, chainAt, chainCount, Hook, isListedTwice, TableFamily, tableAt } from "../model/tables";
import { isLocal, rangeFirst, rangeLast } from "./facts";
import { Interface } from "./interfaces";
import { Dim, narrow, Origin, packet, valueOf } from "./packet";
import { state } from "./state";

export namespace Stage {
  export const PREROUTING: u32 = 0;
  export const INPUT: u32 = 1;
  export const FORWARD: u32 = 2;
  export const OUTPUT: u32 = 3;
  export const POSTROUTING: u32 = 4;
  /** What the node sends to itself comes back in through `lo`. */
  export const LOOPED_PREROUTING: u32 = 5;
  export const LOOPED_INPUT: u32 = 6;
  export const END: u32 = 7;
}

export function hookOf(stage: u32): u32 {
  return stage == Stage.LOOPED_PREROUTING ? Hook.PREROUTING : stage == Stage.LOOPED_INPUT ? Hook.INPUT : stage;
}

/** Rule sets have numbers below this. */
export const RULESETS: u32 = 8;

/** Base chains by rule set, family and hook, in the order in which packets see them. */
const lists = new Vector();
for (let i: u32 = 0; i < RULESETS * 2 * Hook.NONE; i++) lists.push(<u32>changetype<usize>(new Vector()));

export function baseChains(ruleset: u32, family: u32, hook: u32): Vector {
  return changetype<Vector>(<usize>lists.get((ruleset * 2 + family) * Hook.NONE + hook));
}

/** nat chains of all tables run where nat is: their own priority orders them among each other alone. */
function effectivePriority(chain: Chain): i32 {
  if (chain.type != ChainType.NAT) return chain.priority;
  return chain.hook == Hook.PREROUTING || chain.hook == Hook.OUTPUT ? -100 : 100;
}

function isBefore(a: Chain, b: Chain): bool {
  const x = effectivePriority(a);
  const y = effectivePriority(b);
  return x != y ? x < y : a.priority < b.priority;
}

/** Finds all base chains anew. Those with the same priority keep the order in which they were declared. */
export function prepareStages(): void {
  for (let i: u32 = 0; i < lists.length; i++) changetype<Vector>(<usize>lists.get(i)).clear();
  for (let number: u32 = 0; number < chainCount(); number++) {
    const chain = chainAt(number);
    const table = tableAt(chain.table);
    if (chain.hook == Hook.NONE || table.isOff || table.ruleset >= RULESETS || isListedTwice(table)) continue;
    for (let family: u32 = 0; family < 2; family++) {
      const serves =
        table.family == TableFamily.INET || table.family == (family == IPV4 ? TableFamily.IP : TableFamily.IP6);
      if (serves) insert(baseChains(table.ruleset, family, chain.hook), number);
    }
  }
}

function insert(list: Vector, number: u32): void {
  list.push(number);
  for (let i = list.length - 1; i > 0 && isBefore(chainAt(number), chainAt(list.get(i - 1))); i--) {
    list.set(i, list.get(i - 1));
    list.set(i - 1, number);
  }
}

/** Where the packet goes from here, as the routing decision has it: whether its destination is the node's own. */
export function goesToNode(): bool {
  if (state.isAddressNew) return isLocal(packet.family, state.daddr);
  const is = isLocal(packet.family, valueOf(Dim.DADDR));
  narrow(Dim.DADDR, rangeFirst, rangeLast);
  return is;
}

/** The stage after the one that is done. */
export function followingStage(): u32 {
  switch (state.stage) {
    case Stage.PREROUTING:
      return goesToNode() ? Stage.INPUT : Stage.FORWARD;
    case Stage.FORWARD:
    case Stage.OUTPUT:
      return Stage.POSTROUTING;
    case Stage.POSTROUTING:
      return packet.origin == Origin.NODE && goesToNode() ? Stage.LOOPED_PREROUTING : Stage.END;
    case Stage.LOOPED_PREROUTING:
      return Stage.LOOPED_INPUT;
  }
  return Stage.END;
}

/** Class of the interface that the packet came in by, as rules of this stage see it. */
export function inInterface(): u32 {
  if (packet.origin == Origin.NETWORK) return valueOf(Dim.IIF);
  return state.stage >= Stage.LOOPED_PREROUTING ? Interface.LOOPBACK : Interface.NONE;
}

/** Class of the interface that it leaves by. */
export function outInterface(): u32 {
  if (hookOf(state.stage) == Hook.PREROUTING || hookOf(state.stage) == Hook.INPUT) return Interface.NONE;
  if (packet.origin == Origin.NODE && goesToNode()) return Interface.LOOPBACK;
  return valueOf(Dim.OIF);
}

/** Whether a nat chain has nothing to do any more with this packet. */
export function isPastNat(chain: Chain): bool {
  if (chain.type != ChainType.NAT) return false;
  if (packet.ctState != 1 || state.isUntracked || state.stage >= Stage.LOOPED_PREROUTING) return true;
  if (chain.hook == Hook.PREROUTING || chain.hook == Hook.OUTPUT) return state.isTranslated;
  return state.isMasqueraded || state.snat != 0;
}
