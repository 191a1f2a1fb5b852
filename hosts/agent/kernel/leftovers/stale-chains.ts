// Chains of service ports and endpoints that no rule leads to any more. An earlier process (kube-proxy, or the agent before a
// restart) has left them in the variant that we write. The engine deletes only chains that it knows.
import type { Family } from "../../../shared/contract.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import type { IptablesVariant } from "../commands/iptables-tools.ts";
import type { RunCommand } from "../commands/run-command.ts";
import { listChains, listJumps, type NftJump } from "../listing/nft-listing.ts";
import { isServiceChain } from "../removal/kube-proxy-chains.ts";
import { legacyTables, saveLegacyTable, targetsOf } from "../removal/legacy-removal.ts";

/**
 * Of table nat. To be asked when our rules are in place: until then all chains are in use.
 *
 * @throws {RemovalError | NetlinkError} the table could not be read
 */
export async function findStaleChains(run: RunCommand, variant: IptablesVariant, family: Family): Promise<string[]> {
  return variant === "legacy" ? findInLegacy(run, family) : findInNfTables(family);
}

/** iptables-nft-save asks for each chain alone: 5 s for 22,000 chains, where this takes half a second. */
async function findInNfTables(family: Family): Promise<string[]> {
  const socket = NetlinkSocket.open();
  try {
    const chains = (await listChains(socket)).filter((chain) => chain.family === family && chain.table === "nat");
    const names = chains.map(({ name }) => name);
    return names.some(isServiceChain) ? unreached(names, await listJumps(socket, family, "nat")) : [];
  } finally {
    await socket.close();
  }
}

async function findInLegacy(run: RunCommand, family: Family): Promise<string[]> {
  if (!legacyTables(family).includes("nat")) return [];
  const { chains, rules } = await saveLegacyTable(run, family, "nat");
  const jumps = rules.flatMap(({ chain, body }) => targetsOf(body).map((target) => ({ chain, target })));
  return unreached([...chains.keys()], jumps);
}

/** Chains of Services that neither a built-in chain nor anybody else's leads to, however far around. */
function unreached(names: readonly string[], jumps: readonly NftJump[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { chain, target } of jumps) {
    const known = targets.get(chain);
    if (known === undefined) targets.set(chain, [target]);
    else known.push(target);
  }
  const stale = new Set(names);
  const reached = names.filter((name) => !isServiceChain(name));
  for (let chain = reached.pop(); chain !== undefined; chain = reached.pop()) {
    if (stale.delete(chain)) reached.push(...(targets.get(chain) ?? []));
  }
  return [...stale];
}
