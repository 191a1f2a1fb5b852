// The expressions of one rule, as the kernel takes them: each loads registers, compares, looks up or acts. A rule's
// expressions are put together here and copied into its message when the rule is complete, because anonymous sets that
// it refers to have to be sent before it.
import { IPV4 } from "../cluster/records";

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

export class Expressions {
  start: usize = heap.alloc(SIZE);
  private end: usize = 0;
  private family: u32 = IPV4;
  private element: usize = 0;
  private data: usize = 0;

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

  private attribute(type: u32): usize {
    const at = this.end;
    store<u16>(at, <u16>type, 2);
    this.end = at + 4;
    return at;
  }

  private close(at: usize): void {
    store<u16>(at, <u16>(this.end - at));
    while (((this.end - this.start) & 3) != 0) store<u8>(this.end++, 0);
  }

  private number(type: u32, value: u32): void {
    const at = this.attribute(type);
    store<u32>(this.end, bswap<u32>(value));
    this.end += 4;
    this.close(at);
  }

  private name(type: u32, prefix: string, base: usize, length: usize): void {
    const at = this.attribute(type);
    for (let i = 0; i < prefix.length; i++) store<u8>(this.end++, <u8>prefix.charCodeAt(i));
    memory.copy(this.end, base, length);
    this.end += length;
    store<u8>(this.end++, 0);
    this.close(at);
  }

  /** A value in a nest. */
  private value(type: u32, bytes: usize, length: usize): void {
    const nest = this.attribute(type | 0x8000);
    const at = this.attribute(1);
    memory.copy(this.end, bytes, length);
    this.end += length;
    this.close(at);
    this.close(nest);
  }

  private begin(expression: string): void {
    this.element = this.attribute(1 | 0x8000);
    this.name(1, expression, 0, 0);
    this.data = this.attribute(2 | 0x8000);
  }

  private finish(): void {
    this.close(this.data);
    this.close(this.element);
  }

  private payload(word: u32, header: u32, offset: u32, length: usize): void {
    this.begin("payload");
    this.number(1, register(word));
    this.number(2, header);
    this.number(3, offset);
    this.number(4, <u32>length);
    this.finish();
  }

  private meta(key: u32, word: u32): void {
    this.begin("meta");
    this.number(2, key);
    this.number(1, register(word));
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
    this.number(1, register(0));
    this.number(2, not ? NOT_EQUAL : EQUAL);
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
    this.number(1, register(0));
    this.number(2, register(0));
    if (named) this.number(6, 0);
    this.number(3, <u32>length);
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
    this.number(2, key);
    this.number(1, register(0));
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
    this.number(2, META_MARK);
    this.number(3, register(0));
    this.finish();
  }

  masquerade(): void {
    this.begin("masq");
    this.number(1, 0x10); // NF_NAT_RANGE_PROTO_RANDOM_FULLY
    this.finish();
  }

  reject(): void {
    this.begin("reject");
    this.number(1, 0); // by ICMP
    const at = this.attribute(2);
    store<u8>(this.end++, this.family == IPV4 ? 3 : 4); // port unreachable
    this.close(at);
    this.finish();
  }

  verdict(code: u32, prefix: string, base: usize, length: usize): void {
    this.begin("immediate");
    this.number(1, 0);
    const data = this.attribute(2 | 0x8000);
    const verdict = this.attribute(2 | 0x8000);
    this.number(1, code);
    if (<i32>code < 0) this.name(2, prefix, base, length);
    this.close(verdict);
    this.close(data);
    this.finish();
  }

  /** The registers are (not) a key of the set. `id`: of a set of this batch that has no name yet; 0: it has one. */
  lookup(prefix: string, base: usize, length: usize, id: u32, not: bool): void {
    this.begin("lookup");
    this.number(2, register(0));
    this.name(1, prefix, base, length);
    if (id != 0) this.number(4, id);
    if (not) this.number(5, 1);
    this.finish();
  }

  private mapLookup(map: string, id: u32, to: u32): void {
    this.begin("lookup");
    this.number(2, register(0));
    this.number(3, to);
    this.name(1, map, 0, 0);
    if (id != 0) this.number(4, id);
    this.finish();
  }

  verdictLookup(map: string, id: u32): void {
    this.mapLookup(map, id, 0);
  }

  /** Puts what the map has for the registers into them. */
  dataLookup(map: string, id: u32): void {
    this.mapLookup(map, id, register(0));
  }

  isLocal(source: bool): void {
    this.begin("fib");
    this.number(3, source ? 1 : 2);
    this.number(2, 3); // the address's type
    this.number(1, register(0));
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
    this.number(1, word);
    this.value(2, bytes, length);
    this.finish();
  }

  private beginNat(port: u32): void {
    this.begin("nat");
    this.number(1, 1); // destination
    this.number(2, this.family == IPV4 ? 2 : 10);
    this.number(3, register(0));
    this.number(5, port);
  }

  dnatTo(ip: usize, port: u32): void {
    this.immediate(1, ip, this.addressLength());
    store<u16>(scratch, bswap<u16>(<u16>port));
    this.immediate(2, scratch, 2);
    this.beginNat(2);
    this.number(7, 2); // NF_NAT_RANGE_PROTO_SPECIFIED
    this.finish();
  }

  /** DNAT to address and port in the registers. */
  dnatToRegisters(): void {
    this.beginNat(register(<u32>(this.addressLength() >> 2)));
    this.finish();
  }

  numgen(word: u32, modulus: u32): void {
    this.begin("numgen");
    this.number(1, register(word));
    this.number(2, modulus);
    this.number(3, 1); // random
    this.number(4, 0);
    this.finish();
  }

  /** Updates the set with the source address in the registers. */
  dynset(prefix: string, base: usize, length: usize): void {
    this.begin("dynset");
    this.number(4, register(0));
    this.number(3, 1); // update
    this.name(1, prefix, base, length);
    this.finish();
  }
}

const scratch: usize = memory.data(64, 16);
