// The two tables that a reconciliation compares: what the kernel has dumped, and what was planned as for an empty table.
import { equalLiteral } from "../bytes/compare";
import { findAttribute, numberOf } from "../encodings/netlink-attributes";
import { Attribute, CHAIN_BINDING, SetBit } from "../encodings/netlink-numbers";
import { Named, Objects, Part } from "../encodings/netlink-objects";
import { drift, forgetDrift } from "./drift";

export const kernel = new Objects();
export const ours = new Objects();

/** A dump of so many bytes comes, in pieces that stay where they are until all is done. */
export function beginDump(size: usize): void {
  forgetDrift();
  kernel.reset(size);
}

function takeAll(set: Named, start: usize, end: usize): bool {
  return true;
}

/** Reads whole messages of the dump. */
export function readDump(bytes: usize, length: usize): void {
  const end = bytes + length;
  for (let at = bytes; at != 0; at = kernel.read(at, end, takeAll)) {}
}

/** False if there is no table to compare with. */
export function endDump(): bool {
  drift.rebuilt = !kernel.hasTable;
  return kernel.hasTable;
}

/** A set or chain that belongs to the rule that refers to it. By its flags: anybody may give names that look like it. */
export function isUnnamed(named: Named): bool {
  if (named.isSet) return hasFlag(named, SetBit.ANONYMOUS);
  return (numberOf(findAttribute(named.start, named.end, Attribute.CHAIN_FLAGS)) & CHAIN_BINDING) != 0;
}

export function hasFlag(set: Named, bit: u32): bool {
  return (numberOf(findAttribute(set.start, set.end, Attribute.SET_FLAGS)) & bit) != 0;
}

/** The kernel's element with the same key, or 0. */
export function counterpartOf(part: Part): usize {
  const held = kernel.find(true, part.owner.name, part.owner.nameLength);
  return held == 0 ? 0 : kernel.findElement(changetype<Named>(held), part.start, part.end);
}

/** Its elements are compared one by one: it is no set of a rule's, and none that packets fill. */
export function isCompared(set: Named): bool {
  return set.isSet && !isUnnamed(set) && !hasFlag(set, SetBit.EVAL);
}

/** Ends of ranges mean nothing alone: such a set is compared, and written, as a whole. */
export function hasRanges(set: Named): bool {
  return hasFlag(set, SetBit.INTERVAL);
}

export function isNamed(named: Named, literal: string): bool {
  return equalLiteral(named.name, named.nameLength, literal);
}
