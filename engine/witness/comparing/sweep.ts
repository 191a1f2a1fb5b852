// The comparison of two rule sets for every packet. One packet is walked through both, and the box that this leaves round it is
// a class of packets that all end as it does; the next packet is the first one outside, until the space is used up.

import { jsonBoolean } from "../../bytes/json";
import { Vector } from "../../bytes/memory";
import { lit } from "../../bytes/out";
import { IPV4, IPV6 } from "../model/addresses";
import { listAddress, listFamily, listPort } from "../model/affinity";
import { ABSENT } from "../model/pairs";
import { CtState, CtStatus } from "../model/rules";
import { number64 } from "../tracing/answer";
import { asked } from "../tracing/matches";
import { Outcomes, sameOutcomes } from "../tracing/outcomes";
import { Dim, highOf, Origin, packet, resetBox, setValue } from "../tracing/packet";
import { walk } from "../tracing/walk";
import { overflowed, resetOverflow } from "../tracing/weights";
import { addDifference, differentClasses, resetDifferences, unknownClasses, writeDifferences } from "./differences";
import { kindOfDifference } from "./kinds";
import { checkBox, resetChecks, unsoundBoxes } from "./self-check";
import { lastValue, valueFrom } from "./space";

let rulesetA: u32 = 0;
let rulesetB: u32 = 0;
let limit: u64 = 0;
let checks: bool = false;
let classes: u64 = 0;
let gaveUp: bool = false;
let isExact: bool = true;

const endingsA = new Outcomes();
const endingsB = new Outcomes();

/** Compares two rule sets for all packets; `withFlows`: of established and invalid connections, too. */
export function compareRulesets(a: u32, b: u32, most: u64, withFlows: bool, check: bool): void {
  rulesetA = a;
  rulesetB = b;
  limit = most;
  checks = check;
  classes = 0;
  gaveUp = false;
  isExact = true;
  resetDifferences();
  resetChecks();
  for (let family = IPV4; family <= IPV6; family++) {
    for (let origin = Origin.NETWORK; origin <= Origin.NODE; origin++) {
      sweep(family, origin, CtState.NEW, 0);
      if (!withFlows) continue;
      sweep(family, origin, CtState.ESTABLISHED, 0);
      sweep(family, origin, CtState.ESTABLISHED, CtStatus.DNAT);
      sweep(family, origin, CtState.INVALID, 0);
    }
  }
  writeResult();
}

/** The end of what each dimension's value stands for, over all that was visited with it. */
const reach = new Vector();
for (let dim: u32 = 0; dim < Dim.COUNT; dim++) reach.push(u32.MAX_VALUE);

/** Puts all dimensions from `dim` on to their first value; false: some has none. */
function rewind(dim: u32): bool {
  for (; dim < Dim.COUNT; dim++) {
    const first = valueFrom(dim, 0);
    if (first == ABSENT) return false;
    setValue(dim, first);
    reach.set(dim, u32.MAX_VALUE);
  }
  return true;
}

function sweep(family: u32, origin: u32, ctState: u32, ctStatus: u32): void {
  packet.family = family;
  packet.origin = origin;
  packet.ctState = ctState;
  packet.ctStatus = ctStatus;
  if (gaveUp || !rewind(0)) return;
  do {
    if (classes >= limit) {
      gaveUp = true;
      return;
    }
    resetBox();
    visit();
    for (let dim: u32 = 0; dim < Dim.COUNT; dim++) if (highOf(dim) < reach.get(dim)) reach.set(dim, highOf(dim));
  } while (advance());
}

/** On to the first packet outside the boxes so far; false: there is none. */
function advance(): bool {
  for (let dim = Dim.COUNT; dim-- > 0; ) {
    const last = reach.get(dim);
    const next = last >= lastValue(dim) ? ABSENT : valueFrom(dim, last + 1);
    if (next == ABSENT) continue;
    setValue(dim, next);
    reach.set(dim, u32.MAX_VALUE);
    return rewind(dim + 1);
  }
  return false;
}

/** Endpoints that rules have asked whether the client sticks to them: literal, port. */
const sticky = new Vector();

function collectSticky(): void {
  for (let i: u32 = 0; i < asked.length; i++) {
    const list = asked.get(i);
    if (listAddress(list) == ABSENT || listFamily(list) != packet.family) continue;
    let known = false;
    for (let j: u32 = 0; j < sticky.length && !known; j += 2) {
      known = sticky.get(j) == listAddress(list) && sticky.get(j + 1) == listPort(list);
    }
    if (known) continue;
    sticky.push(listAddress(list));
    sticky.push(listPort(list));
  }
}

/** The packet's class: clients that stick to no endpoint, and those that stick to each that is asked for. */
function visit(): void {
  packet.stuckAddress = ABSENT;
  packet.stuckPort = 0;
  packet.askedStuck = false;
  sticky.clear();
  compareHere();
  if (!packet.askedStuck) return;
  for (let i: u32 = 0; i < sticky.length; i += 2) {
    packet.stuckAddress = sticky.get(i);
    packet.stuckPort = sticky.get(i + 1);
    compareHere();
  }
}

function compareHere(): void {
  classes++;
  resetOverflow();
  walk(rulesetA, endingsA);
  collectSticky();
  walk(rulesetB, endingsB);
  collectSticky();
  if (overflowed) isExact = false;
  const isSame = sameOutcomes(endingsA, endingsB);
  if (!isSame || endingsA.hasUnknown()) addDifference(kindOfDifference(endingsA, endingsB), endingsA, endingsB);
  if (checks) checkBox(rulesetA, rulesetB, endingsA, endingsB);
}

function writeResult(): void {
  lit('{"result":"');
  if (differentClasses > 0) lit("different");
  else if (gaveUp || !isExact) lit("gave-up");
  else lit(unknownClasses > 0 ? "inconclusive" : "equal");
  lit('","complete":');
  jsonBoolean(!gaveUp && isExact);
  lit(',"classes":');
  number64(classes);
  lit(',"differentClasses":');
  number64(differentClasses);
  lit(',"unknownClasses":');
  number64(unknownClasses);
  lit(',"unsoundBoxes":');
  number64(unsoundBoxes);
  lit(",");
  writeDifferences();
  lit("}");
}
