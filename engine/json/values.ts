// Values of a given type, as Go's JSON decoder takes them: null counts as absent, another type is an error of the
// object.
import { beginText, Severity, textLiteral } from "../abi/problems";
import { objectProblem, textInput } from "./report";
import {
  ARRAY,
  enterArray,
  enterObject,
  Failure,
  failed,
  numberEnd,
  OBJECT,
  peek,
  position,
  QUOTE,
  readString,
  seekForward,
  takeNull,
} from "./scanner";
import { skipValue } from "./skip";

/** Skips the next value, which should have been `what`. Broken JSON is no wrong type. */
export function wrongType(what: string): void {
  const first = peek();
  const from = position();
  skipValue();
  if (failed != Failure.NONE) return;
  const problem = objectProblem(Severity.ERROR, "wrong-type", from);
  beginText();
  textLiteral("expected ");
  textLiteral(what);
  textLiteral(", found ");
  if (first == OBJECT) {
    textLiteral("an object");
  } else if (first == ARRAY) {
    textLiteral("an array");
  } else if (first == QUOTE) {
    textLiteral("the string ");
    textInput(from + 1, position() - from - 2);
  } else {
    textInput(from, position() - from);
  }
  problem.setMessage();
  beginText();
  textLiteral("write ");
  textLiteral(what);
  problem.setBuiltHint();
}

/** True if the next value was a string, which is then in `stringAt` and `stringLength`; null and errors: false. */
export function readText(): bool {
  if (peek() == QUOTE) return readString();
  if (!takeNull()) wrongType("a string");
  return false;
}

/** True if an object with members follows. */
export function openObject(): bool {
  if (peek() == OBJECT) return enterObject();
  if (!takeNull()) wrongType("an object");
  return false;
}

/** True if an array with elements follows. */
export function openArray(): bool {
  if (peek() == ARRAY) return enterArray();
  if (!takeNull()) wrongType("an array");
  return false;
}

/** What `readInteger` has read, and where. */
export let integer: i32 = 0;
export let integerAt: usize = 0;

/**
 * True if the next value was a whole number that fits int32; it is then in `integer`. `80.0` and `8e1` are whole numbers
 * too: kubectl reads them as float64 and sends 80.
 */
export function readInteger(): bool {
  const first = peek();
  if (first != 0x2d && first - 0x30 >= 10) {
    if (!takeNull()) wrongType("a whole number");
    return false;
  }
  const from = position();
  const after = numberEnd(from);
  if (after == 0) return false;
  let value = wholeNumber(first == 0x2d ? from + 1 : from, after);
  if (value >= 0 && first == 0x2d) value = -value;
  else if (value > 0x7fffffff) value = NOT_WHOLE;
  if (value == NOT_WHOLE) {
    wrongType("a whole number of 32 bits");
    return false;
  }
  seekForward(after);
  integer = <i32>value;
  integerAt = from;
  return true;
}

/** Of `wholeNumber`: the number has a fraction, or is above 2^31. */
const NOT_WHOLE: i64 = i64.MIN_VALUE;
const MOST: i64 = 0x80000000;
/** Beyond it digits, of which the last one is not zero, are a whole number of 32 bits with no exponent. */
const MOST_DIGITS: i64 = 100_000_000_000;
/** A larger exponent or its opposite changes nothing: what it is applied to has fewer digits. */
const MOST_EXPONENT: i32 = 1 << 20;

/** Value of an unsigned JSON number. */
function wholeNumber(from: usize, after: usize): i64 {
  let value: i64 = 0;
  // Powers of ten by which the value is still to be multiplied.
  let scale: i32 = 0;
  // Digits since the last one that is not zero: zeros at the end count for the scale alone, however many there are.
  let waiting: i32 = 0;
  let fraction = false;
  let p = from;
  for (; p < after; p++) {
    const char = <u32>load<u8>(p);
    if (char == 0x2e) {
      fraction = true;
      continue;
    }
    const digit = char - 0x30;
    if (digit >= 10) break;
    waiting++;
    if (fraction) scale--;
    if (digit == 0) continue;
    for (; waiting > 0 && value <= MOST_DIGITS; waiting--) value *= 10;
    value += <i64>digit;
    if (value > MOST_DIGITS) return NOT_WHOLE;
  }
  scale += waiting + (p < after ? exponent(p + 1, after) : 0);
  if (value == 0) return 0;
  if (scale < 0) return NOT_WHOLE;
  for (; scale > 0 && value <= MOST; scale--) value *= 10;
  return value <= MOST ? value : NOT_WHOLE;
}

/** The exponent whose sign or first digit is there. */
function exponent(from: usize, after: usize): i32 {
  const sign = load<u8>(from);
  let value: i32 = 0;
  for (let p = sign == 0x2b || sign == 0x2d ? from + 1 : from; p < after && value < MOST_EXPONENT; p++) {
    value = value * 10 + <i32>(load<u8>(p) - 0x30);
  }
  return sign == 0x2d ? -value : value;
}

export namespace Truth {
  export const ABSENT: u32 = 0;
  export const FALSE: u32 = 1;
  export const TRUE: u32 = 2;
}

export function readBoolean(): u32 {
  const first = peek();
  if (first == 0x74 || first == 0x66) {
    skipValue();
    return first == 0x74 ? Truth.TRUE : Truth.FALSE;
  }
  if (!takeNull()) wrongType("true or false");
  return Truth.ABSENT;
}
