// The messages of a reconciliation: attributes that were planned, or dumped, are copied into new messages.
import {
  findAttribute,
  firstAttribute,
  nextAttribute,
  numberOf,
  valueEnd,
  valueLength,
  valueOf,
} from "../encodings/netlink-attributes";
import {
  beginAttribute,
  beginNest,
  endAttribute,
  endMessage,
  Flag,
  FULL,
  messageLength,
  name,
  number32,
  rawBytes,
} from "../encodings/netlink-message";
import { Attribute, Message } from "../encodings/netlink-numbers";
import { isText, Named, Part } from "../encodings/netlink-objects";
import { nft } from "../encodings/nft";
import { cutIfLong } from "../layouts/nft/cuts";
import { serviceOf, writeFor } from "../transactions/refusals";
import { isUnnamed, ours } from "./dump";

/** A message with the attributes of one that was planned; the first is the table's name, which is written anyway. */
export function copyMessage(type: u32, flags: u32, start: usize, end: usize): void {
  nft.beginMessage(type, flags);
  const rest = nextAttribute(start, end);
  if (rest != 0) rawBytes(rest, end - rest);
  endMessage();
}

/** A message that names a chain or set and no more. */
export function nameMessage(type: u32, named: Named, attribute: u32): void {
  nft.beginMessage(type, 0);
  name(attribute, "", named.name, named.nameLength);
  endMessage();
}

/** The message of elements that is open: its list (0: none is), type and set. */
let list: usize = 0;
let listType: u32 = 0;
let listSet: usize = 0;

/** None is: what was being written was given up. */
export function forgetElements(): void {
  list = 0;
  ownedMessage = 0;
}

/** The open message of elements has no room for more. */
export function isMessageFull(): bool {
  return list != 0 && messageLength() > FULL;
}

/** Writes one element of ours, or the key of one that goes, into a message with others of its set. */
export function writeElement(type: u32, set: Named, part: Part): void {
  if (list != 0 && (type != listType || changetype<usize>(set) != listSet || messageLength() > FULL)) endElements();
  if (list == 0) {
    listType = type;
    listSet = changetype<usize>(set);
    nft.beginMessage(type, type == Message.NEW_ELEMENT ? Flag.CREATE : 0);
    name(Attribute.ELEMENTS_SET, "", set.name, set.nameLength);
    if (set.id != 0 && isUnnamed(set)) number32(Attribute.ELEMENTS_SET_ID, set.id);
    list = beginNest(Attribute.ELEMENTS_LIST);
  }
  const element = beginNest(Attribute.MEMBER);
  if (type == Message.DELETE_ELEMENT) copyKey(part);
  else rawBytes(part.start, part.end - part.start);
  endAttribute(element);
}

/** Ends the open message of elements, if there is one. */
export function endElements(): void {
  if (list == 0) return;
  endAttribute(list);
  endMessage();
  list = 0;
}

/** What is written from now on is caused by the Service that causes that message of the plan. */
export function writeForOwnerOf(part: Part): void {
  if (part.message == ownedMessage) return;
  ownedMessage = part.message;
  endElements();
  writeFor(serviceOf(part.message));
}

/** The message whose owner is written for; 0: it is not known. */
let ownedMessage: u32 = 0;

/** What is written from now on is caused by that Service, or (0) by none of them. */
export function writeForService(service: usize): void {
  endElements();
  ownedMessage = 0;
  writeFor(service);
}

/**
 * Sends elements of a set of ours from `from` on, but not `to` (0: to its last), each for the Service that it belongs to.
 * `family`: the transaction may end after any of them; -1: it may not.
 */
export function copyElements(set: Named, from: usize, to: usize, family: i32): void {
  for (let at = from; at != to; at = changetype<Part>(at).next) {
    const part = changetype<Part>(at);
    if (!isUnnamed(set)) writeForOwnerOf(part);
    if (family >= 0 && isMessageFull()) {
      endElements();
      cutIfLong(<u32>family, false);
    }
    writeElement(Message.NEW_ELEMENT, set, part);
  }
  endElements();
}

/** What identifies an element: its key, and which end of a range it is. */
function copyKey(part: Part): void {
  const flags = findAttribute(part.start, part.end, Attribute.ELEMENT_FLAGS);
  if (flags != 0) {
    const at = beginAttribute(Attribute.ELEMENT_FLAGS);
    rawBytes(valueOf(flags), valueLength(flags));
    endAttribute(at);
  }
  const key = findAttribute(part.start, part.end, Attribute.ELEMENT_KEY);
  const at = beginNest(Attribute.ELEMENT_KEY);
  rawBytes(valueOf(key), valueLength(key));
  endAttribute(at);
}

/** The sets without names that the rules of a chain refer to have to be sent before the rules. */
export function copyRule(rule: Part): void {
  const expressions = findAttribute(rule.start, rule.end, Attribute.RULE_EXPRESSIONS);
  const end = valueEnd(expressions);
  for (let at = firstAttribute(valueOf(expressions), end); at != 0; at = nextAttribute(at, end)) {
    const set = unnamedSetOf(at);
    if (set == 0) continue;
    copyMessage(Message.NEW_SET, Flag.CREATE, changetype<Named>(set).start, changetype<Named>(set).end);
    copyElements(changetype<Named>(set), changetype<Named>(set).first, 0, -1);
  }
  copyMessage(Message.NEW_RULE, Flag.CREATE | Flag.APPEND, rule.start, rule.end);
}

/** The set without a name in which an expression of ours looks something up; 0: none. */
function unnamedSetOf(expression: usize): usize {
  const end = valueEnd(expression);
  if (!isText(findAttribute(valueOf(expression), end, Attribute.EXPRESSION_NAME), "lookup")) return 0;
  const data = findAttribute(valueOf(expression), end, Attribute.EXPRESSION_DATA);
  if (numberOf(findAttribute(valueOf(data), valueEnd(data), Attribute.LOOKUP_SET_ID)) == 0) return 0;
  return ours.setOfLookup(valueOf(data), valueEnd(data));
}

/** Head and ends of a message, with the names of table and chain or set, at most. */
export const MESSAGE_BYTES: usize = 640;
/** Heads of the attributes that an element has around it. */
export const ELEMENT_BYTES: usize = 16;

/** At least as many bytes as `copyRule` writes. */
export function sizeOfRule(rule: Part): usize {
  let size = MESSAGE_BYTES + (rule.end - rule.start);
  const expressions = findAttribute(rule.start, rule.end, Attribute.RULE_EXPRESSIONS);
  const end = valueEnd(expressions);
  for (let at = firstAttribute(valueOf(expressions), end); at != 0; at = nextAttribute(at, end)) {
    const set = unnamedSetOf(at);
    if (set == 0) continue;
    size += 2 * MESSAGE_BYTES;
    for (let each = changetype<Named>(set).first; each != 0; each = changetype<Part>(each).next) {
      size += changetype<Part>(each).end - changetype<Part>(each).start + ELEMENT_BYTES;
    }
  }
  return size;
}
