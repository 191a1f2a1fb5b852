// Notices that somebody has flushed our iptables chains.
//
// The empty chains KUBE-PROXY-CANARY in three tables disappear when somebody deletes all chains; other programs watch them too.
// For chains in nf_tables the kernel tells more: whether anything has changed at all, how many rules a chain has, and how many
// lead to it. So flushed chains and missing jumps are noticed as well, soon, and without a process.
import type { DriftReport, Family } from "../../../shared/contract.ts";
import { readGeneration } from "../../netlink/ruleset/generation.ts";
import type { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { JUMPS } from "../commands/iptables-jumps.ts";
import type { IptablesTools } from "../commands/iptables-tools.ts";
import type { RunCommand } from "../commands/run-command.ts";
import { findChain } from "../listing/nft-listing.ts";
import type { Intactness } from "../writer.ts";

const CANARY = "KUBE-PROXY-CANARY";
/** Exit code of `iptables -S` for a chain that is not there. */
const NO_SUCH_CHAIN = 1;

/** Creates, or empties, the canaries. */
export const CANARY_INPUT = ["mangle", "nat", "filter"]
  .map((table) => `*${table}\n:${CANARY} - [0:0]\nCOMMIT\n`)
  .join("");

/** Chains that nobody but us has reason to change or to point to. */
const COUNTED = [
  ["nat", "KUBE-SERVICES"],
  ["nat", "KUBE-NODEPORTS"],
  ["nat", "KUBE-POSTROUTING"],
  ["filter", "KUBE-SERVICES"],
  ["filter", "KUBE-EXTERNAL-SERVICES"],
  ["filter", "KUBE-FORWARD"],
  ["filter", "KUBE-NODEPORTS"],
  ["filter", "KUBE-PROXY-FIREWALL"],
  ["mangle", CANARY],
] as const;

/** What is remembered of a family's chains after a write of ours. */
interface Remembered {
  /** Of the ruleset when they were last counted; UNKNOWN: they have to be counted in any case. */
  generation: number;
  /** In the order of COUNTED: rules in the chain and jumps to it; ABSENT if there is no such chain. */
  readonly uses: readonly number[];
}

const ABSENT = -1;
const UNKNOWN = -1;

export class IptablesCanary {
  readonly #tools: IptablesTools;
  readonly #run: RunCommand;
  readonly #socket: NetlinkSocket | undefined;
  readonly #known = new Map<Family, Remembered>();
  readonly #drift = new Map<Family, DriftReport>();
  /** Families that have been written. */
  readonly #written = new Set<Family>();

  /** @param socket for nf_tables; without it the canary chains alone are looked at */
  constructor(tools: IptablesTools, run: RunCommand, socket: NetlinkSocket | undefined) {
    this.#tools = tools;
    this.#run = run;
    this.#socket = tools.variant === "nf_tables" ? socket : undefined;
  }

  /** A look starts a process. */
  get isDear(): boolean {
    return this.#socket === undefined;
  }

  /** To be called after each write of ours. Never throws: what can't be read now differs at the next check. */
  async remember(family: Family): Promise<void> {
    this.#written.add(family);
    this.#drift.delete(family);
    this.#known.delete(family);
    if (this.#socket === undefined) return;
    try {
      // In this order, so that a change in between is checked again.
      const generation = await readGeneration(this.#socket);
      const counted = await count(this.#socket, family);
      const uses = atLeastJumps(counted);
      const isWhole = uses.every((use, index) => use === counted[index]);
      this.#known.set(family, { generation: isWhole ? generation : UNKNOWN, uses });
    } catch {
      // As said.
    }
  }

  /** "perhaps-touched" also before the first write. Never throws: what can't be read may have been touched. */
  async look(family: Family): Promise<Intactness> {
    if (this.#socket === undefined) return this.#lookForChain(family);
    const known = this.#known.get(family);
    if (known === undefined) return "perhaps-touched";
    try {
      // Others' tables change the generation as well; then our chains are counted.
      const generation = await readGeneration(this.#socket);
      if (generation === known.generation) return "untouched";
      const uses = await count(this.#socket, family);
      known.generation = generation;
      if (uses.every((use, index) => use === known.uses[index])) return "untouched";
      this.#drift.set(family, driftOf(known.uses, uses));
    } catch {
      // It may have been touched.
    }
    return "perhaps-touched";
  }

  /** What somebody else has done, as of the last check; undefined: nothing, or it is unknown. */
  drift(family: Family): DriftReport | undefined {
    return this.#drift.get(family);
  }

  /** As kube-proxy does: of the three only the one in mangle, which is small. Other failures prove nothing. */
  async #lookForChain(family: Family): Promise<Intactness> {
    const { iptables } = this.#tools.commands[family];
    const result = await this.#run(iptables, [...this.#tools.wait, "-S", CANARY, "-t", "mangle"]);
    const gone = result.outcome === "exited" && result.code === NO_SUCH_CHAIN;
    if (gone && this.#written.has(family)) {
      this.#drift.set(family, { missing: 1, changed: 0, extra: 0, names: [`mangle ${CANARY}`], rebuilt: true });
    }
    return gone ? "perhaps-touched" : "untouched";
  }
}

async function count(socket: NetlinkSocket, family: Family): Promise<readonly number[]> {
  const uses: number[] = [];
  for (const [table, name] of COUNTED) uses.push((await findChain(socket, family, table, name))?.use ?? ABSENT);
  return uses;
}

/**
 * After each write of ours our jumps lead to these chains. If fewer do, somebody has flushed them since. The next check must
 * not take that for our own state.
 */
function atLeastJumps(uses: readonly number[]): readonly number[] {
  return uses.map((use, index) => {
    const [table, name] = COUNTED[index] ?? [];
    const jumps = JUMPS.filter((jump) => jump.table === table && jump.to === name).length;
    return jumps > 0 ? Math.max(use, jumps) : use;
  });
}

function driftOf(before: readonly number[], now: readonly number[]): DriftReport {
  const names: string[] = [];
  let missing = 0;
  let changed = 0;
  for (const [index, chain] of COUNTED.entries()) {
    if (now[index] === before[index]) continue;
    names.push(chain.join(" "));
    if (now[index] === ABSENT) missing++;
    else changed++;
  }
  return { missing, changed, extra: 0, names, rebuilt: true };
}
