// Elements of sets and maps in nf_tables' netlink language (linux/netfilter/nf_tables.h).
import { nextAddress, successor } from "../bytes/ranges";
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
  raw16,
  rawByte,
  rawBytes,
  rawHost32,
  rawProtocolAndPort,
  rawZeros,
  verdict,
} from "./netlink-message";
import { Attribute, Message, VERDICT_DROP, VERDICT_GOTO } from "./netlink-numbers";
import { Verb } from "./nft-encoding";
import { NftNetlinkObjects } from "./nft-netlink-objects";

let nestAt: usize = 0;

/** All of the encoding but rules (nft-netlink.ts). */
export abstract class NftNetlinkElements extends NftNetlinkObjects {
  // The element message that is open, so that elements of one set go together.
  protected elementsOpen: bool = false;
  protected elementsVerb: u32 = 0;
  protected elementsPrefix: string = "";
  protected elementsBase: usize = 0;
  protected elementsLength: usize = 0;
  protected elementsSetId: u32 = 0;
  protected elementList: usize = 0;
  protected oneElement: usize = 0;

  protected closeElements(): void {
    if (!this.elementsOpen) return;
    this.elementsOpen = false;
    endAttribute(this.elementList);
    endMessage();
  }

  protected openElements(verb: u32, prefix: string, base: usize, length: usize, setId: u32): void {
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
  protected beginMember(): void {
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
  protected beginKey(): usize {
    nestAt = beginNest(Attribute.ELEMENT_KEY);
    return beginAttribute(Attribute.DATA_VALUE);
  }

  protected endKey(at: usize): void {
    endAttribute(at);
    endAttribute(nestAt);
  }

  protected rawAddress(ip: usize): void {
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
  protected rangeEnd(ip: usize, isEnd: bool): void {
    if (isEnd) number32(Attribute.ELEMENT_FLAGS, 1); // NFT_SET_ELEM_INTERVAL_END
    this.addressKey(ip);
    endAttribute(this.oneElement);
  }

  rangeKey(first: usize, last: usize): void {
    this.writeRange(first, last);
    this.oneElement = 0;
  }

  /** In the element that has been begun, and others after it; the last of them is ended. */
  protected writeRange(first: usize, last: usize): void {
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
}

/** Scratch memory for an address. */
export const boundary: usize = memory.data(16, 16);

export function isZero(ip: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (load<u8>(ip + i) != 0) return false;
  return true;
}
