// The Node object as it was last, for the next engine instances: its addresses stay in force after it is deleted. A process
// that starts while the object is gone finds the addresses in the kernel's rules.
import { BlockList, isIP, isIPv4 } from "node:net";
import type { AgentConfig } from "../config/agent-config.ts";
import type { KernelWriter } from "../kernel/writer.ts";

/** What the API server has sent of it, or an object with the same addresses; the latest comes last. */
export interface LastNode {
  said?: readonly Uint8Array[];
}

/** The latest may say less than the one before: a kubelet that makes the object anew gives it addresses a moment later. */
const KEPT = 4;

export function noteNode(last: LastNode, json: Uint8Array): void {
  last.said = [...(last.said ?? []), json].slice(-KEPT);
}

/**
 * Fills `last`, where it is empty, with the addresses that rules in the kernel have for `primary` of nodePortAddresses: without
 * any, node ports would answer on all addresses. It counts until the API server has told the Node's. Never rejects.
 *
 * @param name the Node's
 * @returns the addresses; none: `last` is as it was
 */
export async function recallNode(
  last: LastNode,
  name: string,
  { mode, rules }: Pick<AgentConfig, "mode" | "rules">,
  writer: Pick<KernelWriter, "nodePortAddresses">,
): Promise<readonly string[]> {
  const { nodePortAddresses } = rules;
  const meansPrimary = nodePortAddresses.includes("primary") || (nodePortAddresses.length === 0 && mode !== "iptables");
  if (last.said !== undefined || !meansPrimary) return [];
  const found = primaryOf((await writer.nodePortAddresses?.()) ?? [], nodePortAddresses);
  if (found.length === 0) return [];
  const addresses = found.map((address) => ({ type: "InternalIP", address }));
  const node = { apiVersion: "v1", kind: "Node", metadata: { name }, status: { addresses } };
  noteNode(last, new TextEncoder().encode(JSON.stringify(node)));
  return found;
}

/** One of each family: that which is not there because of a CIDR. Where all are, it makes no difference. */
function primaryOf(addresses: readonly string[], nodePortAddresses: readonly string[]): string[] {
  const found = addresses.filter((address) => !/^127\.|^::1$/.test(address)); // these are no Node's
  const listed = new BlockList();
  for (const each of nodePortAddresses) {
    const [address = "", length = ""] = each.split("/");
    if (isIP(address) !== 0) listed.addSubnet(address, Number(length), familyOf(address));
  }
  const candidates = [
    ...found.filter((address) => !listed.check(address, familyOf(address))),
    ...found.filter((address) => listed.check(address, familyOf(address))),
  ];
  const first = (family: string) => candidates.find((address) => familyOf(address) === family);
  return [first("ipv4"), first("ipv6")].filter((address) => address !== undefined);
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}
