// Which extensions of iptables this node has. `iptables-restore --test` asks the kernel in neither variant. So each extension is
// tried by a real rule in a chain of our own. Nothing leads to that chain, and the same process removes it.
import type { Extension, Family } from "../../../shared/contract.ts";
import { FAMILIES } from "../../../shared/families.ts";
import { deleteNfacct, makeNfacct } from "../../host/nfacct.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { readIfThere } from "../listing/read-if-there.ts";
import { writeResultOf } from "./iptables-refusal.ts";
import type { IptablesTools } from "./iptables-tools.ts";
import type { RunCommand } from "./run-command.ts";

interface Probe {
  /** As iptables spells it. */
  readonly name: string;
  readonly table: "filter" | "nat";
  /** What the rule says after the name of its chain. */
  readonly rule: string;
  /** What becomes of rules without it. */
  readonly consequence: string;
  /** The kernel's modules. */
  readonly modules: string;
  /** Some Services need it: how the engine calls it. */
  readonly extension?: Extension;
  /** There are no rules without it. */
  readonly isNeeded?: boolean;
}

const CHAIN = "SLUI-PROBE";
const COUNTER = "sluice_probe";
const NOTHING = "no rule can be written";

/** All that rules of this mode use, what is least likely to be there first. */
export const PROBES: readonly Probe[] = [
  {
    name: "nfacct",
    table: "filter",
    rule: `-m nfacct --nfacct-name ${COUNTER} -j RETURN`,
    consequence: "dropped packets and use of node ports on 127.0.0.1 are not counted",
    modules: "xt_nfacct, nfnetlink_acct",
  },
  {
    name: "MASQUERADE --random-fully",
    table: "nat",
    rule: "-j MASQUERADE --random-fully",
    consequence: "masqueraded connections have source ports that are easier to guess and may collide",
    modules: "xt_MASQUERADE of Linux 3.14 or newer",
  },
  {
    name: "recent",
    table: "nat",
    rule: `-m recent --name ${CHAIN} --rcheck --seconds 10 --reap -j RETURN`,
    consequence: "Services with session affinity are left out",
    modules: "xt_recent",
    extension: "recent",
  },
  {
    name: "statistic",
    table: "nat",
    rule: "-m statistic --mode random --probability 0.5 -j RETURN",
    consequence: "Services with more than one endpoint are left out",
    modules: "xt_statistic",
    extension: "statistic",
  },
  {
    name: "sctp",
    table: "nat",
    rule: "-m sctp -p sctp --dport 1 -j RETURN",
    consequence: "Services with a port of protocol SCTP are left out",
    modules: "xt_sctp",
    extension: "sctp",
  },
  {
    name: "REJECT",
    table: "filter",
    rule: "-j REJECT",
    consequence: "connections to Services without endpoints time out instead of being refused",
    modules: "ipt_REJECT, ip6t_REJECT",
    extension: "reject",
  },
  {
    name: "comment",
    table: "filter",
    rule: `-m comment --comment ${CHAIN} -j RETURN`,
    consequence: "rules don't say which Service they are of",
    modules: "xt_comment",
    extension: "comment",
  },
  ...(
    [
      ["conntrack", "filter", "-m conntrack --ctstate INVALID -j DROP", "xt_conntrack"],
      ["mark", "filter", "-m mark --mark 0x1/0x1 -j RETURN", "xt_mark"],
      ["MARK", "nat", "-j MARK --or-mark 0x1", "xt_mark"],
      ["addrtype", "nat", "-m addrtype --dst-type LOCAL -j RETURN", "xt_addrtype"],
      ["MASQUERADE", "nat", "-j MASQUERADE", "xt_MASQUERADE"],
    ] as const
  ).map(([name, table, rule, modules]) => ({ name, table, rule, consequence: NOTHING, modules, isNeeded: true })),
];

/** What all rules of the variant legacy need. More and more distributions leave it out. */
const LEGACY_TABLES: Probe = {
  name: "ip_tables",
  table: "filter",
  rule: "",
  consequence: NOTHING,
  modules: "ip_tables, iptable_filter and iptable_nat (for IPv6 ip6_tables and so on)",
  isNeeded: true,
};
/** Not there as long as they are not loaded. */
const LEGACY_NAMES: Readonly<Record<Family, string>> = {
  ipv4: "/proc/net/ip_tables_names",
  ipv6: "/proc/net/ip6_tables_names",
};

/** An extension that a node lacks. */
export interface MissingExtension {
  readonly probe: Probe;
  readonly families: readonly Family[];
  /** What iptables-restore said. */
  readonly reason: string;
}

/**
 * Tries all extensions in all families that can be written. If the trial itself fails (the lock is held, the command hangs, no
 * privilege), none counts as missing: the writes will report what is wrong.
 *
 * @param timeout milliseconds for each command
 * @param read a file's text; undefined if there is none
 */
export async function findMissingExtensions(
  tools: IptablesTools,
  run: RunCommand,
  timeout: number,
  read: (path: string) => string | undefined = readIfThere,
): Promise<readonly MissingExtension[]> {
  const probes = PROBES.filter(({ name }) => tools.randomFully || !name.includes("--random-fully"));
  const found = new Map<Probe, { families: Family[]; reason: string }>();
  const note = (probe: Probe, family: Family, reason: string) => {
    const entry = found.get(probe) ?? { families: [], reason };
    entry.families.push(family);
    found.set(probe, entry);
  };
  await withCounter(async () => {
    for (const family of FAMILIES) {
      if (tools.unusable[family] !== undefined) continue;
      const { restore } = tools.commands[family];
      const attempt = async (tried: readonly Probe[]) => {
        const input = [new TextEncoder().encode(inputFor(tried))];
        const result = await run(restore, [...tools.wait, "--noflush"], { input, timeout });
        return writeResultOf(restore, result, input);
      };
      const all = await attempt(probes);
      if (all.outcome !== "refused" || all.transient) continue;
      const none = await attempt([]);
      const isLacking = tools.variant === "legacy" && read(LEGACY_NAMES[family]) === undefined;
      if (none.outcome === "refused" && isLacking) note(LEGACY_TABLES, family, none.message);
      if (none.outcome !== "written") continue;
      for (const probe of probes) {
        const result = await attempt([probe]);
        if (result.outcome !== "refused" || result.transient) continue;
        note(probe, family, result.message);
      }
    }
  });
  return [...found].map(([probe, { families, reason }]) => ({ probe, families, reason }));
}

/** What is missing in one line, for the log and for those whose Service is left out. */
export function missingText({ probe, reason }: MissingExtension): string {
  return `iptables lacks the extension ${probe.name}: ${probe.consequence}; ${remedy(probe)} (${reason})`;
}

export function remedy({ modules }: Probe): string {
  return `load ${modules} and start the agent anew, or use mode flat or nftables`;
}

/** Makes the chain with a rule for each, and removes it. Each table is done with before the next one begins. */
function inputFor(probes: readonly Probe[]): string {
  let text = "";
  for (const table of ["filter", "nat"] as const) {
    const rules = probes.filter((probe) => probe.table === table).map(({ rule }) => `-A ${CHAIN} ${rule}\n`);
    const chain = `*${table}\n:${CHAIN} - [0:0]\n`;
    text += `${chain}${rules.join("")}COMMIT\n${chain}-X ${CHAIN}\nCOMMIT\n`;
  }
  return text;
}

/** With the counter that the rule of nfacct names; where it can't be made, that rule is refused, as it should be. */
async function withCounter(work: () => Promise<void>): Promise<void> {
  let socket: NetlinkSocket | undefined;
  try {
    socket = NetlinkSocket.open();
    await makeNfacct(socket, COUNTER);
  } catch {
    // As said.
  }
  try {
    await work();
  } finally {
    if (socket !== undefined) await deleteNfacct(socket, COUNTER);
    await socket?.close();
  }
}
