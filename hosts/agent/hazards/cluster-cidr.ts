// Without the pods' addresses it is unknown which connections to masquerade.
import type { AgentConfig } from "../config/agent-config.ts";
import type { Hazard } from "./hazard.ts";

export function clusterCidrHazards({ mode, rules }: Pick<AgentConfig, "mode" | "rules">): Hazard[] {
  if (rules.detectLocalMode !== "cluster-cidr" || rules.clusterCidr.trim() !== "" || rules.masquerade[mode].all)
    return [];
  return [
    {
      subject: "clusterCIDR",
      message:
        "detectLocalMode is ClusterCIDR and clusterCIDR is empty: no connection to a cluster IP is masqueraded, and clients outside the cluster may get no answers from it",
      hint: "set clusterCIDR to the pods' addresses, or another detectLocalMode",
    },
  ];
}
