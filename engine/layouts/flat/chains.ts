// How the chains that Services share are written. They stand one batch before anything points to them, and go one batch after.
import { nft } from "../../encodings/nft";
import { DataType, Verb } from "../../encodings/nft-encoding";
import { ownedByNobody } from "../../encodings/owners";
import { masqueradeMark } from "../../routing/family-facts";
import { journal } from "../../transactions/batches";
import { doNothing, journalKind } from "../../transactions/journal";
import { writeFor, writeForAllWhoNeed } from "../../transactions/refusals";
import { nothingStale } from "../../transactions/stale-chains";
import { cutAnywhere, hasRoom, longestTransaction, makeRoom, makeRoomForAll, whenCut } from "../nft/cuts";
import { fullText } from "../nft/full-text";
import { retire, revive } from "../nft/retiring";
import { writeShortCircuits } from "../nft/stock";
import { countChain, FlatChain, FlatKind, isWanted, kindPrefix, list, listWhere } from "./shared-chains";
import { SourceList } from "./source-lists";

/** Number of the plan that is being made. */
let plan: u32 = 0;

export function beginFlatChains(): void {
  plan++;
}

/** A service port of that Service, which the plan writes, needs the chain that checks sources (or 0). */
export function askForFirewall(at: usize, service: usize): void {
  if (at == 0) return;
  changetype<FlatChain>(at).askedBy = service;
  changetype<FlatChain>(at).askedIn = plan;
}

/** What is refused of the chain is laid at the door of the Service that has asked for it, or of all that need it. */
function writeForChain(chain: FlatChain): void {
  if (fullText) writeFor(0);
  else if (chain.kind != FlatKind.FIREWALL) writeForAllWhoNeed(changetype<usize>(chain));
  else writeFor(chain.askedIn == plan ? chain.askedBy : 0);
}

function balance(chain: FlatChain, map: string, count: u32): void {
  const byPort = chain.kind >= FlatKind.NODE_PORT_BALANCE;
  nft.rule("", chain.key, chain.keyLength);
  nft.dnatToSlot(map, byPort, count);
  nft.endRule();
  if (count == 1) return;
  // A packet may have been led here when there were more endpoints than there are now: slot 0 is always taken.
  nft.rule("", chain.key, chain.keyLength);
  nft.dnatToSlot(map, byPort, 1);
  nft.endRule();
}

function writeLocalRules(chain: FlatChain, nodePort: bool): void {
  const cluster = countChain(chain.family, nodePort ? FlatKind.NODE_PORT_BALANCE : FlatKind.BALANCE, chain.count, 0);
  writeShortCircuits(chain.family, "", chain.key, chain.keyLength, "", cluster.key, cluster.keyLength);
  if (chain.localCount != 0) balance(chain, nodePort ? "local-nodeport-backends" : "local-backends", chain.localCount);
}

/** What follows `firewall-` in the chain's name follows `sources-` in its set's. */
function sourcesBase(chain: FlatChain): usize {
  return chain.key + <usize>kindPrefix(FlatKind.FIREWALL).length;
}

function sourcesLength(chain: FlatChain): usize {
  return <usize>chain.keyLength - <usize>kindPrefix(FlatKind.FIREWALL).length;
}

function addRange(chain: FlatChain, range: usize): void {
  nft.element(Verb.ADD, "sources-", sourcesBase(chain), sourcesLength(chain));
  nft.rangeKey(range, range + 16);
  nft.endElement();
}

/** Bytes that a range takes at most, with the head of a message. */
const RANGE_BYTES: usize = 384;

/** The list that is being written by several transactions. */
let filling: usize = 0;

function commitBegun(at: usize, _now: u64): void {
  changetype<FlatChain>(at).begun = true;
}

/** The chain is there without rules, and some elements of its set. */
const BEGIN = journalKind(commitBegun, doNothing);

function noteBegun(): void {
  journal(BEGIN, filling);
}

/** Fills the sets of listed chains that one transaction can't hold, before anything leads there. */
function fillLargeSets(): void {
  for (let i: u32 = 0; i < list.length; i++) {
    const chain = changetype<FlatChain>(<usize>list.get(i));
    chain.filled = false;
    if (chain.kind != FlatKind.FIREWALL) continue;
    const ranges = changetype<SourceList>(chain.sources);
    const size = (<usize>ranges.keyLength >> 5) * RANGE_BYTES;
    if (longestTransaction() == 0 || hasRoom(size)) continue;
    chain.filled = true;
    if (chain.committed) continue;
    writeForChain(chain);
    reviveChain(chain);
    makeRoomForAll(size);
    nft.chain(Verb.ADD, "", chain.key, chain.keyLength);
    nft.addRangeSet("sources-", sourcesBase(chain), sourcesLength(chain));
    nft.set(Verb.FLUSH, DataType.NONE, "sources-", sourcesBase(chain), sourcesLength(chain));
    filling = changetype<usize>(chain);
    whenCut(noteBegun);
    for (let range = ranges.key; range < ranges.key + <usize>ranges.keyLength; range += 32) {
      makeRoom(RANGE_BYTES);
      addRange(chain, range);
    }
    noteBegun(); // rules come later, perhaps in a transaction that fails
    cutAnywhere();
  }
  writeFor(0);
}

function writeFirewallRules(chain: FlatChain): void {
  const base = sourcesBase(chain);
  const length = sourcesLength(chain);
  const list = changetype<SourceList>(chain.sources);
  if (!chain.filled) {
    nft.addRangeSet("sources-", base, length);
    for (let range = list.key; range < list.key + <usize>list.keyLength; range += 32) addRange(chain, range);
  }
  nft.rule("", chain.key, chain.keyLength);
  nft.matchAddress(true, true, "sources-", base, length);
  nft.drop();
  nft.endRule();
}

function writeRules(chain: FlatChain): void {
  switch (chain.kind) {
    case FlatKind.BALANCE:
      balance(chain, "backends", chain.count);
      break;
    case FlatKind.NODE_PORT_BALANCE:
      balance(chain, "nodeport-backends", chain.count);
      break;
    case FlatKind.LOCAL:
      writeLocalRules(chain, false);
      break;
    case FlatKind.NODE_PORT_LOCAL:
      writeLocalRules(chain, true);
      break;
    case FlatKind.FIREWALL:
      writeFirewallRules(chain);
      break;
    default: {
      const nodePort = chain.kind == FlatKind.NODE_PORT_MASQUERADE;
      const plain = countChain(chain.family, nodePort ? FlatKind.NODE_PORT_BALANCE : FlatKind.BALANCE, chain.count, 0);
      nft.rule("", chain.key, chain.keyLength);
      nft.markOr(masqueradeMark());
      nft.comment("masquerade");
      nft.endRule();
      nft.rule("", chain.key, chain.keyLength);
      nft.goto("", plain.key, plain.keyLength);
      nft.endRule();
    }
  }
}

/** Writes listed chains in two rounds, since some go to others: all chains, then all rules. */
function writeChains(from: u32, to: u32): void {
  ownedByNobody();
  for (let i = from; i < to; i++) {
    const chain = changetype<FlatChain>(<usize>list.get(i));
    writeForChain(chain);
    nft.chain(Verb.ADD, "", chain.key, chain.keyLength);
    nft.chain(Verb.FLUSH, "", chain.key, chain.keyLength);
  }
  for (let i = from; i < to; i++) {
    const chain = changetype<FlatChain>(<usize>list.get(i));
    writeForChain(chain);
    writeRules(chain);
  }
  writeFor(0);
}

/** Writes every chain that is wanted, for the full text. */
export function writeAllFlatChains(family: u32): void {
  listWhere(family, (chain: FlatChain) => chain.wanted != 0);
  for (let i: u32 = 0; i < list.length; i++) changetype<FlatChain>(<usize>list.get(i)).filled = false;
  writeChains(0, list.length);
}

/** How many of the listed chains have been written. */
let written: u32 = 0;

/** Lists the chains that are wanted, all of them or only those that the kernel lacks; true if there are any. */
export function listFlatChains(family: u32, all: bool): bool {
  if (all) listWhere(family, isWanted);
  else listWhere(family, (chain: FlatChain) => isWanted(chain) && !chain.committed && !chain.open);
  written = 0;
  fillLargeSets();
  return list.length != 0;
}

/** Writes the next `count` of them; `note` is called with each. Returns true if some are left. */
export function writeListedChains(count: u32, note: (chain: FlatChain) => void): bool {
  const end = list.length - written > count ? written + count : list.length;
  for (let i = written; i < end; i++) {
    const chain = changetype<FlatChain>(<usize>list.get(i));
    reviveChain(chain);
    note(chain);
  }
  writeChains(written, end);
  written = end;
  return written < list.length;
}

function reviveChain(chain: FlatChain): void {
  revive(chain.family, "", chain.key, chain.keyLength);
  if (chain.kind == FlatKind.FIREWALL) revive(chain.family, "sources-", sourcesBase(chain), sourcesLength(chain));
}

/** Retires the chains that the kernel holds, be it in part, and nobody wants; `note` is called with each. */
export function retireFlatChains(family: u32, note: (chain: FlatChain) => void): void {
  if (!nothingStale(family)) {
    // What a plan has retired that never came to pass may be wanted again.
    listWhere(family, (chain: FlatChain) => isWanted(chain) && chain.committed);
    for (let i: u32 = 0; i < list.length; i++) reviveChain(changetype<FlatChain>(<usize>list.get(i)));
  }
  listWhere(family, (chain: FlatChain) => !isWanted(chain) && (chain.committed || chain.begun));
  for (let i: u32 = 0; i < list.length; i++) {
    const chain = changetype<FlatChain>(<usize>list.get(i));
    retire(family, false, "", chain.key, chain.keyLength);
    if (chain.kind == FlatKind.FIREWALL) retire(family, true, "sources-", sourcesBase(chain), sourcesLength(chain));
    note(chain);
  }
}
