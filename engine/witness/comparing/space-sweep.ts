// The way through all packets of one family, origin and connection state: the box that a visit leaves round its packet is a class of
// packets that all end as it does; the next packet is the first one outside, until the space is used up.
import { Vector } from "../../bytes/memory";
import { ABSENT } from "../model/pairs";
import { Dim, highOf, packet, resetBox, setValue } from "../tracing/packet";
import { lastValue, valueFrom } from "./space";

/** The end of what each dimension's value stands for, over all that was visited with it. */
const reach = new Vector();
/** The only value of a dimension that is gone through; ABSENT: all that packets can have. */
const only = new Vector();
for (let dim: u32 = 0; dim < Dim.COUNT; dim++) {
  reach.push(u32.MAX_VALUE);
  only.push(ABSENT);
}

/** From now on the dimension has that value alone; ABSENT: all values. A port only together with its protocol: others have none. */
export function confine(dim: u32, value: u32): void {
  only.set(dim, value);
}

/** Puts all dimensions from `dim` on to their first value; false: some has none. */
function rewind(dim: u32): bool {
  for (; dim < Dim.COUNT; dim++) {
    const wanted = only.get(dim);
    const first = wanted == ABSENT ? valueFrom(dim, 0) : wanted <= lastValue(dim) ? wanted : ABSENT;
    if (first == ABSENT) return false;
    setValue(dim, first);
    reach.set(dim, u32.MAX_VALUE);
  }
  return true;
}

/** Visits each class until all were visited or a visit returns false. */
export function sweepSpace(family: u32, origin: u32, ctState: u32, ctStatus: u32, visit: () => bool): void {
  packet.family = family;
  packet.origin = origin;
  packet.ctState = ctState;
  packet.ctStatus = ctStatus;
  if (!rewind(0)) return;
  do {
    resetBox();
    if (!visit()) return;
    for (let dim: u32 = 0; dim < Dim.COUNT; dim++) if (highOf(dim) < reach.get(dim)) reach.set(dim, highOf(dim));
  } while (advance());
}

/** On to the first packet outside the boxes so far; false: there is none. */
function advance(): bool {
  for (let dim = Dim.COUNT; dim-- > 0; ) {
    if (only.get(dim) != ABSENT) continue;
    const last = reach.get(dim);
    const next = last >= lastValue(dim) ? ABSENT : valueFrom(dim, last + 1);
    if (next == ABSENT) continue;
    setValue(dim, next);
    reach.set(dim, u32.MAX_VALUE);
    return rewind(dim + 1);
  }
  return false;
}
