// The space that a comparison goes through: which values of each dimension packets can have, by the declared facts.
import { firstOfRank, lastRank } from "../model/addresses";
import { ABSENT } from "../model/pairs";
import { hasPorts } from "../model/protocols";
import { asksForIcmp } from "../model/rules";
import { isAbsent, isLocal, rangeLast } from "../tracing/facts";
import { Interface, interfaceCount } from "../tracing/interfaces";
import { Dim, Origin, packet, valueOf } from "../tracing/packet";
import { lastProtocol, protocolOfRank } from "../tracing/protocol-ranks";

/** ICMP's types stand where others have their destination port, if rules ask for them. */
function portsOf(protocol: u32, dim: u32): u32 {
  if (hasPorts(protocol)) return 0xffff;
  return asksForIcmp && dim == Dim.DPORT && (protocol == 1 || protocol == 58) ? 0xffff : 0;
}

/** The last value that packets can have in a dimension. */
export function lastValue(dim: u32): u32 {
  switch (dim) {
    case Dim.DADDR:
    case Dim.SADDR:
      return lastRank(packet.family);
    case Dim.PROTOCOL:
      return lastProtocol;
    case Dim.DPORT:
    case Dim.SPORT:
      return portsOf(protocolOfRank(valueOf(Dim.PROTOCOL)), dim);
  }
  return interfaceCount() - 1;
}

/** The first value from `value` on that packets can have; ABSENT: none. */
export function valueFrom(dim: u32, value: u32): u32 {
  const last = lastValue(dim);
  while (value <= last) {
    if (dim == Dim.DADDR || dim == Dim.SADDR) {
      if ((value & 1) == 0 && !firstOfRank(packet.family, value)) {
        value++;
        continue;
      }
      if (dim == Dim.DADDR) return value;
      const is = isLocal(packet.family, value);
      if (packet.origin == Origin.NODE ? is : !is && !isAbsent(packet.family, value)) return value;
      // On to the end of the range or gap that it is in.
      if (packet.origin == Origin.NETWORK && !is) isAbsent(packet.family, value);
      if (rangeLast >= last) return ABSENT;
      value = rangeLast + 1;
      continue;
    }
    if (dim == Dim.IIF || dim == Dim.OIF) {
      if (dim == Dim.IIF && packet.origin == Origin.NODE) return value == 0 ? 0 : ABSENT;
      if (value == Interface.NONE || value == Interface.LOOPBACK) {
        value++;
        continue;
      }
    }
    return value;
  }
  return ABSENT;
}
