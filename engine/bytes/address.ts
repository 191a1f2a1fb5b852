// IP addresses and CIDRs: text to bytes as Go's ParseIPSloppy and ParseCIDRSloppy read it (that is what kube-proxy
// uses: leading zeros are decimal), bytes to canonical text. Addresses are in network order in 16 bytes, IPv4 in the
// first four, the rest zero.

const V4: u32 = 4;
const V6: u32 = 6;

/** Numbers from this on are refused wherever Go's parser gives up, however the text goes on. */
const TOO_BIG: u32 = 0xffffff;

/** By octet: its three text bytes and, in the top byte, how many of them count. */
const OCTETS: usize = heap.alloc(1024);
for (let octet: u32 = 0; octet < 256; octet++) {
  const hundreds = octet / 100;
  const tens = (octet / 10) % 10;
  const ones = octet % 10;
  let text: u32 = 0x30 + ones;
  let length: u32 = 1;
  if (octet >= 10) {
    text = (text << 8) | (0x30 + tens);
    length = 2;
  }
  if (octet >= 100) {
    text = (text << 8) | (0x30 + hundreds);
    length = 3;
  }
  store<u32>(OCTETS + ((<usize>octet) << 2), text | (length << 24));
}

/** Reads dotted decimal from all of `from`…`end`; returns the word in memory order, or -1. */
function parseDotted(from: usize, end: usize): i64 {
  let word: u32 = 0;
  let at = from;
  for (let i: u32 = 0; i < 4; i++) {
    if (i > 0) {
      if (at >= end || load<u8>(at) != 0x2e) return -1;
      at++;
    }
    const first = at;
    let value: u32 = 0;
    while (at < end) {
      const digit = <u32>load<u8>(at) - 0x30;
      if (digit > 9) break;
      value = value * 10 + digit;
      if (value > 255) return -1;
      at++;
    }
    if (at == first) return -1;
    word |= value << (i << 3);
  }
  return at == end ? <i64>word : -1;
}

function hexDigit(byte: u32): u32 {
  const digit = byte - 0x30;
  if (digit <= 9) return digit;
  const letter = (byte | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : 16;
}

/** Reads all of `from`…`end` as IPv6 into `to`; false if it is none. `to` may hold anything afterwards then. */
function parseGroups(from: usize, end: usize, to: usize): bool {
  v128.store(to, i64x2.splat(0));
  let at = from;
  let i: usize = 0; // bytes written
  let ellipsis: isize = -1; // where `::` stands
  if (end - at >= 2 && load<u16>(at) == 0x3a3a) {
    ellipsis = 0;
    at += 2;
    if (at == end) return true;
  }
  while (i < 16) {
    const first = at;
    let value: u32 = 0;
    while (at < end) {
      const digit = hexDigit(load<u8>(at));
      if (digit == 16) break;
      value = (value << 4) | digit;
      if (value >= TOO_BIG) return false;
      at++;
    }
    if (at == first || value > 0xffff) return false;
    if (at < end && load<u8>(at) == 0x2e) {
      if (ellipsis < 0 && i != 12) return false;
      if (i + 4 > 16) return false;
      const dotted = parseDotted(first, end);
      if (dotted < 0) return false;
      store<u32>(to + i, <u32>dotted);
      at = end;
      i += 4;
      break;
    }
    store<u8>(to + i, <u8>(value >> 8));
    store<u8>(to + i, <u8>value, 1);
    i += 2;
    if (at == end) break;
    if (load<u8>(at) != 0x3a || at + 1 == end) return false;
    at++;
    if (load<u8>(at) == 0x3a) {
      if (ellipsis >= 0) return false;
      ellipsis = <isize>i;
      at++;
      if (at == end) break;
    }
  }
  if (at != end) return false;
  if (i == 16) return ellipsis < 0;
  if (ellipsis < 0) return false;
  const tail = i - <usize>ellipsis;
  memory.copy(to + 16 - tail, to + <usize>ellipsis, tail);
  memory.fill(to + <usize>ellipsis, 0, 16 - i);
  return true;
}

/** ::ffff:a.b.c.d becomes a.b.c.d; true if it was one. */
function unmap(address: usize): bool {
  if (load<u64>(address) != 0 || load<u32>(address, 8) != 0xffff0000) return false;
  store<u32>(address, load<u32>(address, 12));
  store<u64>(address, 0, 8);
  return true;
}

/**
 * Reads all of the text as an IP address into the 16 bytes at `to`. Returns 4 or 6, or 0 if it is none; `to` may hold
 * anything then. An IPv4-mapped IPv6 address counts as IPv4, in whatever spelling. No zone ids, no white space.
 */
export function parseAddress(bytes: usize, length: usize, to: usize): u32 {
  const end = bytes + length;
  for (let at = bytes; at < end; at++) {
    const byte = load<u8>(at);
    if (byte == 0x2e) {
      const word = parseDotted(bytes, end);
      if (word < 0) return 0;
      v128.store(to, i64x2.splat(0));
      store<u32>(to, <u32>word);
      return V4;
    }
    if (byte == 0x3a) {
      if (!parseGroups(bytes, end, to)) return 0;
      return unmap(to) ? V4 : V6;
    }
  }
  return 0;
}

/** Clears all bits after the first `prefix` of the 16 bytes. */
function clearHostBits(address: usize, prefix: u32): void {
  for (let i: u32 = 0; i < 16; i++) {
    const kept = <i32>prefix - <i32>(i << 3); // bits of this byte that stay
    if (kept >= 8) continue;
    const mask: u32 = kept <= 0 ? 0 : (0xff00 >> <u32>kept) & 0xff;
    store<u8>(address + i, load<u8>(address + i) & <u8>mask);
  }
}

/**
 * Reads all of the text as a CIDR into the 16 bytes at `to`, host bits cleared. Returns family (4 or 6) << 8 | prefix
 * length, or -1 if it is none. An IPv4-mapped CIDR counts as IPv4, its prefix less 96, as long as the prefix covers the
 * mapping (::ffff:10.0.0.0/104 is 10.0.0.0/8); that is how Go's net.IPNet prints it.
 */
export function parseCIDR(bytes: usize, length: usize, to: usize): i32 {
  const end = bytes + length;
  let slash = bytes;
  while (slash < end && load<u8>(slash) != 0x2f) slash++;
  if (slash + 1 >= end) return -1;
  let prefix: u32 = 0;
  for (let at = slash + 1; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) return -1;
    prefix = prefix * 10 + digit;
    if (prefix > 128) return -1;
  }
  const word = parseDotted(bytes, slash);
  if (word >= 0) {
    if (prefix > 32) return -1;
    v128.store(to, i64x2.splat(0));
    store<u32>(to, <u32>word);
    clearHostBits(to, prefix);
    return <i32>((V4 << 8) | prefix);
  }
  if (!parseGroups(bytes, slash, to)) return -1;
  clearHostBits(to, prefix);
  if (prefix >= 96 && unmap(to)) return <i32>((V4 << 8) | (prefix - 96));
  return <i32>((V6 << 8) | prefix);
}

/** Writes the four bytes at `from` as a dotted quad; returns the address after the text. Writes up to 16 bytes. */
export function formatIPv4(to: usize, from: usize): usize {
  const word = load<u32>(from);
  let at = to;
  let octet = load<u32>(OCTETS + <usize>((word & 0xff) << 2));
  store<u32>(at, octet);
  at += <usize>(octet >> 24);
  store<u8>(at, 0x2e);
  octet = load<u32>(OCTETS + <usize>(((word >> 8) & 0xff) << 2));
  store<u32>(at, octet, 1);
  at += <usize>(octet >> 24) + 1;
  store<u8>(at, 0x2e);
  octet = load<u32>(OCTETS + <usize>(((word >> 16) & 0xff) << 2));
  store<u32>(at, octet, 1);
  at += <usize>(octet >> 24) + 1;
  store<u8>(at, 0x2e);
  octet = load<u32>(OCTETS + <usize>((word >> 24) << 2));
  store<u32>(at, octet, 1);
  return at + <usize>(octet >> 24) + 1;
}

/** Writes one group in hexadecimal without leading zeros. */
function formatGroup(to: usize, group: u32): usize {
  let at = to;
  for (let shift: i32 = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
    const digit = (group >> shift) & 15;
    store<u8>(at++, <u8>(digit < 10 ? 0x30 + digit : 0x57 + digit));
  }
  return at;
}

/** Writes the 16 bytes at `from` as RFC 5952 says; returns the address after the text (39 bytes at most). */
export function formatIPv6(to: usize, from: usize): usize {
  let best: u32 = 8; // first group of the longest run of two zero groups or more
  let bestLength: u32 = 1;
  for (let i: u32 = 0; i < 8; i++) {
    let length: u32 = 0;
    while (i + length < 8 && load<u16>(from + ((<usize>(i + length)) << 1)) == 0) length++;
    if (length > bestLength) {
      best = i;
      bestLength = length;
    }
    i += length;
  }
  let at = to;
  for (let i: u32 = 0; i < 8; i++) {
    if (i == best) {
      store<u16>(at, 0x3a3a);
      at += 2;
      i += bestLength - 1;
      continue;
    }
    if (i > 0 && i != best + bestLength) store<u8>(at++, 0x3a);
    const group = bswap<u16>(load<u16>(from + ((<usize>i) << 1)));
    at = formatGroup(at, <u32>group);
  }
  return at;
}

/** Writes an address as it stands before a port, IPv6 in brackets. Returns the end. */
export function formatHost(at: usize, ip: usize, isIPv6: bool): usize {
  if (!isIPv6) return formatIPv4(at, ip);
  store<u8>(at, 0x5b);
  at = formatIPv6(at + 1, ip);
  store<u8>(at, 0x5d);
  return at + 1;
}
