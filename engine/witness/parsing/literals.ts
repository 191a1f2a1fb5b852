// Addresses as rule text has them: single ones, CIDRs and ranges, as literals of the model.
import { literalBytes } from "../../abi/problems";
import { parseAddress } from "../../bytes/address";
import { addressId, addressLength, IPV4, IPV6 } from "../model/addresses";
import { indexOf, NO_NUMBER, parseNumber } from "./numbers";

const low: usize = memory.data(16, 16);
const high: usize = memory.data(16, 16);

/** What the last parse has read: family, and numbers of the first and last literal. */
export let family: u32 = IPV4;
export let first: u32 = 0;
export let last: u32 = 0;

/** Family of the address at `to`, or 2 if the text is none. An IPv4-mapped address stays one of IPv6 here. */
function read(bytes: usize, length: usize, to: usize): u32 {
  const version = parseAddress(bytes, length, to);
  if (version == 0) return 2;
  if (version == 6) return IPV6;
  if (indexOf(bytes, length, 0x3a) == length) return IPV4;
  const word = load<u32>(to);
  store<u64>(to, 0);
  store<u32>(to, 0xffff0000, 8);
  store<u32>(to, word, 12);
  return IPV6;
}

/** `A`, `A/prefix`, `A/mask` (IPv4) or `A-B`. */
export function parseLiterals(bytes: usize, length: usize): bool {
  const dash = indexOf(bytes, length, 0x2d);
  if (dash < length) {
    family = read(bytes, dash, low);
    if (family > IPV6 || read(bytes + dash + 1, length - dash - 1, high) != family) return false;
    if (memory.compare(low, high, 16) > 0) return false;
  } else {
    const slash = indexOf(bytes, length, 0x2f);
    family = read(bytes, slash, low);
    if (family > IPV6) return false;
    memory.copy(high, low, 16);
    if (slash < length) {
      const bits = (<u32>addressLength(family)) << 3;
      let prefix = parseNumber(bytes + slash + 1, length - slash - 1);
      if (prefix == NO_NUMBER) prefix = <u64>prefixOfMask(bytes + slash + 1, length - slash - 1);
      if (prefix > <u64>bits) return false;
      for (let bit = <u32>prefix; bit < bits; bit++) {
        const at = <usize>(bit >> 3);
        const mask: u32 = 0x80 >> (bit & 7);
        store<u8>(low + at, <u8>(<u32>load<u8>(low + at) & ~mask));
        store<u8>(high + at, <u8>(<u32>load<u8>(high + at) | mask));
      }
    }
  }
  first = addressId(family, low);
  last = memory.compare(low, high, 16) == 0 ? first : addressId(family, high);
  return true;
}

/** The literal of 127.0.0.1 or ::1. */
export function loopback(ofFamily: u32): u32 {
  const text = ofFamily == IPV6 ? "::1" : "127.0.0.1";
  parseLiterals(literalBytes(text), <usize>text.length);
  return first;
}

/** `255.255.0.0` is 16; what is no such mask is beyond all prefixes. */
function prefixOfMask(bytes: usize, length: usize): u32 {
  if (read(bytes, length, high) != IPV4) return 129;
  const word = bswap<u32>(load<u32>(high));
  memory.copy(high, low, 16);
  const prefix = <u32>clz(~word);
  return prefix == 32 || word << prefix == 0 ? prefix : 129;
}

/** Port of an endpoint; 0: none. */
export let port: u32 = 0;

/** `A`, `A:port`, `[A]:port`; ranges of either are none. */
export function parseEndpoint(bytes: usize, length: usize): bool {
  port = 0;
  let host = bytes;
  let hostLength = length;
  let rest = length;
  if (length > 0 && load<u8>(bytes) == 0x5b) {
    const close = indexOf(bytes, length, 0x5d);
    if (close == length) return false;
    host = bytes + 1;
    hostLength = close - 1;
    rest = close + 1;
  } else {
    const colon = indexOf(bytes, length, 0x3a);
    if (colon < length && indexOf(bytes + colon + 1, length - colon - 1, 0x3a) == length - colon - 1) {
      hostLength = colon;
      rest = colon;
    }
  }
  if (rest < length) {
    if (load<u8>(bytes + rest) != 0x3a) return false;
    const number = parseNumber(bytes + rest + 1, length - rest - 1);
    if (number > 0xffff) return false;
    port = <u32>number;
  }
  if (indexOf(host, hostLength, 0x2f) < hostLength) return false;
  return parseLiterals(host, hostLength) && first == last;
}
