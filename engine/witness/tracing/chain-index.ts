// Chains as tracing walks them: rules in order, and for long ones an index by the field that most of their rules are about.
// KUBE-SERVICES has ten thousand rules, and all but a few of them fail for their destination alone.
import { Vector } from "../../bytes/memory";
import { sortVector } from "../../bytes/sort";
import { rankOf } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { code, Flag, nextRule, Op, ruleEnd, ruleStart } from "../model/rules";
import { Chain } from "../model/tables";

/** Shorter chains are walked as they are. */
const INDEXED: u32 = 16;

export namespace IndexField {
  export const NONE: u32 = 0;
  export const DADDR: u32 = 1;
  export const DPORT: u32 = 2;
}

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

const pairs = new Vector();
const pairKeys = new Vector();
function compareKeys(a: u32, b: u32): i32 {
  const x = pairKeys.get(a);
  const y = pairKeys.get(b);
  return x < y ? -1 : x > y ? 1 : a < b ? -1 : 1;
}

export function prepareChain(chain: Chain): void {
  chain.start = order.length;
  chain.indexField = IndexField.NONE;
  for (let rule = chain.firstRule; rule != ABSENT; rule = nextRule(rule)) order.push(rule);
  if (chain.ruleCount < INDEXED) return;
  const half = chain.ruleCount >> 1;
  if (withPoint(chain, Op.DADDR) > half) makeIndex(chain, Op.DADDR, IndexField.DADDR);
  else if (withPoint(chain, Op.DPORT) > half) makeIndex(chain, Op.DPORT, IndexField.DPORT);
}

function withPoint(chain: Chain, op: u32): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < chain.ruleCount; i++) if (pointOf(ruleAt(chain, i), op) != ABSENT) count++;
  return count;
}

function makeIndex(chain: Chain, op: u32, field: u32): void {
  chain.indexField = field;
  chain.wildStart = wild.length;
  pairs.clear();
  pairKeys.clear();
  for (let i: u32 = 0; i < chain.ruleCount; i++) {
    const point = pointOf(ruleAt(chain, i), op);
    pairKeys.push(point);
    if (point == ABSENT) wild.push(i);
    else pairs.push(i);
  }
  chain.wildCount = wild.length - chain.wildStart;
  sortVector(pairs, 0, pairs.length, compareKeys);
  chain.keys = keys.length;
  chain.keyCount = pairs.length;
  for (let i: u32 = 0; i < pairs.length; i++) {
    keys.push(pairKeys.get(pairs.get(i)));
    keys.push(pairs.get(i));
  }
}

/** What `nextPosition` has found out about the key: it is one of the rules', or lies between `gapFirst` and `gapLast`. */
export let isKey: bool = false;
export let gapFirst: u32 = 0;
export let gapLast: u32 = 0;

/** Position of the first rule from `position` on that may match the key, or the chain's length. */
export function nextPosition(chain: Chain, key: u32, position: u32): u32 {
  // The first pair that does not come before (key, position).
  let low: u32 = 0;
  let high = chain.keyCount;
  const base = chain.keys;
  while (low < high) {
    const middle = (low + high) >> 1;
    const k = keys.get(base + (middle << 1));
    if (k < key || (k == key && keys.get(base + (middle << 1) + 1) < position)) low = middle + 1;
    else high = middle;
  }
  let found = chain.ruleCount;
  const isHere = low < chain.keyCount && keys.get(base + (low << 1)) == key;
  if (isHere) found = keys.get(base + (low << 1) + 1);
  isKey = isHere || (low > 0 && keys.get(base + (low << 1) - 2) == key);
  gapFirst = low == 0 ? 0 : keys.get(base + (low << 1) - 2) + 1;
  gapLast = low < chain.keyCount ? keys.get(base + (low << 1)) - 1 : u32.MAX_VALUE;
  low = 0;
  high = chain.wildCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (wild.get(chain.wildStart + middle) < position) low = middle + 1;
    else high = middle;
  }
  return low < chain.wildCount ? min(found, wild.get(chain.wildStart + low)) : found;
}
