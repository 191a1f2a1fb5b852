// What is this object? `kind` and `apiVersion` nearly always come first, and a look at the first keys suffices. If
// not, the object is surveyed: all of it is skipped once, then it is read from its start.
import { equalLiteral } from "../bytes/compare";
import {
  enterObject,
  Failure,
  failed,
  moreMembers,
  peek,
  position,
  QUOTE,
  readKey,
  readString,
  stringAt,
  stringIs,
  stringLength,
  valueAt,
} from "./scanner";
import { clearText, newText, Text } from "./scratch";
import { skipValue } from "./skip";

export namespace Kind {
  /** No `kind`. */
  export const NONE: u32 = 0;
  /** One that is skipped and counted. */
  export const OTHER: u32 = 1;
  /** One that would be read, but has no `apiVersion`. */
  export const UNVERSIONED: u32 = 2;
  export const STATUS: u32 = 3;
  /** `v1 List`, whose items carry their kinds. */
  export const LIST: u32 = 4;
  export const SERVICE: u32 = 5;
  export const ENDPOINT_SLICE: u32 = 6;
  export const NODE: u32 = 7;
  export const SERVICE_CIDR: u32 = 8;
  /** ServiceList is SERVICE + TYPED_LIST, and so on. */
  export const TYPED_LIST: u32 = 8;
}

/** The values of `kind`, `apiVersion` and `type`, empty if absent. */
export const kindText: Text = newText();
export const versionText: Text = newText();
export const typeText: Text = newText();
/** Where the value of the key `object` begins, 0 without it. */
export let objectAt: usize = 0;

function reset(): void {
  clearText(kindText);
  clearText(versionText);
  clearText(typeText);
  objectAt = 0;
}

/** Takes a string into `text`; anything else leaves it empty. */
function takeText(text: Text): void {
  clearText(text);
  if (peek() != QUOTE) {
    skipValue();
    return;
  }
  if (!readString()) return;
  text.bytes = stringAt;
  text.length = stringLength;
  text.valueAt = valueAt;
}

function takeMember(): bool {
  if (stringIs("kind")) takeText(kindText);
  else if (stringIs("apiVersion")) takeText(versionText);
  else if (stringIs("type")) takeText(typeText);
  else return false;
  return true;
}

/** At `{`: reads leading `kind`, `apiVersion` and `type`, and stops at the first other key. Seek back afterwards. */
export function probeObject(): void {
  reset();
  if (!enterObject()) return;
  do {
    readKey();
    if (failed != Failure.NONE) return;
    if (takeMember()) continue;
    if (stringIs("object")) objectAt = position();
    return;
  } while (moreMembers());
}

/** At `{`: goes through the whole object; of several equal keys the last one counts. */
export function surveyObject(): void {
  reset();
  if (!enterObject()) return;
  do {
    readKey();
    if (failed != Failure.NONE) return;
    if (takeMember()) continue;
    if (stringIs("object")) {
      peek();
      objectAt = position();
    }
    skipValue();
  } while (moreMembers());
}

function isText(text: Text, literal: string): bool {
  return equalLiteral(text.bytes, text.length, literal);
}

function itemKindOf(bytes: usize, length: usize): u32 {
  if (equalLiteral(bytes, length, "Service")) return Kind.SERVICE;
  if (equalLiteral(bytes, length, "EndpointSlice")) return Kind.ENDPOINT_SLICE;
  if (equalLiteral(bytes, length, "Node")) return Kind.NODE;
  if (equalLiteral(bytes, length, "ServiceCIDR")) return Kind.SERVICE_CIDR;
  return Kind.OTHER;
}

function kindOf(bytes: usize, length: usize): u32 {
  if (length == 0) return Kind.NONE;
  if (equalLiteral(bytes, length, "Status")) return Kind.STATUS;
  if (equalLiteral(bytes, length, "List")) return Kind.LIST;
  if (length > 4 && equalLiteral(bytes + length - 4, 4, "List")) {
    const item = itemKindOf(bytes, length - 4);
    return item == Kind.OTHER ? item : item + Kind.TYPED_LIST;
  }
  return itemKindOf(bytes, length);
}

function beginsWith(bytes: usize, length: usize, literal: string): bool {
  const prefix = <usize>literal.length;
  return length > prefix && equalLiteral(bytes, prefix, literal);
}

/** The apiVersion is one of the kind's. */
function fits(kind: u32, bytes: usize, length: usize): bool {
  const item = kind > Kind.TYPED_LIST ? kind - Kind.TYPED_LIST : kind;
  if (item == Kind.ENDPOINT_SLICE) return beginsWith(bytes, length, "discovery.k8s.io/");
  if (item == Kind.SERVICE_CIDR) return beginsWith(bytes, length, "networking.k8s.io/");
  return equalLiteral(bytes, length, "v1");
}

/**
 * The Kind that probe or survey has found. In a list, `listKind` is that of its items (or NONE in a `v1 List`) and
 * `listVersion` the list's apiVersion: they stand for what an item does not say itself. Elsewhere NONE and 0.
 */
export function identify(listKind: u32, listVersion: usize, listVersionLength: usize): u32 {
  const kind = kindText.length == 0 ? listKind : kindOf(kindText.bytes, kindText.length);
  if (kind <= Kind.OTHER) return kind;
  if (versionText.length != 0) return fits(kind, versionText.bytes, versionText.length) ? kind : Kind.OTHER;
  if (listVersionLength != 0) return fits(kind, listVersion, listVersionLength) ? kind : Kind.OTHER;
  return kind == Kind.STATUS || kind == Kind.LIST ? kind : Kind.UNVERSIONED;
}

export function isWatchLine(): bool {
  return objectAt != 0 && kindText.length == 0;
}

/** What `type` of a watch line says. */
export function isType(literal: string): bool {
  return isText(typeText, literal);
}

/** The object being read has said another kind or apiVersion than it was taken for. */
export let contradicted: bool = false;
let assumed: u32 = Kind.NONE;

/** The object is going to be read as `kind`. */
export function assumeKind(kind: u32): void {
  assumed = kind;
  contradicted = false;
}

/**
 * For readers, after a key of the object itself that means nothing to them: looks at `kind` and `apiVersion`, skips
 * the rest.
 */
export function readOtherMember(): void {
  const isKind = stringIs("kind");
  if (!isKind && !stringIs("apiVersion")) {
    skipValue();
    return;
  }
  if (peek() != QUOTE) {
    skipValue();
    return;
  }
  if (!readString()) return;
  if (isKind ? kindOf(stringAt, stringLength) != assumed : !fits(assumed, stringAt, stringLength)) {
    contradicted = true;
  }
}
