// What our rules need of the kernel, each feature as a few messages of a batch that is never committed.
import type { BatchWriter } from "../messages/batch-writer.ts";
import * as uapi from "../messages/uapi.ts";
import * as expressions from "./expressions.ts";

export interface Feature {
  /** Stable. */
  readonly id: string;
  /** In a few words, for people. */
  readonly what: string;
  /** Kernel options, any missing one of which makes it fail. */
  readonly config: readonly string[];
  /** Modules to load. */
  readonly modules: readonly string[];
  /** First kernel that has it, when it is not older than nf_tables' usual floor. */
  readonly since?: string;
  write(batch: BatchWriter, family: Family): void;
}

/** What differs between IPv4 and IPv6. */
export interface Family {
  readonly family: number;
  /** Bytes of an address. */
  readonly address: number;
  /** Offsets in the network header. */
  readonly source: number;
  readonly destination: number;
  /** Code of "port unreachable". */
  readonly portUnreachable: number;
}

export const IPV4: Family = { family: uapi.NFPROTO_IPV4, address: 4, source: 12, destination: 16, portUnreachable: 3 };
export const IPV6: Family = { family: uapi.NFPROTO_IPV6, address: 16, source: 8, destination: 24, portUnreachable: 4 };

const NETWORK = 1;
const TRANSPORT = 2;
const META_MARK = 3;
const META_L4PROTO = 16;
const CT_STATE = 0;
const CT_STATUS = 2;

/** Chains that features put rules into; the first feature makes them. */
const FILTER = "filter";
const PREROUTING = "nat-prerouting";
const POSTROUTING = "nat-postrouting";

/** Registers: destination address, then protocol, port and slot, as in the flat layout. */
const protocolRegister = ({ address }: Family): number => address / 4;
const serviceKey = (family: Family) => [
  expressions.payload(0, NETWORK, family.destination, family.address),
  expressions.meta(protocolRegister(family), META_L4PROTO),
  expressions.payload(protocolRegister(family) + 1, TRANSPORT, 2, 2),
];

export const TABLE: Feature = {
  id: "table",
  what: "nf_tables tables of this family, with chains",
  config: ["CONFIG_NF_TABLES", "CONFIG_NF_TABLES_IPV4", "CONFIG_NF_TABLES_IPV6"],
  modules: ["nf_tables"],
  write(batch) {
    batch.addTable();
    batch.addChain(FILTER, { type: "filter", hook: 2, priority: 0 });
    batch.addChain("target");
  },
};

/** In the order in which they are tried: later ones use the chains of earlier ones. */
export const FEATURES: readonly Feature[] = [
  {
    id: "nat-chains",
    what: "chains of type nat",
    config: ["CONFIG_NFT_NAT", "CONFIG_NF_NAT"],
    modules: ["nft_chain_nat", "nf_nat"],
    write(batch) {
      batch.addChain(PREROUTING, { type: "nat", hook: 0, priority: -100 });
      batch.addChain(POSTROUTING, { type: "nat", hook: 4, priority: 100 });
    },
  },
  {
    id: "set-userdata",
    what: "sets with user data (nft's types of keys)",
    config: ["CONFIG_NF_TABLES"],
    modules: ["nf_tables"],
    write(batch, family) {
      batch.addSet("userdata", { key: [family.address], userData: new Uint8Array([0, 4, 1, 0, 0, 0]) });
      batch.addElements("userdata", [{ key: new Uint8Array(family.address) }]);
    },
  },
  {
    id: "verdict-map",
    what: "verdict maps with address, protocol and port in their key",
    config: ["CONFIG_NF_TABLES"],
    modules: ["nf_tables"],
    write(batch, family) {
      batch.addSet("verdicts", { key: [family.address, 1, 2], data: "verdict" });
      batch.addElements("verdicts", [{ key: new Uint8Array(family.address + 8), data: { goto: "target" } }]);
      batch.addRule(FILTER, [...serviceKey(family), expressions.lookup("verdicts", 0, "verdict")]);
    },
  },
  {
    id: "payload",
    what: "reading addresses and ports from packets",
    config: ["CONFIG_NF_TABLES"],
    modules: ["nf_tables"],
    write(batch, family) {
      batch.addRule(FILTER, [
        expressions.payload(0, NETWORK, family.source, family.address),
        expressions.compare(0, 1, new Uint8Array(family.address)),
        expressions.payload(0, TRANSPORT, 0, 2),
      ]);
    },
  },
  {
    id: "meta",
    what: "the protocol and the mark of packets (meta l4proto, meta mark)",
    config: ["CONFIG_NF_TABLES"],
    modules: ["nf_tables"],
    write(batch) {
      batch.addRule(FILTER, [
        expressions.meta(0, META_L4PROTO),
        expressions.meta(1, META_MARK),
        expressions.bitwise(1, new Uint8Array([0xff, 0xbf, 0xff, 0xff]), new Uint8Array([0, 0x40, 0, 0])),
        expressions.setMeta(META_MARK, 1),
      ]);
    },
  },
  {
    id: "numgen",
    what: "random numbers (numgen random)",
    config: ["CONFIG_NFT_NUMGEN"],
    modules: ["nft_numgen"],
    write(batch) {
      batch.addRule(FILTER, [expressions.numgenRandom(0, 3)]);
    },
  },
  {
    id: "nat-map",
    what: "dnat to an address and a port from a map with protocol, port and number in its key",
    config: ["CONFIG_NFT_NAT", "CONFIG_NFT_NUMGEN"],
    modules: ["nft_nat", "nft_numgen"],
    write(batch, family) {
      const into = protocolRegister(family) + 2;
      batch.addSet("backends", { key: [family.address, 1, 2, 4], data: family.address + 4 });
      batch.addRule(PREROUTING, [
        ...serviceKey(family),
        expressions.numgenRandom(into, 2),
        expressions.lookup("backends", 0, into),
        expressions.dnat(family.family, into, into + family.address / 4),
      ]);
    },
  },
  {
    id: "masquerade",
    what: "masquerade fully-random",
    config: ["CONFIG_NFT_MASQ"],
    modules: ["nft_masq"],
    write(batch) {
      batch.addRule(POSTROUTING, [expressions.masqueradeFullyRandom()]);
    },
  },
  {
    id: "fib",
    what: "whether an address is local (fib daddr type)",
    config: ["CONFIG_NFT_FIB_IPV4", "CONFIG_NFT_FIB_IPV6"],
    modules: ["nft_fib_ipv4", "nft_fib_ipv6"],
    write(batch) {
      batch.addRule(PREROUTING, [expressions.fibAddressType(0, 2)]);
      batch.addRule(POSTROUTING, [expressions.fibAddressType(0, 1)]);
    },
  },
  {
    id: "dynset",
    what: "sets that packets fill, with a timeout (session affinity)",
    config: ["CONFIG_NF_TABLES"],
    modules: ["nf_tables", "nft_dynset"],
    write(batch, family) {
      const flags = uapi.NFT_SET_EVAL | uapi.NFT_SET_TIMEOUT;
      batch.addSet("affinity", { key: [family.address], flags, size: 65535, timeout: 10_800_000n });
      batch.addRule(PREROUTING, [
        expressions.payload(0, NETWORK, family.source, family.address),
        expressions.updateSet("affinity", 0, 10_800_000n),
      ]);
    },
  },
  {
    id: "reject",
    what: "reject with ICMP port unreachable",
    config: ["CONFIG_NFT_REJECT", "CONFIG_NFT_REJECT_IPV4", "CONFIG_NFT_REJECT_IPV6"],
    modules: ["nft_reject", "nft_reject_ipv4", "nft_reject_ipv6"],
    write(batch, family) {
      batch.addRule(FILTER, [expressions.reject(family.portUnreachable)]);
    },
  },
  {
    id: "conntrack",
    what: "the state and status of connections (ct state, ct status)",
    config: ["CONFIG_NFT_CT", "CONFIG_NF_CONNTRACK"],
    modules: ["nft_ct", "nf_conntrack"],
    write(batch) {
      batch.addRule(FILTER, [expressions.ct(0, CT_STATE), expressions.ct(1, CT_STATUS)]);
    },
  },
  {
    id: "interval-set",
    what: "sets of address ranges",
    config: ["CONFIG_NF_TABLES"],
    modules: ["nf_tables", "nft_set_rbtree"],
    write(batch, family) {
      batch.addSet("ranges", { key: [family.address], flags: uapi.NFT_SET_INTERVAL });
      const key = new Uint8Array(family.address);
      key[0] = 10;
      const end = new Uint8Array(family.address);
      end[0] = 11;
      batch.addElements("ranges", [{ key }, { key: end, flags: 1 }]);
      batch.addRule(FILTER, [
        expressions.payload(0, NETWORK, family.source, family.address),
        expressions.lookup("ranges", 0),
      ]);
    },
  },
  {
    id: "interval-concatenation",
    what: "sets of ranges together with addresses and ports",
    config: ["CONFIG_NF_TABLES"],
    modules: ["nf_tables"],
    since: "5.6",
    write(batch, family) {
      const flags = uapi.NFT_SET_INTERVAL | uapi.NFT_SET_CONCAT;
      batch.addSet("range-tuples", { key: [family.address, 1, 2, family.address], flags });
    },
  },
];
