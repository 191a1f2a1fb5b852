// nf_tables' netlink language (linux/netfilter/nf_tables.h): what nft 1.0.6 sends for the same commands, expression by
// expression, so that `nft list` shows the same whichever way a table was loaded. Set userdata says what types cannot:
// byte orders, comments, and for slots the expression that makes them.
import { Vector } from "../bytes/memory";
import { mergeRanges, nextAddress, rangeAt, successor } from "../bytes/ranges";
import { IPV4, Protocol } from "../cluster/records";
import {
  addMessageFlags,
  beginAttribute,
  beginMessage,
  beginNest,
  endAttribute,
  endMessage,
  Flag,
  flushMessage,
  FULL,
  here,
  messageLength,
  name,
  number32,
  number64,
  raw16,
  rawByte,
  rawBytes,
  rawHost32,
  rawText,
  rawZeros,
  text,
} from "./netlink-message";
import { DataType, ChainType, KeyType, NftEncoding, SetFlag, Verb } from "./nft-encoding";
import { Expressions } from "./nft-expressions";

namespace Message {
  export const BATCH_BEGIN: u32 = 0x10;
  export const BATCH_END: u32 = 0x11;
  export const NEW_TABLE: u32 = 0xa00;
  export const DELETE_TABLE: u32 = 0xa02;
  export const NEW_CHAIN: u32 = 0xa03;
  export const DELETE_CHAIN: u32 = 0xa05;
  export const NEW_RULE: u32 = 0xa06;
  export const DELETE_RULE: u32 = 0xa08;
  export const NEW_SET: u32 = 0xa09;
  export const DELETE_SET: u32 = 0xa0b;
  export const NEW_ELEMENT: u32 = 0xa0c;
  export const DELETE_ELEMENT: u32 = 0xa0e;
  export const NEW_OBJECT: u32 = 0xa12;
  export const DELETE_OBJECT: u32 = 0xa14;
}

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

namespace SetBit {
  export const ANONYMOUS: u32 = 1;
  export const CONSTANT: u32 = 2;
  export const INTERVAL: u32 = 4;
  export const MAP: u32 = 8;
  export const TIMEOUT: u32 = 0x10;
  export const EVAL: u32 = 0x20;
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

export const VERDICT_DROP: u32 = 0;
export const VERDICT_JUMP: u32 = 0xfffffffd;
export const VERDICT_GOTO: u32 = 0xfffffffc;

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
  private elementList: usize = 0;
  private oneElement: usize = 0;
  private rangesBegun: bool = false;

  // The rule that is being put together.
  private rulePrefix: string = "";
  private ruleBase: usize = 0;
  private ruleLength: usize = 0;
  private ruleComment: string = "";

  private protocolFamily(): u32 {
    return this.family == IPV4 ? 2 : 10;
  }

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

  private message(type: u32, flags: u32): void {
    this.closeElements();
    this.openMessage(type, flags);
  }

  openBatch(): void {
    if (this.inBatch) return;
    beginMessage(Message.BATCH_BEGIN, 0, 0, SUBSYSTEM);
    endMessage();
    this.inBatch = true;
  }

  private openMessage(type: u32, flags: u32): void {
    this.openBatch();
    beginMessage(type, flags, this.protocolFamily(), 0);
    text(1, this.table); // the table's name is attribute 1 of every message
  }

  /** Userdata that is one text. */
  private commentData(attribute: u32, value: string): void {
    const at = beginAttribute(attribute);
    userText(0, value);
    endAttribute(at);
  }

  addTable(comment: string): void {
    this.message(Message.NEW_TABLE, Flag.CREATE);
    number32(2, 0); // flags
    this.commentData(6, comment);
    endMessage();
  }

  deleteTable(): void {
    this.message(Message.DELETE_TABLE, 0);
    endMessage();
  }

  addBaseChain(chain: string, type: u32, hook: u32, priority: i32): void {
    this.message(Message.NEW_CHAIN, Flag.CREATE);
    text(3, chain);
    text(7, type == ChainType.NAT ? "nat" : "filter");
    const at = beginNest(4);
    number32(1, hook);
    number32(2, <u32>priority);
    endAttribute(at);
    endMessage();
  }

  chain(verb: u32, prefix: string, base: usize, length: usize): void {
    if (verb == Verb.FLUSH) {
      this.message(Message.DELETE_RULE, 0);
      name(2, prefix, base, length);
    } else {
      this.message(verb == Verb.ADD ? Message.NEW_CHAIN : Message.DELETE_CHAIN, verb == Verb.ADD ? Flag.CREATE : 0);
      name(3, prefix, base, length);
    }
    endMessage();
  }

  addCommentedChain(chain: string, comment: string): void {
    this.message(Message.NEW_CHAIN, Flag.CREATE);
    text(3, chain);
    this.commentData(12, comment);
    endMessage();
  }

  counter(verb: u32, counter: string): void {
    this.message(verb == Verb.ADD ? Message.NEW_OBJECT : Message.DELETE_OBJECT, verb == Verb.ADD ? Flag.CREATE : 0);
    text(2, counter);
    number32(3, OBJECT_COUNTER);
    if (verb == Verb.ADD) endAttribute(beginNest(4));
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
    const numgen = describe(Described.NUMGEN);
    userNumber(0, 1); // random
    userNumber(1, SLOTS);
    userNumber(2, 0); // offset
    endUserNest(numgen);
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
    this.message(Message.NEW_SET, Flag.CREATE);
    name(2, prefix, base, length);
    number32(3, flags);
    number32(4, keyType);
    number32(5, keyLength);
  }

  private endpointType(): u32 {
    return (this.addressType() << 6) | Type.PORT;
  }

  addSet(setName: string, key: u32, data: u32, flags: u32, comment: string): void {
    const bits = (data != DataType.NONE ? SetBit.MAP : 0) | (flags == SetFlag.INTERVAL ? SetBit.INTERVAL : 0);
    this.beginSet(setName, 0, 0, bits, this.keyType(key), this.keyLength(key));
    if (data == DataType.VERDICT) {
      number32(6, Type.VERDICT);
      number32(7, 0);
    } else if (data == DataType.ENDPOINT) {
      number32(6, this.endpointType());
      number32(7, <u32>this.addressLength() + 4);
    }
    number32(10, ++this.lastSetId);
    const at = beginAttribute(13);
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
    number32(10, ++this.lastSetId);
    const at = beginAttribute(13);
    userNumber(SetUserdata.KEY_BYTE_ORDER, ByteOrder.NETWORK);
    endAttribute(at);
  }

  addDynamicSet(prefix: string, base: usize, length: usize, timeoutSeconds: u32): void {
    const flags = SetBit.TIMEOUT | SetBit.EVAL;
    this.beginSet(prefix, base, length, flags, this.addressType(), <u32>this.addressLength());
    number64(11, <u64>timeoutSeconds * 1000);
    this.addressSetData();
    endMessage();
  }

  addRangeSet(prefix: string, base: usize, length: usize): void {
    this.beginSet(prefix, base, length, SetBit.INTERVAL, this.addressType(), <u32>this.addressLength());
    this.addressSetData();
    endMessage();
    this.rangesBegun = false;
  }

  set(verb: u32, data: u32, prefix: string, base: usize, length: usize): void {
    // A deletion of elements that names none means all of them.
    this.message(verb == Verb.DELETE ? Message.DELETE_SET : Message.DELETE_ELEMENT, 0);
    name(2, prefix, base, length);
    endMessage();
  }

  private closeElements(): void {
    if (!this.elementsOpen) return;
    this.elementsOpen = false;
    endAttribute(this.elementList);
    endMessage();
  }

  private openElements(verb: u32, prefix: string, base: usize, length: usize, setId: u32): void {
    this.openMessage(verb == Verb.ADD ? Message.NEW_ELEMENT : Message.DELETE_ELEMENT, verb == Verb.ADD ? Flag.CREATE : 0);
    name(2, prefix, base, length);
    if (setId != 0) number32(4, setId);
    this.elementList = beginNest(3);
    this.elementsOpen = true;
    this.elementsVerb = verb;
    this.elementsPrefix = prefix;
    this.elementsBase = base;
    this.elementsLength = length;
  }

  element(verb: u32, prefix: string, base: usize, length: usize): void {
    const same =
      this.elementsOpen &&
      this.elementsVerb == verb &&
      this.elementsPrefix == prefix &&
      this.elementsBase == base &&
      this.elementsLength == length;
    if (!same || messageLength() > FULL) {
      this.closeElements();
      this.openElements(verb, prefix, base, length, 0);
    }
    this.oneElement = beginNest(1);
  }

  endElement(): void {
    if (this.oneElement == 0) return; // ranges end themselves
    endAttribute(this.oneElement);
    this.oneElement = 0;
  }

  /** Begins a key, which is a value in a nest. */
  private beginKey(): usize {
    nestAt = beginNest(1);
    return beginAttribute(1);
  }

  private endKey(at: usize): void {
    endAttribute(at);
    endAttribute(nestAt);
  }

  private rawAddress(ip: usize): void {
    rawBytes(ip, this.addressLength());
  }

  private rawPort(protocol: u32, port: u32): void {
    rawByte(protocolNumber(protocol));
    rawZeros(3);
    raw16(port);
    rawZeros(2);
  }

  addressKey(ip: usize): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    this.endKey(at);
  }

  addressPortKey(ip: usize, protocol: u32, port: u32): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    this.rawPort(protocol, port);
    this.endKey(at);
  }

  portKey(protocol: u32, port: u32): void {
    const at = this.beginKey();
    this.rawPort(protocol, port);
    this.endKey(at);
  }

  hairpinKey(ip: usize, protocol: u32, port: u32): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    this.rawAddress(ip);
    this.rawPort(protocol, port);
    this.endKey(at);
  }

  addressPortSlotKey(ip: usize, protocol: u32, port: u32, slot: u32): void {
    const at = this.beginKey();
    this.rawAddress(ip);
    this.rawPort(protocol, port);
    rawHost32(slot);
    this.endKey(at);
  }

  portSlotKey(protocol: u32, port: u32, slot: u32): void {
    const at = this.beginKey();
    this.rawPort(protocol, port);
    rawHost32(slot);
    this.endKey(at);
  }

  /** One end of a range, in an element that has been begun. */
  private rangeEnd(ip: usize, isEnd: bool): void {
    if (isEnd) number32(3, 1); // NFT_SET_ELEM_INTERVAL_END
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
        this.oneElement = beginNest(1);
      }
    }
    this.rangeEnd(first, false);
    if (!successor(last, length)) return;
    this.oneElement = beginNest(1);
    this.rangeEnd(nextAddress, true);
  }

  elementComment(bytes: usize, length: usize): void {
    const cut = min<usize>(length, 128);
    const at = beginAttribute(6);
    rawByte(0);
    rawByte(<u32>cut + 1);
    rawBytes(bytes, cut);
    rawByte(0);
    endAttribute(at);
  }

  private verdictData(code: u32, prefix: string, base: usize, length: usize): void {
    const data = beginNest(2);
    const verdict = beginNest(2);
    number32(1, code);
    if (code == VERDICT_GOTO) name(2, prefix, base, length);
    endAttribute(verdict);
    endAttribute(data);
  }

  gotoData(prefix: string, base: usize, length: usize): void {
    this.verdictData(VERDICT_GOTO, prefix, base, length);
  }

  dropData(): void {
    this.verdictData(VERDICT_DROP, "", 0, 0);
  }

  endpointData(ip: usize, port: u32): void {
    const data = beginNest(2);
    const at = beginAttribute(1);
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
    this.message(Message.NEW_RULE, Flag.CREATE | Flag.APPEND);
    name(2, this.rulePrefix, this.ruleBase, this.ruleLength);
    const at = beginNest(4);
    rawBytes(this.expressions.start, this.expressions.length());
    endAttribute(at);
    if (this.ruleComment.length != 0) this.commentData(7, this.ruleComment);
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
    this.expressions.verdict(VERDICT_JUMP, chain, 0, 0);
  }

  goto(prefix: string, base: usize, length: usize): void {
    this.expressions.verdict(VERDICT_GOTO, prefix, base, length);
  }

  drop(): void {
    this.expressions.verdict(VERDICT_DROP, "", 0, 0);
  }

  reject(): void {
    this.expressions.reject();
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

  notLoopback(): void {
    if (this.family == IPV4) {
      this.expressions.address(false, 0, 1);
      memory.fill(boundary, 0, 16);
      store<u8>(boundary, 127);
      this.expressions.compare(true, boundary, 1);
    } else {
      this.expressions.address(false, 0, 16);
      memory.fill(boundary, 0, 16);
      store<u8>(boundary, 1, 15);
      this.expressions.compare(true, boundary, 16);
    }
  }

  isLocal(source: bool): void {
    this.expressions.isLocal(source);
  }

  matchCIDR(source: bool, not: bool, ip: usize, prefix: u32): void {
    this.expressions.cidr(source, not, ip, min(prefix, <u32>this.addressLength() << 3));
  }

  matchInterface(not: bool, isPrefix: bool, interfaceName: usize, length: usize): void {
    this.expressions.interfaceName(not, isPrefix, interfaceName, length);
  }

  matchCIDRs(source: bool, not: bool, cidrs: Vector, tight: bool): void {
    const count = mergeRanges(cidrs, this.addressLength());
    if (cidrs.length == 1) {
      const at = <usize>cidrs.get(0);
      this.matchCIDR(source, not, at, load<u32>(at, 16));
      return;
    }
    const id = ++this.lastSetId;
    const length = this.addressLength();
    let elements: u32 = 0;
    for (let i: u32 = 0; i < count; i++) {
      const range = rangeAt(i);
      if (i == 0 && !isZero(range, length)) elements++;
      elements += successor(range + 16, length) ? 2 : 1;
    }
    const flags = SetBit.ANONYMOUS | SetBit.CONSTANT | SetBit.INTERVAL;
    this.beginSet("__set%d", 0, 0, flags, this.addressType(), <u32>length);
    number32(10, id);
    const desc = beginNest(9);
    number32(1, elements);
    endAttribute(desc);
    const at = beginAttribute(13);
    userNumber(SetUserdata.KEY_BYTE_ORDER, ByteOrder.NETWORK);
    userNumber(SetUserdata.MERGE_ELEMENTS, 1);
    const whole = beginUserNest(SetUserdata.KEY_TYPEOF);
    const ipv4 = this.family == IPV4;
    describePayload(ipv4 ? IP_HEADER : IP6_HEADER, ipv4 ? (source ? 11 : IP_DADDR) : source ? 8 : IP6_DADDR);
    endUserNest(whole);
    endAttribute(at);
    endMessage();
    this.rangesBegun = false;
    this.openElements(Verb.ADD, "__set%d", 0, 0, id);
    for (let i: u32 = 0; i < count; i++) {
      if (messageLength() > FULL) {
        this.closeElements();
        this.openElements(Verb.ADD, "__set%d", 0, 0, id);
      }
      this.oneElement = beginNest(1);
      this.writeRange(rangeAt(i), rangeAt(i) + 16);
      this.oneElement = 0;
    }
    this.closeElements();
    this.expressions.address(source, 0, length);
    this.expressions.lookup("__set%d", 0, 0, id, not);
  }

  protocolIs(protocol: u32): void {
    this.expressions.protocolIs(protocolNumber(protocol));
  }

  dnatTo(ip: usize, port: u32): void {
    this.expressions.dnatTo(ip, port);
  }

  /** Begins the anonymous map of a choice; the rule's expressions follow once it is complete. */
  private beginChoice(count: u32, verdicts: bool): void {
    const id = ++this.lastSetId;
    this.beginSet("__map%d", 0, 0, SetBit.ANONYMOUS | SetBit.CONSTANT | SetBit.MAP, Type.INTEGER, 4);
    number32(6, verdicts ? Type.VERDICT : this.endpointType());
    number32(7, verdicts ? 0 : <u32>this.addressLength() + 4);
    number32(10, id);
    const desc = beginNest(9);
    number32(1, count);
    endAttribute(desc);
    const at = beginAttribute(13);
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
    this.openElements(Verb.ADD, "__map%d", 0, 0, id);
  }

  dnatToChoice(count: u32): void {
    this.beginChoice(count, false);
    this.expressions.numgen(0, count);
    this.expressions.dataLookup("__map%d", this.lastSetId);
    this.expressions.dnatToRegisters();
  }

  gotoChoice(count: u32): void {
    this.beginChoice(count, true);
    this.expressions.numgen(0, count);
    this.expressions.verdictLookup("__map%d", this.lastSetId);
  }

  private beginChoiceElement(slot: u32): usize {
    if (messageLength() > FULL) {
      this.closeElements();
      this.openElements(Verb.ADD, "__map%d", 0, 0, this.lastSetId);
    }
    const element = beginNest(1);
    const at = this.beginKey();
    rawHost32(slot);
    this.endKey(at);
    return element;
  }

  choice(slot: u32, ip: usize, port: u32): void {
    const element = this.beginChoiceElement(slot);
    this.endpointData(ip, port);
    endAttribute(element);
  }

  choiceGoto(slot: u32, prefix: string, base: usize, length: usize): void {
    const element = this.beginChoiceElement(slot);
    this.gotoData(prefix, base, length);
    endAttribute(element);
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
    this.expressions.dataLookup(map, 0);
    this.expressions.dnatToRegisters();
  }
}

function protocolNumber(protocol: u32): u32 {
  return protocol == Protocol.TCP ? 6 : protocol == Protocol.UDP ? 17 : 132;
}

const boundary: usize = memory.data(16, 16);

function isZero(ip: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (load<u8>(ip + i) != 0) return false;
  return true;
}
