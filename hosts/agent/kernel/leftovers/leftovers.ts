// What kube-proxy, or another mode of ours, has left in the kernel: found, named for logs and /healthz, and removed.
//
// Order: the new mode's rules first, then the leftovers go. Both together do no harm:
//  - Of the nat chains on one hook the first that translates a packet wins. The kernel asks the newest table first: ours.
//  - Filters see the translated packet, so they no longer match service addresses.
//  - Both mark with the same bit, and whoever masquerades first clears it.
// Old rules that reject or drop before the translation may be out of date, for as long as they stay. Connections keep their
// translation in conntrack when the rules go.

import type { Family, Mode } from "../../../shared/contract.ts";
import { FAMILIES } from "../../../shared/families.ts";
import { plural } from "../../../shared/plural.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import type { IptablesTools, IptablesVariant } from "../commands/iptables-tools.ts";
import { commandRunner } from "../commands/run-command.ts";
import { listChains, listTables } from "../listing/nft-listing.ts";
import { readIfThere } from "../listing/read-if-there.ts";
import type { KeptChain } from "../removal/chain-removal.ts";
import { isIpvsChain, isKubeProxyChain, isXTable, type XTable } from "../removal/kube-proxy-chains.ts";
import { deleteLegacyChains, legacyTables, removeLegacyChains, saveLegacyTable } from "../removal/legacy-removal.ts";
import { deleteChains, removeChains, removeTable } from "../removal/nft-removal.ts";
import { findIpvs, type IpvsHost, removeIpsets, removeIpvsServers } from "./ipvs-leftovers.ts";
import { findStaleChains } from "./stale-chains.ts";

export type Leftover =
  /** kube-proxy's table of mode nftables (any layout), or ours of mode flat. */
  | { readonly kind: "nft-table"; readonly family: Family; readonly table: string; readonly text: string }
  /** kube-proxy's chains in one iptables table, and the jumps to them. */
  | {
      readonly kind: "iptables-chains";
      readonly family: Family;
      readonly table: XTable;
      readonly variant: IptablesVariant;
      readonly chains: readonly string[];
      readonly text: string;
    }
  /** Chains of mode iptables that nothing leads to, in the variant that we write. */
  | {
      readonly kind: "stale-chains";
      readonly family: Family;
      readonly variant: IptablesVariant;
      readonly chains: readonly string[];
      readonly text: string;
    }
  /**
   * kube-proxy's filter chain KUBE-FORWARD, if the policy of the host's FORWARD chain is DROP. Connections to pods may depend on
   * it, so it stays until somebody else accepts them.
   */
  | {
      readonly kind: "forward-chain";
      readonly family: Family;
      readonly variant: IptablesVariant;
      readonly text: string;
    }
  | { readonly kind: "ipvs"; readonly sets: readonly string[]; readonly interface: boolean; readonly text: string };

export interface FoundLeftovers {
  readonly leftovers: readonly Leftover[];
  /** What could not be looked at, and why. */
  readonly problems: readonly string[];
}

export interface RemovalReport {
  /** Texts of what is gone. */
  readonly removed: readonly string[];
  /** What stays, and why; each in one line. */
  readonly kept: readonly string[];
  readonly failed: readonly { readonly leftover: Leftover; readonly message: string }[];
}

export interface LeftoverOptions {
  /** Of mode iptables: the writer's. Chains of the other variant are leftovers, and stale ones of this. */
  readonly tools?: IptablesTools;
  readonly host?: IpvsHost;
  /** Of mode iptables: which chains of nat Services have, though perhaps nothing leads to them; none if left out. */
  readonly chainsInUse?: (family: Family, names: readonly string[]) => readonly boolean[];
}

const IP: Readonly<Record<Family, string>> = { ipv4: "ip", ipv6: "ip6" };
const KUBE_PROXY_TABLE = "kube-proxy";
const OUR_TABLE = "sluice";

/**
 * @param mode the running mode, whose own rules are no leftovers; "none": everything that any mode writes. Ask when its
 *   first rules are in place.
 */
export async function findLeftovers(mode: Mode | "none", options: LeftoverOptions = {}): Promise<FoundLeftovers> {
  const host = options.host ?? thisIpvsHost();
  const leftovers: Leftover[] = [];
  const problems: string[] = [];
  const attempt = async (what: string, work: () => Promise<Leftover[]>): Promise<void> => {
    try {
      leftovers.push(...(await work()));
    } catch (error) {
      problems.push(`${what} could not be looked at: ${(error as Error).message}`);
    }
  };
  await attempt("tables and chains of nf_tables", () => findInNfTables(mode, options.tools));
  for (const family of FAMILIES) {
    await attempt(`legacy ${IP[family]}tables`, () => findInLegacy(host, family, mode, options.tools));
    const { tools } = options;
    if (mode !== "iptables" || tools === undefined || tools.unusable[family] !== undefined) continue;
    await attempt(`stale chains of ${tools.commands[family].iptables}`, async () => {
      const unreached = await findStaleChains(host.run, tools.variant, family);
      const inUse = options.chainsInUse?.(family, unreached) ?? [];
      const chains = unreached.filter((_, index) => inUse[index] !== true);
      const { variant } = tools;
      const text = `${plural(chains.length, "chain")} of ${IP[family]} nat (iptables, ${variant}) that nothing leads to`;
      return chains.length === 0 ? [] : [{ kind: "stale-chains", family, variant, chains, text }];
    });
  }
  await attempt("IPVS", async () => {
    const found = await findIpvs(host);
    if (!found.interface && found.sets.length === 0) return [];
    const text = `kube-proxy's mode ipvs: ${found.interface ? "interface kube-ipvs0 and virtual servers, " : ""}${plural(found.sets.length, "ipset")}`;
    return [{ kind: "ipvs", ...found, text }];
  });
  return { leftovers, problems };
}

/** No kube-proxy writes it. */
export function isOursAlone(leftover: Leftover): boolean {
  return leftover.kind === "nft-table" && leftover.table === OUR_TABLE;
}

async function findInNfTables(mode: Mode | "none", tools: IptablesTools | undefined): Promise<Leftover[]> {
  const socket = NetlinkSocket.open();
  try {
    const found: Leftover[] = [];
    for (const { family, name } of await listTables(socket)) {
      const unwanted = (name === KUBE_PROXY_TABLE && mode !== "nftables") || (name === OUR_TABLE && mode !== "flat");
      if (unwanted)
        found.push({ kind: "nft-table", family, table: name, text: `nftables table ${IP[family]} ${name}` });
    }
    const names = new Map<string, string[]>();
    const drops = new Set<string>();
    for (const { family, table, name, base, dropsByDefault } of await listChains(socket)) {
      if (!isXTable(table)) continue;
      const key = `${family} ${table}`;
      if (base) {
        if (name === "FORWARD" && dropsByDefault) drops.add(key);
        continue;
      }
      const known = names.get(key);
      if (known === undefined) names.set(key, [name]);
      else known.push(name);
    }
    for (const [key, chains] of names) {
      const [family, table] = key.split(" ") as [Family, XTable];
      found.push(...chainLeftovers(family, table, "nf_tables", chains, drops.has(key), mode, tools));
    }
    return found;
  } finally {
    await socket.close();
  }
}

async function findInLegacy(
  host: IpvsHost,
  family: Family,
  mode: Mode | "none",
  tools: IptablesTools | undefined,
): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const table of legacyTables(family)) {
    const { chains } = await saveLegacyTable(host.run, family, table);
    const names = [...chains].filter(([, policy]) => policy === "-").map(([name]) => name);
    const drops = chains.get("FORWARD") === "DROP";
    found.push(...chainLeftovers(family, table, "legacy", names, drops, mode, tools));
  }
  return found;
}

/** Of the user-defined chains of one table. `drops`: its chain FORWARD has policy DROP. */
function chainLeftovers(
  family: Family,
  table: XTable,
  variant: IptablesVariant,
  names: readonly string[],
  drops: boolean,
  mode: Mode | "none",
  tools: IptablesTools | undefined,
): Leftover[] {
  // Which variant is ours is unknown without tools: then none of it is touched.
  const ours = mode === "iptables" && (tools === undefined || tools.variant === variant);
  const unwanted = names.filter((name) => isIpvsChain(table, name) || (!ours && isKubeProxyChain(table, name)));
  const forward = mode !== "none" && !ours && table === "filter" && drops && unwanted.includes(FORWARD_CHAIN);
  const chains = forward ? unwanted.filter((name) => name !== FORWARD_CHAIN) : unwanted;
  const found: Leftover[] = [];
  if (chains.length > 0) {
    const text = `${plural(chains.length, "chain")} of kube-proxy in ${IP[family]} ${table} (iptables, ${variant})`;
    found.push({ kind: "iptables-chains", family, table, variant, chains, text });
  }
  if (forward) {
    const text = `chain ${FORWARD_CHAIN} of ${IP[family]} filter (iptables, ${variant}) stays: the policy of FORWARD is DROP, and this chain accepts what Services need; when the network plugin or a rule of yours accepts pods' traffic, delete its jump and the chain`;
    found.push({ kind: "forward-chain", family, variant, text });
  }
  return found;
}

const FORWARD_CHAIN = "KUBE-FORWARD";

/** Removes what was found, as far as it can; what fails does not stop the rest. */
export async function removeLeftovers(
  leftovers: readonly Leftover[],
  options: LeftoverOptions = {},
): Promise<RemovalReport> {
  const host = options.host ?? thisIpvsHost();
  const removed: string[] = [];
  const kept: string[] = [];
  const failed: { leftover: Leftover; message: string }[] = [];
  for (const leftover of inOrder(leftovers)) {
    try {
      if (leftover.kind === "forward-chain") {
        kept.push(leftover.text);
        continue;
      }
      const stays = await removeOne(host, leftover);
      for (const { chain, usedBy } of stays) kept.push(`chain ${chain} stays: a rule of chain ${usedBy} leads to it`);
      if (stays.length === 0) removed.push(leftover.text);
      else if (stays.length < chainsOf(leftover)) removed.push(`${leftover.text}, all but ${stays.length}`);
    } catch (error) {
      failed.push({ leftover, message: `${leftover.text}: ${(error as Error).message}` });
    }
  }
  return { removed, kept, failed };
}

function chainsOf(leftover: Leftover): number {
  return "chains" in leftover ? leftover.chains.length : 0;
}

/** ipsets can go only when no rule names them. */
function inOrder(leftovers: readonly Leftover[]): Leftover[] {
  return [...leftovers.filter(({ kind }) => kind !== "ipvs"), ...leftovers.filter(({ kind }) => kind === "ipvs")];
}

async function removeOne(host: IpvsHost, leftover: Exclude<Leftover, { kind: "forward-chain" }>) {
  const none: readonly KeptChain[] = [];
  switch (leftover.kind) {
    case "nft-table":
      await withSocket((socket) => removeTable(socket, { family: leftover.family, name: leftover.table }));
      return none;
    case "iptables-chains": {
      const { family, table, variant } = leftover;
      const chains = new Set(leftover.chains);
      const unwanted = (name: string) => chains.has(name);
      if (variant === "legacy") return removeLegacyChains(host.run, family, table, unwanted);
      return withSocket((socket) => removeChains(socket, family, table, unwanted));
    }
    case "stale-chains": {
      const { family, variant, chains } = leftover;
      if (variant === "legacy") await deleteLegacyChains(host.run, family, "nat", chains);
      else await withSocket((socket) => deleteChains(socket, family, "nat", chains));
      return none;
    }
    case "ipvs":
      if (leftover.interface) await removeIpvsServers(host);
      await removeIpsets(host, leftover.sets);
      return none;
  }
}

async function withSocket<T>(work: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
  const socket = NetlinkSocket.open();
  try {
    return await work(socket);
  } finally {
    await socket.close();
  }
}

/** This machine's. */
export function thisIpvsHost(): IpvsHost {
  return { run: commandRunner(), read: readIfThere };
}
