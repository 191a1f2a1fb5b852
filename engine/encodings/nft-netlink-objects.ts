// Tables, chains and sets in nf_tables' netlink language (linux/netfilter/nf_tables.h): what nft 1.0.6 sends for
// the same commands, so that `nft list` shows the same whichever way a table was loaded.
import { IPV4 } from "../bytes/protocols";
import {
  addMessageFlags,
  beginAttribute,
  beginMessage,
  beginNest,
  endAttribute,
  endMessage,
  Flag,
  flushMessage,
  name,
  number32,
  number64,
  rawByte,
  text,
} from "./netlink-message";
import { Attribute, Message, OBJECT_COUNTER, protocolFamily, SetBit } from "./netlink-numbers";
import { ChainType, DataType, KeyType, NftEncoding, Verb } from "./nft-encoding";
import {
  ByteOrder,
  beginUserNest,
  Described,
  describe,
  describePayload,
  describeSlot,
  endUserNest,
  IP_DADDR,
  IP_HEADER,
  IP6_DADDR,
  IP6_HEADER,
  META_L4PROTO,
  member,
  SetUserdata,
  TH_DPORT,
  TH_HEADER,
  userNumber,
  userText,
} from "./set-userdata";

const SUBSYSTEM: u32 = 10; // NFNL_SUBSYS_NFTABLES

/** nft's numbers of its data types; a concatenation is its parts' numbers, six bits each. */
export namespace Type {
  export const INTEGER: u32 = 4;
  export const IPV4: u32 = 7;
  export const IPV6: u32 = 8;
  export const PROTOCOL: u32 = 12;
  export const PORT: u32 = 13;
  export const VERDICT: u32 = 0xffffff00;
}

/** The part of the encoding that elements (nft-netlink-elements.ts) and rules (nft-netlink.ts) are built on. */
export abstract class NftNetlinkObjects extends NftEncoding {
  protected family: u32 = IPV4;
  protected table: string = "";
  protected lastSetId: u32 = 0;
  /** A batch has been begun and not ended. */
  protected inBatch: bool = false;

  /** The interval set that was made last has elements. */
  protected rangesBegun: bool = false;

  /** Ends the open message of elements, if there is one. */
  protected abstract closeElements(): void;

  protected addressLength(): usize {
    return this.family == IPV4 ? 4 : 16;
  }

  begin(table: string, family: u32): void {
    this.table = table;
    this.family = family;
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
  protected commentData(attribute: u32, value: string): void {
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

  protected addressType(): u32 {
    return this.family == IPV4 ? Type.IPV4 : Type.IPV6;
  }

  protected keyType(key: u32): u32 {
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

  protected keyLength(key: u32): u32 {
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

  protected describeAddress(): void {
    const ipv4 = this.family == IPV4;
    describePayload(ipv4 ? IP_HEADER : IP6_HEADER, ipv4 ? IP_DADDR : IP6_DADDR);
  }

  /** The key of a map with slots, as `typeof` would have it. */
  protected describeSlotKey(byAddress: bool): void {
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

  protected describeEndpoint(): void {
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
  protected describePortKey(): void {
    const whole = beginUserNest(SetUserdata.KEY_TYPEOF);
    userNumber(0, Described.CONCATENATION);
    rawByte(1);
    rawByte(0);
    endUserNest(whole);
  }

  protected beginSet(prefix: string, base: usize, length: usize, flags: u32, keyType: u32, keyLength: u32): void {
    this.beginMessage(Message.NEW_SET, Flag.CREATE);
    name(Attribute.SET_NAME, prefix, base, length);
    number32(Attribute.SET_FLAGS, flags);
    number32(Attribute.SET_KEY_TYPE, keyType);
    number32(Attribute.SET_KEY_LENGTH, keyLength);
  }

  /** What a map maps to. */
  protected dataType(data: u32): void {
    const verdict = data == DataType.VERDICT;
    number32(Attribute.SET_DATA_TYPE, verdict ? Type.VERDICT : (this.addressType() << 6) | Type.PORT);
    number32(Attribute.SET_DATA_LENGTH, verdict ? 0 : <u32>this.addressLength() + 4);
  }

  /** The set's number, then the beginning of its userdata. */
  protected beginSetData(): usize {
    number32(Attribute.SET_ID, ++this.lastSetId);
    return beginAttribute(Attribute.SET_USERDATA);
  }

  /** The same for a set without a name, which says how many elements it will have. */
  protected beginAnonymousData(count: u32): usize {
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

  protected addressSetData(): void {
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
}
