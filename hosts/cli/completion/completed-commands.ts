// What shells complete: each command with its options, from the same tables that the commands parse with.

import { gates } from "../../shared/diff/changes.ts";
import { cleanupArguments } from "../commands/cleanup.ts";
import { judgeArguments } from "../commands/diff-options.ts";
import { migrateArguments } from "../commands/migrate-options.ts";
import { renderArguments } from "../commands/render-options.ts";
import { snapshotArguments } from "../commands/snapshot-options.ts";
import { traceArguments } from "../commands/trace-options.ts";
import { verifyArguments } from "../commands/verify-options.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** "files": paths of this machine. "text": nothing that a shell could know. A list: these words and no others. */
export type Words = "files" | "text" | readonly string[];

export interface CompletedOption {
  /** Without dashes. */
  readonly name: string;
  /** One letter, without its dash. */
  readonly short: string | undefined;
  /** Undefined: a switch. */
  readonly value: Words | undefined;
  readonly repeats: boolean;
}

export interface CompletedCommand {
  readonly name: string;
  readonly options: readonly CompletedOption[];
  /** What it takes that is no option; "text": nothing. */
  readonly operands: Words;
}

/** As `parseArgs` of node:util takes them. */
type OptionTable = Readonly<Record<string, { type: "string" | "boolean"; short?: string; multiple?: boolean }>>;

// --from and --to name its modes; --mode is refused.
const { mode: _, ...withoutMode } = migrateArguments;

const tables: Readonly<Record<string, OptionTable>> = {
  cleanup: cleanupArguments,
  diff: { base: { type: "string" }, head: { type: "string" }, ...judgeArguments },
  migrate: withoutMode,
  render: renderArguments,
  snapshot: snapshotArguments,
  trace: traceArguments,
  verify: verifyArguments,
};

const operands: Readonly<Record<string, Words>> = { completion: shells, diff: "files", verify: "files" };

const fileValues = [
  "addresses",
  "config",
  "debug-socket",
  "filename",
  "kubeconfig",
  "output",
  "rules",
  "write-config-to",
];

/** Values by option; `COMMAND OPTION` goes before `OPTION`. */
const knownValues: Readonly<Record<string, readonly string[]>> = {
  "fail-on": gates,
  family: ["ipv4", "ipv6", "all"],
  format: ["text", "netlink"],
  mode: ["flat", "nftables", "iptables"],
  proto: ["tcp", "udp", "sctp"],
  "proxy-mode": ["flat", "nftables", "iptables"],
  report: ["text", "json"],
  "migrate from": ["iptables", "nftables", "ipvs"],
  "migrate to": ["flat", "nftables"],
};

const help: CompletedOption = { name: "help", short: "h", value: undefined, repeats: false };

/** All commands, sorted by name. @param names those that there are */
export async function completedCommands(names: readonly string[]): Promise<CompletedCommand[]> {
  const found = await Promise.all([...names].sort().map(completedCommand));
  return [...found, { name: "help", options: [], operands: [...names].sort() }];
}

async function completedCommand(name: string): Promise<CompletedCommand> {
  const options = name === "agent" ? await agentOptions() : optionsOf(name, tables[name] ?? {});
  return { name, options: [...options, help].sort(byName), operands: operands[name] ?? "text" };
}

function optionsOf(command: string, table: OptionTable): CompletedOption[] {
  return Object.entries(table).map(([name, { type, short, multiple }]) => ({
    name,
    short,
    // Its value may be left out, so the next word is none.
    value: type === "boolean" || name === "assume-lb" ? undefined : valueKind(command, name),
    repeats: multiple ?? false,
  }));
}

/** The agent has kube-proxy's flags, in a table of their own. Those without effect are not offered. */
async function agentOptions(): Promise<CompletedOption[]> {
  const [{ flags }, { isSwitch }] = await Promise.all([
    import("../../agent/config/flags.ts"),
    import("../../agent/config/command-line.ts"),
  ]);
  return flags
    .filter(({ group, name }) => group !== "Accepted, without effect" && name !== "help" && name.length > 1)
    .map((flag) => ({
      name: flag.name,
      short: undefined,
      value: isSwitch(flag) ? undefined : valueKind("agent", flag.name),
      repeats: false,
    }));
}

function valueKind(command: string, option: string): Words {
  return knownValues[`${command} ${option}`] ?? knownValues[option] ?? (fileValues.includes(option) ? "files" : "text");
}

function byName(a: CompletedOption, b: CompletedOption): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}
