// The rules of built-in chains that lead into kube-proxy's chains (kube-proxy: iptablesJumpChains). They are inserted
// once and then left where they are.

export interface Jump {
  readonly table: "filter" | "nat";
  /** The built-in chain. */
  readonly from: string;
  readonly to: string;
  /** What the rule matches, one word of the command line each. */
  readonly match: readonly string[];
}

const NEW = ["-m", "conntrack", "--ctstate", "NEW"];
const comment = (text: string) => ["-m", "comment", "--comment", text];
const EXTERNAL = [...NEW, ...comment("kubernetes externally-visible service portals")];
const SERVICES = [...NEW, ...comment("kubernetes service portals")];
const FIREWALL = [...NEW, ...comment("kubernetes load balancer firewall")];
const NAT_SERVICES = comment("kubernetes service portals");

/** In kube-proxy's order of insertion: each comes on top, so the last of a chain is its first. */
export const JUMPS: readonly Jump[] = [
  { table: "filter", from: "INPUT", to: "KUBE-EXTERNAL-SERVICES", match: EXTERNAL },
  { table: "filter", from: "FORWARD", to: "KUBE-EXTERNAL-SERVICES", match: EXTERNAL },
  { table: "filter", from: "INPUT", to: "KUBE-NODEPORTS", match: comment("kubernetes health check service ports") },
  { table: "filter", from: "FORWARD", to: "KUBE-SERVICES", match: SERVICES },
  { table: "filter", from: "OUTPUT", to: "KUBE-SERVICES", match: SERVICES },
  { table: "filter", from: "FORWARD", to: "KUBE-FORWARD", match: comment("kubernetes forwarding rules") },
  { table: "filter", from: "INPUT", to: "KUBE-PROXY-FIREWALL", match: FIREWALL },
  { table: "filter", from: "OUTPUT", to: "KUBE-PROXY-FIREWALL", match: FIREWALL },
  { table: "filter", from: "FORWARD", to: "KUBE-PROXY-FIREWALL", match: FIREWALL },
  { table: "nat", from: "OUTPUT", to: "KUBE-SERVICES", match: NAT_SERVICES },
  { table: "nat", from: "PREROUTING", to: "KUBE-SERVICES", match: NAT_SERVICES },
  { table: "nat", from: "POSTROUTING", to: "KUBE-POSTROUTING", match: comment("kubernetes postrouting rules") },
  // kubelet has the same two.
  { table: "filter", from: "INPUT", to: "KUBE-FIREWALL", match: [] },
  { table: "filter", from: "OUTPUT", to: "KUBE-FIREWALL", match: [] },
];

/** On a node that lacks the extension. */
export function withoutComment(jump: Jump): Jump {
  // The comment is the last of what is matched: -m comment --comment TEXT.
  return jump.match.includes("comment") ? { ...jump, match: jump.match.slice(0, -4) } : jump;
}

/**
 * What the jumps of a table look like without their comments: "FORWARD NEW KUBE-SERVICES", "PREROUTING - KUBE-SERVICES". Those
 * that have none anywhere, since they are kubelet's as well, are not among them.
 */
export function bareJumps(table: string): readonly string[] {
  return JUMPS.filter((jump) => jump.table === table && jump.match.includes("comment")).map((jump) =>
    bareJump(jump.from, jump.match.includes("conntrack"), jump.to),
  );
}

/** One of them. `isNew`: for new connections alone. */
export function bareJump(from: string, isNew: boolean, to: string): string {
  return `${from} ${isNew ? "NEW" : "-"} ${to}`;
}

/** `iptables` arguments that ask whether the rule is there. */
export function checkArguments(jump: Jump): readonly string[] {
  return ["-C", jump.from, "-t", jump.table, ...jump.match, "-j", jump.to];
}

/** `iptables-restore` input that inserts the rules; "" for none. */
export function insertionInput(jumps: readonly Jump[]): string {
  let text = "";
  for (const table of ["filter", "nat"] as const) {
    const lines = jumps.filter((jump) => jump.table === table).map(insertionLine);
    if (lines.length > 0) text += `*${table}\n${lines.join("")}COMMIT\n`;
  }
  return text;
}

function insertionLine({ from, to, match }: Jump): string {
  const words = match.map((word) => (word.includes(" ") ? `"${word}"` : word));
  return `${["-I", from, ...words, "-j", to].join(" ")}\n`;
}
