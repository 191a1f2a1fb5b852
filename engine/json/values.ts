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

/** True if the next value was an integer that fits int32; it is then in `integer`. Fractions and exponents do not. */
export function readInteger(): bool {
  const first = peek();
  if (first != 0x2d && first - 0x30 >= 10) {
    if (!takeNull()) wrongType("a whole number");
    return false;
  }
  const from = position();
  const after = numberEnd(from);
  if (after == 0) return false;
  let value: i64 = 0;
  let p = first == 0x2d ? from + 1 : from;
  while (p < after) {
    const digit = <u32>load<u8>(p) - 0x30;
    if (digit >= 10) break;
    value = value * 10 + <i64>digit;
    if (value > 0x80000000) break;
    p++;
  }
  if (first == 0x2d) value = -value;
  if (p != after || value > 0x7fffffff || value < -0x80000000) {
    wrongType("a whole number of 32 bits");
    return false;
  }
  seekForward(after);
  integer = <i32>value;
  integerAt = from;
  return true;
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
