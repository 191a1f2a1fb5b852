// The classes of packets that end differently, grouped by kind, destination, protocol and port: a group for each way in which an
// entry point differs, with one packet of it as a counterexample.
import { jsonKey } from "../../bytes/json";
import { SLACK, Vector } from "../../bytes/memory";
import { byte, lit } from "../../bytes/out";
import { sizeOf } from "../../bytes/sizes";
import { ABSENT, PairMap } from "../model/pairs";
import { number64, writeEndings } from "../tracing/answer";
import { Outcomes } from "../tracing/outcomes";
import { Dim, packet, valueOf } from "../tracing/packet";
import { DifferenceKind, writeKind } from "./kinds";
import { copyOf, freeCopy, MOST_GROUPS, PacketGroup, packetGroup, writePackets } from "./packet-groups";

@unmanaged
class Group {
  classes: u64 = 0;
  kind: u32 = 0;
  packets: PacketGroup = changetype<PacketGroup>(0);
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
    heap.free(changetype<usize>(group.packets));
    freeCopy(group.a);
    freeCopy(group.b);
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
  group.packets = packetGroup();
  group.a = copyOf(a);
  group.b = copyOf(b);
}

function writeGroup(group: Group): void {
  lit('{"kind":"');
  writeKind(group.kind);
  lit('","classes":');
  number64(group.classes);
  byte(0x2c);
  writePackets(group.packets);
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
