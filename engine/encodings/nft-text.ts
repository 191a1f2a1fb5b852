// Rules in nft's command language, as `nft -f` reads it. Tokens and order are those that kube-proxy writes.
import { Vector } from "../bytes/memory";
import { byte, decimal, hex32, lit, put } from "../bytes/out";
import { IPV4, protocolName } from "../bytes/protocols";
import { NftTextObjects } from "./nft-text-objects";

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

export class NftText extends NftTextObjects {
  /** Slots written of the current choice. */
  private choices: u32 = 0;

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
