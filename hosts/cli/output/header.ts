// The comment lines at the head of rendered rules. No times, no paths: same input, same bytes.
import type { Family, Mode } from "../../shared/contract.ts";
import { version } from "../version.ts";
import { printable } from "./printable.ts";

export interface HeaderFacts {
  mode: Mode;
  families: readonly Family[];
  node: string;
  /** A Node object of that name was given. */
  nodeKnown: boolean;
  conntrackTcpBeLiberal: boolean;
}

/** nfacct objects that kube-proxy's iptables rules count into; rules that name a missing one don't load. */
const nfacctObjects = ["ct_state_invalid_dropped_pkts", "localhost_nps_accepted_pkts"];

const loads: Record<Mode, Record<Family, string>> = {
  iptables: { ipv4: "iptables-restore", ipv6: "ip6tables-restore" },
  nftables: { ipv4: "nft -f", ipv6: "nft -f" },
  flat: { ipv4: "nft -f", ipv6: "nft -f" },
};

/** Whose rules they are. */
const likeness = (mode: Mode) =>
  mode === "flat"
    ? "in a layout of its own that does what kube-proxy 1.37 does; table sluice"
    : "as kube-proxy 1.37 has them after its first sync";

export function header(facts: HeaderFacts, rules: readonly Uint8Array[]): string {
  const { mode, families, node, nodeKnown, conntrackTcpBeLiberal } = facts;
  const families_ = families.map((family) => (family === "ipv4" ? "IPv4" : "IPv6")).join(" and ");
  const where = node === "" ? "a node without a name" : `node ${printable(node, 253)}`;
  const lines = [
    `Kubernetes Service rules for ${where}: ${mode}, ${families_}`,
    `Written by sluice ${version}, ${likeness(mode)}`,
    `${mode === "flat" ? "Load, also over an older one" : "Load into empty tables"}: ${loads[mode][families[0] ?? "ipv4"]} THIS-FILE`,
  ];
  const needed = nfacctObjects.filter((object) =>
    rules.some((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).includes(object)),
  );
  if (needed.length > 0) {
    lines.push(`First make the counters it names: ${needed.map((object) => `nfacct add ${object}`).join("; ")}`);
  }
  const addresses = nodeKnown ? "loopback and the Node's InternalIPs" : "loopback (no Node object was given)";
  const liberal = `conntrack tcp_be_liberal ${conntrackTcpBeLiberal ? "on" : "off"}`;
  const assumed = [`interface addresses: ${addresses}`];
  if (mode === "iptables") assumed.push(liberal, "MASQUERADE --random-fully known");
  lines.push(`Assumed of the machine: ${assumed.join("; ")}`);
  return `${lines.map((line) => `# ${line}`).join("\n")}\n`;
}
