// What the API server allocates before it validates: chosen addresses and ports must be in their ranges (Kubernetes 1.37:
// pkg/registry/core/service). Whether another Service has them: taken.ts.
import { contains, parseAddress, parseCidr } from "../cidr.ts";
import type { Causes } from "./causes.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { needsHealthCheck, type ServiceSpec } from "./objects.ts";

/** The first address or port that the cluster cannot give; the server goes no further either. */
export function validateAllocations(spec: ServiceSpec, settings: ClusterSettings, causes: Causes): void {
  if (spec.type === "ExternalName") return;
  const { clusterIPs = [], ipFamilies = [], ports = [], healthCheckNodePort = 0 } = spec;
  for (const address of clusterIPs) {
    if (address === "None" || isInRange(address, settings.serviceCIDRs)) continue;
    // One place for each family; what is empty was to be chosen.
    const shown = Array.from({ length: Math.max(ipFamilies.length, clusterIPs.length) }, (_, i) => clusterIPs[i] ?? "");
    const why = `failed to allocate IP ${address}: the provided network does not match the current range`;
    causes.invalid("spec.clusterIPs", shown, why);
    return;
  }
  const { first, last } = settings.nodePorts;
  const isGood = (port: number) => port === 0 || (port >= first && port <= last);
  const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
  if (hasNodePorts(spec)) {
    for (const [index, { nodePort = 0 }] of ports.entries()) {
      if (isGood(nodePort)) continue;
      causes.invalid(`spec.ports[${index}].nodePort`, nodePort, why);
      return;
    }
  }
  if (needsHealthCheck(spec) && !isGood(healthCheckNodePort)) {
    const message = `failed to allocate requested HealthCheck NodePort ${healthCheckNodePort}: ${why}`;
    causes.list.push({ reason: "InternalError", field: "spec.healthCheckNodePort", message });
  }
}

/** Ports of one number and several protocols get one node port, where somebody has chosen it for one of them. */
export function shareNodePorts(spec: ServiceSpec): void {
  const { ports = [], allocateLoadBalancerNodePorts } = spec;
  if (!hasNodePorts(spec) || allocateLoadBalancerNodePorts === false) return;
  for (const port of ports) {
    const chosen = ports.find((other) => other.port === port.port && other.nodePort !== undefined)?.nodePort;
    if (chosen !== undefined) port.nodePort ??= chosen;
  }
}

export function hasNodePorts({ type }: ServiceSpec): boolean {
  return type === "NodePort" || type === "LoadBalancer";
}

/** In one of the ranges, and neither the address of its network nor, of IPv4, its broadcast address. */
function isInRange(address: string, serviceCIDRs: readonly string[] | undefined): boolean {
  const parsed = parseAddress(address);
  if (serviceCIDRs === undefined || parsed === undefined) return true;
  return serviceCIDRs.some((text) => {
    const cidr = parseCidr(text);
    if (cidr === undefined || !contains(cidr, parsed) || parsed.value === cidr.base) return false;
    return cidr.family === "IPv6" || parsed.value !== cidr.base + cidr.size - 1n;
  });
}
