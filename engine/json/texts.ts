// Arrays of strings, read whole and looked at once the object is complete.
import { moreElements, stringAt, stringLength, valueAt } from "./scanner";
import { Scratch, TEXT_SIZE, Text } from "./scratch";
import { openArray, readText } from "./values";

export function newTexts(): Scratch {
  return new Scratch(TEXT_SIZE);
}

export function textAt(texts: Scratch, index: u32): Text {
  return changetype<Text>(texts.at(index));
}

/** Reads an array of strings; null elements are empty strings. */
export function readTexts(texts: Scratch): void {
  texts.clear();
  if (!openArray()) return;
  do {
    const isString = readText();
    const item = changetype<Text>(texts.add());
    item.valueAt = valueAt;
    if (!isString) continue;
    item.bytes = stringAt;
    item.length = stringLength;
  } while (moreElements());
}

function isSpace(byte: u32): bool {
  return byte == 0x20 || byte - 9 < 5;
}

/** Takes white space from both ends. */
export function trimText(text: Text): void {
  while (text.length > 0 && isSpace(load<u8>(text.bytes))) {
    text.bytes++;
    text.length--;
  }
  while (text.length > 0 && isSpace(load<u8>(text.bytes + text.length - 1))) text.length--;
}

export function isBlank(text: Text): bool {
  for (let i: usize = 0; i < text.length; i++) if (!isSpace(load<u8>(text.bytes + i))) return false;
  return true;
}
