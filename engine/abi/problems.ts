// The problems of one call, kept in the canonical form of `list<problem>` so that returning them costs nothing.
import { arenaAlloc } from "../bytes/memory";
import { writeDecimal } from "../bytes/out";

/** Problems beyond this many are only counted. */
export const MAX_PROBLEMS: u32 = 1000;

export namespace Severity {
  export const ERROR: u8 = 0;
  export const WARNING: u8 = 1;
}

/** `record problem` as the canonical ABI lays it out; strings are address and length. */
@unmanaged
export class Problem {
  severity: u8;
  code: usize;
  codeLength: usize;
  kind: usize;
  kindLength: usize;
  namespace: usize;
  namespaceLength: usize;
  name: usize;
  nameLength: usize;
  field: usize;
  fieldLength: usize;
  offset: u32;
  message: usize;
  messageLength: usize;
  hint: usize;
  hintLength: usize;

  /** The object's kind (a literal), namespace and name. The bytes must be UTF-8 and live until the call returns. */
  setObject(kind: string, namespace: usize, namespaceLength: usize, name: usize, nameLength: usize): void {
    this.kind = literalBytes(kind);
    this.kindLength = <usize>kind.length;
    this.namespace = namespace;
    this.namespaceLength = namespaceLength;
    this.name = name;
    this.nameLength = nameLength;
  }

  setField(path: string): void {
    this.field = literalBytes(path);
    this.fieldLength = <usize>path.length;
  }

  /** The text built since `beginText`. */
  setBuiltField(): void {
    if (changetype<usize>(this) != spare) this.field = copyText();
    this.fieldLength = textLength;
  }

  setHint(text: string): void {
    this.hint = literalBytes(text);
    this.hintLength = <usize>text.length;
  }

  /** The text built since `beginText`. */
  setMessage(): void {
    if (changetype<usize>(this) != spare) this.message = copyText();
    this.messageLength = textLength;
  }

  /** As setHint, with the text built since `beginText`. */
  setBuiltHint(): void {
    if (changetype<usize>(this) != spare) this.hint = copyText();
    this.hintLength = textLength;
  }
}

const SIZE: usize = offsetof<Problem>();

let table: usize = 0;
let capacity: u32 = 0;
let total: u32 = 0;
/** Takes what is written to problems beyond the limit. */
const spare: usize = heap.alloc(SIZE);

/** How many problems were reported, those beyond the limit included; a mark for `dropProblems`. */
export function problemMark(): u32 {
  return total;
}

/** How many problems the table holds. */
export function problemCount(): u32 {
  return min(total, MAX_PROBLEMS);
}

/** Address of the table: `problemCount()` Problems of 64 bytes each. */
export function problemTable(): usize {
  return table;
}

/** How many problems were left out of the table. */
export function moreProblems(): u32 {
  return total - problemCount();
}

export function problemAt(index: u32): Problem {
  return changetype<Problem>(table + <usize>index * SIZE);
}

/** Forgets all problems; to be called before or after `arenaReset`, since the table lives in the arena. */
export function resetProblems(): void {
  table = 0;
  capacity = 0;
  total = 0;
}

/** Forgets the problems reported since `problemMark` returned `mark`. */
export function dropProblems(mark: u32): void {
  total = mark;
}

/**
 * Adds a problem with empty strings to the table and returns it to be filled in, at once: the table may move when the
 * next one is added. Beyond the limit the problem is only counted and what is filled in goes nowhere.
 */
export function addProblem(severity: u8, code: string, offset: u32): Problem {
  let at = spare;
  if (total < MAX_PROBLEMS) {
    if (total == capacity) {
      const grown = arenaAlloc(<usize>max<u32>(capacity << 1, 16) * SIZE);
      memory.copy(grown, table, <usize>total * SIZE);
      table = grown;
      capacity = max<u32>(capacity << 1, 16);
    }
    at = table + <usize>total * SIZE;
  }
  total++;
  memory.fill(at, 0, SIZE);
  const problem = changetype<Problem>(at);
  problem.severity = severity;
  if (at != spare) problem.code = literalBytes(code);
  problem.codeLength = <usize>code.length;
  problem.offset = offset;
  return problem;
}

/** Copy of an ASCII literal as bytes in the arena. */
export function literalBytes(text: string): usize {
  const length = <usize>text.length;
  const to = arenaAlloc(length, 1);
  const from = changetype<usize>(text);
  for (let i: usize = 0; i < length; i++) store<u8>(to + i, load<u8>(from + (i << 1)));
  return to;
}

// The text of a message is put together here, then copied. Longer texts are cut.

const TEXT_SIZE: usize = 512;
/** What is quoted from the input is cut to this many bytes. */
const QUOTE_SIZE: usize = 64;

const text: usize = heap.alloc(TEXT_SIZE + 16);
let textLength: usize = 0;

function copyText(): usize {
  const copy = arenaAlloc(textLength, 1);
  memory.copy(copy, text, textLength);
  return copy;
}

export function beginText(): void {
  textLength = 0;
}

/** Appends an ASCII literal. */
export function textLiteral(literal: string): void {
  const length = min(<usize>literal.length, TEXT_SIZE - textLength);
  const from = changetype<usize>(literal);
  for (let i: usize = 0; i < length; i++) store<u8>(text + textLength + i, load<u8>(from + (i << 1)));
  textLength += length;
}

/** Appends a number in decimal digits. */
export function textDecimal(value: u32): void {
  if (textLength + 10 <= TEXT_SIZE) textLength = writeDecimal(text + textLength, value) - text;
}

/** Appends UTF-8 bytes as they are. */
export function textBytes(bytes: usize, length: usize): void {
  let count = min(length, TEXT_SIZE - textLength);
  if (count < length) while (count > 0 && (load<u8>(bytes + count) & 0xc0) == 0x80) count--;
  memory.copy(text + textLength, bytes, count);
  textLength += count;
}

/**
 * Appends UTF-8 bytes in double quotes, cut to 64 bytes (`...` marks the cut) and with `?` for control characters.
 */
export function textQuoted(bytes: usize, length: usize): void {
  if (textLength + QUOTE_SIZE + 5 > TEXT_SIZE) return;
  let count = length;
  if (count > QUOTE_SIZE) {
    count = QUOTE_SIZE;
    while (count > 0 && (load<u8>(bytes + count) & 0xc0) == 0x80) count--;
  }
  let at = text + textLength;
  store<u8>(at++, 0x22);
  for (let i: usize = 0; i < count; i++) {
    const byte = load<u8>(bytes + i);
    store<u8>(at++, byte < 0x20 || byte == 0x7f ? 0x3f : byte);
  }
  if (count < length) {
    store<u16>(at, 0x2e2e);
    store<u8>(at, 0x2e, 2);
    at += 3;
  }
  store<u8>(at++, 0x22);
  textLength = at - text;
}
