// The common form of YAML, read line by line: mappings and sequences in block style, plain and quoted scalars on one line,
// literal blocks. It builds the tree that the `yaml` package builds, in a tenth of the time, and leaves everything else to
// that package: whatever it does not know for certain, errors included. plain-documents.test.ts compares the two trees.
import { type Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { maxDepth } from "./yaml-json.ts";

/** Line ends and blanks of other kinds, and byte order marks. */
const unusual = /[\t\r\u0085\u2028\u2029\ufeff]/;

const plainKey = /[A-Za-z_./][A-Za-z0-9_./-]{0,500}(?=:(?: |\n|$))/y;
const markerLine = /---(?: +#.*| *)(?:\n|$)/y;
const literalHeader = /\|(-?) *\n/y;
/** A plain scalar begins with none of the indicators. */
const plainStart = /[^-?:,[\]{}#&*!|>'"%@` \n]|-[^ \n]/y;
/** On a line, up to the blanks before a comment, or to the colon of a mapping. */
const plainOnLine = /(?:[^:#\n ]|:(?=[^ \n])|#| +(?=[^#\n ]))+/y;
const doubleQuoted = /"([^"\\\n]*)"/y;
const singleQuoted = /'([^'\n]*)'/y;
const flowPlain = /[A-Za-z0-9_./][A-Za-z0-9_./=+~-]*(?=[ ,\]}\n]|: |$)/y;
const restOfLine = /(?: +#.*| *)(?:\n|$)/y;

const newline = 0x0a;
const space = 0x20;
const hash = 0x23;
const hyphen = 0x2d;
const comma = 0x2c;
const colon = 0x3a;

/** Thrown to leave the document to the package. */
const unknownForm = new Error("not in the plain form");

/** The document's root. Undefined: it is empty, has another form, or is wrong. */
export function readPlainDocument(text: string): Node | undefined {
  if (unusual.test(text)) return undefined;
  try {
    return new PlainReader(text).root();
  } catch (error) {
    if (error === unknownForm) return undefined;
    throw error;
  }
}

class PlainReader {
  readonly #text: string;
  /** Where the next thing to read begins; between lines it is its line's first character that is no blank. */
  #at = 0;
  /** The column of `#at`, from 0; -1 at the end of the text. */
  #column = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  root(): Node {
    this.#nextLine(0);
    if (this.#column === 0 && this.#match(markerLine) !== undefined) this.#nextLine(this.#at);
    if (this.#column < 0) throw unknownForm;
    const root = this.#block(this.#column);
    if (this.#column >= 0) throw unknownForm;
    return root;
  }

  /** Goes to the first line from `from` on (the start of a line) that is neither empty nor a comment. */
  #nextLine(from: number): void {
    const text = this.#text;
    for (let start = from; start < text.length; ) {
      let at = start;
      while (text.charCodeAt(at) === space) at++;
      const code = text.charCodeAt(at);
      if (code === hash) {
        const end = text.indexOf("\n", at);
        start = end === -1 ? text.length : end + 1;
      } else if (code === newline) {
        start = at + 1;
      } else if (at === text.length) {
        break;
      } else {
        this.#at = at;
        this.#column = at - start;
        return;
      }
    }
    this.#at = text.length;
    this.#column = -1;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.#at = pattern.lastIndex;
    return found;
  }

  /** A dash and a blank, or a line with a dash alone. */
  #isItem(): boolean {
    if (this.#text.charCodeAt(this.#at) !== hyphen) return false;
    const next = this.#text.charCodeAt(this.#at + 1);
    return next === space || next === newline;
  }

  /**
   * The mapping or sequence whose first line stands at this column. It ends at the first line in another one: which is that of a
   * collection around it, or of none, and then the root ends before the text.
   */
  #block(column: number): Node {
    if (++this.#depth > maxDepth) throw unknownForm;
    const node = this.#isItem() ? this.#sequence(column) : this.#mapping(column);
    this.#depth--;
    return node;
  }

  #mapping(column: number): Node {
    const map = new YAMLMap();
    const start = this.#at;
    do {
      const at = this.#at;
      const key = this.#match(plainKey)?.[0];
      if (key === undefined) throw unknownForm;
      this.#at++;
      map.items.push(new Pair(scalar(key, "PLAIN", at), this.#value(column, column)));
    } while (this.#column === column);
    return ranged(map, start);
  }

  #sequence(column: number): Node {
    const sequence = new YAMLSeq();
    const start = this.#at;
    do {
      const dash = this.#at++;
      while (this.#text.charCodeAt(this.#at) === space) this.#at++;
      const inner = column + this.#at - dash;
      if (this.#isItem() || this.#isKey()) {
        sequence.items.push(this.#block(inner));
      } else sequence.items.push(this.#value(column, column + 1));
    } while (this.#column === column && this.#isItem());
    return ranged(sequence, start);
  }

  #isKey(): boolean {
    plainKey.lastIndex = this.#at;
    return plainKey.test(this.#text);
  }

  /**
   * What follows a key or a dash.
   * @param column of the mapping or sequence
   * @param itemsFrom the least column of a sequence on the lines below
   */
  #value(column: number, itemsFrom: number): Node {
    const text = this.#text;
    while (text.charCodeAt(this.#at) === space) this.#at++;
    const start = this.#at;
    const code = text.charCodeAt(start);
    if (code === newline || code === hash || start === text.length) {
      const end = text.indexOf("\n", start);
      this.#nextLine(end === -1 ? text.length : end + 1);
      // An empty value is the package's.
      if (this.#column < (this.#isItem() ? itemsFrom : column + 1)) throw unknownForm;
      return this.#block(this.#column);
    }
    const block = this.#match(literalHeader);
    if (block !== undefined) return this.#literal(column, start, block[1] === "-");
    if (this.#startsPlain()) return this.#plain(column);
    const node = this.#quotedOrFlow();
    this.#endLine();
    return node;
  }

  #startsPlain(): boolean {
    plainStart.lastIndex = this.#at;
    return plainStart.test(this.#text);
  }

  #endLine(): void {
    if (this.#match(restOfLine) === undefined) throw unknownForm;
    this.#nextLine(this.#at);
  }

  /** Also over several lines, of which none may be empty or have a comment. */
  #plain(column: number): Node {
    const start = this.#at;
    let value = this.#match(plainOnLine)?.[0];
    if (value === undefined) throw unknownForm;
    for (;;) {
      const end = this.#text.indexOf("\n", this.#at);
      const mayGoOn = end !== -1 && this.#text.slice(this.#at, end).trim() === "";
      this.#endLine();
      if (this.#column <= column) break;
      if (!mayGoOn || this.#at - this.#column !== end + 1 || !this.#startsPlain()) throw unknownForm;
      const more = this.#match(plainOnLine)?.[0];
      if (more === undefined) throw unknownForm;
      value += ` ${more}`;
    }
    return scalar(value, "PLAIN", start);
  }

  /** Its text is deeper than the key, and its first line is not empty. */
  #literal(column: number, start: number, isStripped: boolean): Node {
    const text = this.#text;
    const first = this.#at;
    let at = first;
    while (text.charCodeAt(at) === space) at++;
    const indent = at - first;
    if (indent <= column || text.charCodeAt(at) === newline || at === text.length) throw unknownForm;
    let value = "";
    /** Empty lines that have been passed: they count if more follows. */
    let empty = 0;
    for (at = first; at < text.length; ) {
      const end = text.indexOf("\n", at);
      if (end === -1) throw unknownForm;
      let content = at;
      while (content < end && content - at < indent && text.charCodeAt(content) === space) content++;
      if (content === end) empty++;
      else if (content - at < indent) break;
      else {
        value += `${"\n".repeat(empty)}${text.slice(content, end)}\n`;
        empty = 0;
      }
      at = end + 1;
    }
    this.#nextLine(at);
    return scalar(isStripped ? value.slice(0, -1) : value, "BLOCK_LITERAL", start);
  }

  /** On one line. */
  #quotedOrFlow(): Node {
    const start = this.#at;
    switch (this.#text[start]) {
      case '"':
        return scalar(this.#match(doubleQuoted)?.[1], "QUOTE_DOUBLE", start);
      case "'":
        return scalar(this.#match(singleQuoted)?.[1], "QUOTE_SINGLE", start);
      case "[":
        return this.#flow(new YAMLSeq(), "]", () => this.#flowValue());
      case "{":
        return this.#flow(new YAMLMap(), "}", () => this.#flowPair());
      default:
        throw unknownForm;
    }
  }

  #flow(collection: YAMLMap | YAMLSeq, end: string, item: () => unknown): Node {
    if (++this.#depth > maxDepth) throw unknownForm;
    const start = this.#at++;
    this.#skipSpaces();
    if (this.#text[this.#at] !== end) {
      for (;;) {
        (collection.items as unknown[]).push(item());
        this.#skipSpaces();
        if (this.#text.charCodeAt(this.#at) !== comma) break;
        this.#at++;
        this.#skipSpaces();
      }
      if (this.#text[this.#at] !== end) throw unknownForm;
    }
    this.#at++;
    this.#depth--;
    return ranged(collection, start);
  }

  #flowPair(): Pair {
    const key = this.#flowScalar();
    if (this.#text.charCodeAt(this.#at) !== colon || this.#text.charCodeAt(this.#at + 1) !== space) throw unknownForm;
    this.#at++;
    this.#skipSpaces();
    return new Pair(key, this.#flowValue());
  }

  #flowValue(): Node {
    const opening = this.#text[this.#at];
    return opening === "[" || opening === "{" ? this.#quotedOrFlow() : this.#flowScalar();
  }

  #flowScalar(): Scalar {
    const start = this.#at;
    const opening = this.#text[start];
    if (opening === '"' || opening === "'") return this.#quotedOrFlow() as Scalar;
    return scalar(this.#match(flowPlain)?.[0], "PLAIN", start);
  }

  #skipSpaces(): void {
    while (this.#text.charCodeAt(this.#at) === space) this.#at++;
  }
}

function scalar(text: string | undefined, type: Scalar.Type, start: number): Scalar {
  if (text === undefined) throw unknownForm;
  const node = new Scalar(text);
  node.source = text;
  node.type = type;
  return ranged(node, start);
}

/** Only where a node starts is asked for. */
function ranged<T extends Node>(node: T, start: number): T {
  node.range = [start, start, start];
  return node;
}
