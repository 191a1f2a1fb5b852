// Rules in nf_tables' netlink language (linux/netfilter/nf_tables.h), expression by expression as nft 1.0.6 sends them.
import { Vector } from "../bytes/memory";
import { IPV4, protocolNumber } from "../bytes/protocols";
import { mergeRanges, rangeAt, successor } from "../bytes/ranges";
import { beginNest, endAttribute, endMessage, Flag, name, rawByte, rawBytes } from "./netlink-message";
import {
  Attribute,
  Message,
  OBJECT_COUNTER,
  SetBit,
  VERDICT_ACCEPT,
  VERDICT_DROP,
  VERDICT_GOTO,
  VERDICT_JUMP,
} from "./netlink-numbers";
import { DataType, Verb } from "./nft-encoding";
import { Expressions } from "./nft-expressions";
import { boundary, isZero, NftNetlinkElements } from "./nft-netlink-elements";
import { Type } from "./nft-netlink-objects";
import {
  ByteOrder,
  beginUserNest,
  describePayload,
  endUserNest,
  IP_DADDR,
  IP_HEADER,
  IP6_DADDR,
  IP6_HEADER,
  SetUserdata,
  userNumber,
} from "./set-userdata";

export class NftNetlink extends NftNetlinkElements {
  private expressions: Expressions = new Expressions();

  // The rule that is being put together.
  private rulePrefix: string = "";
  private ruleBase: usize = 0;
  private ruleLength: usize = 0;
  private ruleComment: string = "";

  begin(table: string, family: u32): void {
    super.begin(table, family);
    this.expressions.setFamily(family);
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
