// Packets to node ports, load-balancer and external IPs are forwarded to pods. A firewall may drop what it does not know. Then
// kube-proxy's iptables mode accepts these packets in the same table (chain KUBE-FORWARD). An accept in another nf_tables table
// does not help: a packet is gone once any chain on the hook drops it.
import type { Family } from "../../shared/contract.ts";
import { FAMILIES } from "../../shared/families.ts";
import { readLegacyTable } from "../kernel/listing/legacy-table.ts";
import { type ForwardDrop, listForwardDrops } from "../kernel/listing/nft-listing.ts";
import type { NetlinkSocket } from "../netlink/sockets/socket.ts";
import type { Hazard } from "./hazard.ts";

/** @throws {NetlinkError} */
export async function forwardingHazards(socket: NetlinkSocket): Promise<Hazard[]> {
  const dropping = await listForwardDrops(socket);
  for (const family of FAMILIES) dropping.push(...(await legacyDrop(family)));
  return dropping.map(({ table, chain }) => ({
    subject: `${table} ${chain}`,
    message: `chain ${chain} of table ${table} drops what it has no rule for: traffic of node ports, load-balancer and external IPs to pods may be dropped there (kube-proxy's iptables mode lets it pass)`,
    hint: `${remedy(table, chain)}, or mode: iptables`,
  }));
}

async function legacyDrop(family: Family): Promise<ForwardDrop[]> {
  const dropsByDefault = (await readLegacyTable(family, "filter"))?.dropsByDefault("FORWARD") === true;
  return dropsByDefault ? [{ table: `${family === "ipv4" ? "ip" : "ip6"} filter`, chain: "FORWARD" }] : [];
}

function remedy(table: string, chain: string): string {
  if (chain !== "FORWARD" || !table.endsWith(" filter")) return `give ${table} ${chain} the policy accept`;
  const command = table.startsWith("ip6") ? "ip6tables" : "iptables";
  return `${command} -P FORWARD ACCEPT (and, so that it stays: docker's "ip-forward-no-drop", ufw's DEFAULT_FORWARD_POLICY)`;
}
