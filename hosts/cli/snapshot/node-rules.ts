// What this node's kernel holds, as the node's own tools list it. They only read.
import type { RunCommand } from "../../agent/kernel/commands/run-command.ts";
import { printable } from "../../shared/printable.ts";

/** Which tools, and how they are asked. */
const tools: readonly (readonly [name: string, ...args: string[]])[] = [
  ["nft", "list", "ruleset"],
  ["iptables-save"],
  ["ip6tables-save"],
];

/** A large nftables ruleset takes nft half a minute. */
const TIMEOUT_MS = 120_000;

export interface ListedRules {
  /** Tool → what it printed. */
  readonly listings: Readonly<Record<string, string>>;
  /** Tools that this node does not have. */
  readonly missing: readonly string[];
}

/** No whole listing could be had. */
export class NodeRulesError extends Error {
  override readonly name = "NodeRulesError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** @throws NodeRulesError one of the tools failed, or there is none */
export async function listNodeRules(run: RunCommand): Promise<ListedRules> {
  const listings: Record<string, string> = {};
  const missing: string[] = [];
  for (const [tool, ...args] of tools) {
    const command = [tool, ...args].join(" ");
    const result = await run(tool, args, { timeout: TIMEOUT_MS });
    switch (result.outcome) {
      case "missing":
        missing.push(tool);
        break;
      case "exited": {
        if (result.code === 0) {
          listings[tool] = result.stdout;
          break;
        }
        const said = printable(result.stderr.trim().split("\n")[0] ?? "");
        throw new NodeRulesError(
          `\`${command}\` ended with ${result.code}: ${said}`,
          "the kernel shows its rules to root alone (CAP_NET_ADMIN): try sudo",
        );
      }
      case "timed-out":
        throw new NodeRulesError(`\`${command}\` took more than ${result.milliseconds / 1000} s`, "try again");
      case "killed":
        throw new NodeRulesError(`\`${command}\` was ended by ${result.signal}`, "try again");
      case "not-started":
        throw new NodeRulesError(result.message, "check who may run it");
    }
  }
  if (Object.keys(listings).length === 0) {
    throw new NodeRulesError(`this host has none of ${missing.join(", ")}`, "run it on the node, where they are");
  }
  return { listings, missing };
}
