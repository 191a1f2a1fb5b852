// What is looked for in the kernel: by the agent from time to time, and by --check.
import type { AgentConfig } from "../config/agent-config.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import type { AffinityWatch } from "./affinity.ts";
import { forwardingHazards } from "./forwarding.ts";
import type { Hazard, HazardSource } from "./hazard.ts";
import { markHazards } from "./marks.ts";

export type KernelHazards = ReadonlyMap<HazardSource, readonly Hazard[]>;

/** @throws {NetlinkError} the kernel does not let us look */
export async function findKernelHazards(
  config: Pick<AgentConfig, "mode" | "rules">,
  affinity: AffinityWatch,
): Promise<KernelHazards> {
  const socket = NetlinkSocket.open();
  try {
    return new Map<HazardSource, readonly Hazard[]>([
      // In iptables mode KUBE-FORWARD is in the same chain, and accepts.
      ["forwarding", config.mode === "iptables" ? [] : await forwardingHazards(socket)],
      ["marks", await markHazards(config, socket)],
      ["affinity", await affinity.look(socket)],
    ]);
  } finally {
    await socket.close();
  }
}
