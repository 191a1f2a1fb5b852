// The generation of the ruleset: a number that each commit in the network namespace increases by one, whoever made it.

import { findAttribute, readU32 } from "../messages/attributes.ts";
import { EINVAL, NetlinkError } from "../messages/errno.ts";
import { ATTRIBUTES, request } from "../messages/messages.ts";
import { NFT_MSG_GETGEN, NFTA_GEN } from "../messages/uapi.ts";
import { requestOne } from "../sockets/requests.ts";
import type { NetlinkSocket } from "../sockets/socket.ts";

/** @throws {NetlinkError} not permitted, or no nf_tables in the kernel */
export async function readGeneration(socket: NetlinkSocket): Promise<number> {
  const sequence = socket.nextSequence();
  // GETGEN takes no lock, so somebody else's commit under way does not hold it up.
  const answer = await requestOne(
    socket,
    request({ type: NFT_MSG_GETGEN, flags: 0, sequence, family: 0 }),
    sequence,
    true,
  );
  if ("errno" in answer) {
    throw new NetlinkError("GETGEN", answer.errno, "the kernel has no nf_tables (CONFIG_NF_TABLES, module nf_tables)");
  }
  const id = readU32(findAttribute(answer.message.bytes, NFTA_GEN.ID, ATTRIBUTES));
  if (id === undefined) throw new NetlinkError("GETGEN", EINVAL, "the answer has no generation");
  return id;
}

export interface GenerationCheck {
  readonly generation: number;
  /** Commits since the last check that were not ours. */
  readonly foreign: number;
}

/**
 * Tells whether anybody else has changed the ruleset since the last check, in 0.02 ms. It cannot tell what was changed, and
 * foreign tables count as well (`RulesetMonitor` knows more, and costs more).
 *
 * A batch that changes nothing makes no generation. So check soon after each commit of ours: otherwise a foreign commit could
 * be taken for ours.
 */
export class GenerationWatch {
  readonly #socket: NetlinkSocket;
  #known: number;
  #ours = 0;

  /** @param known generation of the state that the caller has seen: `TableDump.generation` */
  constructor(socket: NetlinkSocket, known: number) {
    this.#socket = socket;
    this.#known = known;
  }

  /** To be called for each batch of ours that was acknowledged. */
  ownCommit(): void {
    this.#ours++;
  }

  /** @throws {NetlinkError} */
  async check(): Promise<GenerationCheck> {
    const generation = await readGeneration(this.#socket);
    const commits = (generation - this.#known) >>> 0;
    const foreign = Math.max(0, commits - this.#ours);
    this.#known = generation;
    this.#ours = 0;
    return { generation, foreign };
  }
}
