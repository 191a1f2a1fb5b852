// Netlink attributes (struct nlattr: length with header, type, value, padded to four bytes): writing runs of them, and
// going through those that others have written.
import { writeLiteral } from "../bytes/out";
import { protocolNumber } from "../bytes/protocols";
import { Attribute, NESTED, TYPE_MASK } from "./netlink-numbers";

const HEADER: usize = 4;

function aligned(length: usize): usize {
  return (length + 3) & ~3;
}

/** A run of attributes that is being put together, in memory of its own. */
export class AttributeWriter {
  start: usize;
  end: usize;
  /** Where its memory ends. */
  limit: usize;

  /** `size`: as many bytes as are ever written. */
  constructor(size: usize) {
    this.start = heap.alloc(size);
    this.end = this.start;
    this.limit = this.start + size;
  }

  /** Begins an attribute; returns what `endAttribute` needs. */
  beginAttribute(type: u32): usize {
    const at = this.end;
    store<u16>(at, <u16>type, 2);
    this.end = at + HEADER;
    return at;
  }

  /** Begins an attribute whose value is a list of attributes. */
  beginNest(type: u32): usize {
    return this.beginAttribute(type | NESTED);
  }

  /** Traps if it is longer than its length can say, or the run than its memory. */
  endAttribute(at: usize): void {
    if (this.end - at > 0xffff || this.end + 3 > this.limit) unreachable();
    store<u16>(at, <u16>(this.end - at));
    while (((this.end - this.start) & 3) != 0) store<u8>(this.end++, 0);
  }

  rawBytes(bytes: usize, length: usize): void {
    memory.copy(this.end, bytes, length);
    this.end += length;
  }

  /** A number in network order. */
  number32(type: u32, value: u32): void {
    const at = this.beginAttribute(type);
    store<u32>(this.end, bswap<u32>(value));
    this.end += 4;
    this.endAttribute(at);
  }

  /** A name: a literal, then bytes, then a zero. */
  name(type: u32, prefix: string, base: usize, length: usize): void {
    const at = this.beginAttribute(type);
    this.end = writeLiteral(this.end, prefix);
    this.rawBytes(base, length);
    store<u8>(this.end++, 0);
    this.endAttribute(at);
  }

  /** Two parts of a key: protocol and port, each padded to four bytes. `protocol`: as records have it. */
  protocolAndPort(protocol: u32, port: u32): void {
    store<u64>(this.end, 0);
    store<u8>(this.end, <u8>protocolNumber(protocol));
    store<u16>(this.end, bswap<u16>(<u16>port), 4);
    this.end += 8;
  }

  /** nf_tables' data that is a verdict; with those that lead to a chain goes its name. */
  verdict(type: u32, code: u32, prefix: string, base: usize, length: usize): void {
    const data = this.beginNest(type);
    const verdict = this.beginNest(Attribute.DATA_VERDICT);
    this.number32(Attribute.VERDICT_CODE, code);
    if (<i32>code < 0) this.name(Attribute.VERDICT_CHAIN, prefix, base, length);
    this.endAttribute(verdict);
    this.endAttribute(data);
  }
}

/** Address of the attribute at `at`, or 0 if there is no whole one before `end`. */
export function firstAttribute(at: usize, end: usize): usize {
  if (at + HEADER > end) return 0;
  const length = <usize>load<u16>(at);
  return length < HEADER || at + length > end ? 0 : at;
}

/** Address of the attribute after that one, or 0. */
export function nextAttribute(attribute: usize, end: usize): usize {
  return firstAttribute(attribute + aligned(<usize>load<u16>(attribute)), end);
}

/** The attribute's type, without the flags for nesting and byte order. */
export function typeOf(attribute: usize): u32 {
  return <u32>load<u16>(attribute, 2) & TYPE_MASK;
}

export function isNest(attribute: usize): bool {
  return (<u32>load<u16>(attribute, 2) & NESTED) != 0;
}

/** Address of the first attribute of that type between `at` and `end`, or 0. Never reads past `end`. */
export function findAttribute(at: usize, end: usize, type: u32): usize {
  let next = firstAttribute(at, end);
  while (next != 0 && typeOf(next) != type) next = nextAttribute(next, end);
  return next;
}

export function valueOf(attribute: usize): usize {
  return attribute + HEADER;
}

export function valueLength(attribute: usize): usize {
  return <usize>load<u16>(attribute) - HEADER;
}

export function valueEnd(attribute: usize): usize {
  return attribute + <usize>load<u16>(attribute);
}

/** A text's length without its zero. */
export function textLength(attribute: usize): usize {
  const length = valueLength(attribute);
  return length > 0 && load<u8>(valueOf(attribute) + length - 1) == 0 ? length - 1 : length;
}

/** A number in network order; 0 where there is none. */
export function numberOf(attribute: usize): u32 {
  return attribute == 0 || valueLength(attribute) < 4 ? 0 : bswap<u32>(load<u32>(valueOf(attribute)));
}
