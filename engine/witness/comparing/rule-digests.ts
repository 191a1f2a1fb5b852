// What a rule, a chain's declaration or an element says, as a number that is the same in two rule sets if they say the same: names
// stand for chains and sets, and what stands in no order has none. For reports alone: whether packets are treated alike is never
// decided by it.
import { mix } from "../../bytes/compare";
import { IPV4, IPV6 } from "../model/addresses";
import { listOwner } from "../model/affinity";
import { code, FIRST_STATEMENT, Field, Op, ruleEnd, ruleStart } from "../model/rules";
import { Column, columnType, ElementSet, rowAt, setAt, Value } from "../model/sets";
import { Chain, chainAt, tableAt } from "../model/tables";

function isJump(op: u32): bool {
  return op == Op.JUMP || op == Op.GOTO;
}

/** An element's key. */
export function keyDigest(set: ElementSet, row: u32): u64 {
  let digest: u64 = 0;
  for (let i: u32 = 0; i < set.columns * 2; i++) digest = mix(digest, load<u32>(rowAt(set, row) + ((<usize>i) << 2)));
  return digest;
}

/** What the element's key leads to. */
export function valueDigest(set: ElementSet, row: u32): u64 {
  if (set.value == Value.NONE) return 0;
  const at = rowAt(set, row) + ((<usize>set.columns) << 3);
  const first = load<u32>(at);
  const second = load<u32>(at, 4);
  const named = set.value == Value.VERDICT && isJump(first) ? chainAt(second).name : second;
  return mix(mix(<u64>set.value, first), named);
}

/** How a set is declared. */
export function setDigest(set: ElementSet): u64 {
  const flags = <u64>set.isInterval | ((<u64>set.isDynamic) << 1);
  return mix(mix(mix(mix(<u64>set.columns, set.types), set.value), flags), set.timeout);
}

function referenceDigest(number: u32): u64 {
  const set = setAt(number);
  if (set.name != 0) return mix(1, set.name);
  let elements: u64 = 0;
  for (let row: u32 = 0; row < set.rowCount; row++) elements += mix(keyDigest(set, row), valueDigest(set, row));
  return mix(setDigest(set), elements);
}

/** A base chain's hook, type, priority and policy; of a regular one 0. */
export function declarationDigest(chain: Chain): u64 {
  return mix(mix(mix(<u64>chain.hook, chain.type), <u64>(<u32>chain.priority)), <u64>chain.policyDrop);
}

/** nft lists an anonymous set of one element as that element: the statement that it amounts to, or 0. */
function ofOneElement(at: u32): u64 {
  const set = setAt(code.get(at + 1));
  if (set.name != 0 || set.columns != 1 || set.rowCount != 1 || set.isUnknown) return 0;
  const op = ofField(code.get(at + 2));
  if (op == 0) return 0;
  const first = load<u32>(rowAt(set, 0));
  const last = load<u32>(rowAt(set, 0), 4);
  const flags = code.get(at) & 0xff00;
  const isAddress = op == Op.DADDR || op == Op.SADDR;
  const head = mix(0, op | flags | (isAddress ? 3 << 16 : 2 << 16));
  const family = columnType(set, 0) == Column.IPV6 ? IPV6 : IPV4;
  return mix(mix(isAddress ? mix(head, family) : head, first), last);
}

function ofField(field: u32): u32 {
  switch (field) {
    case Field.DADDR:
      return Op.DADDR;
    case Field.SADDR:
      return Op.SADDR;
    case Field.PROTOCOL:
      return Op.PROTOCOL;
    case Field.DPORT:
      return Op.DPORT;
    case Field.SPORT:
      return Op.SPORT;
  }
  return 0;
}

function statementDigest(at: u32, table: u32): u64 {
  const op = code.get(at) & 0xff;
  const words = code.get(at) >> 16;
  if (op == Op.LOOKUP) {
    const single = ofOneElement(at);
    if (single != 0) return single;
  }
  let digest = mix(0, code.get(at));
  let next: u32 = 1;
  if (op == Op.LOOKUP || op == Op.VMAP || op == Op.DNAT_MAP) {
    digest = mix(digest, referenceDigest(code.get(at + 1)));
    next = 2;
  } else if (op == Op.STICKY || op == Op.STICK) {
    const owner = listOwner(code.get(at + 1));
    digest = mix(digest, tableAt(table).isIptables ? owner : setAt(owner).name);
    next = 2;
  } else if (isJump(op)) {
    digest = mix(digest, chainAt(code.get(at + 1)).name);
    next = 2;
  }
  for (; next <= words; next++) {
    const word = code.get(at + next);
    // States, operation and chain of each verdict.
    const isChain = op == Op.CT_STATE_VMAP && next % 3 == 0 && isJump(code.get(at + next - 1));
    digest = mix(digest, isChain ? chainAt(word).name : word);
  }
  return digest;
}

/** Of a rule; its matches stand in no order. */
export function ruleDigest(rule: u32, table: u32): u64 {
  let matches: u64 = 0;
  let digest: u64 = 0;
  for (let at = ruleStart(rule); at < ruleEnd(rule); at += (code.get(at) >> 16) + 1) {
    const one = statementDigest(at, table);
    if ((code.get(at) & 0xff) < FIRST_STATEMENT) matches += one;
    else digest = mix(digest, one);
  }
  return mix(digest, matches);
}
