// Reads a table of legacy iptables (x_tables) by the same getsockopt calls as iptables itself (linux/netfilter_ipv4/ip_tables.h,
// ip6_tables.h). No command is needed, and CAP_NET_ADMIN is enough.
import type { Family } from "../../../shared/contract.ts";
import { viewOf } from "../../netlink/messages/attributes.ts";
import { EAGAIN } from "../../netlink/messages/errno.ts";
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM } from "../../netlink/messages/uapi.ts";
import { type Libc, loadLibc } from "../../netlink/sockets/libc.ts";
import { readIfThere } from "./read-if-there.ts";

/** Of struct ipt_entry and ip6t_entry: what stands before its matches, and where it says how long it is. */
const LAYOUTS = {
  ipv4: { domain: AF_INET, level: 0, names: "/proc/net/ip_tables_names", entry: 112, targetOffset: 88 },
  ipv6: { domain: AF_INET6, level: 41, names: "/proc/net/ip6_tables_names", entry: 168, targetOffset: 140 },
} as const;

const SO_GET_INFO = 64;
const SO_GET_ENTRIES = 65;
const TABLE_NAME = 32;
/** struct ipt_getinfo: name, valid hooks, five hook entries, five underflows, number of entries, size. */
const GETINFO = { length: 84, hooks: 32, entries: 36, underflow: 56, size: 80 } as const;
/** struct ipt_get_entries: name, size, then the entries, aligned to 8. */
const ENTRIES = 40;
/** struct xt_entry_target and xt_entry_match: u16 size, name, u8 revision; then what it knows itself. */
const EXTENSION = { name: 2, data: 32 } as const;
const HOOKS = { PREROUTING: 0, INPUT: 1, FORWARD: 2, OUTPUT: 3, POSTROUTING: 4 } as const;
/** A standard target's verdict: -NF_DROP - 1. */
const DROP = -1;
/** The target of an entry that begins somebody's chain, and has its name; of the last one, too. */
const BEGINNING = nameBytes("ERROR");
/** The table may have grown between the two calls. */
const ATTEMPTS = 5;

export interface LegacyExtension {
  /** "MARK", "mark", "conntrack". */
  readonly name: string;
  /** Without its header. */
  readonly data: Uint8Array;
}

export interface LegacyRule {
  /** "PREROUTING", or one that somebody has made. */
  readonly chain: string;
  /** Its matches and its target, as far as they are wanted. Read as they are asked for. */
  extensions(): Generator<LegacyExtension>;
}

export interface LegacyTable {
  /** The policy of a built-in chain. */
  dropsByDefault(chain: keyof typeof HOOKS): boolean;
  /** In order, one at a time: there may be hundreds of thousands. `wanted`: names of the extensions that they tell. */
  rules(wanted: readonly string[]): Generator<LegacyRule>;
}

/**
 * Undefined: the table does not exist, or may not be read. It is not asked for before it exists, because that would make it. The
 * kernel's copy, 150 ms for 65,000 rules, is made on another thread.
 */
export async function readLegacyTable(family: Family, name: string, libc?: Libc): Promise<LegacyTable | undefined> {
  const { domain, level, names, entry, targetOffset } = LAYOUTS[family];
  if (!(readIfThere(names) ?? "").split("\n").includes(name)) return undefined;
  const read = await readEntries(libc ?? loadLibc(), domain, level, name);
  if (read === undefined) return undefined;
  const { info, entries } = read;
  const view = viewOf(entries);
  const targetAt = (at: number) => at + view.getUint16(at + targetOffset, true);
  const dataAt = (at: number) => entries.subarray(at + EXTENSION.data, at + view.getUint16(at, true));
  const isNamed = (at: number, bytes: Uint8Array) =>
    bytes.every((byte, index) => entries[at + EXTENSION.name + index] === byte);
  return {
    dropsByDefault(chain) {
      const at = viewOf(info).getUint32(GETINFO.underflow + 4 * HOOKS[chain], true);
      return at + entry <= entries.length && view.getInt32(targetAt(at) + EXTENSION.data, true) === DROP;
    },
    *rules(wanted) {
      const names = wanted.map((name) => ({ name, bytes: nameBytes(name) }));
      function* extensions(at: number, last: number): Generator<LegacyExtension> {
        for (; at <= last; at += Math.max(EXTENSION.data, view.getUint16(at, true))) {
          const found = names.find(({ bytes }) => isNamed(at, bytes));
          if (found !== undefined) yield { name: found.name, data: dataAt(at) };
        }
      }
      const builtIn = builtInChains(info);
      let chain = "";
      for (let at = 0; at + entry <= entries.length; ) {
        const target = targetAt(at);
        if (isNamed(target, BEGINNING)) {
          chain = textOf(dataAt(target));
        } else {
          chain = builtIn.get(at) ?? chain;
          const first = at + entry;
          yield { chain, extensions: () => extensions(first, target) };
        }
        at += Math.max(entry, view.getUint16(at + targetOffset + 2, true));
      }
    },
  };
}

/** By where they begin. */
function builtInChains(info: Uint8Array): Map<number, string> {
  const view = viewOf(info);
  const hooks = view.getUint32(GETINFO.hooks, true);
  const valid = Object.entries(HOOKS).filter(([, hook]) => ((hooks >>> hook) & 1) === 1);
  return new Map(valid.map(([name, hook]) => [view.getUint32(GETINFO.entries + 4 * hook, true), name]));
}

/** With the zero at its end. */
function nameBytes(name: string): Uint8Array {
  return new TextEncoder().encode(`${name}\0`);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

async function readEntries(
  libc: Libc,
  domain: number,
  level: number,
  table: string,
): Promise<{ info: Uint8Array; entries: Uint8Array } | undefined> {
  const fd = libc.socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const info = named(table, GETINFO.length);
      if (libc.getsockopt(fd, level, SO_GET_INFO, info) < 0) return undefined;
      const size = viewOf(info).getUint32(GETINFO.size, true);
      const answer = named(table, ENTRIES + size);
      viewOf(answer).setUint32(TABLE_NAME, size, true);
      const result = await libc.getsockoptOnThread(fd, level, SO_GET_ENTRIES, answer);
      if (result >= 0) return { info, entries: answer.subarray(ENTRIES) };
      if (result !== -EAGAIN) return undefined;
    }
    return undefined;
  } finally {
    void libc.closeOnThread(fd);
  }
}

function named(table: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(new TextEncoder().encode(table).subarray(0, TABLE_NAME - 1));
  return bytes;
}
