import { formatIPv4, formatIPv6 } from "../bytes/address";
import { byte, decimal, lit, newline, outAdvance, outReserve, put } from "../bytes/out";
import { IPV4, protocolName } from "../bytes/protocols";
import { ChainType, DataType, Hook, KeyType, NftEncoding, Verb } from "./nft-encoding";
import { lineEnds } from "./owners";

function verbText(verb: u32): string {
  return verb == Verb.ADD ? "add " : verb == Verb.FLUSH ? "flush " : "delete ";
}

function hookText(hook: u32): string {
  if (hook == Hook.PREROUTING) return "prerouting";
  if (hook == Hook.INPUT) return "input";
  if (hook == Hook.FORWARD) return "forward";
  return hook == Hook.OUTPUT ? "output" : "postrouting";
}

/** All of the language but rules (nft-text.ts). */
export abstract class NftTextObjects extends NftEncoding {
  protected family: u32 = IPV4;
  protected table: string = "";

  protected end(): void {
    lineEnds();
    newline();
  }

  /** `add chain ip kube-proxy ` */
  protected command(verb: u32, object: string): void {
    lit(verbText(verb));
    lit(object);
    this.tableName();
    byte(0x20);
  }

  protected tableName(): void {
    lit(this.family == IPV4 ? " ip " : " ip6 ");
    lit(this.table);
  }

  protected familyName(): void {
    lit(this.family == IPV4 ? "ip" : "ip6");
  }

  protected name(prefix: string, base: usize, length: usize): void {
    lit(prefix);
    put(base, length);
  }

  protected address(ip: usize): void {
    const to = outReserve(64);
    outAdvance(this.family == IPV4 ? formatIPv4(to, ip) : formatIPv6(to, ip));
  }

  protected cidr(ip: usize, prefix: u32): void {
    this.address(ip);
    byte(0x2f);
    decimal(prefix);
  }

  begin(table: string, family: u32): void {
    this.table = table;
    this.family = family;
  }

  beginMessage(type: u32, flags: u32): void {}

  separate(): void {}

  finish(): void {}

  addTable(comment: string): void {
    lit("add table");
    this.tableName();
    lit(' { comment "');
    lit(comment);
    lit('" ; }');
    this.end();
  }

  deleteTable(): void {
    lit("delete table");
    this.tableName();
    this.end();
  }

  addBaseChain(name: string, type: u32, hook: u32, priority: i32): void {
    this.command(Verb.ADD, "chain");
    lit(name);
    lit(type == ChainType.NAT ? " { type nat hook " : " { type filter hook ");
    lit(hookText(hook));
    lit(" priority ");
    if (priority < 0) byte(0x2d);
    decimal(<u32>abs(priority));
    lit(" ; }");
    this.end();
  }

  chain(verb: u32, prefix: string, base: usize, length: usize): void {
    this.command(verb, "chain");
    this.name(prefix, base, length);
    this.end();
  }

  addCommentedChain(name: string, comment: string): void {
    this.command(Verb.ADD, "chain");
    lit(name);
    lit(' { comment "');
    lit(comment);
    lit('" ; }');
    this.end();
  }

  counter(verb: u32, name: string): void {
    this.command(verb, "counter");
    lit(name);
    this.end();
  }

  protected addressType(): void {
    lit(this.family == IPV4 ? "ipv4_addr" : "ipv6_addr");
  }

  protected keyType(key: u32): void {
    if (key >= KeyType.ADDRESS_PORT_SLOT) {
      // A slot has no type of its own that nft could print, so it is said by the expression that makes it.
      lit("typeof ");
      if (key == KeyType.ADDRESS_PORT_SLOT) {
        this.familyName();
        lit(" daddr . ");
      }
      lit("meta l4proto . th dport . numgen random mod 65536");
      return;
    }
    lit("type ");
    if (key != KeyType.PORT) this.addressType();
    if (key == KeyType.HAIRPIN) {
      lit(" . ");
      this.addressType();
    }
    if (key == KeyType.PORT) lit("inet_proto . inet_service");
    else if (key != KeyType.ADDRESS) lit(" . inet_proto . inet_service");
  }

  addSet(name: string, key: u32, data: u32, comment: string): void {
    this.command(Verb.ADD, data == DataType.NONE ? "set" : "map");
    lit(name);
    lit(" { ");
    this.keyType(key);
    if (data == DataType.VERDICT) lit(" : verdict");
    if (data == DataType.ENDPOINT) {
      lit(" : ");
      this.familyName();
      lit(" daddr . th dport");
    }
    lit(' ; comment "');
    lit(comment);
    lit('" ; }');
    this.end();
  }

  addDynamicSet(prefix: string, base: usize, length: usize, timeoutSeconds: u32): void {
    this.command(Verb.ADD, "set");
    this.name(prefix, base, length);
    lit(" { type ");
    this.addressType();
    lit(" ; flags dynamic,timeout ; timeout ");
    decimal(timeoutSeconds);
    lit("s ; }");
    this.end();
  }

  addRangeSet(prefix: string, base: usize, length: usize): void {
    this.command(Verb.ADD, "set");
    this.name(prefix, base, length);
    lit(" { type ");
    this.addressType();
    lit(" ; flags interval ; }");
    this.end();
  }

  addSlotMap(prefix: string, base: usize, length: usize): void {
    this.command(Verb.ADD, "map");
    this.name(prefix, base, length);
    lit(" { typeof numgen random mod 65536 : ");
    this.familyName();
    lit(" daddr . th dport ; }");
    this.end();
  }

  set(verb: u32, data: u32, prefix: string, base: usize, length: usize): void {
    this.command(verb, data == DataType.NONE ? "set" : "map");
    this.name(prefix, base, length);
    this.end();
  }

  element(verb: u32, prefix: string, base: usize, length: usize): void {
    this.command(verb, "element");
    this.name(prefix, base, length);
    lit(" { ");
  }

  addressKey(ip: usize): void {
    this.address(ip);
  }

  addressPortKey(ip: usize, protocol: u32, port: u32): void {
    this.address(ip);
    lit(" . ");
    this.portKey(protocol, port);
  }

  portKey(protocol: u32, port: u32): void {
    lit(protocolName(protocol));
    lit(" . ");
    decimal(port);
  }

  hairpinKey(ip: usize, protocol: u32, port: u32): void {
    this.address(ip);
    lit(" . ");
    this.addressPortKey(ip, protocol, port);
  }

  addressPortSlotKey(ip: usize, protocol: u32, port: u32, slot: u32): void {
    this.addressPortKey(ip, protocol, port);
    lit(" . ");
    decimal(slot);
  }

  portSlotKey(protocol: u32, port: u32, slot: u32): void {
    this.portKey(protocol, port);
    lit(" . ");
    decimal(slot);
  }

  slotKey(slot: u32): void {
    decimal(slot);
  }

  rangeKey(first: usize, last: usize): void {
    this.address(first);
    if (memory.compare(first, last, 16) == 0) return;
    byte(0x2d);
    this.address(last);
  }

  elementComment(bytes: usize, length: usize): void {
    lit(' comment "');
    put(bytes, min<usize>(length, 128)); // nft takes no more
    byte(0x22);
  }

  gotoData(prefix: string, base: usize, length: usize): void {
    lit(" : goto ");
    this.name(prefix, base, length);
  }

  dropData(): void {
    lit(" : drop");
  }

  endpointData(ip: usize, port: u32): void {
    lit(" : ");
    this.address(ip);
    lit(" . ");
    decimal(port);
  }

  endElement(): void {
    lit(" }");
    this.end();
  }
}
