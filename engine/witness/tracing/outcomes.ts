// Where the paths of a packet end, with their weights: what two rule sets are compared by.
import { Vector } from "../../bytes/memory";
import { sortVector } from "../../bytes/sort";
import { state } from "./state";
import { addFractions, sumDenominator, sumNumerator } from "./weights";

export namespace Ending {
  /** It goes where it wants to, untranslated. */
  export const PASS: u32 = 0;
  /** It goes to an endpoint. */
  export const ENDPOINT: u32 = 1;
  export const DROP: u32 = 2;
  /** With a RejectWith. */
  export const REJECT: u32 = 3;
  /** A rule decides that is not understood. */
  export const UNKNOWN: u32 = 4;
}

/** Words of an ending: kind | how << 8, literal, port, source after SNAT, affinity; line; numerator and denominator. */
const STRIDE: u32 = 10;
const KEY: u32 = 5;
const MASQUERADED: u32 = 0x10000;

@unmanaged
export class Outcomes {
  words: Vector = new Vector();

  clear(): void {
    this.words.length = 0;
  }
  get count(): u32 {
    return this.words.length / STRIDE;
  }

  /** The path ends here, with the state's weight. `how`: a RejectWith. */
  add(kind: u32, how: u32): void {
    const words = this.words;
    const isPassed = kind <= Ending.ENDPOINT;
    words.push(kind | (how << 8) | (isPassed && state.isMasqueraded ? MASQUERADED : 0));
    words.push(kind == Ending.ENDPOINT ? state.literal : 0);
    words.push(kind == Ending.ENDPOINT ? state.dport : 0);
    words.push(isPassed ? state.snat : 0);
    words.push(isPassed ? state.affinity : 0);
    // What passes has been stopped by none, and after DNAT nothing more is decided.
    words.push(kind == Ending.PASS ? 0 : kind == Ending.ENDPOINT ? state.endpointLine : state.line);
    words.push(<u32>state.numerator);
    words.push(<u32>(state.numerator >> 32));
    words.push(<u32>state.denominator);
    words.push(<u32>(state.denominator >> 32));
  }

  kind(index: u32): u32 {
    return this.words.get(index * STRIDE) & 0xff;
  }
  how(index: u32): u32 {
    return (this.words.get(index * STRIDE) >> 8) & 0xff;
  }
  isMasqueraded(index: u32): bool {
    return (this.words.get(index * STRIDE) & MASQUERADED) != 0;
  }
  literal(index: u32): u32 {
    return this.words.get(index * STRIDE + 1);
  }
  port(index: u32): u32 {
    return this.words.get(index * STRIDE + 2);
  }
  snat(index: u32): u32 {
    return this.words.get(index * STRIDE + 3);
  }
  affinity(index: u32): u32 {
    return this.words.get(index * STRIDE + 4);
  }
  line(index: u32): u32 {
    return this.words.get(index * STRIDE + 5);
  }
  numerator(index: u32): u64 {
    return <u64>this.words.get(index * STRIDE + 6) | ((<u64>this.words.get(index * STRIDE + 7)) << 32);
  }
  denominator(index: u32): u64 {
    return <u64>this.words.get(index * STRIDE + 8) | ((<u64>this.words.get(index * STRIDE + 9)) << 32);
  }

  hasUnknown(): bool {
    for (let i: u32 = 0; i < this.count; i++) if (this.kind(i) == Ending.UNKNOWN) return true;
    return false;
  }

  at(index: u32): usize {
    return this.words.data + ((<usize>(index * STRIDE)) << 2);
  }

  /** Sorts the endings and adds up those that are the same. */
  merge(): void {
    if (this.count < 2) return;
    sorting = this;
    order.clear();
    for (let i: u32 = 0; i < this.count; i++) order.push(i);
    sortVector(order, 0, order.length, compareEndings);
    merged.length = 0;
    for (let i: u32 = 0; i < order.length; i++) {
      const from = this.at(order.get(i));
      const last = merged.data + ((<usize>merged.length) << 2) - <usize>(STRIDE << 2);
      if (merged.length > 0 && memory.compare(last, from, <usize>(KEY << 2)) == 0) {
        addFractions(load<u64>(last, 24), load<u64>(last, 32), load<u64>(from, 24), load<u64>(from, 32));
        store<u64>(last, sumNumerator, 24);
        store<u64>(last, sumDenominator, 32);
        continue;
      }
      for (let j: u32 = 0; j < STRIDE; j++) merged.push(load<u32>(from + ((<usize>j) << 2)));
    }
    this.words.length = 0;
    for (let j: u32 = 0; j < merged.length; j++) this.words.push(merged.get(j));
  }
}

const order = new Vector();
const merged = new Vector();
let sorting: Outcomes = changetype<Outcomes>(0);

function compareEndings(a: u32, b: u32): i32 {
  return memory.compare(sorting.at(a), sorting.at(b), <usize>(KEY << 2));
}

/** Ending for ending the same, but for the lines. */
function areAlike(a: Outcomes, b: Outcomes): bool {
  if (a.count != b.count) return false;
  for (let i: u32 = 0; i < a.count; i++) {
    const x = a.at(i);
    const y = b.at(i);
    if (memory.compare(x, y, <usize>(KEY << 2)) != 0) return false;
    if (load<u64>(x, 24) != load<u64>(y, 24) || load<u64>(x, 32) != load<u64>(y, 32)) return false;
  }
  return true;
}

/** Whether packets end alike, with the same odds. Both may be merged by it. */
export function sameOutcomes(a: Outcomes, b: Outcomes): bool {
  // Most often both come in the same order.
  if (areAlike(a, b)) return true;
  a.merge();
  b.merge();
  return areAlike(a, b);
}
