// The small interface through which nftables layouts are written: tables, chains, rules, sets, maps and elements, in
// nft's own terms. Layouts know no syntax; encodings know no Services. Implementations: NftText, NftNetlink.
//
// A name is a literal `prefix` followed by `length` bytes at `base` (0: none). Addresses are sixteen bytes, IPv4 in the
// first four. A rule is begun, its expressions are given in order, and it is ended; so is an element.
import { Vector } from "../bytes/memory";

export namespace Verb {
  export const ADD: u32 = 0;
  export const FLUSH: u32 = 1;
  export const DELETE: u32 = 2;
}

export namespace ChainType {
  export const FILTER: u32 = 0;
  export const NAT: u32 = 1;
}

/** Netfilter's hooks, by their numbers. */
export namespace Hook {
  export const PREROUTING: u32 = 0;
  export const INPUT: u32 = 1;
  export const FORWARD: u32 = 2;
  export const OUTPUT: u32 = 3;
  export const POSTROUTING: u32 = 4;
}

/** What a set's or map's key is made of. */
export namespace KeyType {
  export const ADDRESS: u32 = 0;
  /** address . protocol . port */
  export const ADDRESS_PORT: u32 = 1;
  /** protocol . port */
  export const PORT: u32 = 2;
  /** address . address . protocol . port */
  export const HAIRPIN: u32 = 3;
  /** address . protocol . port . slot */
  export const ADDRESS_PORT_SLOT: u32 = 4;
  /** protocol . port . slot */
  export const PORT_SLOT: u32 = 5;
}

/** What a map maps to. */
export namespace DataType {
  /** nothing: a set */
  export const NONE: u32 = 0;
  export const VERDICT: u32 = 1;
  /** address . port */
  export const ENDPOINT: u32 = 2;
}

export abstract class NftEncoding {
  /** Selects table and family for all that follows. */
  abstract begin(table: string, family: u32): void;
  /** Netlink: begins a message that names the table and is put together elsewhere (encodings/netlink-message.ts). */
  abstract beginMessage(type: u32, flags: u32): void;
  /** Netlink: what follows goes into messages of its own. */
  abstract separate(): void;
  /** Ends what `begin` began: nothing may be held back after it. */
  abstract finish(): void;

  abstract addTable(comment: string): void;
  abstract deleteTable(): void;
  abstract addBaseChain(name: string, type: u32, hook: u32, priority: i32): void;
  abstract chain(verb: u32, prefix: string, base: usize, length: usize): void;
  abstract addCommentedChain(name: string, comment: string): void;
  /** A counter with a name, for rules to count in. */
  abstract counter(verb: u32, name: string): void;

  /** Adds a set or map with a fixed name. */
  abstract addSet(name: string, key: u32, data: u32, comment: string): void;
  /** Adds a set of addresses whose elements rules add, and that expire. */
  abstract addDynamicSet(prefix: string, base: usize, length: usize, timeoutSeconds: u32): void;
  /** Adds a set of address ranges with a name of its own. */
  abstract addRangeSet(prefix: string, base: usize, length: usize): void;
  /** Adds a map from slots to endpoints with a name of its own. */
  abstract addSlotMap(prefix: string, base: usize, length: usize): void;
  /** Flushes or deletes a set or map. `data`: what it maps to, since text says `set` or `map`. */
  abstract set(verb: u32, data: u32, prefix: string, base: usize, length: usize): void;

  /** Begins an element of a set or map. */
  abstract element(verb: u32, prefix: string, base: usize, length: usize): void;
  abstract addressKey(ip: usize): void;
  abstract addressPortKey(ip: usize, protocol: u32, port: u32): void;
  abstract portKey(protocol: u32, port: u32): void;
  abstract hairpinKey(ip: usize, protocol: u32, port: u32): void;
  abstract addressPortSlotKey(ip: usize, protocol: u32, port: u32, slot: u32): void;
  abstract portSlotKey(protocol: u32, port: u32, slot: u32): void;
  /** A slot alone, for maps of `addSlotMap`. */
  abstract slotKey(slot: u32): void;
  /** The addresses from `first` to `last`, for sets of ranges. */
  abstract rangeKey(first: usize, last: usize): void;
  abstract elementComment(bytes: usize, length: usize): void;
  abstract gotoData(prefix: string, base: usize, length: usize): void;
  abstract dropData(): void;
  abstract endpointData(ip: usize, port: u32): void;
  abstract endElement(): void;

  abstract rule(prefix: string, base: usize, length: usize): void;
  abstract endRule(): void;
  abstract comment(text: string): void;

  abstract ctStateNew(): void;
  abstract ctStatusDNAT(): void;
  abstract jump(chain: string): void;
  abstract goto(prefix: string, base: usize, length: usize): void;
  abstract accept(): void;
  abstract drop(): void;
  /** Counts the packet in a counter of the table. */
  abstract countIn(counter: string): void;
  /** Answers with an ICMP error. */
  abstract reject(): void;
  /** Answers with a TCP reset. The rule matches TCP before, and before it counts: nft would read its own listing so. */
  abstract rejectTCP(): void;
  /** The mark has the bit. */
  abstract markHas(mark: u32): void;
  abstract markXor(mark: u32): void;
  abstract markOr(mark: u32): void;
  abstract masquerade(): void;
  /** source . destination . protocol . port is in the set. */
  abstract matchConnection(set: string): void;
  /** The source or destination address is (not) in the set. */
  abstract matchAddress(source: bool, not: bool, prefix: string, base: usize, length: usize): void;
  /** destination . protocol . port decides. */
  abstract addressVerdict(map: string): void;
  /** protocol . port decides. */
  abstract portVerdict(map: string): void;
  /** The destination is a loopback address (127.0.0.0/8, ::1), or with `not` none. */
  abstract matchLoopback(not: bool): void;
  /** The source or destination is an address of this machine. */
  abstract isLocal(source: bool): void;
  abstract matchCIDR(source: bool, not: bool, ip: usize, prefix: u32): void;
  /** The incoming interface is (not) the one of that name, or one whose name begins so. */
  abstract matchInterface(not: bool, isPrefix: bool, name: usize, length: usize): void;
  /** The address is (not) in one of the CIDRs (addresses of sixteen bytes and a prefix length). `tight`: kube-proxy joins some lists without blanks. */
  abstract matchCIDRs(source: bool, not: bool, cidrs: Vector, tight: bool): void;
  abstract protocolIs(protocol: u32): void;
  abstract dnatTo(ip: usize, port: u32): void;
  /** DNAT to a choice among `count` endpoints, each given by `choice`, in the order of slots. */
  abstract dnatToChoice(count: u32): void;
  /** A verdict by choice among `count` chains, each given by `choiceGoto`. */
  abstract gotoChoice(count: u32): void;
  abstract choice(slot: u32, ip: usize, port: u32): void;
  abstract choiceGoto(slot: u32, prefix: string, base: usize, length: usize): void;
  abstract endChoice(): void;
  /** The source address is put into the set, or kept there for its timeout from now. */
  abstract updateSet(prefix: string, base: usize, length: usize): void;
  /** DNAT to what the map has for (destination .) protocol . port . slot, with a random slot below `count`. */
  abstract dnatToSlot(map: string, byPort: bool, count: u32): void;
  /** DNAT to what a map of `addSlotMap` has for a random slot below `count`. The rule matches a protocol before. */
  abstract dnatToOwnSlot(prefix: string, base: usize, length: usize, count: u32): void;
}
