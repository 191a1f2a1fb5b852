// IP families and the protocols of Services.

export const IPV4: u32 = 0;
export const IPV6: u32 = 1;

/** v1.Protocol; the order is that of the names, so that sorting by number sorts by name. */
export namespace Protocol {
  export const SCTP: u32 = 0;
  export const TCP: u32 = 1;
  export const UDP: u32 = 2;
}

/** The protocol's name as rules have it. */
export function protocolName(protocol: u32): string {
  return protocol == Protocol.TCP ? "tcp" : protocol == Protocol.UDP ? "udp" : "sctp";
}

/** The protocol's number in IP headers. */
export function protocolNumber(protocol: u32): u32 {
  return protocol == Protocol.TCP ? 6 : protocol == Protocol.UDP ? 17 : 132;
}
