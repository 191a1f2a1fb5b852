// Taking chains and sets out of an nftables table that a plan does not need any more (transactions/stale-chains.ts).
import { equalLiteral } from "../../bytes/compare";
import { Vector } from "../../bytes/memory";
import { writeLiteral } from "../../bytes/out";
import { nft } from "../../encodings/nft";
import { DataType, Verb } from "../../encodings/nft-encoding";
import { ownedByNobody } from "../../encodings/owners";
import { hasPortions } from "../../routing/portions";
import { endNftBatch } from "../../transactions/batches";
import {
  addStale,
  forgetStale,
  journalDeletion,
  journalEmptying,
  journalKeeping,
  listResting,
  listRetired,
  nothingStale,
  restedAt,
  StaleChain,
  staleNamed,
} from "../../transactions/stale-chains";
import { beginTransaction, makeRoom } from "./cuts";
import { isOwnMap } from "./names";

const nameBuffer: usize = memory.data(512, 16);

function joinName(prefix: string, base: usize, length: usize): usize {
  memory.copy(writeLiteral(nameBuffer, prefix), base, length);
  return <usize>prefix.length + length;
}

/** Notes a chain, or a set that only retired chains refer to, that the kernel holds and that is not needed any more. */
export function retire(family: u32, isSet: bool, prefix: string, base: usize, length: usize): void {
  const joined = joinName(prefix, base, length);
  addStale(family, nameBuffer, joined, isSet);
}

/** A chain or set that is in use may be one that waits for its deletion. */
export function revive(family: u32, prefix: string, base: usize, length: usize): void {
  if (nothingStale(family)) return;
  const found = staleNamed(family, nameBuffer, joinName(prefix, base, length));
  if (found != 0 && !changetype<StaleChain>(found).wanted) journalKeeping(changetype<StaleChain>(found));
}

/** A chain or set that the kernel holds and that is in use: no plan that had retired it has come to pass. */
export function keep(family: u32, prefix: string, base: usize, length: usize): void {
  if (nothingStale(family)) return;
  const found = staleNamed(family, nameBuffer, joinName(prefix, base, length));
  if (found != 0) forgetStale(found);
}

const list = new Vector();
/** Bytes that a message takes at most that names a chain or set and no more. */
const NAME_BYTES: usize = 320;

/** A set that only the rules of retired chains refer to goes with those rules; a map with slots rests as a chain does. */
function goesAtOnce(stale: StaleChain): bool {
  return stale.isSet && !isOwnMap(stale.key, stale.keyLength);
}

/** Other chains go to those with such a name, and by the order of names they would come before these. */
function isGoneTo(name: usize, length: usize): bool {
  if (length > 9 && equalLiteral(name, 9, "endpoint-")) return true;
  return length > 3 && equalLiteral(name, 3, "lb-");
}

/** Of what is listed, and is or is not gone to by others. */
function emptyRetired(goneTo: bool): void {
  for (let i: u32 = 0; i < list.length; i++) {
    const chain = changetype<StaleChain>(<usize>list.get(i));
    if (goesAtOnce(chain)) continue;
    if (isGoneTo(chain.key, chain.keyLength) != goneTo) continue;
    makeRoom(NAME_BYTES);
    // A map keeps its slots as long as a packet may be on its way to them.
    if (!chain.isSet) nft.chain(Verb.FLUSH, "", chain.key, chain.keyLength);
    journalEmptying(chain);
  }
}

/** Empties what is retired, so that it refers to nothing, then deletes the sets that only it referred to. */
export function writeRetired(family: u32): void {
  listRetired(family, list);
  if (list.length == 0) return;
  ownedByNobody();
  emptyRetired(false);
  emptyRetired(true);
  for (let i: u32 = 0; i < list.length; i++) {
    const set = changetype<StaleChain>(<usize>list.get(i));
    if (!goesAtOnce(set)) continue;
    makeRoom(NAME_BYTES);
    nft.set(Verb.DELETE, DataType.NONE, "", set.key, set.keyLength);
    journalDeletion(set);
  }
}

/** Where others don't wait for heavy Services, a plan deletes so many chains and maps at most, and the next one goes on. */
const MOST_DELETED: u32 = 1000;

/**
 * Adds a batch that deletes empty chains, and maps that nothing looks into: those that have rested (`due`), or the others, this
 * plan's among them. True if there may be more of that kind.
 */
export function planDeletions(family: u32, now: u64, due: bool): bool {
  const most = hasPortions() ? MOST_DELETED : u32.MAX_VALUE;
  listResting(family, now, due, most, list);
  if (list.length == 0) return false;
  let wait: u64 = 0;
  for (let i: u32 = 0; !due && i < list.length; i++) {
    wait = max(wait, restedAt(changetype<StaleChain>(<usize>list.get(i)), now) - now);
  }
  beginTransaction(family, <u32>wait);
  for (let i: u32 = 0; i < list.length; i++) {
    const chain = changetype<StaleChain>(<usize>list.get(i));
    makeRoom(NAME_BYTES);
    if (chain.isSet) nft.set(Verb.DELETE, DataType.ENDPOINT, "", chain.key, chain.keyLength);
    else nft.chain(Verb.DELETE, "", chain.key, chain.keyLength);
    journalDeletion(chain);
  }
  endNftBatch(0, false);
  return list.length == most;
}
