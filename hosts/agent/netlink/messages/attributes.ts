// Netlink attributes (struct nlattr: u16 length with header, u16 type, payload, padded to 4 bytes): a reader and a
// writer. Numbers inside nf_tables' attributes are big-endian, the headers are the machine's (little-endian).
import { NLA_F_NESTED, NLA_TYPE_MASK } from "./uapi.ts";

export const ATTRIBUTE_HEADER = 4;

export const align4 = (length: number): number => (length + 3) & ~3;

/** One attribute, as a view of the bytes it stands in. */
export interface Attribute {
  /** Without the flags for nesting and byte order. */
  readonly type: number;
  /** Where its header starts in the bytes given to the reader. */
  readonly offset: number;
  readonly payload: Uint8Array;
}

/**
 * The attributes between two offsets, in order. Stops at the first header that does not fit. The kernel writes no such header,
 * and refuses a batch of ours that has one.
 */
export function* readAttributes(bytes: Uint8Array, start = 0, end = bytes.length): Generator<Attribute> {
  const view = viewOf(bytes);
  let offset = start;
  while (offset + ATTRIBUTE_HEADER <= end) {
    const length = view.getUint16(offset, true);
    if (length < ATTRIBUTE_HEADER || offset + length > end) return;
    yield {
      type: view.getUint16(offset + 2, true) & NLA_TYPE_MASK,
      offset,
      payload: bytes.subarray(offset + ATTRIBUTE_HEADER, offset + length),
    };
    offset += align4(length);
  }
}

/** The payload of the first attribute of that type. */
export function findAttribute(bytes: Uint8Array, type: number, start = 0, end = bytes.length): Uint8Array | undefined {
  for (const attribute of readAttributes(bytes, start, end)) {
    if (attribute.type === type) return attribute.payload;
  }
  return undefined;
}

/** Big-endian, as nf_tables writes its numbers; undefined when shorter than 4 bytes. */
export function readU32(payload: Uint8Array | undefined): number | undefined {
  return payload === undefined || payload.length < 4 ? undefined : viewOf(payload).getUint32(0);
}

/** Little-endian: what netlink itself writes, not nf_tables. */
export function readHostU32(payload: Uint8Array | undefined): number | undefined {
  return payload === undefined || payload.length < 4 ? undefined : viewOf(payload).getUint32(0, true);
}

/** Up to the terminating zero. */
export function readString(payload: Uint8Array | undefined): string | undefined {
  if (payload === undefined) return undefined;
  const end = payload.indexOf(0);
  return new TextDecoder().decode(end < 0 ? payload : payload.subarray(0, end));
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Writes messages and attributes into a growing buffer. For the agent's own requests and for tests: the engine writes rules and
 * elements.
 */
export class AttributeWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = viewOf(this.#bytes);
  }

  get length(): number {
    return this.#length;
  }

  /** What has been written so far; changes with the next write. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  string(type: number, text: string): void {
    this.raw(type, new TextEncoder().encode(`${text}\0`));
  }

  /** Big-endian. */
  u32(type: number, value: number): void {
    const at = this.#header(type, 4);
    this.#view.setUint32(at, value >>> 0);
  }

  /** Big-endian. */
  u64(type: number, value: bigint): void {
    const at = this.#header(type, 8);
    this.#view.setBigUint64(at, value);
  }

  u8(type: number, value: number): void {
    const at = this.#header(type, 1);
    this.#bytes[at] = value;
  }

  raw(type: number, payload: Uint8Array): void {
    // In this order: making room may replace the buffer.
    const at = this.#header(type, payload.length);
    this.#bytes.set(payload, at);
  }

  /** Whole attributes, header included, as they were read. */
  copy(attributes: Uint8Array): void {
    const at = this.skip(align4(attributes.length));
    this.#bytes.set(attributes, at);
  }

  nest(type: number, content: () => void): void {
    const start = this.skip(ATTRIBUTE_HEADER);
    content();
    this.#view.setUint16(start, this.#length - start, true);
    this.#view.setUint16(start + 2, type | NLA_F_NESTED, true);
  }

  /** Makes room for `length` zero bytes and returns where they start. */
  skip(length: number): number {
    const start = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    return start;
  }

  setU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  setU16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  setU16BigEndian(offset: number, value: number): void {
    this.#view.setUint16(offset, value);
  }

  setU8(offset: number, value: number): void {
    this.#bytes[offset] = value;
  }

  /** Returns where the payload starts. */
  #header(type: number, payload: number): number {
    const start = this.skip(ATTRIBUTE_HEADER + align4(payload));
    this.#view.setUint16(start, ATTRIBUTE_HEADER + payload, true);
    this.#view.setUint16(start + 2, type, true);
    return start + ATTRIBUTE_HEADER;
  }
}
