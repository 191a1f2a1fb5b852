// Which iptables chains are kube-proxy's, and therefore ours in mode iptables. kubelet's chains (KUBE-FIREWALL, which
// kube-proxy uses too, KUBE-MARK-DROP, KUBE-KUBELET-CANARY, KUBE-IPTABLES-HINT) are not among them.

export type XTable = "filter" | "nat" | "mangle";
export const XTABLES: readonly XTable[] = ["filter", "nat", "mangle"];

const NAMES: Readonly<Record<XTable, readonly string[]>> = {
  filter: [
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
    "KUBE-PROXY-CANARY",
  ],
  nat: ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"],
  mangle: ["KUBE-PROXY-CANARY"],
};

/** Of each service port and endpoint, in table nat; KUBE-XLB was KUBE-EXT until 1.24. */
const PREFIXES = ["KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-", "KUBE-XLB-"];

/** What we try rules in: it goes within the same process, unless that is killed. */
const TRIAL_PREFIX = "SLUI-";

/** Only kube-proxy's mode ipvs makes these (kube-proxy: pkg/proxy/ipvs, iptablesChains). */
const IPVS_NAMES: Readonly<Record<XTable, readonly string[]>> = {
  filter: ["KUBE-NODE-PORT", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"],
  nat: ["KUBE-NODE-PORT", "KUBE-LOAD-BALANCER"],
  mangle: [],
};

/** Chains of mode iptables, which mode ipvs shares in part, and ours to try rules in. */
export function isKubeProxyChain(table: XTable, name: string): boolean {
  return NAMES[table].includes(name) || (table === "nat" && isServiceChain(name)) || name.startsWith(TRIAL_PREFIX);
}

/** A chain of one service port or endpoint. */
export function isServiceChain(name: string): boolean {
  return PREFIXES.some((prefix) => name.startsWith(prefix));
}

export function isIpvsChain(table: XTable, name: string): boolean {
  return IPVS_NAMES[table].includes(name);
}

export function isXTable(table: string): table is XTable {
  return (XTABLES as readonly string[]).includes(table);
}

/**
 * Is this rule of a built-in chain one of kube-proxy's jumps? All that lead to chains of its own have a comment that starts
 * with one of these words, in all its modes and versions; a jump of an administrator's own has not.
 */
export function isKubeProxyComment(text: string): boolean {
  return COMMENTS.some((start) => text.includes(start));
}

const COMMENTS = ["kubernetes ", "kube-proxy "];
