// The elements of the named sets and maps that nftables layouts share (kube-proxy: pkg/proxy/nftables): for each key what
// should be in the kernel, what is, and the commands between the two.
import { Vector } from "../../bytes/memory";
import { isSpent, isSpentOnOne } from "../../bytes/slices";
import { sortVector } from "../../bytes/sort";
import { nft } from "../../encodings/nft";
import { Verb } from "../../encodings/nft-encoding";
import { Claim, EntryPoint, Key, KeyKind } from "../../routing/keys";
import { Decision, FamilyPort } from "../../routing/service-ports";
import { journalKey } from "../../transactions/key-journal";
import { isHeldByAnother, writeFor } from "../../transactions/refusals";
import { isKeyWaiting } from "../../transactions/waves";
import { ownClaim } from "../owning";
import { compareKeys, isSet, noEndpoints, removeElement, services, setName, writeKey, writeSetKey } from "./containers";
import { makeRoom } from "./cuts";
import { fullText, textNumber } from "./full-text";
import { leaveOver } from "./leftovers";
import { isRejectedOnLocalhost, LOCALHOST_REJECTS, localhostRejectChain } from "./localhost-node-ports";

/** What a key of the no-endpoint maps says. */
namespace Verdict {
  export const NONE: u64 = 0;
  export const REJECT: u64 = 1;
  export const DROP: u64 = 2;
}

/** A chain that a key leads to: its name, and a number that no other chain has; 0: none. */
class Target {
  prefix: string = "";
  base: usize = 0;
  length: usize = 0;
  number: u64 = 0;

  set(prefix: string, base: usize, length: usize, number: u64): void {
    this.prefix = prefix;
    this.base = base;
    this.length = length;
    this.number = number;
  }
}

// What the key that is being looked at should lead to. The layout fills them in, then calls `writeKeyElements`.
export const wantedChain = new Target();
export const wantedFirewall = new Target();

export function wantNothing(): void {
  wantedChain.number = 0;
  wantedFirewall.number = 0;
}

/** The verdict for an entry point that is not served here. */
function verdictOf(claim: Claim): u64 {
  const decision = claim.port.decision;
  const served = claim.entryPoint == EntryPoint.CLUSTER_IP ? Decision.INTERNAL : Decision.EXTERNAL;
  if ((decision & served) != 0) return Verdict.NONE;
  return (decision & Decision.HAS_ENDPOINTS) != 0 ? Verdict.DROP : Verdict.REJECT;
}

/** A verdict and the comment that goes with it, which names the service port, as one number; 0: none. */
function verdictNumber(verdict: u64, claim: Claim): u64 {
  return verdict == Verdict.NONE ? 0 : (claim.port.port.number << 2) | verdict;
}

/** Adds the element, or replaces it where the kernel has another value under the key. */
function begin(container: string, key: Key, committed: u64): void {
  if (committed != 0) removeElement(container, key);
  nft.element(Verb.ADD, container, 0, 0);
  writeKey(key);
}

function goto(target: Target): void {
  nft.gotoData(target.prefix, target.base, target.length);
  nft.endElement();
}

/** Bytes that replacing all elements under a key takes at most: three of them, with names of chains and a comment. */
export const KEY_BYTES: usize = 2048;
/** Bytes that the rules of a service port's chains take at most, but for what grows with its endpoints and ranges. */
export const RULE_BYTES: usize = 16384;

/** Writes what is to be added or replaced under the claim's key, which it must own: `wantedChain`, `wantedFirewall`. */
export function writeKeyElements(claim: Claim): void {
  const key = claim.key;
  const verdict = verdictOf(claim);
  const verdictNow = verdictNumber(verdict, claim);
  const hadChain = fullText ? 0 : key.committedChain;
  const hadFirewall = fullText ? 0 : key.committedFirewall;
  const hadVerdict = fullText ? 0 : key.committedNoEndpoints;
  makeRoom(KEY_BYTES);
  ownClaim(claim);
  if (wantedChain.number != 0 && wantedChain.number != hadChain) {
    begin(services(key), key, hadChain);
    goto(wantedChain);
  }
  if (wantedFirewall.number != 0 && wantedFirewall.number != hadFirewall) {
    begin("firewall-ips", key, hadFirewall);
    goto(wantedFirewall);
  }
  if (verdictNow != 0 && verdictNow != hadVerdict) {
    begin(noEndpoints(key), key, hadVerdict);
    nft.elementComment(claim.port.port.printable, claim.port.port.printableLength);
    if (verdict == Verdict.REJECT) nft.gotoData("reject-chain", 0, 0);
    else nft.dropData();
    nft.endElement();
  }
  const localhost = key.kind == KeyKind.NODE_PORT && isRejectedOnLocalhost(<u32>key.family, <u32>key.protocol);
  if (localhost && (fullText || !key.committedLocalhost)) {
    begin(LOCALHOST_REJECTS, key, 0);
    nft.gotoData(localhostRejectChain(<u32>key.protocol), 0, 0);
    nft.endElement();
  }
  if (!fullText) settle(key, wantedChain.number, wantedFirewall.number, verdictNow, localhost, claim.port.port.number);
}

/** Notes what the batch makes of the key, and what is left to delete. */
function settle(key: Key, chain: u64, firewall: u64, verdict: u64, localhost: bool, owner: u64): void {
  key.plannedOwner = (chain | firewall | verdict) == 0 ? 0 : owner;
  key.plannedChain = chain;
  key.plannedFirewall = firewall;
  key.plannedNoEndpoints = verdict;
  key.plannedLocalhost = localhost;
  if (
    !key.open &&
    (chain != key.committedChain ||
      firewall != key.committedFirewall ||
      verdict != key.committedNoEndpoints ||
      localhost != key.committedLocalhost)
  ) {
    journalKey(key);
  }
  if (
    (chain == 0 && key.committedChain != 0) ||
    (firewall == 0 && key.committedFirewall != 0) ||
    (verdict == 0 && key.committedNoEndpoints != 0) ||
    (!localhost && key.committedLocalhost)
  ) {
    leaveOver(key);
  }
}

/** Nobody claims the key any more. */
export function settleUnclaimed(key: Key): void {
  settle(key, 0, 0, 0, false, 0);
}

/** Adds a set's element if it is wanted and not there; notes it as left over if it is there and not wanted. */
export function writeSetElement(key: Key): void {
  if (key.wanted != 0) {
    if (fullText ? key.written == textNumber : key.committedChain != 0 || key.open) return;
    makeRoom(KEY_BYTES);
    key.written = fullText ? textNumber : key.written;
    nft.element(Verb.ADD, setName(key), 0, 0);
    writeSetKey(key);
    nft.endElement();
  }
  if (fullText || key.open) return;
  settle(key, key.wanted != 0 ? 1 : 0, 0, 0, false, 0);
}

/** A key that no service port of this plan has written: those that want it wait, as what is left out does, and write it themselves. */
function dropSetElement(key: Key): void {
  if (key.wanted == 0) settleUnclaimed(key);
}

/** The endpoints of a service port on this node, which reach themselves through it only if they are masqueraded. */
export function writeHairpins(port: FamilyPort): void {
  for (let i: u32 = 0; i < port.hairpinCount; i++) {
    writeSetElement(changetype<Key>(<usize>load<u32>(port.hairpins + ((<usize>i) << 2))));
  }
}

/** The cluster IP of a service port, in the set of all of them. */
export function writeClusterIP(claim: Claim, clusterIP: Key): void {
  ownClaim(claim);
  writeSetElement(clusterIP);
}

/** Keys in the order in which they are written are sorted so many at a time, since a million would take a second. */
const SORTED_AT_ONCE: u32 = 8192;

const keys = new Vector();
/** What has changed, how much of it has been looked at, and the family whose keys are wanted. */
let changedBefore: Vector = new Vector();
let looked: u32 = 0;
let changedFamily: u32 = 0;
/** How many of `keys` are sorted, and how many have been written. */
let sorted: u32 = 0;
let written: u32 = 0;

/** Begins to bring keys up to date that none of the service ports written in this plan has: `changed` must not change until then. */
export function beginChangedKeys(changed: Vector, family: u32): void {
  keys.clear();
  sorted = 0;
  written = 0;
  looked = 0;
  changedBefore = changed;
  changedFamily = family;
}

/** Finds them, for a slice; true: all are found. */
function listChangedKeys(): bool {
  while (looked < changedBefore.length) {
    const at = changedBefore.get(looked++);
    const key = changetype<Key>(<usize>at);
    if (!key.open && <u32>key.family == changedFamily && (!isKeyWaiting(key) || isHeldByAnother(key))) keys.push(at);
    if (isSpentOnOne(looked)) return false;
  }
  return true;
}

/** Goes on for a slice; true: all are written. `write` does a key that is claimed, `drop` one that nobody claims. */
export function continueChangedKeys(write: (claim: Claim) => void, drop: (key: Key) => void): bool {
  if (!listChangedKeys()) return false;
  while (written < keys.length) {
    if (written == sorted) {
      sorted = min(keys.length, sorted + SORTED_AT_ONCE);
      sortVector(keys, written, sorted, compareKeys);
    }
    const key = changetype<Key>(<usize>keys.get(written++));
    if (key.open) continue; // by now
    writeFor(key.claims == 0 ? 0 : changetype<usize>(key.owner().port.port.service));
    makeRoom(KEY_BYTES);
    if (isSet(key)) dropSetElement(key);
    else if (key.claims != 0 && !isKeyWaiting(key)) write(key.owner());
    else drop(key);
    if (isSpent(1)) return false;
  }
  writeFor(0);
  return true;
}
