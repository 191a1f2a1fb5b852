// The packet that is walked through the rules, and the box round it: the packets for which every test that was made so far would
// have come out the same. A test narrows the box; what was never tested stays whole.

/** Dimensions of the box, in the order in which a sweep goes through them: the last one turns fastest. */
export namespace Dim {
  /** Rank of the destination. */
  export const DADDR: u32 = 0;
  export const PROTOCOL: u32 = 1;
  export const DPORT: u32 = 2;
  /** Rank of the source. */
  export const SADDR: u32 = 3;
  /** Classes of interfaces: see interfaces.ts. */
  export const IIF: u32 = 4;
  export const OIF: u32 = 5;
  export const SPORT: u32 = 6;
  export const COUNT: u32 = 7;
}

/** Where it comes from. */
export namespace Origin {
  /** Received: from a pod or from outside. */
  export const NETWORK: u32 = 0;
  /** A process on the node has sent it. */
  export const NODE: u32 = 1;
}

@unmanaged
class Packet {
  family: u32 = 0;
  origin: u32 = 0;
  /** One bit of CtState. */
  ctState: u32 = 0;
  /** Of an established connection: bits of CtStatus. */
  ctStatus: u32 = 0;
  /** The endpoint that the client sticks to, by literal and port; ABSENT: none. */
  stuckAddress: u32 = 0;
  stuckPort: u32 = 0;
  /** Some rule has asked whether the client sticks. */
  askedStuck: bool = false;
}

export const packet = new Packet();

/** Values, lowest and highest of each dimension. */
const values: usize = memory.data(64, 16);
const lows: usize = memory.data(64, 16);
const highs: usize = memory.data(64, 16);

export function valueOf(dim: u32): u32 {
  return load<u32>(values + ((<usize>dim) << 2));
}
export function setValue(dim: u32, value: u32): void {
  store<u32>(values + ((<usize>dim) << 2), value);
}
export function lowOf(dim: u32): u32 {
  return load<u32>(lows + ((<usize>dim) << 2));
}
export function highOf(dim: u32): u32 {
  return load<u32>(highs + ((<usize>dim) << 2));
}

/** The box becomes the whole space. */
export function resetBox(): void {
  memory.fill(lows, 0, 64);
  memory.fill(highs, 0xff, 64);
}

/** The box keeps what lies between `low` and `high`, which the packet does. */
export function narrow(dim: u32, low: u32, high: u32): void {
  const at = (<usize>dim) << 2;
  if (low > load<u32>(lows + at)) store<u32>(lows + at, low);
  if (high < load<u32>(highs + at)) store<u32>(highs + at, high);
}

/** After a test for `first` to `last`: inside, the box keeps these; outside, it is cut at the near edge. */
export function narrowByRange(dim: u32, first: u32, last: u32): void {
  const value = valueOf(dim);
  if (value < first) narrow(dim, 0, first - 1);
  else if (value > last) narrow(dim, last + 1, u32.MAX_VALUE);
  else narrow(dim, first, last);
}
