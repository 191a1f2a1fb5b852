// Has a slice lost an endpoint, or a port? Mostly one of many goes and the others stay in their order, so one walk over both
// records tells.
import { EndpointRecord, firstEndpoint, SERVES, SlicePortRecord, SliceRecord } from "./records";

function portsEqual(left: SliceRecord, right: SliceRecord): bool {
  if (left.portCount != right.portCount) return false;
  const size = offsetof<SlicePortRecord>();
  let a = changetype<usize>(left) + offsetof<SliceRecord>();
  let b = changetype<usize>(right) + offsetof<SliceRecord>();
  for (let i: u32 = 0; i < left.portCount; i++, a += size, b += size) {
    const one = changetype<SlicePortRecord>(a);
    const other = changetype<SlicePortRecord>(b);
    if (one.port != other.port || one.protocol != other.protocol || one.nameLength != other.nameLength) return false;
    const name = changetype<usize>(left) + one.nameOffset;
    if (memory.compare(name, changetype<usize>(right) + other.nameOffset, one.nameLength) != 0) return false;
  }
  return true;
}

function serves(endpoint: usize): bool {
  return (changetype<EndpointRecord>(endpoint).flags & SERVES) != 0;
}

function isSameAddress(left: usize, right: usize): bool {
  return load<u64>(left) == load<u64>(right) && load<u64>(left, 8) == load<u64>(right, 8);
}

/**
 * Something that served by the one record may not do so by the other. Never false where it is so; true as well where ports
 * are others, or endpoints that serve stand in another order.
 */
export function mayLose(from: SliceRecord, to: SliceRecord): bool {
  const size = offsetof<EndpointRecord>();
  let left = firstEndpoint(from);
  const leftEnd = left + <usize>from.endpointCount * size;
  if (!portsEqual(from, to)) return left != leftEnd;
  let right = firstEndpoint(to);
  const rightEnd = right + <usize>to.endpointCount * size;
  for (; left != leftEnd; left += size) {
    if (!serves(left)) continue;
    while (right != rightEnd && !(serves(right) && isSameAddress(left, right))) right += size;
    if (right == rightEnd) return true;
    right += size;
  }
  return false;
}
