// The classes of packets that end differently, grouped by kind, destination, protocol and port: a group for each way in which an
// entry point differs, with one packet of it as a counterexample.
import { jsonKey } from "../../bytes/json";
import { SLACK, Vector } from "../../bytes/memory";
import { byte, decimal, lit, outAdvance, outReserve } from "../../bytes/out";
import { sizeOf } from "../../bytes/sizes";
import { firstOfRank, formatAddress, lastOfRank, lastRank, rankFirst, rankLast } from "../model/addresses";
import { ABSENT, PairMap } from "../model/pairs";
import { CtState } from "../model/rules";
import { number64, writeEndings } from "../tracing/answer";
import { Interface, interfaceIsPrefix, interfaceName } from "../tracing/interfaces";
import { Outcomes } from "../tracing/outcomes";
import { Dim, highOf, lowOf, Origin, packet, valueOf } from "../tracing/packet";
import { protocolOfRank } from "../tracing/protocol-ranks";
import { endpointText, nameText, protocolText } from "../tracing/wording";
import { DifferenceKind, writeKind } from "./kinds";

/** So many groups are kept; what others there are is counted by kind alone. */
export const MOST_GROUPS: u32 = 1000;

@unmanaged
class Group {
  classes: u64 = 0;
  kind: u32 = 0;
  family: u32 = 0;
  origin: u32 = 0;
  ctState: u32 = 0;
  stuckAddress: u32 = 0;
  stuckPort: u32 = 0;
  daddrLow: u32 = 0;
  daddrHigh: u32 = 0;
  protocol: u32 = 0;
  portLow: u32 = 0;
  portHigh: u32 = 0;
  saddrLow: u32 = 0;
  saddrHigh: u32 = 0;
  iif: u32 = 0;
  oif: u32 = 0;
  a: u32 = 0;
  b: u32 = 0;
}

const groups = new Vector();
const numbers = new PairMap();
/** Kind, classes (two words). */
const kinds = new Vector();
export let differentClasses: u64 = 0;
export let unknownClasses: u64 = 0;

export function resetDifferences(): void {
  for (let i: u32 = 0; i < groups.length; i++) {
    const group = groupAt(i);
    heap.free(changetype<Outcomes>(<usize>group.a).words.data);
    heap.free(changetype<Outcomes>(<usize>group.b).words.data);
    heap.free(<usize>group.a);
    heap.free(<usize>group.b);
    heap.free(changetype<usize>(group));
  }
  groups.clear();
  numbers.clear();
  kinds.clear();
  differentClasses = 0;
  unknownClasses = 0;
}

function groupAt(index: u32): Group {
  return changetype<Group>(<usize>groups.get(index));
}

function countKind(kind: u32): void {
  for (let i: u32 = 0; i < kinds.length; i += 3) {
    if (kinds.get(i) != kind) continue;
    const at = kinds.data + ((<usize>(i + 1)) << 2);
    store<u64>(at, load<u64>(at) + 1);
    return;
  }
  kinds.push(kind);
  kinds.push(1);
  kinds.push(0);
}

function copyOf(outcomes: Outcomes): u32 {
  const copy = new Outcomes();
  copy.words = new Vector();
  for (let i: u32 = 0; i < outcomes.words.length; i++) copy.words.push(outcomes.words.get(i));
  return <u32>changetype<usize>(copy);
}

/** The class of packets in the box ends in `a` and in `b`. */
export function addDifference(kind: u32, a: Outcomes, b: Outcomes): void {
  if (kind == DifferenceKind.UNKNOWN) unknownClasses++;
  else differentClasses++;
  countKind(kind);
  const scenario = (kind << 8) | (packet.family << 7) | (packet.origin << 6) | packet.ctState;
  const entry = (valueOf(Dim.DADDR) << 8) ^ valueOf(Dim.PROTOCOL) ^ (valueOf(Dim.DPORT) * 0x9e3779b1);
  const found = numbers.get(scenario, entry);
  if (found != ABSENT) {
    const group = groupAt(found);
    group.classes++;
    return;
  }
  if (groups.length == MOST_GROUPS) return;
  numbers.set(scenario, entry, groups.length);
  const group = changetype<Group>(heap.alloc(sizeOf(1, offsetof<Group>(), SLACK)));
  groups.push(<u32>changetype<usize>(group));
  group.classes = 1;
  group.kind = kind;
  group.family = packet.family;
  group.origin = packet.origin;
  group.ctState = packet.ctState;
  group.stuckAddress = packet.stuckAddress;
  group.stuckPort = packet.stuckPort;
  group.daddrLow = valueOf(Dim.DADDR);
  group.daddrHigh = max(highOf(Dim.DADDR), valueOf(Dim.DADDR));
  group.protocol = valueOf(Dim.PROTOCOL);
  group.portLow = max(lowOf(Dim.DPORT), 0);
  group.portHigh = highOf(Dim.DPORT);
  group.saddrLow = valueOf(Dim.SADDR);
  group.saddrHigh = highOf(Dim.SADDR);
  group.iif = valueOf(Dim.IIF);
  group.oif = valueOf(Dim.OIF);
  group.a = copyOf(a);
  group.b = copyOf(b);
}

/** `"A"` or `"A-B"` */
function ranksText(family: u32, low: u32, high: u32): void {
  byte(0x22);
  firstOfRank(family, low);
  outAdvance(formatAddress(family, outReserve(64), rankFirst));
  // A range that ends between two literals which follow each other ends before.
  let last = min(high, lastRank(family));
  while (last > low && (last & 1) == 0 && !firstOfRank(family, last)) last--;
  lastOfRank(family, last);
  firstOfRank(family, low);
  if (memory.compare(rankFirst, rankLast, 16) != 0) {
    byte(0x2d);
    outAdvance(formatAddress(family, outReserve(64), rankLast));
  }
  byte(0x22);
}

function interfaceText(key: string, number: u32): void {
  if (number <= Interface.LOOPBACK) return;
  lit(',"');
  lit(key);
  lit('":"');
  nameText(interfaceName(number));
  if (interfaceIsPrefix(number)) byte(0x2a);
  byte(0x22);
}

function writeGroup(group: Group): void {
  packet.family = group.family;
  lit('{"kind":"');
  writeKind(group.kind);
  lit('","classes":');
  number64(group.classes);
  lit(group.origin == Origin.NODE ? ',"origin":"node"' : ',"origin":"network"');
  lit(',"state":"');
  lit(group.ctState == CtState.NEW ? "new" : group.ctState == CtState.ESTABLISHED ? "established" : "invalid");
  lit('","source":');
  ranksText(group.family, group.saddrLow, group.saddrHigh);
  lit(',"destination":');
  ranksText(group.family, group.daddrLow, group.daddrHigh);
  lit(',"protocol":"');
  protocolText(protocolOfRank(group.protocol));
  lit('","port":[');
  decimal(group.portLow);
  byte(0x2c);
  decimal(min(group.portHigh, 0xffff));
  byte(0x5d);
  interfaceText("inInterface", group.iif);
  interfaceText("outInterface", group.oif);
  if (group.stuckAddress != ABSENT) {
    lit(',"sticksTo":"');
    endpointText(group.family, group.stuckAddress, group.stuckPort);
    byte(0x22);
  }
  lit(',"a":');
  writeEndings(changetype<Outcomes>(<usize>group.a));
  lit(',"b":');
  writeEndings(changetype<Outcomes>(<usize>group.b));
  byte(0x7d);
}

/** `"kinds":[…],"differences":[…]` */
export function writeDifferences(): void {
  jsonKey("kinds");
  byte(0x5b);
  for (let i: u32 = 0; i < kinds.length; i += 3) {
    if (i > 0) byte(0x2c);
    lit('{"kind":"');
    writeKind(kinds.get(i));
    lit('","classes":');
    number64(load<u64>(kinds.data + ((<usize>(i + 1)) << 2)));
    byte(0x7d);
  }
  lit("],");
  jsonKey("differences");
  byte(0x5b);
  for (let i: u32 = 0; i < groups.length; i++) {
    if (i > 0) byte(0x2c);
    writeGroup(groupAt(i));
  }
  byte(0x5d);
}
