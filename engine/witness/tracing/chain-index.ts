// Chains as tracing walks them: rules in order, and for long ones an index by the field that most of their rules are about.
// KUBE-SERVICES has ten thousand rules, and all but a few of them fail for their destination alone.
import { Vector } from "../../bytes/memory";
import { sortVector } from "../../bytes/sort";
import { rankOf } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { code, Field, Flag, nextRule, Op, ruleEnd, ruleStart } from "../model/rules";
import { Chain } from "../model/tables";

/** Shorter chains are walked as they are. */
const INDEXED: u32 = 16;

/** Rules of all chains, chain after chain. */
const order = new Vector();
/** Keys of all indexes, then positions: pairs sorted by both. */
const keys = new Vector();
/** Positions of the rules that an index has no key for. */
const wild = new Vector();

export function resetChains(): void {
  order.clear();
  keys.clear();
  wild.clear();
}

export function ruleAt(chain: Chain, position: u32): u32 {
  return order.get(chain.start + position);
}

/** The point that a rule asks for, as a rank or port; ABSENT: it asks for none. */
function pointOf(rule: u32, op: u32): u32 {
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const word = code.get(at);
    if ((word & 0xff) != op) continue;
    if (((word >> 8) & Flag.NOT) != 0) return ABSENT;
    if (op == Op.DPORT) return code.get(at + 1) == code.get(at + 2) ? code.get(at + 1) : ABSENT;
    return code.get(at + 2) == code.get(at + 3) ? rankOf(code.get(at + 1), code.get(at + 2)) : ABSENT;
  }
  return ABSENT;
}

/** The rule is for packets to the node's own addresses alone. */
function asksForLocal(rule: u32): bool {
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const word = code.get(at);
    if ((word & 0xff) == Op.LOCAL && ((word >> 8) & Flag.NOT) == 0 && code.get(at + 1) == Field.DADDR) return true;
  }
  return false;
}

const pairs = new Vector();
const pairKeys = new Vector();
function compareKeys(a: u32, b: u32): i32 {
  const x = pairKeys.get(a);
  const y = pairKeys.get(b);
  return x < y ? -1 : x > y ? 1 : a < b ? -1 : 1;
}

export function prepareChain(chain: Chain): void {
  chain.start = order.length;
  for (let rule = chain.firstRule; rule != ABSENT; rule = nextRule(rule)) order.push(rule);
  chain.isIndexed = chain.ruleCount >= INDEXED;
  if (!chain.isIndexed) return;
  // Rules with an address go by it, rules with a port alone by that; the rest is tried each time.
  chain.wildStart = wild.length;
  chain.isForLocal = true;
  chain.addressKeys = makeIndex(chain, true);
  chain.addressCount = pairs.length;
  chain.portKeys = makeIndex(chain, false);
  chain.portCount = pairs.length;
  chain.wildCount = wild.length - chain.wildStart;
}

/** Returns where the index begins in `keys`; `pairs` has its rules. */
function makeIndex(chain: Chain, byAddress: bool): u32 {
  pairs.clear();
  pairKeys.clear();
  for (let i: u32 = 0; i < chain.ruleCount; i++) {
    const rule = ruleAt(chain, i);
    const address = pointOf(rule, Op.DADDR);
    const point = byAddress ? address : address != ABSENT ? ABSENT : pointOf(rule, Op.DPORT);
    pairKeys.push(point);
    if (point != ABSENT) {
      pairs.push(i);
      if (!byAddress && !asksForLocal(rule)) chain.isForLocal = false;
    } else if (!byAddress && address == ABSENT) {
      wild.push(i);
    }
  }
  sortVector(pairs, 0, pairs.length, compareKeys);
  const start = keys.length;
  for (let i: u32 = 0; i < pairs.length; i++) {
    keys.push(pairKeys.get(pairs.get(i)));
    keys.push(pairs.get(i));
  }
  return start;
}

/** What `nextByKey` has found out about the key: it is one of the rules', or lies between `gapFirst` and `gapLast`. */
export let isKey: bool = false;
export let gapFirst: u32 = 0;
export let gapLast: u32 = 0;

/**
 * Position of the first rule from `position` on that an index has for the key, or ABSENT. `base` and `count`: the index's place
 * in `keys`, and how many rules it has.
 */
export function nextByKey(base: u32, count: u32, key: u32, position: u32): u32 {
  // The first pair that does not come before (key, position).
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const k = keys.get(base + (middle << 1));
    if (k < key || (k == key && keys.get(base + (middle << 1) + 1) < position)) low = middle + 1;
    else high = middle;
  }
  const isHere = low < count && keys.get(base + (low << 1)) == key;
  isKey = isHere || (low > 0 && keys.get(base + (low << 1) - 2) == key);
  gapFirst = low == 0 ? 0 : keys.get(base + (low << 1) - 2) + 1;
  gapLast = low < count ? keys.get(base + (low << 1)) - 1 : u32.MAX_VALUE;
  return isHere ? keys.get(base + (low << 1) + 1) : ABSENT;
}

/** Position of the first rule from `position` on that no index has, or ABSENT. */
export function nextWild(chain: Chain, position: u32): u32 {
  let low: u32 = 0;
  let high = chain.wildCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (wild.get(chain.wildStart + middle) < position) low = middle + 1;
    else high = middle;
  }
  return low < chain.wildCount ? wild.get(chain.wildStart + low) : ABSENT;
}
