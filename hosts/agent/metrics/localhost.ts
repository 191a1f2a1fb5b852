// Node ports on loopback addresses: kube-proxy's metrics of its gate KubeProxyNFTablesLocalhostNodePorts, and ours of the
// connections.
import { FAMILIES, familyName } from "../../shared/families.ts";
import type { LocalhostFigures } from "../localhost/node-ports.ts";
import type { RejectedPackets } from "../localhost/rejected.ts";
import { Counter, Gauge, type Registry } from "./prom-client.ts";

export interface LocalhostMetrics extends LocalhostFigures {
  readonly rejected: readonly RejectedPackets[];
}

/** Returns what takes the figures, at each scrape. */
export function registerLocalhostMetrics(registry: Registry): (figures: LocalhostMetrics) => void {
  const registers = [registry];
  const family = ["ip_family"] as const;
  const listeners = new Gauge({
    name: "kubeproxy_nftables_localhost_nodeport_listeners",
    help: "Node ports that are listened for on loopback addresses",
    labelNames: family,
    registers,
  });
  const failures = new Counter({
    name: "kubeproxy_nftables_localhost_nodeport_listener_creation_failures_total",
    help: "Cumulative failures to listen for a node port on a loopback address",
    labelNames: family,
    registers,
  });
  const rejected = new Counter({
    name: "kubeproxy_nftables_localhost_nodeport_rejected_packets_total",
    help: "Packets to node ports on loopback addresses that rules have refused",
    labelNames: ["ip_family", "protocol"] as const,
    registers,
  });
  const open = new Gauge({
    name: "sluice_localhost_connections",
    help: "Connections to node ports on loopback addresses that go through the agent",
    registers,
  });
  const allowed = new Gauge({
    name: "sluice_localhost_connections_allowed",
    help: "How many of them there may be at once: more are reset, so that descriptors stay free for all else",
    registers,
  });
  const outcomes = new Counter({
    name: "sluice_localhost_connections_total",
    help: "How connections to node ports on loopback addresses began: forwarded, second (another endpoint after one that did not answer), unanswered, given up (by the client), limit (too many)",
    labelNames: ["outcome"] as const,
    registers,
  });
  return (figures) => {
    failures.reset();
    for (const each of FAMILIES) {
      listeners.set({ ip_family: familyName(each) }, figures.listeners[each]);
      failures.inc({ ip_family: familyName(each) }, figures.creationFailures[each]);
    }
    rejected.reset();
    for (const each of figures.rejected) {
      rejected.inc({ ip_family: familyName(each.family), protocol: each.protocol }, each.packets);
    }
    open.set(figures.open);
    allowed.set(figures.allowed);
    outcomes.reset();
    for (const [outcome, count] of Object.entries(figures.outcomes)) outcomes.inc({ outcome }, count);
  };
}
