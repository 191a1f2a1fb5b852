// Cuts a page of a list apart while it comes. Its objects are handed on in lists of about 256 KiB; the frame around them is kept.
// So a page of hundreds of megabytes, or one that grows so large when it is unzipped, is never in memory as a whole.
//
// This looks only at brackets, commas and quotes. The engine checks whether it is JSON.
import { textAt } from "../../../shared/manifests/scan.ts";
import { UnreadableError } from "./decoding-errors.ts";
import { OBJECT_LIMIT } from "./oversized-objects.ts";

/** So much is handed on at a time. */
const PIECE_BYTES = 256 * 1024;
/** Largest frame around the objects: kind, resourceVersion, continue token. */
const FRAME_LIMIT = 512 * 1024;
/** The resourceVersion of lists that are made here. The engine returns it once it has read such a list to its end. */
export const PIECE_VERSION = "1";

const lineFeed = 0x0a;
const blank = 0x20;
const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** Brackets with this bit are braces, and nothing else is. */
const braceBit = 0x20;

const encoder = new TextEncoder();
const tail = encoder.encode(`],"metadata":{"resourceVersion":"${PIECE_VERSION}"}}\n`);

/** What kind of list is expected. */
export interface ListForm {
  /** Such as `ServiceList`. */
  readonly kind: string;
  /** Such as `discovery.k8s.io/v1`. */
  readonly apiVersion: string;
}

export class ListSplitter {
  readonly #form: ListForm;
  readonly #leaveOut: (beginning: Uint8Array) => void;
  readonly #items: ItemBuffer;
  #frame = new Uint8Array(1024);
  #frameSize = 0;
  /** Brackets that are open: those of the frame, or within `items`. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The document is an object, and its next string is a key. */
  #beforeKey = false;
  /** Where the last key of the document stands in the frame. */
  #keyAt = 0;
  #inItems = false;
  #hadItems = false;
  #isOver = false;
  #inItem = false;
  /** The current object is too long and has been left out. */
  #isSkipping = false;
  #afterComma = false;

  /** @param leaveOut gets the beginning of an object of more than `OBJECT_LIMIT` bytes, valid during the call */
  constructor(form: ListForm, leaveOut: (beginning: Uint8Array) => void) {
    this.#form = form;
    this.#leaveOut = leaveOut;
    this.#items = new ItemBuffer(encoder.encode(`{"kind":"${form.kind}","apiVersion":"${form.apiVersion}","items":[`));
  }

  /** Bytes that it holds. */
  get buffered(): number {
    return this.#items.size + this.#frameSize;
  }

  /** @throws {UnreadableError} this is no such list */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) at = this.#inItems ? this.#readItems(chunk, at) : this.#readFrame(chunk, at);
  }

  /** A list of the objects since the last one, if there are enough of them. Valid until the next call. */
  take(): Uint8Array | undefined {
    return this.#items.whole >= PIECE_BYTES ? this.#items.take() : undefined;
  }

  /**
   * After the page's last byte: a list of the objects that are left, if there are any, and the page without its objects.
   *
   * @throws {UnreadableError} the page is cut off, or has objects of another kind
   */
  end(): { readonly last: Uint8Array | undefined; readonly frame: Uint8Array } {
    if (this.#hadItems && !this.#isOver) throw new UnreadableError("the list is cut off");
    if (this.#hadItems) this.#checkKind();
    return { last: this.#items.take(), frame: this.#frame.subarray(0, this.#frameSize) };
  }

  // ---- around the objects

  /** Reads up to `items`, or to the end. Returns where it has stopped. */
  #readFrame(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#inString) {
        this.#add(byte);
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) this.#inString = false;
      } else if (byte <= blank) {
        // Any number of blanks between values becomes one.
        if (this.#frame[this.#frameSize - 1] !== lineFeed) this.#add(lineFeed);
      } else if (byte === openBracket && this.#isAtItems()) {
        this.#beginItems();
        this.#add(byte);
        return at + 1;
      } else {
        this.#readMark(byte);
        this.#add(byte);
      }
    }
    return chunk.length;
  }

  #readMark(byte: number): void {
    if (byte === quote) {
      this.#inString = true;
      if (this.#beforeKey) this.#keyAt = this.#frameSize;
      this.#beforeKey = false;
    } else if (byte === comma) {
      this.#beforeKey = this.#depth === 1;
    } else if ((byte | braceBit) === openBrace) {
      this.#beforeKey = this.#depth === 0 && byte === openBrace;
      this.#depth++;
    } else if ((byte | braceBit) === closeBrace) {
      this.#depth--;
      if (this.#depth === 0) this.#isOver = true;
    }
  }

  #isAtItems(): boolean {
    if (this.#depth !== 1 || this.#isOver) return false;
    const before = this.#frame.subarray(this.#keyAt, this.#frameSize);
    const text = new TextDecoder().decode(before).trimEnd();
    if (!text.endsWith(":")) return false;
    try {
      return JSON.parse(text.slice(0, -1)) === "items";
    } catch {
      return false; // the engine says what is wrong with it
    }
  }

  #beginItems(): void {
    if (this.#hadItems) throw new UnreadableError("the list has items twice");
    this.#hadItems = true;
    this.#inItems = true;
    this.#depth = 0;
    this.#checkKind();
  }

  /** What stands behind the objects can be checked only at the end. */
  #checkKind(): void {
    const frame = this.#frame.subarray(0, this.#frameSize);
    const kind = textAt(frame, 0, ["kind"]);
    const apiVersion = textAt(frame, 0, ["apiVersion"]);
    if (kind === "List") return; // its objects say themselves what they are
    if (kind !== "" && kind !== this.#form.kind) {
      throw new UnreadableError(`the list has objects of another kind: ${kind.slice(0, 100)}`);
    }
    if (apiVersion !== "" && apiVersion !== this.#form.apiVersion) {
      throw new UnreadableError(`the list has objects of another version: ${apiVersion.slice(0, 100)}`);
    }
  }

  #add(byte: number): void {
    if (this.#frameSize === this.#frame.length) {
      if (this.#frameSize >= FRAME_LIMIT) {
        throw new UnreadableError(`the list has more than ${FRAME_LIMIT} bytes beside its objects`);
      }
      const grown = new Uint8Array(2 * this.#frame.length);
      grown.set(this.#frame);
      this.#frame = grown;
    }
    this.#frame[this.#frameSize++] = byte;
  }

  // ---- objects

  /** Reads up to the end of `items`, or to the end. Returns where it has stopped. */
  #readItems(chunk: Uint8Array, start: number): number {
    let depth = this.#depth;
    let from = start;
    let at = start;
    const { length } = chunk;
    if (this.#inString) at = this.#endOfString(chunk, start);
    while (at < length) {
      const byte = chunk[at] as number;
      if (byte === quote) {
        if (!this.#inItem) from = this.#beginItem(at);
        at++;
        // Most strings have no escapes, and end in the chunk in which they begin.
        while (at < length && chunk[at] !== quote && chunk[at] !== backslash) at++;
        if (chunk[at] === quote) at++;
        else at = this.#endOfString(chunk, at);
        continue;
      }
      const brace = byte | braceBit;
      if (brace === openBrace) {
        if (!this.#inItem) from = this.#beginItem(at);
        depth++;
      } else if (brace === closeBrace) {
        if (depth === 0) {
          this.#endItem(chunk, from, at);
          this.#inItems = false;
          this.#depth = 2; // the frame gets its closing bracket
          return at;
        }
        depth--;
      } else if (depth === 0 && byte > blank) {
        if (byte === comma) {
          this.#endItem(chunk, from, at);
          this.#afterComma = true;
        } else if (!this.#inItem) {
          from = this.#beginItem(at);
        }
      }
      at++;
    }
    this.#depth = depth;
    if (this.#inItem) this.#append(chunk, from, chunk.length);
    return chunk.length;
  }

  /** Offset behind the string in which `start` is. */
  #endOfString(chunk: Uint8Array, start: number): number {
    let at = start;
    let isEscaped = this.#escaped;
    for (; at < chunk.length; at++) {
      const byte = chunk[at];
      if (isEscaped) {
        isEscaped = false;
      } else if (byte === backslash) {
        isEscaped = true;
      } else if (byte === quote) {
        this.#inString = false;
        this.#escaped = false;
        return at + 1;
      }
    }
    this.#inString = true;
    this.#escaped = isEscaped;
    return at;
  }

  #beginItem(at: number): number {
    this.#inItem = true;
    this.#afterComma = false;
    this.#items.begin();
    return at;
  }

  #endItem(chunk: Uint8Array, from: number, to: number): void {
    if (!this.#inItem) {
      // Right for an empty array alone.
      if (this.#afterComma || chunk[to] === comma) throw new UnreadableError("the list has a comma too many");
      return;
    }
    this.#append(chunk, from, to);
    if (!this.#isSkipping) this.#items.finish();
    this.#inItem = false;
    this.#isSkipping = false;
  }

  #append(chunk: Uint8Array, from: number, to: number): void {
    if (this.#isSkipping) return;
    const room = OBJECT_LIMIT - this.#items.pending;
    this.#items.append(chunk.subarray(from, Math.min(to, from + room)));
    if (to - from <= room) return;
    this.#isSkipping = true;
    this.#leaveOut(this.#items.drop());
  }
}

/** Objects in a buffer, as lists. All bytes are copied once, into two buffers that are used in turn. */
class ItemBuffer {
  readonly #head: Uint8Array;
  #buffer: Uint8Array;
  #spare: Uint8Array;
  #size: number;
  #whole: number;
  /** Where the current object begins, behind its comma. */
  #start: number;

  constructor(head: Uint8Array) {
    this.#head = head;
    this.#buffer = new Uint8Array(PIECE_BYTES);
    this.#spare = new Uint8Array(0);
    this.#buffer.set(head);
    this.#size = head.length;
    this.#whole = head.length;
    this.#start = head.length;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes with whole objects. */
  get whole(): number {
    return this.#whole;
  }

  /** Bytes of the current object. */
  get pending(): number {
    return this.#size - this.#start;
  }

  begin(): void {
    this.#size = this.#whole;
    if (this.#whole > this.#head.length) this.append(COMMA);
    this.#start = this.#size;
  }

  append(bytes: Uint8Array): void {
    this.#buffer = withRoom(this.#buffer, this.#size, bytes.length);
    this.#buffer.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  finish(): void {
    this.#whole = this.#size;
    this.#start = this.#size;
  }

  /** Gives up the current object; returns what there is of it. */
  drop(): Uint8Array {
    const dropped = this.#buffer.subarray(this.#start, this.#size);
    this.#size = this.#whole;
    this.#start = this.#whole;
    return dropped;
  }

  /** A list of the whole objects; undefined if there are none. */
  take(): Uint8Array | undefined {
    if (this.#whole === this.#head.length) return undefined;
    const taken = withRoom(this.#buffer, this.#size, 0);
    const rest = taken.subarray(this.#start, this.#size);
    const size = this.#head.length + rest.length;
    this.#buffer = withRoom(this.#spare, 0, Math.max(size, PIECE_BYTES));
    this.#buffer.set(this.#head);
    this.#buffer.set(rest, this.#head.length);
    const list = withRoom(taken, this.#whole, tail.length);
    list.set(tail, this.#whole);
    const end = this.#whole + tail.length;
    this.#size = size;
    this.#whole = this.#head.length;
    this.#start = this.#head.length;
    // Buffers that had to be larger for a long object are not kept.
    this.#spare = list.length > 4 * PIECE_BYTES ? new Uint8Array(0) : list;
    return list.subarray(0, end);
  }
}

const COMMA = Uint8Array.of(comma);

/** A buffer with the first `used` bytes of this one, and room for `more` behind them. */
function withRoom(buffer: Uint8Array, used: number, more: number): Uint8Array {
  if (used + more <= buffer.length) return buffer;
  const grown = new Uint8Array(Math.max(buffer.length * 2, used + more));
  grown.set(buffer.subarray(0, used));
  return grown;
}
