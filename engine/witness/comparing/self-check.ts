// Whether boxes are what they claim to be: other packets of a box, walked on their own, must end as the first one did.
import { ABSENT } from "../model/pairs";
import { Outcomes, sameOutcomes } from "../tracing/outcomes";
import { Dim, highOf, lowOf, narrow, packet, resetBox, setValue, valueOf } from "../tracing/packet";
import { walk } from "../tracing/walk";
import { lastValue, valueFrom } from "./space";

export let unsoundBoxes: u64 = 0;
/** A fixed sequence of numbers: the packet in the middle is another one for each box, and the same each time. */
let turn: u32 = 1;

export function resetChecks(): void {
  unsoundBoxes = 0;
  turn = 1;
}

const values: usize = memory.data(32, 16);
const lows: usize = memory.data(32, 16);
const highs: usize = memory.data(32, 16);
const otherA = new Outcomes();
const otherB = new Outcomes();

/** Walks the box's lowest and highest packet, and one between, through both rule sets. The box is as it was afterwards. */
export function checkBox(rulesetA: u32, rulesetB: u32, a: Outcomes, b: Outcomes): void {
  for (let dim: u32 = 0; dim < Dim.COUNT; dim++) {
    const at = (<usize>dim) << 2;
    store<u32>(values + at, valueOf(dim));
    store<u32>(lows + at, lowOf(dim));
    store<u32>(highs + at, highOf(dim));
  }
  const wasAsked = packet.askedStuck;
  for (let round: u32 = 0; round < 3; round++) {
    choose(round);
    walk(rulesetA, otherA);
    walk(rulesetB, otherB);
    // The endings of a box that differ were merged.
    otherA.merge();
    otherB.merge();
    a.merge();
    b.merge();
    if (!sameOutcomes(a, otherA) || !sameOutcomes(b, otherB)) unsoundBoxes++;
  }
  packet.askedStuck = wasAsked;
  resetBox();
  for (let dim: u32 = 0; dim < Dim.COUNT; dim++) {
    const at = (<usize>dim) << 2;
    setValue(dim, load<u32>(values + at));
    narrow(dim, load<u32>(lows + at), load<u32>(highs + at));
  }
}

function choose(round: u32): void {
  for (let dim: u32 = 0; dim < Dim.COUNT; dim++) {
    const at = (<usize>dim) << 2;
    const low = load<u32>(lows + at);
    const high = min(load<u32>(highs + at), lastValue(dim));
    turn = turn * 1664525 + 1013904223;
    let value = round == 0 ? low : round == 1 ? high : low + ((turn >> 8) % (high - low + 1));
    value = valueFrom(dim, value);
    // Packets with what lies there can't be: the first one's value then.
    if (value == ABSENT || value > high) value = load<u32>(values + at);
    setValue(dim, value);
  }
}
