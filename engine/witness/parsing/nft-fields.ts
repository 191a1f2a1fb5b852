// Parts of a packet as nft writes them, alone or in a concatenation: `ip daddr . meta l4proto . th dport`.
import { Vector } from "../../bytes/memory";
import { IPV4, IPV6 } from "../model/addresses";
import { Field, noteIcmp } from "../model/rules";
import * as numbers from "./numbers";
import * as words from "./words";

/** Field (for numgen with what it is taken modulo, << 8), family of an address, protocol that the field implies. */
const fields = new Vector();

/** No protocol is implied. */
export const ANY_PROTOCOL: u32 = 256;

export function fieldCount(): u32 {
  return fields.length / 3;
}
export function fieldAt(index: u32): u32 {
  return fields.get(index * 3);
}
export function fieldFamily(index: u32): u32 {
  return fields.get(index * 3 + 1);
}
/** `tcp dport` matches TCP alone. */
export function fieldProtocol(index: u32): u32 {
  return fields.get(index * 3 + 2);
}

/** A type of ICMP, which stands where others have a port. */
export function isIcmp(index: u32): bool {
  return fieldProtocol(index) == 1 || fieldProtocol(index) == 58;
}

/** Whether all of them can be followed. */
export function fieldsAreKnown(): bool {
  for (let i: u32 = 0; i < fieldCount(); i++) if (fieldAt(i) == Field.OTHER) return false;
  return true;
}

function add(field: u32, family: u32 = IPV4, protocol: u32 = ANY_PROTOCOL): void {
  fields.push(field);
  fields.push(family);
  fields.push(protocol);
}

/** Whether the word begins a field. */
export function isField(): bool {
  return (
    words.is("ip") ||
    words.is("ip6") ||
    words.is("meta") ||
    words.is("th") ||
    words.is("tcp") ||
    words.is("udp") ||
    words.is("sctp") ||
    words.is("iif") ||
    words.is("iifname") ||
    words.is("oif") ||
    words.is("oifname") ||
    words.is("mark") ||
    words.is("numgen") ||
    words.is("ether") ||
    words.is("icmp") ||
    words.is("icmpv6") ||
    words.is("iifgroup") ||
    words.is("oifgroup") ||
    words.is("skuid") ||
    words.is("skgid") ||
    words.is("pkttype") ||
    words.is("cgroup") ||
    words.is("socket") ||
    words.is("exthdr") ||
    words.is("dccp") ||
    words.is("udplite") ||
    words.is("ah") ||
    words.is("esp") ||
    words.is("rt") ||
    words.is("ipsec") ||
    words.is("jhash") ||
    words.is("symhash") ||
    words.is("osf") ||
    words.is("vlan") ||
    words.is("arp")
  );
}

/** Reads fields joined by `.`; false: the text is none. What can't be followed is Field.OTHER. */
export function readFields(): bool {
  fields.length = 0;
  while (true) {
    if (!readField()) return false;
    if (!words.is(".")) return true;
    words.next();
  }
}

function readField(): bool {
  if (!isField() && !words.is("ct") && !words.is("fib")) return false;
  if (words.is("ip") || words.is("ip6")) {
    const family = words.is("ip6") ? IPV6 : IPV4;
    words.next();
    if (words.is("daddr")) add(Field.DADDR, family);
    else if (words.is("saddr")) add(Field.SADDR, family);
    else if (words.is("protocol") || words.is("nexthdr")) add(Field.PROTOCOL, family);
    else add(Field.OTHER);
    words.next();
    return true;
  }
  if (words.is("meta")) {
    words.next();
    return readMeta();
  }
  if (words.is("mark") || words.is("iif") || words.is("iifname") || words.is("oif") || words.is("oifname")) {
    return readMeta();
  }
  if (words.is("th") || words.is("tcp") || words.is("udp") || words.is("sctp")) {
    const protocol: u32 = words.is("tcp") ? 6 : words.is("udp") ? 17 : words.is("sctp") ? 132 : ANY_PROTOCOL;
    words.next();
    if (words.is("dport")) add(Field.DPORT, IPV4, protocol);
    else if (words.is("sport")) add(Field.SPORT, IPV4, protocol);
    else add(Field.OTHER);
    words.next();
    return true;
  }
  if (words.is("icmp") || words.is("icmpv6")) {
    const protocol: u32 = words.is("icmp") ? 1 : 58;
    words.next();
    if (words.is("type")) {
      noteIcmp();
      add(Field.DPORT, IPV4, protocol);
    } else add(Field.OTHER);
    words.next();
    return true;
  }
  if (words.is("numgen")) return readNumgen();
  // Two words at least: `ct zone`, `ether saddr`, `fib saddr . iif oif`
  words.next();
  add(Field.OTHER);
  if (!words.isLineEnd() && words.kind == words.Kind.WORD) words.next();
  return true;
}

function readMeta(): bool {
  if (words.is("l4proto") || words.is("protocol")) add(words.is("l4proto") ? Field.PROTOCOL : Field.OTHER);
  else if (words.is("mark")) add(Field.MARK);
  else if (words.is("iif") || words.is("iifname")) add(Field.IIF);
  else if (words.is("oif") || words.is("oifname")) add(Field.OIF);
  else add(Field.OTHER);
  words.next();
  return true;
}

/** `numgen random mod N [offset M]` */
function readNumgen(): bool {
  words.next();
  if (!words.is("random") && !words.is("inc")) return false;
  words.next();
  if (!words.is("mod")) return false;
  words.next();
  const modulus = numbers.parseNumber(words.bytes, words.length);
  if (modulus == 0 || modulus > 0x100000) return false;
  words.next();
  if (words.is("offset")) {
    words.next();
    if (!words.is("0")) {
      add(Field.OTHER);
      words.next();
      return true;
    }
    words.next();
  }
  add(Field.NUMGEN | ((<u32>modulus) << 8));
  return true;
}
