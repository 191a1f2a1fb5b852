// Classes of packets that are kept until they are written: where they come from and go to, and how they end.
import { SLACK, Vector } from "../../bytes/memory";
import { byte, decimal, lit, outAdvance, outReserve } from "../../bytes/out";
import { sizeOf } from "../../bytes/sizes";
import { firstOfRank, formatAddress, lastOfRank, lastRank, rankFirst, rankLast } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { CtState } from "../model/rules";
import { Interface, interfaceIsPrefix, interfaceName } from "../tracing/interfaces";
import { Outcomes } from "../tracing/outcomes";
import { Dim, highOf, lowOf, Origin, packet, valueOf } from "../tracing/packet";
import { protocolOfRank } from "../tracing/protocol-ranks";
import { endpointText, nameText, protocolText } from "../tracing/wording";

/** So many groups are kept; what others there are is only counted. */
export const MOST_GROUPS: u32 = 1000;

/** Packets of one box. */
@unmanaged
export class PacketGroup {
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

  isOf(family: u32, origin: u32): bool {
    return this.family == family && this.origin == origin;
  }
}

/** The packets in the box as it is now. */
export function packetGroup(): PacketGroup {
  const group = changetype<PacketGroup>(heap.alloc(sizeOf(1, offsetof<PacketGroup>(), SLACK)));
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
  return group;
}

/** A copy that stays; `freeCopy` frees it. */
export function copyOf(outcomes: Outcomes): u32 {
  const copy = new Outcomes();
  copy.words = new Vector();
  for (let i: u32 = 0; i < outcomes.words.length; i++) copy.words.push(outcomes.words.get(i));
  return <u32>changetype<usize>(copy);
}

export function freeCopy(copy: u32): void {
  heap.free(changetype<Outcomes>(<usize>copy).words.data);
  heap.free(<usize>copy);
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

/** Fields of a group's packets: `"origin":…,"state":…,"source":…` and so on. */
export function writePackets(group: PacketGroup): void {
  packet.family = group.family;
  lit(group.origin == Origin.NODE ? '"origin":"node"' : '"origin":"network"');
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
}
