// Names in an nftables table that carry a service port: of its chains, its endpoints' chains and sets, and in our own
// layout its maps.
import { writeLiteral } from "../../bytes/out";
import { protocolName } from "../../bytes/protocols";
import { lastBaseLength, ServicePort, writeBase } from "../../routing/service-ports";

/** Prefixes of per-service chains. */
export namespace ChainPrefix {
  export const CLUSTER: u32 = 1;
  export const LOCAL: u32 = 2;
  export const EXTERNAL: u32 = 4;
  export const FIREWALL: u32 = 8;
}

export function prefixText(prefix: u32): string {
  if (prefix == ChainPrefix.CLUSTER) return "service-";
  if (prefix == ChainPrefix.LOCAL) return "local-";
  return prefix == ChainPrefix.EXTERNAL ? "external-" : "firewall-";
}

/** Bits of a Snapshot's `maps`. */
export namespace OwnMap {
  export const CLUSTER: u32 = 1;
  export const LOCAL: u32 = 2;
}

export function ownMapPrefix(bit: u32): string {
  return bit == OwnMap.CLUSTER ? "backends-" : "local-backends-";
}

const LITERAL: usize = memory.data(16, 16);

function begins(name: usize, length: usize, literal: string): bool {
  const size = <usize>literal.length;
  if (length < size) return false;
  writeLiteral(LITERAL, literal);
  return memory.compare(name, LITERAL, size) == 0;
}

/** A map of that name is one service port's own. */
export function isOwnMap(name: usize, length: usize): bool {
  return begins(name, length, "backends-") || begins(name, length, "local-backends-");
}

/** "backends", as bytes in memory: how the names of the maps that all share end. */
const BACKENDS: u64 = 0x73646e656b636162;

/** A set or map of that name holds slots. */
export function isSlotMap(name: usize, length: usize): bool {
  return (length >= 8 && load<u64>(name + length - 8) == BACKENDS) || isOwnMap(name, length);
}

// Room for the longest namespace, name, protocol, port name and endpoint.
const pathBuffer: usize = memory.data(576, 16);
const nameBuffer: usize = memory.data(640, 16);
let nameLength: usize = 0;

/**
 * Names an endpoint (`ip:port` or `[ip]:port`, `textLength` bytes) of a service port: `nameBuffer`, `nameLength` is what
 * follows `endpoint-` and `affinity-`.
 */
export function nameEndpoint(port: ServicePort, text: usize, textLength: usize): void {
  let to = pathBuffer;
  memory.copy(to, port.service.key, port.service.keyLength);
  to += port.service.keyLength;
  store<u8>(to++, 0x2f);
  to = writeLiteral(to, protocolName(port.protocol));
  store<u8>(to++, 0x2f);
  memory.copy(to, port.name(), port.nameLength);
  to += port.nameLength;
  store<u16>(to, 0x5f5f);
  to += 2;
  // ":" separates address and port only; inside an IPv6 address it becomes ".".
  let colon = text + textLength - 1;
  while (load<u8>(colon) != 0x3a) colon--;
  for (let at = text; at < text + textLength; at++) {
    const character = load<u8>(at);
    if (character == 0x5b || character == 0x5d) continue;
    store<u8>(to++, at == colon ? 0x2f : character == 0x3a ? 0x2e : character);
  }
  writeBase(nameBuffer, pathBuffer, to - pathBuffer);
  nameLength = lastBaseLength;
}

/** The bytes of the last name, and their number. */
export function endpointName(): usize {
  return nameBuffer;
}

export function endpointNameLength(): usize {
  return nameLength;
}
