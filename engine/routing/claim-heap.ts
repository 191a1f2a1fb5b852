// The claims of one key: a heap (a pairing heap) whose root is the owner's. However many Services claim one address, to make
// a claim costs a comparison, and to give one back some twenty at most on average. How they hang together depends on the order in
// which they came; the root does not.
import { Claim, Key } from "./keys";
import { comparePorts } from "./service-ports";

/** Negative if `a` comes before `b`: its Service owns the key. */
function compareClaims(a: Claim, b: Claim): i32 {
  if (a.entryPoint != b.entryPoint) return a.entryPoint < b.entryPoint ? -1 : 1;
  const aAge = a.port.claimedSince;
  const bAge = b.port.claimedSince;
  if (aAge != bAge) return aAge < bAge ? -1 : 1;
  const order = comparePorts(a.port.port, b.port.port);
  return order != 0 ? order : <i32>a.index - <i32>b.index;
}

function claimAt(at: usize): Claim {
  return changetype<Claim>(at);
}

/** Makes one heap of two; returns its root. */
function meld(a: usize, b: usize): usize {
  if (a == 0) return b;
  if (b == 0) return a;
  const isFirst = compareClaims(claimAt(a), claimAt(b)) <= 0;
  const root = claimAt(isFirst ? a : b);
  const child = isFirst ? b : a;
  claimAt(child).sibling = root.child;
  if (root.child != 0) claimAt(root.child).before = child;
  claimAt(child).before = changetype<usize>(root);
  root.child = child;
  return changetype<usize>(root);
}

/** Makes one heap of siblings: in pairs, then the pairs from the last to the first. */
function meldSiblings(first: usize): usize {
  let pairs: usize = 0; // linked by `sibling`, the last pair first
  let at = first;
  while (at != 0) {
    const second = claimAt(at).sibling;
    const next: usize = second == 0 ? 0 : claimAt(second).sibling;
    alone(at);
    if (second != 0) alone(second);
    const pair = meld(at, second);
    claimAt(pair).sibling = pairs;
    pairs = pair;
    at = next;
  }
  let root: usize = 0;
  while (pairs != 0) {
    const next = claimAt(pairs).sibling;
    claimAt(pairs).sibling = 0;
    root = meld(root, pairs);
    pairs = next;
  }
  return root;
}

function alone(at: usize): void {
  claimAt(at).sibling = 0;
  claimAt(at).before = 0;
}

/** Adds a claim that has no links yet. */
export function addClaim(key: Key, claim: Claim): void {
  key.claims = meld(key.claims, changetype<usize>(claim));
}

export function removeClaim(key: Key, claim: Claim): void {
  const rest = meldSiblings(claim.child);
  claim.child = 0;
  if (claim.before == 0) {
    key.claims = rest;
    return;
  }
  const before = claimAt(claim.before);
  if (before.child == changetype<usize>(claim)) before.child = claim.sibling;
  else before.sibling = claim.sibling;
  if (claim.sibling != 0) claimAt(claim.sibling).before = claim.before;
  key.claims = meld(key.claims, rest);
}

/** The claim of the same key that comes after that one, in an order of no meaning but that the owner's comes first; or 0. */
export function claimAfter(claim: Claim): usize {
  if (claim.child != 0) return claim.child;
  let at = changetype<usize>(claim);
  while (at != 0) {
    if (claimAt(at).sibling != 0) return claimAt(at).sibling;
    // To the first of the siblings, then to the claim above.
    let before = claimAt(at).before;
    while (before != 0 && claimAt(before).child != at) {
      at = before;
      before = claimAt(at).before;
    }
    at = before;
  }
  return 0;
}
