// This node's Node object. By its name endpoints are local, and node ports answer on its addresses.
import type { NodeView } from "../../shared/contract.ts";
import type { Hazard } from "./hazard.ts";

/** The Node's addresses, as far as they are known. */
type Addresses = Pick<NodeView, "ipv4" | "ipv6">;

const UNKNOWN: Addresses = { ipv4: "127.0.0.1", ipv6: "::1" };

/**
 * No Node has had this name since the agent started.
 *
 * @param kept addresses that rules had already when the agent started, so there probably was a Node
 */
export function neverSeen(name: string, kept: Addresses = UNKNOWN): Hazard {
  const subject = `Node ${name}`;
  const addresses = known(kept);
  if (addresses !== "") {
    return {
      subject,
      message: `no Node is called ${name} any more: node ports that are to answer on its primary addresses answer where they did when the agent started (${addresses})`,
      hint: "if it has been deleted, restart its kubelet, which makes the object anew; if it has another name, give that with --hostname-override",
    };
  }
  return {
    subject,
    message: `no Node is called ${name}: no endpoint counts as local, Services with a Local policy get no traffic here, and node ports that are to answer on its primary addresses answer on all`,
    hint: "give the Node's name with --hostname-override (kubectl get nodes has the names)",
  };
}

function known({ ipv4, ipv6 }: Addresses): string {
  return [ipv4, ipv6].filter((address) => address !== UNKNOWN.ipv4 && address !== UNKNOWN.ipv6).join(" and ");
}

/** There was one, and it has been deleted. */
export function gone({ name, ipv4, ipv6 }: Pick<NodeView, "name" | "ipv4" | "ipv6">): Hazard {
  const addresses = known({ ipv4, ipv6 });
  const kept =
    addresses === "" ? "what it said last stays in force" : `its last addresses (${addresses}) stay in force`;
  return {
    subject: `Node ${name}`,
    message: `Node ${name} has been deleted: ${kept}, and load balancers are told to leave this node alone`,
    hint: "if the node is to stay, restart its kubelet, which makes the object anew; if not, drain it and shut it down",
  };
}
