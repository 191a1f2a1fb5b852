// Removes tables and iptables chains from nf_tables, by netlink: no nft or iptables binary is needed, and one transaction
// takes all jumps out at once.

import type { Family } from "../../../shared/contract.ts";
import { sendBatch } from "../../netlink/batches/batch.ts";
import { BatchWriter } from "../../netlink/messages/batch-writer.ts";
import { NFPROTO } from "../../netlink/messages/protocol-family.ts";
import * as uapi from "../../netlink/messages/uapi.ts";
import type { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { bareJump, bareJumps } from "../commands/iptables-jumps.ts";
import { listChains, listRules, type NftChain, type NftTable } from "../listing/nft-listing.ts";
import { type KeptChain, type OutsideRule, planRemoval } from "./chain-removal.ts";
import { isKubeProxyComment } from "./kube-proxy-chains.ts";

/** The kernel did not do it; the message says what and why. */
export class RemovalError extends Error {
  override readonly name = "RemovalError";
}

/** A table that is not there (any more) is as good as removed. @throws {RemovalError | NetlinkError} */
export async function removeTable(socket: NetlinkSocket, { family, name }: NftTable): Promise<void> {
  const batch = new BatchWriter(NFPROTO[family], name);
  // The table is made first: then its deletion can't fail because somebody else has deleted it.
  batch.addTable();
  batch.deleteTable(uapi.NLM_F_ACK);
  await send(socket, batch);
}

/** Chains in one message each; one transaction for so many, which is about 256 KB. */
const CHAINS_AT_ONCE = 2000;

/**
 * Removes the chains of one table of iptables-nft, and kube-proxy's jumps to them from built-in chains. The jumps go first
 * and together. Chains that foreign rules lead to stay as they are and are returned.
 *
 * @throws {RemovalError | NetlinkError}
 */
export async function removeChains(
  socket: NetlinkSocket,
  family: Family,
  table: string,
  isUnwanted: (name: string) => boolean,
): Promise<readonly KeptChain[]> {
  const chains = (await listChains(socket)).filter((chain) => chain.family === family && chain.table === table);
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  const unwanted = chains.filter(({ name, base }) => !base && isUnwanted(name)).map(({ name }) => name);
  const names = new Set(unwanted);
  const outside: OutsideRule<bigint>[] = [];
  for (const chain of chains) {
    if (!names.has(chain.name)) outside.push(...(await outsideRules(socket, chain)));
  }
  const targetsOf = async (name: string) => {
    const rules = await listRules(socket, byName.get(name) as NftChain);
    return rules.flatMap(({ targets }) => targets);
  };
  const { jumps, chains: going, kept } = await planRemoval(unwanted, outside, targetsOf, bareJumps(table));

  if (jumps.length > 0) {
    const batch = new BatchWriter(NFPROTO[family], table);
    jumps.forEach(({ chain, id }, index) => {
      deleteRule(batch, chain, id, index === jumps.length - 1 ? uapi.NLM_F_ACK : 0);
    });
    await send(socket, batch);
  }
  await deleteChains(socket, family, table, going);
  return kept;
}

/** Deletes chains that nothing but each other leads to. @throws {RemovalError | NetlinkError} */
export async function deleteChains(
  socket: NetlinkSocket,
  family: Family,
  table: string,
  chains: readonly string[],
): Promise<void> {
  const inParts = async (write: (batch: BatchWriter, chain: string, flags: number) => void) => {
    for (let start = 0; start < chains.length; start += CHAINS_AT_ONCE) {
      const part = chains.slice(start, start + CHAINS_AT_ONCE);
      const batch = new BatchWriter(NFPROTO[family], table);
      part.forEach((chain, index) => {
        write(batch, chain, index === part.length - 1 ? uapi.NLM_F_ACK : 0);
      });
      await send(socket, batch);
    }
  };
  // All are emptied before any is deleted, because they lead to each other.
  await inParts((batch, chain, flags) => deleteRule(batch, chain, undefined, flags));
  await inParts((batch, chain, flags) => batch.deleteChain(chain, flags));
}

async function outsideRules(socket: NetlinkSocket, chain: NftChain): Promise<OutsideRule<bigint>[]> {
  return (await listRules(socket, chain)).map(({ handle, targets, expressions, bytes }) => ({
    id: handle,
    chain: chain.name,
    targets,
    // iptables-nft keeps a comment as text, in a match or in the rule's user data.
    ours: chain.base && isKubeProxyComment(new TextDecoder("latin1").decode(bytes)),
    bare: chain.base ? bareJumpOf(chain.name, expressions, targets) : undefined,
  }));
}

/** `-m conntrack --ctstate NEW` as a match of x_tables, and as iptables-nft 1.8.8 and newer write it. */
const NEW = ["match:conntrack", "ct bitwise cmp"];

function bareJumpOf(chain: string, expressions: readonly string[], [target]: readonly string[]): string | undefined {
  const [condition, ...more] = expressions.join(" ").split(/ ?counter immediate$/);
  if (target === undefined || condition === undefined || more.join() !== "") return undefined;
  if (condition !== "" && !NEW.includes(condition)) return undefined;
  return bareJump(chain, condition !== "", target);
}

/** All rules of the chain without a handle. */
function deleteRule(batch: BatchWriter, chain: string, handle: bigint | undefined, flags: number): void {
  batch.message(uapi.NFT_MSG_DELRULE, flags, (w) => {
    w.string(uapi.NFTA_RULE.TABLE, batch.table);
    w.string(uapi.NFTA_RULE.CHAIN, chain);
    if (handle !== undefined) w.u64(uapi.NFTA_RULE.HANDLE, handle);
  });
}

async function send(socket: NetlinkSocket, batch: BatchWriter): Promise<void> {
  const result = await sendBatch(socket, batch.end());
  switch (result.outcome) {
    case "acknowledged":
      return;
    case "refused":
      throw new RemovalError(result.errors[0]?.message ?? "the kernel refused it");
    case "too-large":
      throw new RemovalError(`the socket takes ${result.limit} bytes at once, and ${result.bytes} were to be sent`);
    case "unknown":
      throw new RemovalError(result.reason);
  }
}
