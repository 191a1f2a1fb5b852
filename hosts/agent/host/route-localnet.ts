// Node ports on 127.0.0.1, in iptables mode: the kernel has to route loopback addresses for that.
import { BlockList } from "node:net";
import { familyOfCidr } from "../../shared/config/addresses.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { Machine, Setting } from "./setting.ts";
import { ensureSysctl } from "./sysctl.ts";

/** Empty: not asked for. It is never set back, because others may have set it. */
export async function applyRouteLocalnet(config: AgentConfig, machine: Machine): Promise<Setting[]> {
  const { mode, rules } = config;
  if (mode !== "iptables" || !rules.localhostNodePorts || !coversLoopback(rules.nodePortAddresses)) return [];
  const hint = "run --init-only once with privilege, or set iptables.localhostNodePorts: false";
  return [await ensureSysctl(machine, { name: "net.ipv4.conf.all.route_localnet", wanted: 1, hint })];
}

/** Whether node ports answer on IPv4 loopback addresses. Without an IPv4 entry every address counts. */
export function coversLoopback(nodePortAddresses: readonly string[]): boolean {
  if (nodePortAddresses.includes("localhost") || nodePortAddresses.includes("all")) return true;
  const cidrs = nodePortAddresses.filter((entry) => familyOfCidr(entry) === "ipv4");
  if (cidrs.length === 0) return !nodePortAddresses.includes("primary");
  return cidrs.some((cidr) => {
    const [address = "", prefix = ""] = cidr.split("/");
    const octets = address.split(".").map(Number);
    if (octets[0] === 127) return true;
    const list = new BlockList();
    list.addSubnet(octets.join("."), Number(prefix), "ipv4");
    return list.check("127.0.0.0", "ipv4");
  });
}
