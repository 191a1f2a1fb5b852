// Lists of clients that stick to an endpoint: xt_recent's, and nft sets that rules update with the source address.
import { Vector } from "../../bytes/memory";
import { ABSENT, PairMap } from "./pairs";

/** Of each list: seconds, then the endpoint that clients on it go to: family, literal (ABSENT: not known), port; and its name or set. */
const STRIDE: u32 = 5;
const lists = new Vector();
const numbers = new PairMap();

function makeList(owner: u32): u32 {
  lists.push(0);
  lists.push(0);
  lists.push(ABSENT);
  lists.push(0);
  lists.push(owner);
  return lists.length / STRIDE - 1;
}

/** The list of xt_recent by rule set, family and name. */
export function recentList(ruleset: u32, family: u32, name: u32): u32 {
  const found = numbers.get((ruleset << 2) | (family << 1), name);
  if (found != ABSENT) return found;
  numbers.set((ruleset << 2) | (family << 1), name, makeList(name));
  return lists.length / STRIDE - 1;
}

/** The list that a dynamic set is. */
export function setList(set: u32): u32 {
  const found = numbers.get(1, set);
  if (found != ABSENT) return found;
  numbers.set(1, set, makeList(set));
  return lists.length / STRIDE - 1;
}

/** The name of xt_recent's list, or the number of the set that the list is. */
export function listOwner(list: u32): u32 {
  return lists.get(list * STRIDE + 4);
}
export function listSeconds(list: u32): u32 {
  return lists.get(list * STRIDE);
}
export function setListSeconds(list: u32, seconds: u32): void {
  lists.set(list * STRIDE, seconds);
}
export function listFamily(list: u32): u32 {
  return lists.get(list * STRIDE + 1);
}
/** Literal of the endpoint that clients on the list go to, or ABSENT. */
export function listAddress(list: u32): u32 {
  return lists.get(list * STRIDE + 2);
}
export function listPort(list: u32): u32 {
  return lists.get(list * STRIDE + 3);
}
export function setListEndpoint(list: u32, family: u32, address: u32, port: u32): void {
  lists.set(list * STRIDE + 1, family);
  lists.set(list * STRIDE + 2, address);
  lists.set(list * STRIDE + 3, port);
}
