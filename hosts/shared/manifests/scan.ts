// Finds objects and fields in JSON bytes, for line numbers. It is asked only when something is to be shown, reads no
// more than it needs, and stops quietly where the JSON ends or breaks: the engine says what is wrong with it.
import { skipBlanks } from "./text.ts";

export interface ObjectAt {
  kind: string;
  namespace: string;
  name: string;
  /** Offset of its `{`. */
  start: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Offset behind the string that starts at `at`. */
function endOfString(json: Uint8Array, at: number): number {
  let end = at + 1;
  for (;;) {
    end = json.indexOf(quote, end);
    if (end === -1) return json.length;
    let slashes = 0;
    while (json[end - 1 - slashes] === backslash) slashes++;
    end++;
    if (slashes % 2 === 0) return end;
  }
}

/** Offset behind the value that starts at `at`. */
export function endOfValue(json: Uint8Array, at: number): number {
  let depth = 0;
  let next = at;
  while (next < json.length) {
    const byte = json[next];
    if (byte === quote) {
      next = endOfString(json, next);
      if (depth === 0) return next;
      continue;
    }
    if (byte === openBrace || byte === openBracket) depth++;
    else if (byte === closeBrace || byte === closeBracket) {
      if (depth <= 1) return depth === 0 ? next : next + 1;
      depth--;
    } else if (depth === 0 && (byte === comma || (byte !== undefined && byte <= 0x20))) return next;
    next++;
  }
  return next;
}

function text(json: Uint8Array, start: number): string {
  if (json[start] !== quote) return "";
  try {
    return JSON.parse(new TextDecoder().decode(json.subarray(start, endOfString(json, start))));
  } catch {
    return "";
  }
}

/** Members of the object at `start`: key, its offset, offset of the value. */
function* members(json: Uint8Array, start: number): Generator<{ key: string; keyAt: number; valueAt: number }> {
  if (json[start] !== openBrace) return;
  let at = skipBlanks(json, start + 1);
  while (json[at] === quote) {
    const keyAt = at;
    const key = text(json, keyAt);
    at = skipBlanks(json, endOfString(json, at));
    if (json[at] !== colon) return;
    const valueAt = skipBlanks(json, at + 1);
    yield { key, keyAt, valueAt };
    at = skipBlanks(json, endOfValue(json, valueAt));
    if (json[at] !== comma) return;
    at = skipBlanks(json, at + 1);
  }
}

function* elements(json: Uint8Array, start: number): Generator<number> {
  if (json[start] !== openBracket) return;
  let at = skipBlanks(json, start + 1);
  while (at < json.length && json[at] !== closeBracket) {
    yield at;
    const end = skipBlanks(json, endOfValue(json, at));
    if (json[end] !== comma) return;
    at = skipBlanks(json, end + 1);
  }
}

/** Levels of lists and events around an object, and of values in it. The engine reads fewer; each costs a frame of the stack. */
export const maxDepth = 100;

/** All objects in the order in which they stand: single ones, items of lists, objects of watch events. */
export function* objectsIn(json: Uint8Array): Generator<ObjectAt> {
  let at = skipBlanks(json);
  while (at < json.length) {
    yield* objectsOf(json, at, "", 0);
    const end = skipBlanks(json, endOfValue(json, at));
    if (end <= at) return;
    at = end;
  }
}

function* objectsOf(json: Uint8Array, start: number, kindOfItems: string, depth: number): Generator<ObjectAt> {
  if (depth > maxDepth) return;
  if (json[start] === openBracket) {
    for (const element of elements(json, start)) yield* objectsOf(json, element, kindOfItems, depth + 1);
    return;
  }
  let kind = kindOfItems;
  let namespace = "";
  let name = "";
  let items = -1;
  let event = -1;
  for (const { key, valueAt } of members(json, start)) {
    // The last of duplicate keys counts.
    if (key === "kind") kind = json[valueAt] === quote ? text(json, valueAt) : kindOfItems;
    else if (key === "items") items = json[valueAt] === openBracket ? valueAt : -1;
    else if (key === "object") event = json[valueAt] === openBrace ? valueAt : -1;
    else if (key === "metadata") {
      name = "";
      namespace = "";
      for (const member of members(json, valueAt)) {
        if (member.key === "name") name = text(json, member.valueAt);
        else if (member.key === "namespace") namespace = text(json, member.valueAt);
      }
    }
  }
  if (items !== -1 && kind.endsWith("List")) {
    const kindOfThose = kind.slice(0, -"List".length);
    for (const item of elements(json, items)) yield* objectsOf(json, item, kindOfThose, depth + 1);
  } else if (event !== -1 && kind === "") {
    yield* objectsOf(json, event, "", depth + 1);
  } else if (name !== "") {
    yield { kind, namespace, name, start };
  }
}

export interface FieldAt {
  /** Offsets of key and value; for an element of a list both are the element's. */
  key: number;
  value: number;
  /** False: the field is not there, and this is the nearest one above it. */
  found: boolean;
}

/** Where a field such as `spec.ports[0].port` of the object at `start` stands. The last of duplicate keys counts. */
export function fieldAt(json: Uint8Array, start: number, path: readonly (string | number)[]): FieldAt {
  let at: FieldAt = { key: start, value: start, found: true };
  for (const step of path) {
    let next: FieldAt | undefined;
    if (typeof step === "number") {
      let index = 0;
      for (const element of elements(json, at.value)) {
        if (index++ === step) {
          next = { key: element, value: element, found: true };
          break;
        }
      }
    } else {
      for (const member of members(json, at.value)) {
        if (member.key === step) next = { key: member.keyAt, value: member.valueAt, found: true };
      }
    }
    if (next === undefined) return { ...at, found: false };
    at = next;
  }
  return at;
}

/** The way to the value that holds `offset`, from the object at `start` down. */
export function pathAt(json: Uint8Array, start: number, offset: number): (string | number)[] {
  const path: (string | number)[] = [];
  for (let at = start; ; ) {
    let next: { step: string | number; at: number } | undefined;
    let index = 0;
    for (const element of elements(json, at)) {
      if (element > offset) break;
      next = { step: index++, at: element };
    }
    for (const { key, keyAt, valueAt } of members(json, at)) {
      if (keyAt > offset) break;
      next = { step: key, at: valueAt };
    }
    if (next === undefined) return path;
    path.push(next.step);
    at = next.at;
  }
}

/** The text at a path in the object at `start`; "" where there is none, or the JSON ends before. */
export function textAt(json: Uint8Array, start: number, path: readonly string[]): string {
  const { value, found } = fieldAt(json, start, path);
  return found ? text(json, value) : "";
}

/** `spec.ports[0].port` → ["spec", "ports", 0, "port"]; a key with dots stands as `["a.b/c"]`. */
export function parsePath(field: string): (string | number)[] {
  const path: (string | number)[] = [];
  for (const match of field.matchAll(/\[(\d+)\]|\["?([^"\]]*)"?\]|([^.[\]]+)/g)) {
    if (match[1] !== undefined) path.push(Number(match[1]));
    else path.push(match[2] ?? match[3] ?? "");
  }
  return path;
}
