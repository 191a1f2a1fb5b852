// On which of the machine's addresses the health-check node ports listen: those on which node ports are served.
import { BlockList } from "node:net";
import type { Family, Mode, NodeView } from "../shared/contract.ts";
import { familyOf, familyOfCidr } from "./config/addresses.ts";
import type { NodePortAddresses } from "./http/service-health.ts";

const LOOPBACK: Readonly<Record<Family, string>> = { ipv4: "127.0.0.0/8", ipv6: "::1/128" };

/**
 * As kube-proxy's: every address where nothing is listed for the family (`primary` in the nftables modes), or a CIDR of
 * prefix length 0; else the addresses of interfaces that are listed or in a listed CIDR.
 */
export function listenAddresses(
  mode: Mode,
  nodePortAddresses: readonly string[],
  interfaces: readonly string[],
  node: NodeView,
): NodePortAddresses {
  const entries = nodePortAddresses.length === 0 && mode !== "iptables" ? ["primary"] : nodePortAddresses;
  return { ipv4: ofFamily("ipv4", entries, interfaces, node), ipv6: ofFamily("ipv6", entries, interfaces, node) };
}

function ofFamily(
  family: Family,
  entries: readonly string[],
  interfaces: readonly string[],
  node: NodeView,
): readonly string[] | undefined {
  const list = new BlockList();
  let isRestricted = false;
  for (const entry of entries) {
    if (entry === "all") return undefined;
    if (entry === "primary") {
      const ip = node[family];
      if (ip === "127.0.0.1" || ip === "::1") continue;
      list.addAddress(ip, family);
    } else {
      const cidr = entry === "localhost" ? LOOPBACK[family] : entry;
      if (familyOfCidr(cidr) !== family) continue;
      const [address = "", prefix = ""] = cidr.split("/");
      if (Number(prefix) === 0) return undefined;
      list.addSubnet(address, Number(prefix), family);
    }
    isRestricted = true;
  }
  if (!isRestricted) return undefined;
  return interfaces.filter((address) => familyOf(address) === family && list.check(address, family));
}
