// The difference in chains and sets themselves, their elements aside: what is missing is made, and what the kernel has of a
// chain is compared with its rules. Which rules are written with which Service's elements says service-differences.ts.
import { equalBytes } from "../bytes/compare";
import { Vector } from "../bytes/memory";
import { isSpentOnOne } from "../bytes/slices";
import { findAttribute, numberOf, textLength, valueOf } from "../encodings/netlink-attributes";
import {
  acceptsByPolicy,
  isBaseChain,
  sameChain,
  sameElements,
  sameRules,
  sameSet,
} from "../encodings/netlink-compare";
import { endMessage, Flag, name, number32 } from "../encodings/netlink-message";
import { Attribute, Message, POLICY_ACCEPT, TABLE_DORMANT } from "../encodings/netlink-numbers";
import { Named, Objects, Part } from "../encodings/netlink-objects";
import { nft } from "../encodings/nft";
import { cutIfLong } from "../layouts/nft/cuts";
import { beginBatch, endNftBatch } from "../transactions/batches";
import { causeOf } from "../transactions/refusals";
import {
  copyElements,
  copyMessage,
  copyRule,
  MESSAGE_BYTES,
  nameMessage,
  sizeOfRule,
  writeForService,
} from "./difference-messages";
import { drift, noteAttribute, noteName } from "./drift";
import { hasRanges, isCompared, isUnnamed, kernel, ours } from "./dump";

const chainsToFill = new Vector();
/** Chains of one service port alone that are to be filled. */
export const ownChainsToFill = new Vector();
/** Base chains with another type, hook or priority. */
const chainsToReplace = new Vector();

export function forgetChains(): void {
  chainsToFill.clear();
  ownChainsToFill.clear();
  chainsToReplace.clear();
  mustRebuild = false;
  looked = 0;
}

/** The names of such chains have `namespace/name` in them. */
function isOfOnePort(chain: Named): bool {
  for (let at = chain.name; at < chain.name + chain.nameLength; at++) if (load<u8>(at) == 0x2f) return true;
  return false;
}

function noteToFill(chain: Named): void {
  if (isOfOnePort(chain)) ownChainsToFill.push(<u32>changetype<usize>(chain));
  else chainsToFill.push(<u32>changetype<usize>(chain));
}

/** A chain or set that is missing is written, without its rules or elements; a chain that differs is noted. */
export function writeObject(wanted: Named): void {
  if (isUnnamed(wanted)) return;
  const found = kernel.find(wanted.isSet, wanted.name, wanted.nameLength);
  if (found == 0) {
    drift.missing++;
    noteName(wanted);
    writeForService(causeOf(wanted.message));
    copyMessage(wanted.isSet ? Message.NEW_SET : Message.NEW_CHAIN, Flag.CREATE, wanted.start, wanted.end);
    if (!wanted.isSet) noteToFill(wanted);
    return;
  }
  const held = changetype<Named>(found);
  held.seen = true;
  if (wanted.isSet) return;
  const same = sameRules(kernel, held, ours, wanted); // also says which unnamed sets belong to it
  if (!sameChain(held, wanted)) {
    drift.changed++;
    noteName(wanted);
    chainsToReplace.push(<u32>changetype<usize>(wanted));
    return;
  }
  if (!acceptsByPolicy(held)) {
    drift.changed++;
    noteName(wanted);
    acceptPackets(wanted);
  }
  if (same) return;
  drift.changed++;
  noteName(wanted);
  wanted.seen = true;
  noteToFill(wanted);
}

/** Gives a base chain that is there the policy that ours have. */
function acceptPackets(chain: Named): void {
  writeForService(0);
  nft.beginMessage(Message.NEW_CHAIN, 0);
  name(Attribute.CHAIN_NAME, "", chain.name, chain.nameLength);
  number32(Attribute.CHAIN_POLICY, POLICY_ACCEPT);
  endMessage();
}

/** Puts the table's base chains back on their hooks. It is a transaction of its own: in it none could be added. */
export function wakeTable(family: u32): void {
  const flags = numberOf(findAttribute(kernel.tableStart, kernel.tableEnd, Attribute.TABLE_FLAGS));
  if ((flags & TABLE_DORMANT) == 0) return;
  drift.changed++;
  noteAttribute(findAttribute(kernel.tableStart, kernel.tableEnd, Attribute.TABLE));
  beginBatch(family, 0);
  nft.beginMessage(Message.NEW_TABLE, 0);
  number32(Attribute.TABLE_FLAGS, flags & ~TABLE_DORMANT);
  endMessage();
  endNftBatch(0, false);
}

export function deleteBaseChain(chain: Named): void {
  nameMessage(Message.DELETE_RULE, chain, Attribute.RULE_CHAIN);
  nameMessage(Message.DELETE_CHAIN, chain, Attribute.CHAIN_NAME);
}

/** Writes the rules of a chain; the kernel has it, with others (`seen`) or with none. */
export function fillChain(chain: Named): void {
  writeForService(causeOf(chain.message));
  if (chain.seen) nameMessage(Message.DELETE_RULE, chain, Attribute.RULE_CHAIN);
  for (let at = chain.first; at != 0; at = changetype<Part>(at).next) copyRule(changetype<Part>(at));
}

/** At least as many bytes as that takes. */
export function sizeOfChain(chain: Named): usize {
  let size = MESSAGE_BYTES;
  for (let at = chain.first; at != 0; at = changetype<Part>(at).next) size += sizeOfRule(changetype<Part>(at));
  return size;
}

/** Once all chains and sets are there, each chain that is not one service port's gets its rules in one transaction. */
export function fillSharedChains(family: u32): void {
  writeForService(0);
  // What is deleted has its rules again before a transaction may end.
  for (let i: u32 = 0; i < chainsToReplace.length; i++) {
    const chain = changetype<Named>(<usize>chainsToReplace.get(i));
    deleteBaseChain(chain);
    copyMessage(Message.NEW_CHAIN, Flag.CREATE, chain.start, chain.end);
    for (let at = chain.first; at != 0; at = changetype<Part>(at).next) copyRule(changetype<Part>(at));
  }
  for (let i: u32 = 0; i < chainsToFill.length; i++) {
    cutIfLong(family, false);
    fillChain(changetype<Named>(<usize>chainsToFill.get(i)));
  }
  writeForService(0);
}

/** Elements that are written between two places where a transaction may end: whole ranges, which have two. */
export const ELEMENTS_AT_ONCE: u32 = 200;

/**
 * Writes a set of ranges, if it is one and differs, before the rules that look into it. One that is missing comes in as many
 * transactions as it takes; of one that is there a part of the ranges would let in or keep out others than it should.
 */
export function writeRanges(set: Named, family: u32): void {
  if (!isCompared(set) || !hasRanges(set)) return;
  const held = kernel.find(true, set.name, set.nameLength);
  if (held != 0 && sameElements(kernel, changetype<Named>(held), set)) return;
  if (held != 0) {
    drift.changed++;
    noteName(set);
    writeForService(0);
    nameMessage(Message.DELETE_ELEMENT, set, Attribute.ELEMENTS_SET);
    copyElements(set, set.first, 0, -1);
    return;
  }
  drift.missing += set.count;
  for (let from = set.first; from != 0; ) {
    let to = from;
    for (let count: u32 = 0; to != 0 && count < ELEMENTS_AT_ONCE; count++) to = changetype<Part>(to).next;
    copyElements(set, from, to, -1);
    cutIfLong(family, false);
    from = to;
  }
}

/** True if `among` has a stateful object or flowtable like the one at row `i` of `others`: the same kind, type and name. */
function hasOther(among: Objects, others: Vector, i: u32): bool {
  const start = <usize>others.get(i + 1);
  const end = <usize>others.get(i + 2);
  const name = findAttribute(start, end, Attribute.OBJECT_NAME);
  const type = numberOf(findAttribute(start, end, Attribute.OBJECT_TYPE));
  if (name == 0) return false;
  for (let j: u32 = 0; j < among.others.length; j += 3) {
    const from = <usize>among.others.get(j + 1);
    const to = <usize>among.others.get(j + 2);
    const other = findAttribute(from, to, Attribute.OBJECT_NAME);
    if (other == 0 || among.others.get(j) != others.get(i)) continue;
    if (others.get(i) == Message.NEW_OBJECT && numberOf(findAttribute(from, to, Attribute.OBJECT_TYPE)) != type)
      continue;
    if (equalBytes(valueOf(name), textLength(name), valueOf(other), textLength(other))) return true;
  }
  return false;
}

/** Counters that are missing, before the rules that count in them. What those that are there have counted stays. */
export function writeCounters(): void {
  for (let i: u32 = 0; i < ours.others.length; i += 3) {
    if (hasOther(kernel, ours.others, i)) continue;
    const start = <usize>ours.others.get(i + 1);
    const end = <usize>ours.others.get(i + 2);
    drift.missing++;
    noteAttribute(findAttribute(start, end, Attribute.OBJECT_NAME));
    copyMessage(Message.NEW_OBJECT, Flag.CREATE, start, end);
  }
}

/** Counters, quotas, flowtables and the like that are not ours. What referred to them has just gone. */
export function deleteOthers(): void {
  for (let i: u32 = 0; i < kernel.others.length; i += 3) {
    if (hasOther(ours, kernel.others, i)) continue;
    const isFlowtable = kernel.others.get(i) == Message.NEW_FLOWTABLE;
    const start = <usize>kernel.others.get(i + 1);
    const end = <usize>kernel.others.get(i + 2);
    const named = findAttribute(start, end, Attribute.OBJECT_NAME);
    if (named == 0) continue;
    drift.extra++;
    noteAttribute(named);
    nft.beginMessage(isFlowtable ? Message.DELETE_FLOWTABLE : Message.DELETE_OBJECT, 0);
    name(Attribute.OBJECT_NAME, "", valueOf(named), textLength(named));
    if (!isFlowtable) number32(Attribute.OBJECT_TYPE, numberOf(findAttribute(start, end, Attribute.OBJECT_TYPE)));
    endMessage();
  }
}

/** A set that is there, or a chain that others go to, cannot become what it should be without the table being made anew. */
export let mustRebuild: bool = false;
/** How many chains and sets have been looked at for that. */
let looked: u32 = 0;

/** Finds out whether `mustRebuild`, for a slice; true: it is known. */
export function findUnchangeable(): bool {
  while (looked < ours.names.length) {
    const wanted = changetype<Named>(<usize>ours.names.get(looked++));
    if (!isUnnamed(wanted) && isUnchangeable(wanted)) {
      noteName(wanted);
      mustRebuild = true;
      return true;
    }
    if (isSpentOnOne(looked)) return false;
  }
  return true;
}

function isUnchangeable(wanted: Named): bool {
  const found = kernel.find(wanted.isSet, wanted.name, wanted.nameLength);
  if (found == 0) return false;
  const held = changetype<Named>(found);
  return wanted.isSet ? !sameSet(held, wanted) : isBaseChain(wanted) && !isBaseChain(held);
}
