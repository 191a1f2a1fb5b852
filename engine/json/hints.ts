// `hints` of an endpoint: the zones and nodes whose clients it is meant for, as sets of names.
import { compareBytes } from "../bytes/compare";
import { arenaAlloc } from "../bytes/memory";
import { readInto } from "./metadata";
import { moreElements, moreMembers, readKey, stringIs } from "./scanner";
import { clearText, newText, Scratch, TEXT_SIZE, Text } from "./scratch";
import { skipValue } from "./skip";
import { openArray, openObject } from "./values";

const names = new Scratch(TEXT_SIZE);
const name: Text = newText();

/** The sorted distinct names, each followed by a 0 byte; empty if there are none. Set by `readHints`. */
export const zoneHints: Text = newText();
export const nodeHints: Text = newText();

export function releaseHints(): void {
  names.release();
}

export function resetHints(): void {
  clearText(zoneHints);
  clearText(nodeHints);
}

function nameAt(index: u32): Text {
  return changetype<Text>(names.at(index));
}

/** Shell sort: nearly always there are one to three names, but nothing may take quadratic time. */
function sortNames(): void {
  let gap: u32 = 1;
  while (gap < names.length / 3) gap = gap * 3 + 1;
  for (; gap > 0; gap /= 3) {
    for (let i = gap; i < names.length; i++) {
      const bytes = nameAt(i).bytes;
      const length = nameAt(i).length;
      let j = i;
      for (; j >= gap; j -= gap) {
        const before = nameAt(j - gap);
        if (compareBytes(before.bytes, before.length, bytes, length) <= 0) break;
        nameAt(j).bytes = before.bytes;
        nameAt(j).length = before.length;
      }
      nameAt(j).bytes = bytes;
      nameAt(j).length = length;
    }
  }
}

/** Writes the names collected as a hint list into `hints`. */
function joinNames(hints: Text): void {
  clearText(hints);
  if (names.length == 0) return;
  if (names.length > 1) sortNames();
  let size: usize = 0;
  for (let i: u32 = 0; i < names.length; i++) size += nameAt(i).length + 1;
  const list = arenaAlloc(size, 1);
  let to = list;
  for (let i: u32 = 0; i < names.length; i++) {
    const bytes = nameAt(i).bytes;
    const length = nameAt(i).length;
    if (i > 0 && compareBytes(nameAt(i - 1).bytes, nameAt(i - 1).length, bytes, length) == 0) continue;
    for (let k: usize = 0; k < length; k++) {
      const byte = load<u8>(bytes + k);
      store<u8>(to + k, byte == 0 ? 1 : byte); // \u0000: no node or zone has it, and it must not end the name
    }
    to += length;
    store<u8>(to++, 0);
  }
  hints.bytes = list;
  hints.length = to - list;
}

/** Reads an array of `{"name": …}`. */
function readNames(hints: Text): void {
  names.clear();
  if (openArray()) {
    do {
      clearText(name);
      if (openObject()) {
        do {
          readKey();
          if (stringIs("name")) readInto(name);
          else skipValue();
        } while (moreMembers());
      }
      const item = changetype<Text>(names.add());
      item.bytes = name.bytes;
      item.length = name.length;
    } while (moreElements());
  }
  joinNames(hints);
}

/** Reads the value of the key `hints`. */
export function readHints(): void {
  resetHints();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("forZones")) readNames(zoneHints);
    else if (stringIs("forNodes")) readNames(nodeHints);
    else skipValue();
  } while (moreMembers());
}
