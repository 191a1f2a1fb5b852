// nf_tables' netlink language (linux/netfilter/nf_tables.h): what nft 1.0.6 sends for the same commands, expression by
// expression, so that `nft list` shows the same whichever way a table was loaded. Set userdata says what types cannot:
// byte orders, comments, and for slots the expression that makes them.
import { Vector } from "../bytes/memory";
import { IPV4, protocolNumber } from "../bytes/protocols";
import { mergeRanges, nextAddress, rangeAt, successor } from "../bytes/ranges";
import {
  addMessageFlags,
  beginAttribute,
  beginMessage,
  beginNest,
  endAttribute,
  endMessage,
  Flag,
  FULL,
  flushMessage,
  here,
  messageLength,
  name,
  number32,
  number64,
  raw16,
  rawByte,
  rawBytes,
  rawHost32,
  rawProtocolAndPort,
  rawText,
  rawZeros,
  text,
  verdict,
} from "./netlink-message";
import { Attribute, Message, protocolFamily, SetBit } from "./netlink-numbers";
import { ChainType, DataType, KeyType, NftEncoding, Verb } from "./nft-encoding";
import { Expressions } from "./nft-expressions";

const SUBSYSTEM: u32 = 10; // NFNL_SUBSYS_NFTABLES
const OBJECT_COUNTER: u32 = 1;

/** nft's numbers of its data types; a concatenation is its parts' numbers, six bits each. */
namespace Type {
  export const INTEGER: u32 = 4;
  export const IPV4: u32 = 7;
  export const IPV6: u32 = 8;
  export const PROTOCOL: u32 = 12;
  export const PORT: u32 = 13;
  export const VERDICT: u32 = 0xffffff00;
}

/** What a set's userdata can say (libnftnl/udata.h). */
namespace SetUserdata {
  export const KEY_BYTE_ORDER: u32 = 0;
  export const DATA_BYTE_ORDER: u32 = 1;
  export const MERGE_ELEMENTS: u32 = 2;
  export const KEY_TYPEOF: u32 = 3;
  export const DATA_TYPEOF: u32 = 4;
  export const DATA_INTERVAL: u32 = 6;
  export const COMMENT: u32 = 7;
}

namespace ByteOrder {
  export const NONE: u32 = 0;
  export const HOST: u32 = 1;
  export const NETWORK: u32 = 2;
}

const VERDICT_DROP: u32 = 0;
const VERDICT_ACCEPT: u32 = 1;
const VERDICT_JUMP: u32 = 0xfffffffd;
const VERDICT_GOTO: u32 = 0xfffffffc;

/** A value of userdata that is a number: type, length, four bytes in the order of the machine. */
function userNumber(type: u32, value: u32): void {
  rawByte(type);
  rawByte(4);
  rawHost32(value);
}

function userText(type: u32, value: string): void {
  rawByte(type);
  rawByte(<u32>value.length + 1);
  rawText(value);
  rawByte(0);
}

let nestAt: usize = 0;

/** Begins a value of userdata that consists of others; returns what `endUserNest` needs. */
function beginUserNest(type: u32): usize {
  rawByte(type);
  rawByte(0);
  return here();
}

function endUserNest(at: usize): void {
  store<u8>(at - 1, <u8>(here() - at));
}

// How nft notes what `typeof` was given: an expression of kind 7 (payload), 9 (meta), 12 (verdict's place: none), 13
// (concatenation), 23 (numgen), each with data of its own.
namespace Described {
  export const PAYLOAD: u32 = 7;
  export const META: u32 = 9;
  export const CONCATENATION: u32 = 13;
  export const NUMGEN: u32 = 23;
}

function describe(kind: u32): usize {
  userNumber(0, kind);
  return beginUserNest(1);
}

/** A protocol header's field: the header's number and the field's. */
function describePayload(header: u32, field: u32): void {
  const at = describe(Described.PAYLOAD);
  userNumber(0, header);
  userNumber(1, field);
  endUserNest(at);
}

function describeSlot(): void {
  const numgen = describe(Described.NUMGEN);
  userNumber(0, 1); // random
  userNumber(1, SLOTS);
  userNumber(2, 0); // offset
  endUserNest(numgen);
}

/** One member of a concatenation. */
function member(index: u32): usize {
  return beginUserNest(index);
}

const IP_HEADER: u32 = 12;
const IP6_HEADER: u32 = 13;
const TH_HEADER: u32 = 11;
const IP_DADDR: u32 = 12;
const IP6_DADDR: u32 = 9;
const TH_DPORT: u32 = 2;
const META_L4PROTO: u32 = 16;
/** numgen random mod 65536 */
const SLOTS: u32 = 65536;

export class NftNetlink extends NftEncoding {
  private family: u32 = IPV4;
  private table: string = "";
  private expressions: Expressions = new Expressions();
  private lastSetId: u32 = 0;
  /** A batch has been begun and not ended. */
  private inBatch: bool = false;

  // The element message that is open, so that elements of one set go together.
  private elementsOpen: bool = false;
  private elementsVerb: u32 = 0;
  private elementsPrefix: string = "";
  private elementsBase: usize = 0;
  private elementsLength: usize = 0;
  private elementsSetId: u32 = 0;
  private elementList: usize = 0;
  private oneElement: usize = 0;
  private rangesBegun: bool = false;

  // The rule that is being put together.
  private rulePrefix: string = "";
  private ruleBase: usize = 0;
  private ruleLength: usize = 0;
  private ruleComment: string = "";

  private addressLength(): usize {
    return this.family == IPV4 ? 4 : 16;
  }

  begin(table: string, family: u32): void {
    this.table = table;
    this.family = family;
    this.expressions.setFamily(family);
  }

  finish(): void {
    this.closeElements();
    if (!this.inBatch) return;
    // The last message asks for an answer, so that success is known and not only errors. (BATCH_END is answered by
    // newer kernels only.)
    addMessageFlags(Flag.ACK);
    beginMessage(Message.BATCH_END, 0, 0, SUBSYSTEM);
    endMessage();
    flushMessage();
    this.inBatch = false;
  }

  separate(): void {
    this.closeElements();
  }

  beginMessage(type: u32, flags: u32): void {
    this.closeElements();
    if (!this.inBatch) {
      beginMessage(Message.BATCH_BEGIN, 0, 0, SUBSYSTEM);
      endMessage();
      this.inBatch = true;
    }
    beginMessage(type, flags, protocolFamily(this.family), 0);
    text(Attribute.TABLE, this.table);
  }

  /** Userdata that is one text. */
  private commentData(attribute: u32, value: string): void {
    const at = beginAttribute(attribute);
    userText(0, value);
    endAttribute(at);
  }

  addTable(comment: string): void {
    this.beginMessage(Message.NEW_TABLE, Flag.CREATE);
    number32(Attribute.TABLE_FLAGS, 0);
    this.commentData(Attribute.TABLE_USERDATA, comment);
    endMessage();
  }

  deleteTable(): void {
    this.beginMessage(Message.DELETE_TABLE, 0);
    endMessage();
  }

  addBaseChain(chain: string, type: u32, hook: u32, priority: i32): void {
    this.beginMessage(Message.NEW_CHAIN, Flag.CREATE);
    text(Attribute.CHAIN_NAME, chain);
    text(Attribute.CHAIN_TYPE, type == ChainType.NAT ? "nat" : "filter");
    const at = beginNest(Attribute.CHAIN_HOOK);
    number32(Attribute.HOOK_NUMBER, hook);
    number32(Attribute.HOOK_PRIORITY, <u32>priority);
    endAttribute(at);
    endMessage();
  }

  chain(verb: u32, prefix: string, base: usize, length: usize): void {
    if (verb == Verb.FLUSH) {
      this.beginMessage(Message.DELETE_RULE, 0);
      name(Attribute.RULE_CHAIN, prefix, base, length);
    } else {
      this.beginMessage(
        verb == Verb.ADD ? Message.NEW_CHAIN : Message.DELETE_CHAIN,
        verb == Verb.ADD ? Flag.CREATE : 0,
      );
      name(Attribute.CHAIN_NAME, prefix, base, length);
    }
    endMessage();
  }

  addCommentedChain(chain: string, comment: string): void {
    this.beginMessage(Message.NEW_CHAIN, Flag.CREATE);
    text(Attribute.CHAIN_NAME, chain);
    this.commentData(Attribute.CHAIN_USERDATA, comment);
    endMessage();
  }

  counter(verb: u32, counter: string): void {
    this.beginMessage(
      verb == Verb.ADD ? Message.NEW_OBJECT : Message.DELETE_OBJECT,
      verb == Verb.ADD ? Flag.CREATE : 0,
    );
    text(Attribute.OBJECT_NAME, counter);
    number32(Attribute.OBJECT_TYPE, OBJECT_COUNTER);
    if (verb == Verb.ADD) endAttribute(beginNest(Attribute.OBJECT_DATA));
    endMessage();
  }

  private addressType(): u32 {
    return this.family == IPV4 ? Type.IPV4 : Type.IPV6;
  }

  private keyType(key: u32): u32 {
    const port = (Type.PROTOCOL << 6) | Type.PORT;
    const address = this.addressType();
    switch (key) {
      case KeyType.ADDRESS:
        return address;
      case KeyType.ADDRESS_PORT:
        return (address << 12) | port;
      case KeyType.PORT:
        return port;
      case KeyType.HAIRPIN:
        return (address << 18) | (address << 12) | port;
      case KeyType.ADDRESS_PORT_SLOT:
        return (address << 18) | (port << 6) | Type.INTEGER;
      default:
        return (port << 6) | Type.INTEGER;
    }
  }

  private keyLength(key: u32): u32 {
    const address = <u32>this.addressLength();
    switch (key) {
      case KeyType.ADDRESS:
        return address;
      case KeyType.ADDRESS_PORT:
        return address + 8;
      case KeyType.PORT:
        return 8;
      case KeyType.HAIRPIN:
        return 2 * address + 8;
      case KeyType.ADDRESS_PORT_SLOT:
        return address + 12;
      default:
        return 12;
    }
  }

  private describeAddress(): void {
    const ipv4 = this.family == IPV4;
    describePayload(ipv4 ? IP_HEADER : IP6_HEADER, ipv4 ? IP_DADDR : IP6_DADDR);
  }

  /** The key of a map with slots, as `typeof` would have it. */
  private describeSlotKey(byAddress: bool): void {
    const whole = beginUserNest(SetUserdata.KEY_TYPEOF);
    const parts = describe(Described.CONCATENATION);
    let index: u32 = 0;
    let at: usize = 0;
    if (byAddress) {
      at = member(index++);
      this.describeAddress();
      endUserNest(at);
    }
    at = member(index++);
    const meta = describe(Described.META);
    userNumber(0, META_L4PROTO);
    endUserNest(meta);
    endUserNest(at);
    at = member(index++);
    describePayload(TH_HEADER, TH_DPORT);
    endUserNest(at);
    at = member(index);
    describeSlot();
    endUserNest(at);
    endUserNest(parts);
    endUserNest(whole);
  }

  private describeEndpoint(): void {
    const whole = beginUserNest(SetUserdata.DATA_TYPEOF);
    const parts = describe(Described.CONCATENATION);
    let at = member(0);
    this.describeAddress();
    endUserNest(at);
    at = member(1);
    describePayload(TH_HEADER, TH_DPORT);
    endUserNest(at);
    endUserNest(parts);
    endUserNest(whole);
  }

  /** nft notes for a map of ports whose type says so already what `typeof` would have been. */
  private describePortKey(): void {
    const whole = beginUserNest(SetUserdata.KEY_TYPEOF);
    userNumber(0, Described.CONCATENATION);
    rawByte(1);
    rawByte(0);
    endUserNest(whole);
  }

  private beginSet(prefix: string, base: usize, length: usize, flags: u32, keyType: u32, keyLength: u32): void {
    this.beginMessage(Message.NEW_SET, Flag.CREATE);
    name(Attribute.SET_NAME, prefix, base, length);
    number32(Attribute.SET_FLAGS, flags);
    number32(Attribute.SET_KEY_TYPE, keyType);
    number32(Attribute.SET_KEY_LENGTH, keyLength);
  }

  /** What a map maps to. */
  private dataType(data: u32): void {
    const verdict = data == DataType.VERDICT;
    number32(Attribute.SET_DATA_TYPE, verdict ? Type.VERDICT : (this.addressType() << 6) | Type.PORT);
    number32(Attribute.SET_DATA_LENGTH, verdict ? 0 : <u32>this.addressLength() + 4);
  }

  /** The set's number, then the beginning of its userdata. */
  private beginSetData(): usize {
    number32(Attribute.SET_ID, ++this.lastSetId);
    return beginAttribute(Attribute.SET_USERDATA);
  }

  /** The same for a set without a name, which says how many elements it will have. */
  private beginAnonymousData(count: u32): usize {
    number32(Attribute.SET_ID, ++this.lastSetId);
    const description = beginNest(Attribute.SET_DESCRIPTION);
    number32(Attribute.DESCRIPTION_SIZE, count);
    endAttribute(description);
    return beginAttribute(Attribute.SET_USERDATA);
  }

  addSet(setName: string, key: u32, data: u32, comment: string): void {
    const flags: u32 = data != DataType.NONE ? SetBit.MAP : 0;
    this.beginSet(setName, 0, 0, flags, this.keyType(key), this.keyLength(key));
    if (data != DataType.NONE) this.dataType(data);
    const at = this.beginSetData();
    userNumber(SetUserdata.KEY_BYTE_ORDER, key == KeyType.ADDRESS ? ByteOrder.NETWORK : ByteOrder.NONE);
    if (data != DataType.NONE) userNumber(SetUserdata.DATA_BYTE_ORDER, ByteOrder.NONE);
    if (key >= KeyType.ADDRESS_PORT_SLOT) {
      this.describeSlotKey(key == KeyType.ADDRESS_PORT_SLOT);
      this.describeEndpoint();
    } else if (key != KeyType.ADDRESS) {
      this.describePortKey();
    }
    if (data != DataType.NONE) userNumber(SetUserdata.DATA_INTERVAL, 0);
    userText(SetUserdata.COMMENT, comment);
    endAttribute(at);
    endMessage();
  }

  private addressSetData(): void {
    const at = this.beginSetData();
    userNumber(SetUserdata.KEY_BYTE_ORDER, ByteOrder.NETWORK);
    endAttribute(at);
  }

  addDynamicSet(prefix: string, base: usize, length: usize, timeoutSeconds: u32): void {
    const flags = SetBit.TIMEOUT | SetBit.EVAL;
    this.beginSet(prefix, base, length, flags, this.addressType(), <u32>this.addressLength());
    number64(Attribute.SET_TIMEOUT, <u64>timeoutSeconds * 1000);
    this.addressSetData();
    endMessage();
  }

  addRangeSet(prefix: string, base: usize, length: usize): void {
    this.beginSet(prefix, base, length, SetBit.INTERVAL, this.addressType(), <u32>this.addressLength());
    this.addressSetData();
    endMessage();
    this.rangesBegun = false;
  }

  addSlotMap(prefix: string, base: usize, length: usize): void {
    this.beginSet(prefix, base, length, SetBit.MAP, Type.INTEGER, 4);
    this.dataType(DataType.ENDPOINT);
    const at = this.beginSetData();
    userNumber(SetUserdata.KEY_BYTE_ORDER, ByteOrder.HOST);
    userNumber(SetUserdata.DATA_BYTE_ORDER, ByteOrder.NONE);
    const whole = beginUserNest(SetUserdata.KEY_TYPEOF);
    describeSlot();
    endUserNest(whole);
    this.describeEndpoint();
    userNumber(SetUserdata.DATA_INTERVAL, 0);
    endAttribute(at);
    endMessage();
  }

  set(verb: u32, data: u32, prefix: string, base: usize, length: usize): void {
    // A deletion of elements that names none means all of them.
    this.beginMessage(verb == Verb.DELETE ? Message.DELETE_SET : Message.DELETE_ELEMENT, 0);
    name(verb == Verb.DELETE ? Attribute.SET_NAME : Attribute.ELEMENTS_SET, prefix, base, length);
    endMessage();
  }

  private closeElements(): void {
    if (!this.elementsOpen) return;
    this.elementsOpen = false;
    endAttribute(this.elementList);
    endMessage();
  }

  private openElements(verb: u32, prefix: string, base: usize, length: usize, setId: u32): void {
    this.beginMessage(
      verb == Verb.ADD ? Message.NEW_ELEMENT : Message.DELETE_ELEMENT,
      verb == Verb.ADD ? Flag.CREATE : 0,
    );
    name(Attribute.ELEMENTS_SET, prefix, base, length);
    if (setId != 0) number32(Attribute.ELEMENTS_SET_ID, setId);
    this.elementList = beginNest(Attribute.ELEMENTS_LIST);
    this.elementsOpen = true;
    this.elementsVerb = verb;
    this.elementsPrefix = prefix;
    this.elementsBase = base;
    this.elementsLength = length;
    this.elementsSetId = setId;
  }

  /** Begins one of the open elements, in a message of its own if the open one is full. */
  private beginMember(): void {
    if (messageLength() > FULL) {
      const prefix = this.elementsPrefix;
      this.openElements(this.elementsVerb, prefix, this.elementsBase, this.elementsLength, this.elementsSetId);
    }
    this.oneElement = beginNest(Attribute.MEMBER);
  }

  element(verb: u32, prefix: string, base: usize, length: usize): void {
    const same =
      this.elementsOpen &&
      this.elementsVerb == verb &&
      this.elementsPrefix == prefix &&
      this.elementsBase == base &&
      this.elementsLength == length;
    if (!same) this.openElements(verb, prefix, base, length, 0);
    this.beginMember();
  }

  endElement(): void {
    if (this.oneElement == 0) return; // ranges end themselves
    endAttribute(this.oneElement);
    this.oneElement = 0;
  }

  /** Begins a key, which is a value in a nest. */
  private beginKey(): usize {
    nestAt = beginNest(Attribute.ELEMENT_KEY);
    return beginAttribute(Attribute.DATA_VALUE);
  }

  private endKey(at: usize): void {
    endAttribute(at);
    endAttribute(nestAt);
  }

  private rawAddress(ip: usize): void {
    rawBytes(ip, this.addressLength());
  }

  addressKey(ip: usize): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    this.endKey(at);
  }

  addressPortKey(ip: usize, protocol: u32, port: u32): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    rawProtocolAndPort(protocol, port);
    this.endKey(at);
  }

  portKey(protocol: u32, port: u32): void {
    const at = this.beginKey();
    rawProtocolAndPort(protocol, port);
    this.endKey(at);
  }

  hairpinKey(ip: usize, protocol: u32, port: u32): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    this.rawAddress(ip);
    rawProtocolAndPort(protocol, port);
    this.endKey(at);
  }

  addressPortSlotKey(ip: usize, protocol: u32, port: u32, slot: u32): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    rawProtocolAndPort(protocol, port);
    rawHost32(slot);
    this.endKey(at);
  }

  portSlotKey(protocol: u32, port: u32, slot: u32): void {
    const at = this.beginKey();
    rawProtocolAndPort(protocol, port);
    rawHost32(slot);
    this.endKey(at);
  }

  slotKey(slot: u32): void {
    const at = this.beginKey();
    rawHost32(slot);
    this.endKey(at);
  }

  /** One end of a range, in an element that has been begun. */
  private rangeEnd(ip: usize, isEnd: bool): void {
    if (isEnd) number32(Attribute.ELEMENT_FLAGS, 1); // NFT_SET_ELEM_INTERVAL_END
    this.addressKey(ip);
    endAttribute(this.oneElement);
  }

  rangeKey(first: usize, last: usize): void {
    this.writeRange(first, last);
    this.oneElement = 0;
  }

  /** In the element that has been begun, and others after it; the last of them is ended. */
  private writeRange(first: usize, last: usize): void {
    const length = this.addressLength();
    if (!this.rangesBegun) {
      this.rangesBegun = true;
      if (!isZero(first, length)) {
        memory.fill(boundary, 0, 16);
        this.rangeEnd(boundary, true);
        this.oneElement = beginNest(Attribute.MEMBER);
      }
    }
    this.rangeEnd(first, false);
    if (!successor(last, length)) return;
    this.oneElement = beginNest(Attribute.MEMBER);
    this.rangeEnd(nextAddress, true);
  }

  elementComment(bytes: usize, length: usize): void {
    const cut = min<usize>(length, 128);
    const at = beginAttribute(Attribute.ELEMENT_USERDATA);
    rawByte(0);
    rawByte(<u32>cut + 1);
    rawBytes(bytes, cut);
    rawByte(0);
    endAttribute(at);
  }

  gotoData(prefix: string, base: usize, length: usize): void {
    verdict(Attribute.ELEMENT_DATA, VERDICT_GOTO, prefix, base, length);
  }

  dropData(): void {
    verdict(Attribute.ELEMENT_DATA, VERDICT_DROP, "", 0, 0);
  }

  endpointData(ip: usize, port: u32): void {
    const data = beginNest(Attribute.ELEMENT_DATA);
    const at = beginAttribute(Attribute.DATA_VALUE);
    this.rawAddress(ip);
    raw16(port);
    rawZeros(2);
    endAttribute(at);
    endAttribute(data);
  }

  rule(prefix: string, base: usize, length: usize): void {
    this.rulePrefix = prefix;
    this.ruleBase = base;
    this.ruleLength = length;
    this.ruleComment = "";
    this.expressions.clear();
  }

  endRule(): void {
    this.beginMessage(Message.NEW_RULE, Flag.CREATE | Flag.APPEND);
    name(Attribute.RULE_CHAIN, this.rulePrefix, this.ruleBase, this.ruleLength);
    const at = beginNest(Attribute.RULE_EXPRESSIONS);
    rawBytes(this.expressions.start, this.expressions.length());
    endAttribute(at);
    if (this.ruleComment.length != 0) this.commentData(Attribute.RULE_USERDATA, this.ruleComment);
    endMessage();
  }

  comment(value: string): void {
    this.ruleComment = value;
  }

  ctStateNew(): void {
    this.expressions.ctHas(0, 8);
  }

  ctStatusDNAT(): void {
    this.expressions.ctHas(2, 0x20);
  }

  jump(chain: string): void {
    this.expressions.giveVerdict(VERDICT_JUMP, chain, 0, 0);
  }

  goto(prefix: string, base: usize, length: usize): void {
    this.expressions.giveVerdict(VERDICT_GOTO, prefix, base, length);
  }

  accept(): void {
    this.expressions.giveVerdict(VERDICT_ACCEPT, "", 0, 0);
  }

  drop(): void {
    this.expressions.giveVerdict(VERDICT_DROP, "", 0, 0);
  }

  countIn(counter: string): void {
    this.expressions.objectReference(OBJECT_COUNTER, counter);
  }

  reject(): void {
    this.expressions.reject();
  }

  rejectTCP(): void {
    this.expressions.rejectByReset();
  }

  markHas(mark: u32): void {
    this.expressions.markHas(mark);
  }

  markXor(mark: u32): void {
    this.expressions.markChange(0xffffffff, mark);
  }

  markOr(mark: u32): void {
    this.expressions.markChange(~mark, mark);
  }

  masquerade(): void {
    this.expressions.masquerade();
  }

  matchConnection(setName: string): void {
    this.expressions.connection();
    this.expressions.lookup(setName, 0, 0, 0, false);
  }

  matchAddress(source: bool, not: bool, prefix: string, base: usize, length: usize): void {
    this.expressions.address(source, 0, this.addressLength());
    this.expressions.lookup(prefix, base, length, 0, not);
  }

  addressVerdict(map: string): void {
    this.expressions.addressPort();
    this.expressions.verdictLookup(map, 0);
  }

  portVerdict(map: string): void {
    this.expressions.port(0);
    this.expressions.verdictLookup(map, 0);
  }

  matchLoopback(not: bool): void {
    if (this.family == IPV4) {
      this.expressions.address(false, 0, 1);
      memory.fill(boundary, 0, 16);
      store<u8>(boundary, 127);
      this.expressions.compare(not, boundary, 1);
    } else {
      this.expressions.address(false, 0, 16);
      memory.fill(boundary, 0, 16);
      store<u8>(boundary, 1, 15);
      this.expressions.compare(not, boundary, 16);
    }
  }

  isLocal(source: bool): void {
    this.expressions.isLocal(source);
  }

  matchCIDR(source: bool, not: bool, ip: usize, prefix: u32): void {
    this.expressions.cidr(source, not, ip, min(prefix, (<u32>this.addressLength()) << 3));
  }

  matchInterface(not: bool, isPrefix: bool, interfaceName: usize, length: usize): void {
    this.expressions.interfaceName(not, isPrefix, interfaceName, length);
  }

  matchCIDRs(source: bool, not: bool, cidrs: Vector, tight: bool): void {
    if (cidrs.length == 1) {
      const at = <usize>cidrs.get(0);
      this.matchCIDR(source, not, at, load<u32>(at, 16));
      return;
    }
    const length = this.addressLength();
    const count = mergeRanges(cidrs, length);
    let elements: u32 = 0;
    for (let i: u32 = 0; i < count; i++) {
      const range = rangeAt(i);
      if (i == 0 && !isZero(range, length)) elements++;
      elements += successor(range + 16, length) ? 2 : 1;
    }
    const flags = SetBit.ANONYMOUS | SetBit.CONSTANT | SetBit.INTERVAL;
    this.beginSet("__set%d", 0, 0, flags, this.addressType(), <u32>length);
    const at = this.beginAnonymousData(elements);
    userNumber(SetUserdata.KEY_BYTE_ORDER, ByteOrder.NETWORK);
    userNumber(SetUserdata.MERGE_ELEMENTS, 1);
    const whole = beginUserNest(SetUserdata.KEY_TYPEOF);
    const ipv4 = this.family == IPV4;
    describePayload(ipv4 ? IP_HEADER : IP6_HEADER, ipv4 ? (source ? 11 : IP_DADDR) : source ? 8 : IP6_DADDR);
    endUserNest(whole);
    endAttribute(at);
    endMessage();
    this.rangesBegun = false;
    this.openElements(Verb.ADD, "__set%d", 0, 0, this.lastSetId);
    for (let i: u32 = 0; i < count; i++) {
      this.beginMember();
      this.writeRange(rangeAt(i), rangeAt(i) + 16);
      this.oneElement = 0;
    }
    this.closeElements();
    this.expressions.address(source, 0, length);
    this.expressions.lookup("__set%d", 0, 0, this.lastSetId, not);
  }

  protocolIs(protocol: u32): void {
    this.expressions.protocolIs(protocolNumber(protocol));
  }

  dnatTo(ip: usize, port: u32): void {
    this.expressions.dnatTo(ip, port);
  }

  /** Begins the anonymous map of a choice; the rule's expressions follow once it is complete. */
  private beginChoice(count: u32, verdicts: bool): void {
    this.beginSet("__map%d", 0, 0, SetBit.ANONYMOUS | SetBit.CONSTANT | SetBit.MAP, Type.INTEGER, 4);
    this.dataType(verdicts ? DataType.VERDICT : DataType.ENDPOINT);
    const at = this.beginAnonymousData(count);
    userNumber(SetUserdata.KEY_BYTE_ORDER, ByteOrder.HOST);
    userNumber(SetUserdata.DATA_BYTE_ORDER, ByteOrder.NONE);
    if (verdicts) {
      const whole = beginUserNest(SetUserdata.DATA_TYPEOF);
      userNumber(0, 1); // a verdict
      rawByte(1);
      rawByte(0);
      endUserNest(whole);
    }
    userNumber(SetUserdata.DATA_INTERVAL, 0);
    endAttribute(at);
    endMessage();
    this.openElements(Verb.ADD, "__map%d", 0, 0, this.lastSetId);
  }

  dnatToChoice(count: u32): void {
    this.beginChoice(count, false);
    this.expressions.numgen(0, count);
    this.expressions.dataLookup("__map%d", 0, 0, this.lastSetId);
    this.expressions.dnatToRegisters();
  }

  gotoChoice(count: u32): void {
    this.beginChoice(count, true);
    this.expressions.numgen(0, count);
    this.expressions.verdictLookup("__map%d", this.lastSetId);
  }

  private beginChoiceElement(slot: u32): void {
    this.beginMember();
    this.slotKey(slot);
  }

  choice(slot: u32, ip: usize, port: u32): void {
    this.beginChoiceElement(slot);
    this.endpointData(ip, port);
    this.endElement();
  }

  choiceGoto(slot: u32, prefix: string, base: usize, length: usize): void {
    this.beginChoiceElement(slot);
    this.gotoData(prefix, base, length);
    this.endElement();
  }

  endChoice(): void {
    this.closeElements();
  }

  updateSet(prefix: string, base: usize, length: usize): void {
    this.expressions.address(true, 0, this.addressLength());
    this.expressions.dynset(prefix, base, length);
  }

  dnatToSlot(map: string, byPort: bool, count: u32): void {
    const next = byPort ? this.expressions.port(0) : this.expressions.addressPort();
    this.expressions.numgen(next, count);
    this.expressions.dataLookup(map, 0, 0, 0);
    this.expressions.dnatToRegisters();
  }

  dnatToOwnSlot(prefix: string, base: usize, length: usize, count: u32): void {
    this.expressions.numgen(0, count);
    this.expressions.dataLookup(prefix, base, length, 0);
    this.expressions.dnatToRegisters();
  }
}

const boundary: usize = memory.data(16, 16);

function isZero(ip: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (load<u8>(ip + i) != 0) return false;
  return true;
}
