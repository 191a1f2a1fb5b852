// Problems of the object that is being read. They are reported where they are met, often before the object's name is
// known, and get name and field path once the object is finished; or they are dropped with it.
import {
  addProblem,
  beginText,
  dropProblems,
  MAX_PROBLEMS,
  Problem,
  problemAt,
  problemMark,
  Severity,
  textDecimal,
  textLiteral,
  textQuoted,
} from "../abi/problems";
import { pathBytes, pathTo } from "./path";
import { offsetOf } from "./scanner";
import { wellFormed, wellFormedBytes } from "./utf8";

let object: usize = 0; // where it begins in the data
let mark: u32 = 0;
let base: usize = 0; // address of the data's first byte

/** Errors (not warnings) of the object so far. */
export let objectErrors: u32 = 0;

export function objectStart(): usize {
  return object;
}

/** The object that begins at `start` is read, or read again. */
export function beginObject(start: usize): void {
  object = start;
  base = start - <usize>offsetOf(start);
  mark = problemMark();
  objectErrors = 0;
}

/** None of the object's problems matter. */
export function dropObjectProblems(): void {
  dropProblems(mark);
  objectErrors = 0;
}

/** Adds a problem of the value at `where`; the caller gives it message and hint. */
export function objectProblem(severity: u8, code: string, where: usize): Problem {
  if (severity == Severity.ERROR) objectErrors++;
  return addProblem(severity, code, offsetOf(where));
}

/** Bytes of the input in double quotes, as part of a message. */
export function textInput(bytes: usize, length: usize): void {
  // Cut before it is checked: a longer string is cut again by textQuoted, in front of what this may spoil.
  const checked = wellFormed(bytes, min<usize>(length, 72));
  textQuoted(wellFormedBytes, checked);
}

/** A problem with the message `before "text" after`. */
export function valueProblem(
  severity: u8,
  code: string,
  where: usize,
  bytes: usize,
  length: usize,
  after: string,
  hint: string,
): void {
  const problem = objectProblem(severity, code, where);
  beginText();
  textInput(bytes, length);
  textLiteral(after);
  problem.setMessage();
  problem.setHint(hint);
}

/** A problem with a number in its message: `number after`. */
export function numberProblem(code: string, where: usize, value: i32, after: string, hint: string): void {
  const problem = objectProblem(Severity.ERROR, code, where);
  beginText();
  if (value < 0) textLiteral("-");
  textDecimal(value < 0 ? <u32>-value : <u32>value);
  textLiteral(after);
  problem.setMessage();
  problem.setHint(hint);
}

/** A problem whose message is a literal. */
export function literalProblem(severity: u8, code: string, where: usize, message: string, hint: string): void {
  const problem = objectProblem(severity, code, where);
  beginText();
  textLiteral(message);
  problem.setMessage();
  problem.setHint(hint);
}

/** No name that is valid is longer; a thousand problems may repeat it. */
const NAME_SIZE: usize = 253;

/** As `wellFormed`, cut to NAME_SIZE. */
function nameOf(bytes: usize, length: usize): usize {
  let count = min(length, NAME_SIZE);
  if (count < length) while (count > 0 && (load<u8>(bytes + count) & 0xc0) == 0x80) count--;
  return wellFormed(bytes, count);
}

/** Gives kind (any bytes), namespace, name and field path to all problems of the object. */
export function finishObjectProblems(
  kind: usize,
  kindLength: usize,
  namespace: usize,
  namespaceLength: usize,
  name: usize,
  nameLength: usize,
): void {
  const last = min(problemMark(), MAX_PROBLEMS);
  if (mark >= last) {
    mark = problemMark();
    return;
  }
  const namespaceCount = nameOf(namespace, namespaceLength);
  const namespaceBytes = wellFormedBytes;
  const nameCount = nameOf(name, nameLength);
  const nameBytes = wellFormedBytes;
  const kindCount = nameOf(kind, kindLength);
  const kindBytes = wellFormedBytes;
  for (let i = mark; i < last; i++) {
    const problem = problemAt(i);
    problem.kind = kindBytes;
    problem.kindLength = kindCount;
    problem.namespace = namespaceBytes;
    problem.namespaceLength = namespaceCount;
    problem.name = nameBytes;
    problem.nameLength = nameCount;
    if (problem.fieldLength != 0) continue; // who reported it knew
    if (base + <usize>problem.offset == object) continue; // the object as a whole
    problem.fieldLength = pathTo(object, base + <usize>problem.offset);
    problem.field = pathBytes;
  }
  mark = problemMark();
}
