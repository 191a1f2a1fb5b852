// In which way two packets' endings differ.

import { lit } from "../../bytes/out";
import { idOfRank } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { Ending, Outcomes } from "../tracing/outcomes";
import { Dim, packet, valueOf } from "../tracing/packet";

export namespace DifferenceKind {
  export const ENDPOINTS: u32 = 0;
  export const ODDS: u32 = 1;
  export const MASQUERADE: u32 = 2;
  /** Masqueraded or not where a client is its own endpoint. */
  export const HAIRPIN: u32 = 3;
  export const AFFINITY: u32 = 4;
  export const REJECT_WITH: u32 = 5;
  export const SOURCE: u32 = 6;
  export const UNKNOWN: u32 = 7;
  /** From here on: what kinds of ending A and B have, MIXED for several. */
  export const VERDICT: u32 = 64;
}

const MIXED: u32 = 5;

function kindOf(outcomes: Outcomes): u32 {
  if (outcomes.count == 0) return MIXED;
  const first = outcomes.kind(0);
  for (let i: u32 = 1; i < outcomes.count; i++) if (outcomes.kind(i) != first) return MIXED;
  return first;
}

/** The ending with an endpoint, or ABSENT. */
function indexOf(outcomes: Outcomes, literal: u32, port: u32): u32 {
  for (let i: u32 = 0; i < outcomes.count; i++) {
    if (outcomes.literal(i) == literal && outcomes.port(i) == port) return i;
  }
  return ABSENT;
}

/** Both are merged and differ. */
export function kindOfDifference(a: Outcomes, b: Outcomes): u32 {
  if (a.hasUnknown() || b.hasUnknown()) return DifferenceKind.UNKNOWN;
  const x = kindOf(a);
  const y = kindOf(b);
  if (x != y) return DifferenceKind.VERDICT + x * 8 + y;
  if (x == Ending.REJECT) return DifferenceKind.REJECT_WITH;
  if (x == MIXED) return DifferenceKind.ENDPOINTS;
  if (a.count != b.count) return DifferenceKind.ENDPOINTS;
  let odds = false;
  let masquerade = false;
  let hairpin = false;
  let source = false;
  const rank = valueOf(Dim.SADDR);
  const self = (rank & 1) == 1 ? idOfRank(packet.family, rank) : ABSENT;
  for (let i: u32 = 0; i < a.count; i++) {
    const j = indexOf(b, a.literal(i), a.port(i));
    if (j == ABSENT) return DifferenceKind.ENDPOINTS;
    if (a.numerator(i) != b.numerator(j) || a.denominator(i) != b.denominator(j)) odds = true;
    if (a.isMasqueraded(i) != b.isMasqueraded(j)) {
      if (a.literal(i) == self) hairpin = true;
      else masquerade = true;
    }
    if (a.snat(i) != b.snat(j)) source = true;
  }
  if (odds) return DifferenceKind.ODDS;
  if (masquerade) return DifferenceKind.MASQUERADE;
  if (hairpin) return DifferenceKind.HAIRPIN;
  return source ? DifferenceKind.SOURCE : DifferenceKind.AFFINITY;
}

function endingName(kind: u32): void {
  if (kind == Ending.PASS) lit("pass");
  else if (kind == Ending.ENDPOINT) lit("endpoint");
  else if (kind == Ending.DROP) lit("drop");
  else if (kind == Ending.REJECT) lit("reject");
  else lit(kind == Ending.UNKNOWN ? "unknown" : "mixed");
}

/** As JSON's string without quotes: `odds`, `pass-reject` and the like. */
export function writeKind(kind: u32): void {
  switch (kind) {
    case DifferenceKind.ENDPOINTS:
      lit("endpoints");
      return;
    case DifferenceKind.ODDS:
      lit("odds");
      return;
    case DifferenceKind.MASQUERADE:
      lit("masquerade");
      return;
    case DifferenceKind.HAIRPIN:
      lit("hairpin");
      return;
    case DifferenceKind.AFFINITY:
      lit("affinity");
      return;
    case DifferenceKind.REJECT_WITH:
      lit("reject-with");
      return;
    case DifferenceKind.SOURCE:
      lit("source");
      return;
    case DifferenceKind.UNKNOWN:
      lit("unknown");
      return;
  }
  endingName((kind - DifferenceKind.VERDICT) >> 3);
  lit("-");
  endingName((kind - DifferenceKind.VERDICT) & 7);
}
