// Protocols by rank: those that some rule names have ranks from 1 on, in order, and all others share rank 0, as no rule tells them
// apart. TCP, UDP and SCTP always have their own, since they have ports.

const ranks: usize = memory.data(256, 16);
const numbers: usize = memory.data(256, 16);
/** The highest rank. */
export let lastProtocol: u32 = 0;

/** What all protocols without a rank of their own are called. */
export const OTHER_PROTOCOL: u32 = 256;

const named: usize = memory.data(256, 16);

/** Begins anew; then come `nameProtocols` and `rankProtocols`. */
export function forgetProtocols(): void {
  memory.fill(named, 0, 256);
  nameProtocols(6, 6);
  nameProtocols(17, 17);
  nameProtocols(132, 132);
}

/** Some rule tells these from others. */
export function nameProtocols(first: u32, last: u32): void {
  for (let protocol = first; protocol <= min<u32>(last, 255); protocol++) store<u8>(named + <usize>protocol, 1);
}

export function rankProtocols(): void {
  memory.fill(ranks, 0, 256);
  lastProtocol = 0;
  for (let protocol: u32 = 0; protocol < 256; protocol++) {
    if (load<u8>(named + <usize>protocol) == 0) continue;
    lastProtocol++;
    store<u8>(ranks + <usize>protocol, <u8>lastProtocol);
    store<u8>(numbers + <usize>lastProtocol, <u8>protocol);
  }
}

export function protocolRank(protocol: u32): u32 {
  return load<u8>(ranks + <usize>(protocol & 255));
}

/** The number of a protocol by rank, or OTHER_PROTOCOL. */
export function protocolOfRank(rank: u32): u32 {
  return rank == 0 ? OTHER_PROTOCOL : load<u8>(numbers + <usize>rank);
}
