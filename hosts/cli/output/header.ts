// The comment lines at the head of rendered rules. No times, no paths: same input, same bytes.
import { isAtLeast, type KubeVersion } from "../../shared/config/kube-version.ts";
import type { Family, LocalhostListener, Mode } from "../../shared/contract.ts";
import { printable } from "../../shared/printable.ts";
import { version } from "../version.ts";

export interface HeaderFacts {
  mode: Mode;
  families: readonly Family[];
  node: string;
  /** A Node object of that name was given. */
  nodeKnown: boolean;
  /** What the files left open and is assumed, in words; empty: nothing. */
  assumed: string;
  conntrackTcpBeLiberal: boolean;
  kubeVersion: KubeVersion;
  /** Node ports for which the agent listens itself. */
  listeners: readonly LocalhostListener[];
}

/** nfacct objects that kube-proxy's iptables rules count into; rules that name a missing one don't load. */
const nfacctObjects = ["ct_state_invalid_dropped_pkts", "localhost_nps_accepted_pkts"];

const loads: Record<Mode, Record<Family, string>> = {
  iptables: { ipv4: "iptables-restore", ipv6: "ip6tables-restore" },
  nftables: { ipv4: "nft -f", ipv6: "nft -f" },
  flat: { ipv4: "nft -f", ipv6: "nft -f" },
};

/** Whose rules they are. */
function likeness(mode: Mode, version: KubeVersion): string {
  const kubeProxy = `kube-proxy ${isAtLeast(version, 1, 38) ? "1.38" : "1.37"}`;
  return mode === "flat"
    ? `in a layout of its own that does what ${kubeProxy} does; table sluice`
    : `as ${kubeProxy} has them after its first sync`;
}

/** Endpoints that are named for each port. */
const endpointsShown = 3;

function listenerLines(listeners: readonly LocalhostListener[]): string[] {
  const served = listeners.filter(({ endpoints }) => endpoints.length > 0);
  if (served.length === 0) return [];
  const host = (address: string) => (address.includes(":") ? `[${address}]` : address);
  return [
    "No rule can lead packets for loopback addresses away. For these node ports the agent listens, and forwards to:",
    ...served.map(({ family, port, namespace, service, portName, endpoints }) => {
      const first = endpoints.slice(0, endpointsShown).map((each) => `${host(each.address)}:${each.port}`);
      const more = endpoints.length > endpointsShown ? `, and ${endpoints.length - endpointsShown} more` : "";
      const name = `${namespace}/${service}${portName === "" ? "" : `:${portName}`}`;
      return `  ${family === "ipv4" ? "127.0.0.1" : "[::1]"}:${port} ${name}: ${first.join(", ")}${more}`;
    }),
  ];
}

export function header(facts: HeaderFacts, rules: readonly Uint8Array[]): string {
  const { mode, families, node, nodeKnown, conntrackTcpBeLiberal, kubeVersion } = facts;
  const families_ = families.map((family) => (family === "ipv4" ? "IPv4" : "IPv6")).join(" and ");
  const where = node === "" ? "a node without a name" : `node ${printable(node, 253)}`;
  const lines = [
    `Kubernetes Service rules for ${where}: ${mode}, ${families_}`,
    `Written by sluice ${version}, ${likeness(mode, kubeVersion)}`,
    `${mode === "flat" ? "Load, also over an older one" : "Load into empty tables"}: ${loads[mode][families[0] ?? "ipv4"]} THIS-FILE`,
  ];
  const needed = nfacctObjects.filter((object) =>
    rules.some((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).includes(object)),
  );
  if (needed.length > 0) {
    lines.push(`First make the counters it names: ${needed.map((object) => `nfacct add ${object}`).join("; ")}`);
  }
  if (facts.assumed !== "") lines.push(`Assumed, since the files leave it open: ${facts.assumed}`);
  const addresses = nodeKnown ? "loopback and the Node's InternalIPs" : "loopback (no Node object was given)";
  const liberal = `conntrack tcp_be_liberal ${conntrackTcpBeLiberal ? "on" : "off"}`;
  const assumed = [`interface addresses: ${addresses}`];
  if (mode === "iptables") assumed.push(liberal, "MASQUERADE --random-fully known");
  lines.push(`Assumed of the machine: ${assumed.join("; ")}`);
  lines.push(...listenerLines(facts.listeners.filter(({ family }) => families.includes(family))));
  return `${lines.map((line) => `# ${line}`).join("\n")}\n`;
}
