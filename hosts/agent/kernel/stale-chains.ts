// Chains of service ports and endpoints that an earlier process (kube-proxy, or we before a restart) has left in the
// variant that we write, and that no rule leads to any more. The engine deletes only those that it knows.
import type { Family } from "../../shared/contract.ts";
import { writeResultOf } from "./iptables-refusal.ts";
import type { IptablesTools } from "./iptables-tools.ts";
import { isServiceChain } from "./kube-proxy-chains.ts";
import { RemovalError } from "./nft-removal.ts";
import type { RunCommand } from "./run-command.ts";

/** To be asked when our rules are in place: until then all chains are in use. @throws {RemovalError} iptables-save failed */
export async function findStaleChains(run: RunCommand, tools: IptablesTools, family: Family): Promise<string[]> {
  const targets = new Map<string, string[]>();
  const reached: string[] = [];
  const onLine = (line: string) => {
    if (line.startsWith(":")) {
      const name = line.slice(1, line.indexOf(" "));
      targets.set(name, []);
      // Rules of foreign chains count too.
      if (!isServiceChain(name)) reached.push(name);
    } else if (line.startsWith("-A ")) {
      const target = / -[jg] (\S+)/.exec(line)?.[1];
      if (target !== undefined) targets.get(line.slice(3, line.indexOf(" ", 3)))?.push(target);
    }
  };
  const { save } = tools.commands[family];
  const saved = writeResultOf(save, await run(save, ["-t", "nat"], { onLine }), []);
  if (saved.outcome !== "written") throw new RemovalError(saved.message);
  const stale = new Set(targets.keys());
  for (let chain = reached.pop(); chain !== undefined; chain = reached.pop()) {
    if (stale.delete(chain)) reached.push(...(targets.get(chain) ?? []));
  }
  return [...stale].filter(isServiceChain);
}
