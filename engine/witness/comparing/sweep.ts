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
import { Origin, packet } from "../tracing/packet";
import { walk } from "../tracing/walk";
import { overflowed, resetOverflow } from "../tracing/weights";
import { addDifference, differentClasses, resetDifferences, unknownClasses, writeDifferences } from "./differences";
import { kindOfDifference } from "./kinds";
import { checkBox, resetChecks, unsoundBoxes } from "./self-check";
import { sweepSpace } from "./space-sweep";

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
      sweepSpace(family, origin, CtState.NEW, 0, visit);
      if (!withFlows) continue;
      sweepSpace(family, origin, CtState.ESTABLISHED, 0, visit);
      sweepSpace(family, origin, CtState.ESTABLISHED, CtStatus.DNAT, visit);
      sweepSpace(family, origin, CtState.INVALID, 0, visit);
    }
  }
  writeResult();
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

/** The packet's class: clients that stick to no endpoint, and those that stick to each that is asked for. False: it gives up. */
function visit(): bool {
  if (classes >= limit) gaveUp = true;
  if (gaveUp) return false;
  packet.stuckAddress = ABSENT;
  packet.stuckPort = 0;
  packet.askedStuck = false;
  sticky.clear();
  compareHere();
  if (!packet.askedStuck) return true;
  for (let i: u32 = 0; i < sticky.length; i += 2) {
    packet.stuckAddress = sticky.get(i);
    packet.stuckPort = sticky.get(i + 1);
    compareHere();
  }
  return true;
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
