// What the kernel refuses: which Service caused which netlink message, and which Services plans leave out since one of
// their messages was refused, of each family by itself. What the kernel holds of them stays as it is, until they change or are retried.
import { Vector } from "../bytes/memory";
import { sortVector } from "../bytes/sort";
import { compareServices } from "../cluster/services";
import { sequence } from "../encodings/netlink-message";
import { nft } from "../encodings/nft";
import { Key } from "../routing/keys";
import { Mode, options } from "../routing/options";
import { DELETION, forgetLines, listSuspects, serviceOfLine } from "./iptables-lines";

/** Sequence number of a message, and the Service (or 0: none) that causes it and those after it. */
const rows = new Vector();
let current: usize = 0;

/** Forgets the messages of earlier plans. */
export function forgetMessages(): void {
  forgetLines();
  rows.clear();
  current = 0;
}

/** What is written from now on is caused by that Service, or (0) by none of them. */
export function writeFor(service: usize): void {
  if (service == current) return;
  current = service;
  nft.separate();
  rows.push(sequence + 1);
  rows.push(<u32>service);
}

/** Marks, among causes, the address of what several Services share. */
const SHARED: usize = 1;

/** What is written from now on is caused by all Services that need something that they share. */
export function writeForAllWhoNeed(shared: usize): void {
  writeFor(shared | SHARED);
}

/** What `writeFor` was called with last. */
export function writtenFor(): usize {
  return current;
}

/** The Service that caused the message of that number in the last plan; 0: none, or several that share it. */
export function serviceOf(message: u32): u32 {
  const cause = causeOf(message);
  return (cause & <u32>SHARED) != 0 ? 0 : cause;
}

/** The same, or what `writeFor` takes for those that share it. */
export function causeOf(message: u32): u32 {
  // Numbers go up by one and wrap.
  let low: u32 = 0;
  let high = rows.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (<i32>(message - rows.get(middle << 1)) >= 0) low = middle + 1;
    else high = middle;
  }
  return low == 0 ? 0 : rows.get((low << 1) - 1);
}

/** Says for each of `count` sequence numbers at `at`, in its place, which Service caused the message, or what Services share. */
export function findCauses(at: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const number = at + ((<usize>i) << 2);
    store<u32>(number, causeOf(load<u32>(number)));
  }
}

/** The Services (or 0) that caused messages with these numbers, each once, sorted. */
export const refused = new Vector();
/** iptables mode: among them was the deletion of chains, which nobody causes. */
export let deletionRefused: bool = false;

function compareOwners(a: u32, b: u32): i32 {
  if (a == 0 || b == 0) return a == b ? 0 : a == 0 ? -1 : 1;
  return compareServices(a, b);
}

/**
 * Fills `refused` for `count` sequence numbers (iptables mode: numbers of lines) at `at`, of a batch of that family. `addNeeding`
 * adds the Services that need something that they share.
 */
export function findRefused(
  family: u32,
  at: usize,
  count: u32,
  addNeeding: (family: u32, shared: usize) => void,
): void {
  refused.clear();
  deletionRefused = false;
  for (let i: u32 = 0; i < count; i++) {
    const number = load<u32>(at + ((<usize>i) << 2));
    let cause = options().mode == Mode.IPTABLES ? serviceOfLine(family, number) : causeOf(number);
    if (cause == <u32>DELETION) {
      deletionRefused = true;
      cause = 0;
    }
    if (cause != 0 && (cause & <u32>SHARED) != 0) {
      const before = refused.length;
      addNeeding(family, <usize>cause & ~SHARED);
      if (refused.length != before) continue;
      cause = 0;
    }
    refused.push(cause);
  }
  sortRefused();
  // Where a rule of nobody's is refused as well, for whatever it needs, the others may be refused for the same.
  if (options().mode == Mode.IPTABLES && refused.length > 1 && refused.get(0) == 0) refused.length = 1;
}

const suspects = new Vector();

/** As `findRefused`, for numbers in the list that transactions/iptables-lines.ts has of the family's batch. */
export function findRefusedSuspects(family: u32, at: usize, count: u32): void {
  refused.clear();
  listSuspects(family, suspects);
  for (let i: u32 = 0; i < count; i++) {
    const index = load<u32>(at + ((<usize>i) << 2));
    if (index < suspects.length) refused.push(suspects.get(index));
  }
  sortRefused();
}

/** Sorts, and leaves each there once. */
function sortRefused(): void {
  sortVector(refused, 0, refused.length, compareOwners);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < refused.length; i++) {
    if (i == 0 || refused.get(i) != refused.get(i - 1)) refused.set(kept++, refused.get(i));
  }
  refused.length = kept;
}

/** The kernel holds something else under the key than its owner, whose rules are left out or postponed, has had there. */
export function isHeldByAnother(key: Key): bool {
  if (key.claims == 0) return false;
  const owner = key.owner().port;
  if (owner.pending == 0 && !owner.port.service.isLeftOut(<u32>key.family)) return false;
  return key.committedOwner != 0 && key.committedOwner != owner.port.number;
}
