// nft's command language, as `nft -f` reads it. Tokens and order are those that kube-proxy writes.
import { formatIPv4, formatIPv6 } from "../bytes/address";
import { Vector } from "../bytes/memory";
import { byte, decimal, hex32, lit, newline, outAdvance, outReserve, put } from "../bytes/out";
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

/** nft's `string`: a letter, _ or . and then letters, digits and - . _ too. */
function isBareWord(text: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) {
    const c = load<u8>(text + i);
    const letter = (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
    const digit = c >= 0x30 && c <= 0x39;
    if (!letter && c != 0x5f && c != 0x2e && (i == 0 || (!digit && c != 0x2d))) return false;
  }
  return true;
}

export class NftText extends NftEncoding {
  private family: u32 = IPV4;
  private table: string = "";
  /** Slots written of the current choice. */
  private choices: u32 = 0;

  private end(): void {
    lineEnds();
    newline();
  }

  /** `add chain ip kube-proxy ` */
  private command(verb: u32, object: string): void {
    lit(verbText(verb));
    lit(object);
    this.tableName();
    byte(0x20);
  }

  private tableName(): void {
    lit(this.family == IPV4 ? " ip " : " ip6 ");
    lit(this.table);
  }

  private familyName(): void {
    lit(this.family == IPV4 ? "ip" : "ip6");
  }

  private name(prefix: string, base: usize, length: usize): void {
    lit(prefix);
    put(base, length);
  }

  private address(ip: usize): void {
    const to = outReserve(64);
    outAdvance(this.family == IPV4 ? formatIPv4(to, ip) : formatIPv6(to, ip));
  }

  private cidr(ip: usize, prefix: u32): void {
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

  private addressType(): void {
    lit(this.family == IPV4 ? "ipv4_addr" : "ipv6_addr");
  }

  private keyType(key: u32): void {
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

  rule(prefix: string, base: usize, length: usize): void {
    lit("add rule");
    this.tableName();
    byte(0x20);
    this.name(prefix, base, length);
  }

  endRule(): void {
    this.end();
  }

  comment(text: string): void {
    lit(' comment "');
    lit(text);
    byte(0x22);
  }

  ctStateNew(): void {
    lit(" ct state new");
  }

  ctStatusDNAT(): void {
    lit(" ct status dnat");
  }

  jump(chain: string): void {
    lit(" jump ");
    lit(chain);
  }

  goto(prefix: string, base: usize, length: usize): void {
    lit(" goto ");
    this.name(prefix, base, length);
  }

  accept(): void {
    lit(" accept");
  }

  drop(): void {
    lit(" drop");
  }

  countIn(counter: string): void {
    lit(' counter name "');
    lit(counter);
    byte(0x22);
  }

  reject(): void {
    lit(" reject");
  }

  rejectTCP(): void {
    lit(" reject with tcp reset");
  }

  markHas(mark: u32): void {
    lit(" mark and ");
    hex32(mark);
    lit(" != 0");
  }

  markXor(mark: u32): void {
    lit(" mark set mark xor ");
    hex32(mark);
  }

  markOr(mark: u32): void {
    lit(" mark set mark or ");
    hex32(mark);
  }

  masquerade(): void {
    lit(" masquerade fully-random");
  }

  /** ` ip daddr` */
  private field(source: bool): void {
    byte(0x20);
    this.familyName();
    lit(source ? " saddr" : " daddr");
  }

  matchConnection(set: string): void {
    this.field(true);
    lit(" .");
    this.field(false);
    lit(" . meta l4proto . th dport @");
    lit(set);
  }

  matchAddress(source: bool, not: bool, prefix: string, base: usize, length: usize): void {
    this.field(source);
    lit(not ? " != @" : " @");
    this.name(prefix, base, length);
  }

  addressVerdict(map: string): void {
    this.field(false);
    lit(" . meta l4proto . th dport vmap @");
    lit(map);
  }

  portVerdict(map: string): void {
    lit(" meta l4proto . th dport vmap @");
    lit(map);
  }

  matchLoopback(not: bool): void {
    this.field(false);
    lit(not ? " != " : " ");
    lit(this.family == IPV4 ? "127.0.0.0/8" : "::1");
  }

  isLocal(source: bool): void {
    lit(source ? " fib saddr type local" : " fib daddr type local");
  }

  matchCIDR(source: bool, not: bool, ip: usize, prefix: u32): void {
    this.field(source);
    lit(not ? " != " : " ");
    this.cidr(ip, prefix);
  }

  matchInterface(not: bool, isPrefix: bool, name: usize, length: usize): void {
    lit(not ? " iifname != " : " iifname ");
    // nft reads a bare name as a word of its own where it is one, and not all names as one word.
    const bare = isPrefix && isBareWord(name, length);
    if (!bare) byte(0x22);
    put(name, length);
    if (isPrefix) byte(0x2a);
    if (!bare) byte(0x22);
  }

  matchCIDRs(source: bool, not: bool, cidrs: Vector, tight: bool): void {
    this.field(source);
    lit(not ? " != { " : " { ");
    const bits: u32 = this.family == IPV4 ? 32 : 128;
    for (let i: u32 = 0; i < cidrs.length; i++) {
      const at = <usize>cidrs.get(i);
      if (i != 0) lit(tight ? "," : " , ");
      // kube-proxy writes CIDRs as CIDRs, and single addresses (VIPs) without a prefix length.
      if (load<u32>(at, 16) > bits) this.address(at);
      else this.cidr(at, load<u32>(at, 16));
    }
    lit(" }");
  }

  protocolIs(protocol: u32): void {
    lit(" meta l4proto ");
    lit(protocolName(protocol));
  }

  dnatTo(ip: usize, port: u32): void {
    lit(this.family == IPV4 ? " dnat to " : " dnat to [");
    this.address(ip);
    lit(this.family == IPV4 ? ":" : "]:");
    decimal(port);
  }

  dnatToChoice(count: u32): void {
    lit(" dnat ");
    this.familyName();
    lit(" addr . port to numgen random mod ");
    decimal(count);
    lit(" map {");
    this.choices = 0;
  }

  gotoChoice(count: u32): void {
    lit(" numgen random mod ");
    decimal(count);
    lit(" vmap {");
    this.choices = 0;
  }

  private slot(slot: u32): void {
    lit(this.choices++ == 0 ? " " : " , ");
    decimal(slot);
    lit(" : ");
  }

  choice(slot: u32, ip: usize, port: u32): void {
    this.slot(slot);
    this.address(ip);
    lit(" . ");
    decimal(port);
  }

  choiceGoto(slot: u32, prefix: string, base: usize, length: usize): void {
    this.slot(slot);
    lit("goto ");
    this.name(prefix, base, length);
  }

  endChoice(): void {
    lit(" }");
  }

  updateSet(prefix: string, base: usize, length: usize): void {
    lit(" update @");
    this.name(prefix, base, length);
    lit(" {");
    this.field(true);
    lit(" }");
  }

  dnatToSlot(map: string, byPort: bool, count: u32): void {
    lit(this.family == IPV4 ? " dnat ip to" : " dnat ip6 to");
    if (!byPort) {
      this.field(false);
      lit(" .");
    }
    lit(" meta l4proto . th dport . numgen random mod ");
    decimal(count);
    lit(" map @");
    lit(map);
  }

  dnatToOwnSlot(prefix: string, base: usize, length: usize, count: u32): void {
    lit(this.family == IPV4 ? " dnat ip to numgen random mod " : " dnat ip6 to numgen random mod ");
    decimal(count);
    lit(" map @");
    this.name(prefix, base, length);
  }
}
