// Which iptables this node uses: the commands of one variant, legacy (x_tables) or nf_tables. The kernel applies the rules of both,
// but each variant's commands see only their own. So everybody on a node has to use the same variant.
import type { Family } from "../../../shared/contract.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { listChains, type NftChain } from "../listing/nft-listing.ts";
import { readIfThere } from "../listing/read-if-there.ts";
import type { RunCommand } from "./run-command.ts";

export type IptablesVariant = "legacy" | "nf_tables";

export interface IptablesCommands {
  readonly iptables: string;
  readonly restore: string;
  readonly save: string;
}

export interface IptablesTools {
  readonly variant: IptablesVariant;
  /** Why this variant, in one line for the log. */
  readonly reason: string;
  /** "1.8.9" */
  readonly version: string;
  /** MASQUERADE knows --random-fully (1.6.2): the engine's option. */
  readonly randomFully: boolean;
  /** `-w 5`, where the commands know it: waits for the lock of legacy tables, in seconds. */
  readonly wait: readonly string[];
  readonly commands: Readonly<Record<Family, IptablesCommands>>;
  /** Families that cannot be written on this machine, and why; the other one works all the same. */
  readonly unusable: Readonly<Partial<Record<Family, string>>>;
}

/** What is looked at on the machine. */
export interface IptablesHost {
  readonly run: RunCommand;
  /** A file's text, or undefined if there is none. */
  readonly read: (path: string) => string | undefined;
  /** Chains of nf_tables; none where the kernel has no nf_tables. */
  readonly chains: () => Promise<readonly NftChain[]>;
}

export function thisHost(run: RunCommand): IptablesHost {
  return { run, read: readIfThere, chains: chainsOfKernel };
}

/** None if the kernel has no nf_tables, or if we may not ask it. */
async function chainsOfKernel(): Promise<readonly NftChain[]> {
  let socket: NetlinkSocket | undefined;
  try {
    socket = NetlinkSocket.open();
    return await listChains(socket);
  } catch {
    return [];
  } finally {
    await socket?.close();
  }
}

/** Chains that kubelet makes in the variant that it uses, in table mangle. */
const KUBELET_CHAINS = ["KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY"];
/** kube-proxy's own, when there is no kubelet's. */
const KUBE_PROXY_CHAINS = ["KUBE-PROXY-CANARY"];
const LOCK_SECONDS = "5";

export type FoundIptables =
  | { readonly outcome: "found"; readonly tools: IptablesTools }
  | { readonly outcome: "missing"; readonly message: string };

/** Looks for the commands of the variant that kubelet uses on this node. */
export async function findIptables(host: IptablesHost): Promise<FoundIptables> {
  const { wanted, reason } = await wantedVariant(host);
  const others: IptablesVariant[] = wanted === "legacy" ? ["nf_tables"] : ["legacy"];
  const complaints: string[] = [];
  for (const variant of [wanted, ...others]) {
    if (variant === undefined) continue;
    const found = await findVariant(host, variant);
    if ("complaint" in found) {
      complaints.push(found.complaint);
      continue;
    }
    const instead = wanted !== undefined && variant !== wanted;
    const why = instead ? `${reason}, but ${complaints[0]}; rules will be in both variants' tables` : reason;
    return { outcome: "found", tools: await describeTools(host, variant, found, why) };
  }
  return {
    outcome: "missing",
    message: `mode iptables needs the commands of iptables 1.6.2 or newer (Debian: apt-get install iptables), or use mode flat or nftables, which need none: ${complaints.join("; ")}`,
  };
}

async function wantedVariant(host: IptablesHost): Promise<{ wanted: IptablesVariant; reason: string }> {
  const nft = await host.chains();
  const legacy = await legacyChains(host);
  for (const [names, whose] of [
    [KUBELET_CHAINS, "kubelet's chain"],
    [KUBE_PROXY_CHAINS, "kube-proxy's chain"],
  ] as const) {
    const inNft = nft.find(({ table, name }) => table === "mangle" && names.includes(name));
    if (inNft !== undefined) return { wanted: "nf_tables", reason: `${whose} ${inNft.name} is in nf_tables` };
    const inLegacy = names.find((name) => legacy.chains.has(name));
    if (inLegacy !== undefined) return { wanted: "legacy", reason: `${whose} ${inLegacy} is in legacy tables` };
  }
  if (legacy.rules > 0 && !nft.some(({ table }) => XTABLES.includes(table))) {
    return { wanted: "legacy", reason: `only legacy tables have rules (${legacy.rules})` };
  }
  // What the distribution has chosen.
  const variant = await variantOf(host, "iptables-restore");
  return variant === undefined
    ? { wanted: "nf_tables", reason: "no rules say otherwise" }
    : { wanted: variant.variant, reason: "the machine's iptables-restore" };
}

const XTABLES = ["filter", "nat", "mangle", "raw", "security"];

/** Asks only for tables that exist: to ask for one would make it. */
async function legacyChains(host: IptablesHost): Promise<{ chains: Set<string>; rules: number }> {
  const chains = new Set<string>();
  let rules = 0;
  for (const [names, save] of [
    ["/proc/net/ip_tables_names", "iptables-legacy-save"],
    ["/proc/net/ip6_tables_names", "ip6tables-legacy-save"],
  ] as const) {
    if ((host.read(names) ?? "").trim() === "") continue;
    await host.run(save, [], {
      onLine: (line) => {
        if (line.startsWith(":")) chains.add(line.slice(1).split(" ", 1)[0] ?? "");
        else if (line.startsWith("-A")) rules++;
      },
    });
  }
  return { chains, rules };
}

interface Version {
  readonly variant: IptablesVariant;
  readonly version: string;
}

/** `iptables-restore v1.8.9 (nf_tables)`; before 1.8 there was only legacy, and no word in brackets. */
async function variantOf(host: IptablesHost, command: string): Promise<Version | undefined> {
  const result = await host.run(command, ["--version"]);
  if (result.outcome !== "exited") return undefined;
  const match = /v(\d+\.\d+(?:\.\d+)*)(?: \((\w+)\))?/.exec(result.stdout);
  if (match?.[1] === undefined) return undefined;
  return { variant: match[2] === "nf_tables" ? "nf_tables" : "legacy", version: match[1] };
}

interface Candidate {
  /** "-nft", "-legacy" or "" */
  readonly infix: string;
  readonly version: string;
}

async function findVariant(host: IptablesHost, variant: IptablesVariant): Promise<Candidate | { complaint: string }> {
  const special = variant === "legacy" ? "-legacy" : "-nft";
  for (const infix of [special, ""]) {
    const found = await variantOf(host, `iptables${infix}-restore`);
    if (found?.variant === variant) return { infix, version: found.version };
  }
  return {
    complaint: `neither iptables${special}-restore nor an iptables-restore of variant ${variant} is on the path`,
  };
}

async function describeTools(
  host: IptablesHost,
  variant: IptablesVariant,
  { infix, version }: Candidate,
  reason: string,
): Promise<IptablesTools> {
  const commands = (name: string): IptablesCommands => ({
    iptables: `${name}${infix}`,
    restore: `${name}${infix}-restore`,
    save: `${name}${infix}-save`,
  });
  const ipv6 = commands("ip6tables");
  const modern = isAtLeast(version, [1, 6, 2]);
  const unusable: Partial<Record<Family, string>> = {};
  if (host.read("/proc/net/if_inet6") === undefined) {
    unusable.ipv6 = "IPv6 is switched off in this kernel (there is no /proc/net/if_inet6)";
  } else if ((await host.run(ipv6.restore, ["--version"])).outcome !== "exited") {
    unusable.ipv6 = `${ipv6.restore} is not on the path (it comes with iptables)`;
  }
  return {
    variant,
    reason,
    version,
    randomFully: modern,
    wait: modern ? ["-w", LOCK_SECONDS] : [],
    commands: { ipv4: commands("iptables"), ipv6 },
    unusable,
  };
}

function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split(".").map(Number);
  for (const [index, wanted] of least.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
