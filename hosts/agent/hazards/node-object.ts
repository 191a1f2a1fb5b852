// This node's object: endpoints are local, and node ports answer on its addresses, by its name.
import type { NodeView } from "../../shared/contract.ts";
import type { Hazard } from "./hazard.ts";

/** No Node has had this name since the agent started. */
export function neverSeen(name: string): Hazard {
  return {
    subject: `Node ${name}`,
    message: `no Node is called ${name}: no endpoint counts as local, Services with a Local policy get no traffic here, and node ports that are to answer on its primary addresses answer on all`,
    hint: "give the Node's name with --hostname-override (kubectl get nodes has the names)",
  };
}

/** There was one, and it has been deleted. */
export function gone({ name, ipv4, ipv6 }: Pick<NodeView, "name" | "ipv4" | "ipv6">): Hazard {
  const addresses = [ipv4, ipv6].filter((address) => address !== "127.0.0.1" && address !== "::1").join(" and ");
  const kept =
    addresses === "" ? "what it said last stays in force" : `its last addresses (${addresses}) stay in force`;
  return {
    subject: `Node ${name}`,
    message: `Node ${name} has been deleted: ${kept}, and load balancers are told to leave this node alone`,
    hint: "if the node is to stay, restart its kubelet, which makes the object anew; if not, drain it and shut it down",
  };
}
