// What one rule set does with all new connections that a question is about: to one address or all, whatever happens to them, or those
// alone that can reach an endpoint, or that are stopped.
import { parseAddress } from "../../bytes/address";
import { jsonBoolean } from "../../bytes/json";
import { Vector } from "../../bytes/memory";
import { byte, lit } from "../../bytes/out";
import { IPV4, IPV6, idOfRank, rankOfBytes } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { CtState } from "../model/rules";
import { number64, writeEndings } from "../tracing/answer";
import { Ending, Outcomes, sameOutcomes } from "../tracing/outcomes";
import { Dim, highOf, lowOf, Origin, packet, valueOf } from "../tracing/packet";
import { protocolRank } from "../tracing/protocol-ranks";
import { walk } from "../tracing/walk";
import { overflowed, resetOverflow } from "../tracing/weights";
import { copyOf, freeCopy, MOST_GROUPS, PacketGroup, packetGroup, writePackets } from "./packet-groups";
import { confine, sweepSpace } from "./space-sweep";

/** `enum about` of witness.wit. */
namespace About {
  export const EVERYTHING: u32 = 0;
  export const ENDPOINT: u32 = 1;
  export const STOPPED: u32 = 2;
}

let ruleset: u32 = 0;
let about: u32 = About.EVERYTHING;
/** The endpoint that is asked for; port 0: any. */
let literal: u32 = ABSENT;
let endpointFamily: u32 = 2;
let port: u32 = 0;
let limit: u64 = 0;
let classes: u64 = 0;
let isComplete: bool = true;
let more: u64 = 0;

const endings = new Outcomes();
/** Addresses of PacketGroup records, and of the Outcomes of each. */
const groups = new Vector();
const outcomes = new Vector();

const bytes: usize = memory.data(16, 16);

/** Family of the address, its bytes in `bytes`; 2: it is none. */
function familyOf(text: usize, length: usize): u32 {
  const version = parseAddress(text, length, bytes);
  return version == 4 ? IPV4 : version == 6 ? IPV6 : 2;
}

function isAskedFor(): bool {
  if (about == About.EVERYTHING) return true;
  for (let i: u32 = 0; i < endings.count; i++) {
    const kind = endings.kind(i);
    if (about == About.STOPPED) {
      if (kind == Ending.DROP || kind == Ending.REJECT) return true;
    } else if (kind == Ending.ENDPOINT && endings.literal(i) == literal && (port == 0 || endings.port(i) == port)) {
      return true;
    }
  }
  return false;
}

/** The class is one with the one before it: all but the source is the same, and the sources follow one another. */
function joins(last: PacketGroup, before: Outcomes): bool {
  return (
    last.isOf(packet.family, packet.origin) &&
    last.daddrLow == valueOf(Dim.DADDR) &&
    last.protocol == valueOf(Dim.PROTOCOL) &&
    last.portLow == lowOf(Dim.DPORT) &&
    last.portHigh == highOf(Dim.DPORT) &&
    last.iif == valueOf(Dim.IIF) &&
    last.oif == valueOf(Dim.OIF) &&
    last.saddrHigh + 1 == valueOf(Dim.SADDR) &&
    sameOutcomes(before, endings)
  );
}

function visit(): bool {
  if (classes >= limit) {
    isComplete = false;
    return false;
  }
  classes++;
  packet.stuckAddress = ABSENT;
  packet.stuckPort = 0;
  resetOverflow();
  walk(ruleset, endings);
  if (overflowed) isComplete = false;
  // Rules differ by source ports nearly never: the first class tells it.
  if (!isAskedFor()) return true;
  if (groups.length > 0) {
    const last = changetype<PacketGroup>(<usize>groups.get(groups.length - 1));
    if (joins(last, changetype<Outcomes>(<usize>outcomes.get(groups.length - 1)))) {
      last.saddrHigh = highOf(Dim.SADDR);
      return true;
    }
  }
  if (groups.length == MOST_GROUPS) {
    more++;
    return true;
  }
  groups.push(<u32>changetype<usize>(packetGroup()));
  outcomes.push(copyOf(endings));
  return true;
}

function forgetGroups(): void {
  for (let i: u32 = 0; i < groups.length; i++) {
    heap.free(<usize>groups.get(i));
    freeCopy(outcomes.get(i));
  }
  groups.clear();
  outcomes.clear();
}

/** An endpoint that `survey` is about: its address and port; port 0: any. */
export function askForEndpoint(text: usize, length: usize, ofPort: u32): void {
  endpointFamily = length == 0 ? 2 : familyOf(text, length);
  const rank = endpointFamily == 2 ? 0 : rankOfBytes(endpointFamily, bytes);
  literal = (rank & 1) == 1 ? idOfRank(endpointFamily, rank) : ABSENT;
  port = ofPort;
}

/**
 * Answers the question `what`. To one address, protocol and port, as far as these are not empty or 0; an address that is none is
 * found by nobody.
 */
export function survey(
  rules: u32,
  what: u32,
  destination: usize,
  destinationLength: usize,
  protocol: u32,
  toPort: u32,
  most: u64,
): void {
  forgetGroups();
  ruleset = rules;
  about = what;
  limit = most;
  classes = 0;
  more = 0;
  isComplete = true;
  let only: u32 = what == About.ENDPOINT ? endpointFamily : 2;
  if (destinationLength != 0) {
    only = familyOf(destination, destinationLength);
    if (only != 2) confine(Dim.DADDR, rankOfBytes(only, bytes));
  }
  if (protocol != 0) confine(Dim.PROTOCOL, protocolRank(protocol));
  if (toPort != 0 && protocol != 0) confine(Dim.DPORT, toPort);
  const isOfOne = what == About.ENDPOINT || destinationLength != 0;
  for (let family = IPV4; family <= IPV6; family++) {
    if (isOfOne && family != only) continue;
    for (let origin = Origin.NETWORK; origin <= Origin.NODE; origin++) {
      sweepSpace(family, origin, CtState.NEW, 0, visit);
    }
  }
  confine(Dim.DADDR, ABSENT);
  confine(Dim.PROTOCOL, ABSENT);
  confine(Dim.DPORT, ABSENT);
  writeAnswer();
}

function writeAnswer(): void {
  lit('{"complete":');
  jsonBoolean(isComplete);
  lit(',"classes":');
  number64(classes);
  lit(',"more":');
  number64(more);
  lit(',"found":[');
  for (let i: u32 = 0; i < groups.length; i++) {
    if (i > 0) byte(0x2c);
    byte(0x7b);
    writePackets(changetype<PacketGroup>(<usize>groups.get(i)));
    lit(',"endings":');
    writeEndings(changetype<Outcomes>(<usize>outcomes.get(i)));
    byte(0x7d);
  }
  lit("]}");
}
