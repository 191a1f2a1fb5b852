// Which elements and rules differ, by the Service that they belong to: what one Service has is in one transaction, so that
// it is never half mended. One that no transaction holds is cut where a plan would cut it, in the order in which no packet
// meets a hole.
//
// Of a Service's differences come first what limits who reaches it and the chains that its others go to, then slots and what
// refuses connections, then its other chains, then what leads there, and at last what should not be there.
import { equalBytes, equalLiteral } from "../bytes/compare";
import { Vector } from "../bytes/memory";
import { Protocol, protocolNumber } from "../bytes/protocols";
import { isSpent, isSpentOnOne } from "../bytes/slices";
import { Service } from "../cluster/services";
import { findAttribute, valueEnd, valueLength, valueOf } from "../encodings/netlink-attributes";
import { Attribute, Message } from "../encodings/netlink-numbers";
import { Named, Part } from "../encodings/netlink-objects";
import { cutBefore, cutIfLong, fitsAlone, isLimited, longestTransaction } from "../layouts/nft/cuts";
import { LOCALHOST_REJECTS } from "../layouts/nft/localhost-node-ports";
import { isSlotMap } from "../layouts/nft/names";
import { rememberLeftOver } from "../routing/gone-entry-points";
import { findKey, Key, KeyKind, keyOf } from "../routing/keys";
import { journalEmptyKey } from "../transactions/key-journal";
import { serviceOf } from "../transactions/refusals";
import { ELEMENTS_AT_ONCE, fillChain, ownChainsToFill, sizeOfChain } from "./difference-chains";
import {
  ELEMENT_BYTES,
  endElements,
  MESSAGE_BYTES,
  writeElement,
  writeForOwnerOf,
  writeForService,
} from "./difference-messages";
import { drift, noteName } from "./drift";
import { counterpartOf, hasRanges, isCompared, isNamed, kernel, ours } from "./dump";

namespace Kind {
  /** A chain (Named) of ours that is to be filled. */
  export const CHAIN: u32 = 0;
  /** An element (Part) of ours that is missing. */
  export const MISSING: u32 = 1;
  /** An element of ours; the kernel has another under its key. */
  export const CHANGED: u32 = 2;
  /** An element of the kernel's that should not be there. */
  export const SURPLUS: u32 = 3;
}

/** What differs for one Service. */
@unmanaged
class Row {
  /** 0: it belongs to none of them. */
  service: usize;
  /** The first and the last of its `items`; NONE: it has none. */
  first: u32;
  last: u32;
  /** At least as many bytes as it takes. */
  size: usize;
}

const NONE: u32 = u32.MAX_VALUE;
/** Of elements that belong to no Service: what is missing or differs comes first of all, and what is too much last. */
const FIRST: u32 = 0;
const LAST: u32 = 1;

const ROW_WORDS: u32 = <u32>(offsetof<Row>() >> 2);
const rows = new Vector();
/** Of each difference: a Named or Part, its kind, and the next of the same row. */
const items = new Vector();

function rowAt(index: u32): Row {
  return changetype<Row>(rows.data + <usize>index * offsetof<Row>());
}

function addRow(service: usize): u32 {
  rows.push(<u32>service);
  rows.push(NONE);
  rows.push(NONE);
  rows.push(0);
  return rows.length / ROW_WORDS - 1;
}

/** The row of a Service; one that had another row in an earlier reconciliation gets a new one. */
function rowOf(service: usize): u32 {
  if (service == 0) return FIRST;
  const known = changetype<Service>(service);
  if (known.differences < rows.length / ROW_WORDS && rowAt(known.differences).service == service)
    return known.differences;
  known.differences = addRow(service);
  return known.differences;
}

function add(index: u32, object: usize, kind: u32, size: usize): void {
  const row = rowAt(index);
  const item = items.length;
  items.push(<u32>object);
  items.push(kind);
  items.push(NONE);
  const another = row.first == NONE || setOf(row.last) != setOf(item) || items.get(row.last + 1) != kind;
  row.size += size + (another ? 2 * MESSAGE_BYTES : 0);
  if (row.first == NONE) row.first = item;
  else items.set(row.last + 2, item);
  row.last = item;
}

/** The set of an element; 0: it is a chain. */
function setOf(item: u32): usize {
  if (items.get(item + 1) == Kind.CHAIN) return 0;
  return changetype<usize>(changetype<Part>(<usize>items.get(item)).owner);
}

// ---- collecting

/** The order in which a Service's elements are written; what is too much goes the other way round. */
namespace Turn {
  export const LIMITS: u32 = 0;
  export const SLOTS: u32 = 1;
  export const REFUSALS: u32 = 2;
  export const OTHERS: u32 = 3;
}

function turnOf(set: Named): u32 {
  if (isSlotMap(set.name, set.nameLength)) return Turn.SLOTS;
  if (isNamed(set, "firewall-ips")) return Turn.LIMITS;
  if (isNamed(set, "no-endpoint-services") || isNamed(set, "no-endpoint-nodeports")) return Turn.REFUSALS;
  return Turn.OTHERS;
}

namespace Step {
  export const CHAINS_GONE_TO: u32 = 0;
  // Turn.LIMITS to REFUSALS
  export const BEFORE_CHAINS: u32 = 1;
  export const OTHER_CHAINS: u32 = 2;
  export const AFTER_CHAINS: u32 = 3;
  export const SURPLUS: u32 = 4;
  export const DONE: u32 = 5;
}

let step: u32 = Step.CHAINS_GONE_TO;
let turn: u32 = Turn.LIMITS;
/** The set (its index among ours) whose elements are being looked at, and the next of them (0: it has not begun). */
let set: u32 = 0;
let element: usize = 0;
/** Of the batch that is being written, and its id: whose elements are looked at. */
let writtenFamily: u32 = 0;
let writtenBatch: u32 = 0;

/** Begins to look for what differs. Chains and sets are compared, and slots that are missing written. */
export function beginServiceDifferences(family: u32, batch: u32): void {
  rows.clear();
  items.clear();
  addRow(0);
  addRow(0);
  step = Step.CHAINS_GONE_TO;
  set = 0;
  element = 0;
  writtenFamily = family;
  writtenBatch = batch;
  writtenRow = FIRST;
  writtenItem = NONE;
  isRowBegun = false;
}

/** Goes on for a slice; true: all that differs is collected. */
export function collectDifferences(): bool {
  while (step < Step.DONE) {
    if (step == Step.CHAINS_GONE_TO || step == Step.OTHER_CHAINS) {
      collectChains(step == Step.CHAINS_GONE_TO);
      turn = step == Step.CHAINS_GONE_TO ? Turn.LIMITS : Turn.OTHERS;
      step++;
    } else if (step == Step.SURPLUS) {
      if (!collectTurn(collectSurplus)) return false;
      if (turn == Turn.LIMITS) step++;
      else turn--;
    } else {
      if (!collectTurn(collectWanted)) return false;
      if (turn < Turn.REFUSALS) turn++;
      else step++;
    }
  }
  return true;
}

/** Of all sets of a turn. */
function collectTurn(collect: (wanted: Named) => bool): bool {
  while (set < ours.names.length) {
    const wanted = changetype<Named>(<usize>ours.names.get(set));
    const isMeant = isCompared(wanted) && !hasRanges(wanted) && turnOf(wanted) == turn;
    if (isMeant && !collect(wanted)) return false;
    set++;
    element = 0;
    if (isSpentOnOne(set)) return false;
  }
  set = 0;
  return true;
}

/** Packets may be sent to these by chains of the same port, or are limited by them. */
function isGoneTo(chain: Named): bool {
  return (
    (chain.nameLength > 9 && equalLiteral(chain.name, 9, "endpoint-")) ||
    (chain.nameLength > 9 && equalLiteral(chain.name, 9, "firewall-"))
  );
}

function collectChains(goneTo: bool): void {
  for (let i: u32 = 0; i < ownChainsToFill.length; i++) {
    const chain = changetype<Named>(<usize>ownChainsToFill.get(i));
    if (isGoneTo(chain) != goneTo) continue;
    add(rowOf(serviceOf(chain.message)), changetype<usize>(chain), Kind.CHAIN, sizeOfChain(chain));
  }
}

function sizeOfElement(part: Part): usize {
  return part.end - part.start + ELEMENT_BYTES;
}

/** Elements of ours that the kernel has not, or not so: what it has was left out as it was read. */
function collectWanted(wanted: Named): bool {
  // An endpoint that several Services have on this node can be masqueraded for the first before the others are there.
  const isShared = isNamed(wanted, "hairpin-connections");
  if (element == 0) {
    element = wanted.first;
    if (element != 0) noteName(wanted);
  }
  while (element != 0) {
    const part = changetype<Part>(element);
    element = part.next;
    if (!part.seen) {
      const row = isShared ? FIRST : rowOf(serviceOf(part.message));
      const found = counterpartOf(part);
      if (found == 0) {
        drift.missing++;
        add(row, changetype<usize>(part), Kind.MISSING, sizeOfElement(part));
      } else {
        changetype<Part>(found).replaced = true;
        drift.changed++;
        add(row, changetype<usize>(part), Kind.CHANGED, 2 * sizeOfElement(part));
      }
    }
    if (isSpent(1) && element != 0) return false;
  }
  return true;
}

/** Elements that should not be there. Slots that nothing leads to any more go later: a packet may be on its way. */
function collectSurplus(wanted: Named): bool {
  const found = kernel.find(true, wanted.name, wanted.nameLength);
  if (found == 0) return true;
  if (element == 0) element = changetype<Named>(found).first;
  const isSlots = turn == Turn.SLOTS;
  const isDispatch = isNamed(wanted, "service-ips") || isNamed(wanted, "service-nodeports");
  let isNoted = false;
  while (element != 0) {
    const part = changetype<Part>(element);
    element = part.next;
    if (isSurplus(part)) {
      drift.extra++;
      if (!isNoted) noteName(wanted);
      isNoted = true;
      if (!isSlots) {
        const service = claimantOf(wanted, part, isDispatch);
        add(service == 0 ? LAST : rowOf(service), changetype<usize>(part), Kind.SURPLUS, sizeOfElement(part));
      }
    }
    if (isSpent(1) && element != 0) return false;
  }
  return true;
}

/** Of an element of the kernel's: it should not be there, and does not come back with other data. */
export function isSurplus(part: Part): bool {
  return !part.seen && !part.replaced;
}

const keyAddress: usize = memory.data(16, 16);

/**
 * The Service that claims the entry point under which an element of the kernel's stands; 0: none does, or it stands under
 * something else. `isDispatch`: it says where the entry point leads. If nobody claims it, somebody has deleted the
 * Service while no instance was there to see it, and conntrack may still send where it led.
 */
function claimantOf(wanted: Named, part: Part, isDispatch: bool): usize {
  const byPort = isNamed(wanted, "service-nodeports") || isNamed(wanted, "no-endpoint-nodeports");
  const byAddress =
    isNamed(wanted, "service-ips") || isNamed(wanted, "no-endpoint-services") || isNamed(wanted, "firewall-ips");
  if (!byPort && !byAddress && !isNamed(wanted, LOCALHOST_REJECTS)) return 0;
  const addressLength: usize = !byAddress ? 0 : writtenFamily == 0 ? 4 : 16;
  const found = findAttribute(part.start, part.end, Attribute.ELEMENT_KEY);
  const value: usize = found == 0 ? 0 : findAttribute(valueOf(found), valueEnd(found), Attribute.DATA_VALUE);
  if (value == 0 || valueLength(value) < addressLength + 6) return 0;
  const bytes = valueOf(value);
  const protocol = protocolOf(<u32>load<u8>(bytes + addressLength));
  const port = <u32>bswap<u16>(load<u16>(bytes + addressLength + 4));
  memory.fill(keyAddress, 0, 16);
  memory.copy(keyAddress, bytes, addressLength);
  const kind: u32 = byAddress ? KeyKind.ADDRESS : KeyKind.NODE_PORT;
  const ip: usize = byAddress ? keyAddress : 0;
  const known = findKey(kind, writtenFamily, protocol, port, ip);
  if (known != 0 && changetype<Key>(known).claims != 0) {
    return changetype<usize>(changetype<Key>(known).owner().port.port.service);
  }
  if (isDispatch && protocol == Protocol.UDP) {
    const key = keyOf(kind, writtenFamily, protocol, port, ip);
    if (!key.open) {
      rememberLeftOver(key);
      // The kernel has it until this batch is acknowledged.
      journalEmptyKey(writtenBatch, key);
    }
  }
  return 0;
}

function protocolOf(number: u32): u32 {
  if (number == protocolNumber(Protocol.TCP)) return Protocol.TCP;
  return number == protocolNumber(Protocol.UDP) ? Protocol.UDP : Protocol.SCTP;
}

// ---- writing

/** The row that is being written, whether that has begun, and the next of its items. */
let writtenRow: u32 = FIRST;
let isRowBegun: bool = false;
let writtenItem: u32 = NONE;
/** Transactions may end within it. */
let isSplit: bool = false;

/** Goes on for a slice; true: all that belongs to a Service is written, and what is missing that belongs to none. */
export function writeDifferences(): bool {
  while (writtenRow < rows.length / ROW_WORDS) {
    if (writtenRow != LAST && !writeRow(writtenRow)) return false;
    writtenRow++;
    isRowBegun = false;
  }
  return true;
}

/** Then what is too much and belongs to none. */
export function writeUnclaimed(): bool {
  return writeRow(LAST);
}

function writeRow(index: u32): bool {
  const row = rowAt(index);
  if (!isRowBegun) {
    isRowBegun = true;
    writtenItem = row.first;
    isSplit = isLimited() && (index == FIRST || !(longestTransaction() == 0 || fitsAlone(row.size)));
    if (writtenItem != NONE) cutBefore(writtenFamily, isSplit ? 0 : row.size);
  }
  while (writtenItem != NONE) {
    const count = items.get(writtenItem + 1) == Kind.CHAIN ? writeChains() : writeElements();
    if (isSplit) cutIfLong(writtenFamily, false);
    if (isSpent(count) && writtenItem != NONE) return false;
  }
  return true;
}

/** The chains of one service port, whose names end alike: those that go to each other hold together. */
function writeChains(): u32 {
  const first = chainAt(writtenItem);
  let count: u32 = 0;
  do {
    const chain = chainAt(writtenItem);
    fillChain(chain);
    count += 1 + chain.count;
    writtenItem = items.get(writtenItem + 2);
  } while (
    writtenItem != NONE &&
    items.get(writtenItem + 1) == Kind.CHAIN &&
    isOfSamePort(first, chainAt(writtenItem))
  );
  return count;
}

function chainAt(item: u32): Named {
  return changetype<Named>(<usize>items.get(item));
}

/** How long `service-`, `local-` and the like is. */
function prefixLength(chain: Named): usize {
  let at: usize = 0;
  while (at < chain.nameLength && load<u8>(chain.name + at) != 0x2d) at++;
  return at;
}

function isOfSamePort(a: Named, b: Named): bool {
  const skipA = prefixLength(a);
  const skipB = prefixLength(b);
  return equalBytes(a.name + skipA, a.nameLength - skipA, b.name + skipB, b.nameLength - skipB);
}

/** Some elements of one set. For one key what goes and what comes are in one transaction. Returns how many they are. */
function writeElements(): u32 {
  const from = writtenItem;
  const kind = items.get(from + 1);
  const owner = setOf(from);
  let count: u32 = 0;
  let to = from;
  while (to != NONE && count < ELEMENTS_AT_ONCE && items.get(to + 1) == kind && setOf(to) == owner) {
    count++;
    to = items.get(to + 2);
  }
  if (kind == Kind.CHANGED || kind == Kind.SURPLUS) {
    writeForService(0);
    for (let item = from; item != to; item = items.get(item + 2)) {
      writeElement(Message.DELETE_ELEMENT, changetype<Named>(owner), changetype<Part>(<usize>items.get(item)));
    }
  }
  if (kind == Kind.CHANGED || kind == Kind.MISSING) {
    for (let item = from; item != to; item = items.get(item + 2)) {
      const part = changetype<Part>(<usize>items.get(item));
      writeForOwnerOf(part);
      writeElement(Message.NEW_ELEMENT, changetype<Named>(owner), part);
    }
  }
  endElements();
  writtenItem = to;
  return count;
}
