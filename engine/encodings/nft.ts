// nft's command language, as `nft -f` reads it. Tokens and order are those that kube-proxy writes (nftables.md §2).
import { formatIPv4, formatIPv6 } from "../bytes/address";
import { byte, decimal, lit, newline, outAdvance, outReserve, put } from "../bytes/out";
import { IPV4, IPV6, Protocol } from "../cluster/records";
import { lineEnds } from "./owners";

let family: u32 = IPV4;

/** Selects the table (`ip` or `ip6`) that commands are about. */
export function nftFamily(selected: u32): void {
  family = selected;
}

/** Ends a command. */
export function end(): void {
  lineEnds();
  newline();
}

/** `add chain ip kube-proxy ` */
export function command(verb: string): void {
  lit(verb);
  lit(family == IPV4 ? " ip kube-proxy " : " ip6 kube-proxy ");
}

/** `ip` or `ip6` */
export function familyName(): void {
  lit(family == IPV4 ? "ip" : "ip6");
}

/** `ipv4_addr` or `ipv6_addr` */
export function addressType(): void {
  lit(family == IPV4 ? "ipv4_addr" : "ipv6_addr");
}

/** Adds the table. */
export function addTable(comment: string): void {
  lit(family == IPV4 ? 'add table ip kube-proxy { comment "' : 'add table ip6 kube-proxy { comment "');
  lit(comment);
  lit('" ; }');
  end();
}

/** A name: `prefix`, then the bytes (length 0: none). */
export function name(prefix: string, base: usize, length: usize): void {
  lit(prefix);
  put(base, length);
}

export function chainCommand(verb: string, prefix: string, base: usize, length: usize): void {
  command(verb);
  name(prefix, base, length);
  end();
}

/** Adds a chain if it is not there, and empties it. */
export function freshChain(prefix: string, base: usize, length: usize): void {
  chainCommand("add chain", prefix, base, length);
  chainCommand("flush chain", prefix, base, length);
}

/** `add rule ip kube-proxy CHAIN ` */
export function addRule(prefix: string, base: usize, length: usize): void {
  command("add rule");
  name(prefix, base, length);
  byte(0x20);
}

/** A rule of a chain, of which nothing is variable but `IP`: the family's `ip` or `ip6`. */
export function fixedRule(chain: string, before: string, after: string): void {
  addRule(chain, 0, 0);
  lit(before);
  if (after.length != 0) {
    familyName();
    lit(after);
  }
  end();
}

const HEX: string = "0123456789abcdef";

/** `0x` and eight digits */
export function hex32(value: u32): void {
  lit("0x");
  for (let shift: i32 = 28; shift >= 0; shift -= 4) byte(<u8>HEX.charCodeAt(<i32>((value >> shift) & 15)));
}

export function protocol(number: u32): void {
  lit(number == Protocol.TCP ? "tcp" : number == Protocol.UDP ? "udp" : "sctp");
}

/** An address of the selected family, from its bytes. */
export function address(ip: usize): void {
  const to = outReserve(64);
  outAdvance(family == IPV6 ? formatIPv6(to, ip) : formatIPv4(to, ip));
}

/** `ADDRESS . PROTOCOL . PORT` */
export function addressKey(ip: usize, number: u32, port: u32): void {
  address(ip);
  lit(" . ");
  portKey(number, port);
}

/** `PROTOCOL . PORT` */
export function portKey(number: u32, port: u32): void {
  protocol(number);
  lit(" . ");
  decimal(port);
}

/** `add element ip kube-proxy CONTAINER { ` */
export function element(verb: string, container: string): void {
  command(verb);
  lit(container);
  lit(" { ");
}

/** ` }` */
export function endElement(): void {
  lit(" }");
  end();
}

/** ` comment "TEXT"`, cut to the 128 bytes that nft takes. */
export function elementComment(text: usize, length: usize): void {
  lit(' comment "');
  put(text, min<usize>(length, 128));
  byte(0x22);
}
