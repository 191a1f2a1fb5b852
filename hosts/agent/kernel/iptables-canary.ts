// Notices that somebody has flushed our iptables chains.
//
// Empty chains KUBE-PROXY-CANARY in three tables go when somebody deletes all chains, and others look for them too. Where
// the chains are in nf_tables the kernel tells more for less: how many rules a chain has, and how many lead to it. So
// flushed chains and missing jumps are noticed as well, without a process.
import type { Family } from "../../shared/contract.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import type { IptablesTools } from "./iptables-tools.ts";
import { findChain } from "./nft-listing.ts";
import type { RunCommand } from "./run-command.ts";
import type { Intactness } from "./writer.ts";

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

export class IptablesCanary {
  readonly #tools: IptablesTools;
  readonly #run: RunCommand;
  readonly #socket: NetlinkSocket | undefined;
  readonly #known = new Map<Family, string>();

  /** @param socket for nf_tables; without it the canary chains alone are looked at */
  constructor(tools: IptablesTools, run: RunCommand, socket: NetlinkSocket | undefined) {
    this.#tools = tools;
    this.#run = run;
    this.#socket = tools.variant === "nf_tables" ? socket : undefined;
  }

  /** To be called after each write of ours. */
  async remember(family: Family): Promise<void> {
    if (this.#socket !== undefined) this.#known.set(family, await count(this.#socket, family));
  }

  /** "perhaps-touched" also before the first write. Never throws: what can't be read may have been touched. */
  async look(family: Family): Promise<Intactness> {
    if (this.#socket === undefined) return this.#lookForChain(family);
    try {
      return this.#known.get(family) === (await count(this.#socket, family)) ? "untouched" : "perhaps-touched";
    } catch {
      return "perhaps-touched";
    }
  }

  /** As kube-proxy does: of the three only the one in mangle, which is small. Other failures prove nothing. */
  async #lookForChain(family: Family): Promise<Intactness> {
    const { iptables } = this.#tools.commands[family];
    const result = await this.#run(iptables, [...this.#tools.wait, "-S", CANARY, "-t", "mangle"]);
    const gone = result.outcome === "exited" && result.code === NO_SUCH_CHAIN;
    return gone ? "perhaps-touched" : "untouched";
  }
}

async function count(socket: NetlinkSocket, family: Family): Promise<string> {
  const uses: number[] = [];
  for (const [table, name] of COUNTED) uses.push((await findChain(socket, family, table, name))?.use ?? -1);
  return uses.join(" ");
}
