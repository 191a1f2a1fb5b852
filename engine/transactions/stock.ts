// The rules of a family that belong to no Service: whether the kernel has them, as far as we have written or seen them.
import { doNothing, journalKind } from "./journal";

let dirtyStock: u32 = 3; // a bit per family
let knownStock: u32 = 0; // families whose stock rules the kernel has had from us
let forgotten: u32 = 0; // families of which the kernel may hold anything
let checking: u32 = 0; // families whose new connections are led to the chain that looks for firewalls

/** The stock rules of the family have to be written. */
export function stockIsDirty(family: u32): bool {
  return (dirtyStock & (1 << family)) != 0;
}

/** The kernel holds stock rules that we have written. */
export function stockIsKnown(family: u32): bool {
  return (knownStock & (1 << family)) != 0;
}

/** Flat: new connections are led to the chain that looks for firewalls. */
export function checksFirewalls(family: u32): bool {
  return (checking & (1 << family)) != 0;
}

export function setStockDirty(): void {
  dirtyStock = 3;
}

/** The stock rules of one family have to be written. */
export function setFamilyStockDirty(family: u32): void {
  dirtyStock |= 1 << family;
}

/** What the kernel holds of the family must go before anything is written. */
export function isForgotten(family: u32): bool {
  return (forgotten & (1 << family)) != 0;
}

/** The kernel may hold anything of the family: its table has to be made anew. */
export function forgetStock(family: u32): void {
  dirtyStock |= 1 << family;
  knownStock &= ~(1 << family);
  forgotten |= 1 << family;
  checking &= ~(1 << family);
}

/** The kernel has no table of the family: nothing has to go before it is made. */
export function tableIsAbsent(family: u32): void {
  forgotten &= ~(1 << family);
}

/** The stock rules of the family have to be looked at, but its table is ours. */
export function adoptStock(family: u32): void {
  dirtyStock |= 1 << family;
  knownStock |= 1 << family;
  forgotten &= ~(1 << family);
}

function commitStock(family: usize, _now: u64): void {
  dirtyStock &= ~(1 << (<u32>family));
  knownStock |= 1 << (<u32>family);
  forgotten &= ~(1 << (<u32>family));
}

function commitCheck(family: usize, _now: u64): void {
  checking |= 1 << (<u32>family);
}

function commitSkip(family: usize, _now: u64): void {
  checking &= ~(1 << (<u32>family));
}

/** A family's stock rules. */
export const STOCK = journalKind(commitStock, doNothing);
/** New connections of a family are led to the chain that looks for firewalls; or no longer. */
export const CHECK_FIREWALLS = journalKind(commitCheck, doNothing);
export const SKIP_FIREWALLS = journalKind(commitSkip, doNothing);
