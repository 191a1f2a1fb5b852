// The expressions of one rule, as the kernel takes them: each loads registers, compares, looks up or acts. A rule's
// expressions are put together here and copied into its message when the rule is complete, because anonymous sets that
// it refers to have to be sent before it.
import { IPV4 } from "../bytes/protocols";
import { AttributeWriter } from "./netlink-attributes";
import { Attribute, protocolFamily } from "./netlink-numbers";

const SIZE: usize = 16 * 1024;

/** Number of the register for 32-bit word `word`: sixteen-byte aligned ones go by their old numbers, as nft has them. */
function register(word: u32): u32 {
  return (word & 3) == 0 ? 1 + (word >> 2) : 8 + word;
}

const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const META_MARK: u32 = 3;
const META_IIFNAME: u32 = 6;
const META_L4PROTO: u32 = 16;

export class Expressions extends AttributeWriter {
  private family: u32 = IPV4;
  private element: usize = 0;
  private data: usize = 0;

  constructor() {
    super(SIZE);
  }

  setFamily(family: u32): void {
    this.family = family;
  }

  clear(): void {
    this.end = this.start;
  }

  length(): usize {
    return this.end - this.start;
  }

  private addressLength(): usize {
    return this.family == IPV4 ? 4 : 16;
  }

  /** A value in a nest. */
  private value(type: u32, bytes: usize, length: usize): void {
    const nest = this.beginNest(type);
    const at = this.beginAttribute(Attribute.DATA_VALUE);
    this.rawBytes(bytes, length);
    this.endAttribute(at);
    this.endAttribute(nest);
  }

  private begin(expression: string): void {
    this.element = this.beginNest(Attribute.MEMBER);
    this.name(Attribute.EXPRESSION_NAME, expression, 0, 0);
    this.data = this.beginNest(Attribute.EXPRESSION_DATA);
  }

  private finish(): void {
    this.endAttribute(this.data);
    this.endAttribute(this.element);
  }

  private payload(word: u32, header: u32, offset: u32, length: usize): void {
    this.begin("payload");
    this.number32(1, register(word));
    this.number32(2, header);
    this.number32(3, offset);
    this.number32(4, <u32>length);
    this.finish();
  }

  private meta(key: u32, word: u32): void {
    this.begin("meta");
    this.number32(2, key);
    this.number32(1, register(word));
    this.finish();
  }

  /** Loads the first `length` bytes of the source or destination address. */
  address(source: bool, word: u32, length: usize): void {
    const offset: u32 = this.family == IPV4 ? (source ? 12 : 16) : source ? 8 : 24;
    this.payload(word, NETWORK_HEADER, offset, length);
  }

  /** Loads protocol and destination port from `word` on; returns the word after them. */
  port(word: u32): u32 {
    this.meta(META_L4PROTO, word);
    this.payload(word + 1, TRANSPORT_HEADER, 2, 2);
    return word + 2;
  }

  /** Loads destination address, protocol and port; returns the word after them. */
  addressPort(): u32 {
    this.address(false, 0, this.addressLength());
    return this.port(<u32>(this.addressLength() >> 2));
  }

  /** Loads source and destination address, protocol and port. */
  connection(): void {
    const words = <u32>(this.addressLength() >> 2);
    this.address(true, 0, this.addressLength());
    this.address(false, words, this.addressLength());
    this.port(2 * words);
  }

  compare(not: bool, bytes: usize, length: usize): void {
    this.begin("cmp");
    this.number32(1, register(0));
    this.number32(2, not ? NOT_EQUAL : EQUAL);
    this.value(3, bytes, length);
    this.finish();
  }

  private compareNumber(not: bool, value: u32, length: usize): void {
    store<u32>(scratch, value);
    this.compare(not, scratch, length);
  }

  /** register 0 = (register 0 & mask) ^ xor, `length` bytes. `named`: nft says which operation where it could be another. */
  private bitwise(mask: usize, xor: usize, length: usize, named: bool): void {
    this.begin("bitwise");
    this.number32(1, register(0));
    this.number32(2, register(0));
    if (named) this.number32(6, 0);
    this.number32(3, <u32>length);
    this.value(4, mask, length);
    this.value(5, xor, length);
    this.finish();
  }

  private bitwiseNumber(mask: u32, xor: u32, named: bool): void {
    store<u32>(scratch, mask);
    store<u32>(scratch, xor, 4);
    this.bitwise(scratch, scratch + 4, 4, named);
  }

  /** A conntrack key has one of the bits. */
  ctHas(key: u32, bits: u32): void {
    this.begin("ct");
    this.number32(2, key);
    this.number32(1, register(0));
    this.finish();
    this.bitwiseNumber(bits, 0, false);
    this.compareNumber(true, 0, 4);
  }

  markHas(mark: u32): void {
    this.meta(META_MARK, 0);
    this.bitwiseNumber(mark, 0, true);
    this.compareNumber(true, 0, 4);
  }

  markChange(mask: u32, xor: u32): void {
    this.meta(META_MARK, 0);
    this.bitwiseNumber(mask, xor, true);
    this.begin("meta");
    this.number32(2, META_MARK);
    this.number32(3, register(0));
    this.finish();
  }

  masquerade(): void {
    this.begin("masq");
    this.number32(1, 0x10); // NF_NAT_RANGE_PROTO_RANDOM_FULLY
    this.finish();
  }

  /** A stateful object of the table, by type (NFT_OBJECT_…) and name. */
  objectReference(type: u32, object: string): void {
    this.begin("objref");
    this.number32(1, type);
    this.name(2, object, 0, 0);
    this.finish();
  }

  reject(): void {
    this.begin("reject");
    this.number32(1, 0); // by ICMP
    const at = this.beginAttribute(2);
    store<u8>(this.end++, this.family == IPV4 ? 3 : 4); // port unreachable
    this.endAttribute(at);
    this.finish();
  }

  rejectByReset(): void {
    this.begin("reject");
    this.number32(1, 1); // NFT_REJECT_TCP_RST
    this.finish();
  }

  giveVerdict(code: u32, prefix: string, base: usize, length: usize): void {
    this.begin("immediate");
    this.number32(1, 0);
    this.verdict(2, code, prefix, base, length);
    this.finish();
  }

  /** The registers are (not) a key of the set. `id`: of a set of this batch that has no name yet; 0: it has one. */
  lookup(prefix: string, base: usize, length: usize, id: u32, not: bool): void {
    this.begin("lookup");
    this.number32(Attribute.LOOKUP_SOURCE, register(0));
    this.name(Attribute.LOOKUP_SET, prefix, base, length);
    if (id != 0) this.number32(Attribute.LOOKUP_SET_ID, id);
    if (not) this.number32(Attribute.LOOKUP_FLAGS, 1);
    this.finish();
  }

  private mapLookup(prefix: string, base: usize, length: usize, id: u32, to: u32): void {
    this.begin("lookup");
    this.number32(Attribute.LOOKUP_SOURCE, register(0));
    this.number32(Attribute.LOOKUP_TARGET, to);
    this.name(Attribute.LOOKUP_SET, prefix, base, length);
    if (id != 0) this.number32(Attribute.LOOKUP_SET_ID, id);
    this.finish();
  }

  verdictLookup(map: string, id: u32): void {
    this.mapLookup(map, 0, 0, id, 0);
  }

  /** Puts what the map has for the registers into them. */
  dataLookup(prefix: string, base: usize, length: usize, id: u32): void {
    this.mapLookup(prefix, base, length, id, register(0));
  }

  isLocal(source: bool): void {
    this.begin("fib");
    this.number32(3, source ? 1 : 2);
    this.number32(2, 3); // the address's type
    this.number32(1, register(0));
    this.finish();
    this.compareNumber(false, 2, 4); // RTN_LOCAL
  }

  /** The address is (not) in the CIDR: whole bytes are loaded alone, other prefixes are masked. */
  cidr(source: bool, not: bool, ip: usize, prefix: u32): void {
    const length = this.addressLength();
    if (prefix != 0 && (prefix & 7) == 0) {
      this.address(source, 0, <usize>(prefix >> 3));
      this.compare(not, ip, <usize>(prefix >> 3));
      return;
    }
    this.address(source, 0, length);
    memory.fill(scratch, 0, 32);
    for (let bit: u32 = 0; bit < prefix; bit++) {
      const at = scratch + <usize>(bit >> 3);
      store<u8>(at, <u8>(<u32>load<u8>(at) | (0x80 >> (bit & 7))));
    }
    this.bitwise(scratch, scratch + 16, length, false);
    this.compare(not, ip, length);
  }

  interfaceName(not: bool, isPrefix: bool, bytes: usize, length: usize): void {
    this.meta(META_IIFNAME, 0);
    memory.fill(scratch, 0, 32);
    memory.copy(scratch, bytes, length);
    this.compare(not, scratch, isPrefix ? length : 16);
  }

  protocolIs(number: u32): void {
    this.meta(META_L4PROTO, 0);
    this.compareNumber(false, number, 1);
  }

  private immediate(word: u32, bytes: usize, length: usize): void {
    this.begin("immediate");
    this.number32(1, word);
    this.value(2, bytes, length);
    this.finish();
  }

  private beginNat(port: u32): void {
    this.begin("nat");
    this.number32(Attribute.NAT_TYPE, 1); // destination
    this.number32(Attribute.NAT_FAMILY, protocolFamily(this.family));
    this.number32(Attribute.NAT_ADDRESS, register(0));
    this.number32(Attribute.NAT_PORT, port);
  }

  dnatTo(ip: usize, port: u32): void {
    this.immediate(1, ip, this.addressLength());
    store<u16>(scratch, bswap<u16>(<u16>port));
    this.immediate(2, scratch, 2);
    this.beginNat(2);
    this.number32(7, 2); // NF_NAT_RANGE_PROTO_SPECIFIED
    this.finish();
  }

  /** DNAT to address and port in the registers. */
  dnatToRegisters(): void {
    this.beginNat(register(<u32>(this.addressLength() >> 2)));
    this.finish();
  }

  numgen(word: u32, modulus: u32): void {
    this.begin("numgen");
    this.number32(1, register(word));
    this.number32(2, modulus);
    this.number32(3, 1); // random
    this.number32(4, 0);
    this.finish();
  }

  /** Updates the set with the source address in the registers. */
  dynset(prefix: string, base: usize, length: usize): void {
    this.begin("dynset");
    this.number32(4, register(0));
    this.number32(3, 1); // update
    this.name(1, prefix, base, length);
    this.finish();
  }
}

const scratch: usize = memory.data(64, 16);
