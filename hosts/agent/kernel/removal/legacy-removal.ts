// Finds and removes iptables chains in legacy tables (x_tables), which only iptables' own commands can read.
import type { Family } from "../../../shared/contract.ts";
import { bareJump, bareJumps } from "../commands/iptables-jumps.ts";
import { writeResultOf } from "../commands/iptables-refusal.ts";
import type { RunCommand } from "../commands/run-command.ts";
import { readIfThere } from "../listing/read-if-there.ts";
import { type KeptChain, type OutsideRule, planRemoval } from "./chain-removal.ts";
import { isKubeProxyComment, isXTable, type XTable } from "./kube-proxy-chains.ts";
import { RemovalError } from "./nft-removal.ts";

const COMMANDS: Readonly<Record<Family, { names: string; save: string; restore: string }>> = {
  ipv4: { names: "/proc/net/ip_tables_names", save: "iptables-legacy-save", restore: "iptables-legacy-restore" },
  ipv6: { names: "/proc/net/ip6_tables_names", save: "ip6tables-legacy-save", restore: "ip6tables-legacy-restore" },
};

/** Tables that exist. iptables-legacy makes those that it is asked for, so it is not asked for others. */
export function legacyTables(family: Family): readonly XTable[] {
  const text = readIfThere(COMMANDS[family].names) ?? "";
  return text.split("\n").filter(isXTable);
}

interface SavedRule {
  readonly chain: string;
  /** As iptables-save prints it, after `-A CHAIN `. */
  readonly body: string;
}

interface SavedTable {
  /** Names of chains and their policy: "-" for those that are not built in. */
  readonly chains: ReadonlyMap<string, string>;
  readonly rules: readonly SavedRule[];
}

/** @throws {RemovalError} */
export async function saveLegacyTable(run: RunCommand, family: Family, table: XTable): Promise<SavedTable> {
  const { save } = COMMANDS[family];
  const chains = new Map<string, string>();
  const rules: SavedRule[] = [];
  const onLine = (line: string) => {
    const [first = "", second = ""] = line.split(" ", 2);
    if (line.startsWith(":")) chains.set(first.slice(1), second);
    else if (first === "-A") rules.push({ chain: second, body: line.slice(first.length + second.length + 2) });
  };
  const result = await run(save, ["-t", table], { onLine });
  const saved = writeResultOf(save, result, []);
  if (saved.outcome !== "written") throw new RemovalError(saved.message);
  return { chains, rules };
}

/**
 * Removes chains of one legacy table, and kube-proxy's jumps to them, in one commit. Chains that foreign rules lead to stay
 * and are returned.
 *
 * @throws {RemovalError}
 */
export async function removeLegacyChains(
  run: RunCommand,
  family: Family,
  table: XTable,
  isUnwanted: (name: string) => boolean,
): Promise<readonly KeptChain[]> {
  const { chains, rules } = await saveLegacyTable(run, family, table);
  const unwanted = [...chains].filter(([name, policy]) => policy === "-" && isUnwanted(name)).map(([name]) => name);
  const names = new Set(unwanted);
  const outside: OutsideRule<string>[] = rules
    .filter(({ chain }) => !names.has(chain))
    .map(({ chain, body }) => ({
      id: body,
      chain,
      targets: targetsOf(body),
      ours: chains.get(chain) !== "-" && isKubeProxyComment(body),
      bare: chains.get(chain) === "-" ? undefined : bareJumpOf(chain, body),
    }));
  const inside = async (chain: string) =>
    rules.filter((rule) => rule.chain === chain).flatMap(({ body }) => targetsOf(body));
  const { jumps, chains: going, kept } = await planRemoval(unwanted, outside, inside, bareJumps(table));
  await deleteLegacyChains(run, family, table, going, jumps);
  return kept;
}

/**
 * Deletes chains that nothing but each other and those jumps leads to, in one commit.
 *
 * @throws {RemovalError}
 */
export async function deleteLegacyChains(
  run: RunCommand,
  family: Family,
  table: XTable,
  going: readonly string[],
  jumps: readonly OutsideRule<string>[] = [],
): Promise<void> {
  if (going.length === 0) return;
  const lines = [
    `*${table}`,
    ...going.map((chain) => `:${chain} - [0:0]`),
    ...jumps.map(({ chain, id }) => `-D ${chain} ${id}`),
    ...going.map((chain) => `-X ${chain}`),
    "COMMIT",
  ];
  const input = [new TextEncoder().encode(`${lines.join("\n")}\n`)];
  const { restore } = COMMANDS[family];
  const written = writeResultOf(restore, await run(restore, ["-w", "5", "--noflush", "--counters"], { input }), input);
  if (written.outcome !== "written") throw new RemovalError(written.message);
}

/** As iptables-save prints it. */
function bareJumpOf(chain: string, body: string): string | undefined {
  const [, isNew, target] = /^(-m conntrack --ctstate NEW )?-j (\S+)$/.exec(body) ?? [];
  return target === undefined ? undefined : bareJump(chain, isNew !== undefined, target);
}

/** Chains that a rule as iptables-save prints it leads to. */
export function targetsOf(body: string): string[] {
  const target = / -[jg] (\S+)/.exec(` ${body}`)?.[1];
  return target === undefined ? [] : [target];
}
