// What the API server allocates before it validates: chosen addresses and ports must be in their ranges (Kubernetes 1.37:
// pkg/registry/core/service), and no other Service's.
import { contains, parseAddress, parseCidr } from "../cidr.ts";
import type { Causes } from "./causes.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { hasNodePorts, needsHealthCheck, type ServiceSpec } from "./objects.ts";
import type { Owner, Taken } from "./taken.ts";

/**
 * The first address or port that the cluster cannot give; the server goes no further either.
 * @param key the Service's, as `namespace/name`
 */
export function validateAllocations(spec: ServiceSpec, key: string, cluster: Cluster, causes: Causes): void {
  if (spec.type === "ExternalName") return;
  validateAddresses(spec, key, cluster, causes);
  if (causes.list.length > 0 || !hasNodePorts(spec)) return;
  const own = validateNodePorts(spec, key, cluster, causes);
  if (causes.list.length === 0 && needsHealthCheck(spec)) validateHealthCheckPort(spec, key, own, cluster, causes);
}

export interface Cluster {
  readonly settings: ClusterSettings;
  readonly taken: Taken;
}

function validateAddresses(spec: ServiceSpec, key: string, { settings, taken }: Cluster, causes: Causes): void {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  for (const address of clusterIPs) {
    if (address === "None") continue;
    const owner = taken.ofAddress(address, key);
    if (owner === undefined && isInRange(address, settings.serviceCIDRs)) continue;
    // One place for each family; what is empty was to be chosen.
    const shown = Array.from({ length: Math.max(ipFamilies.length, clusterIPs.length) }, (_, i) => clusterIPs[i] ?? "");
    const why = owner === undefined ? "the provided network does not match the current range" : ADDRESS_TAKEN;
    const hint = owner === undefined ? rangesHint(settings) : takenHint(owner);
    causes.invalid("spec.clusterIPs", shown, `failed to allocate IP ${address}: ${why}`, hint);
    return;
  }
}

/** Ports of one number may share a node port, others not, whatever their protocols. */
function validateNodePorts({ ports = [] }: ServiceSpec, key: string, cluster: Cluster, causes: Causes): Set<number> {
  const own = new Set<number>();
  const firstOf = new Map<number, number>();
  for (const [index, { port = 0, nodePort = 0 }] of ports.entries()) {
    if (nodePort === 0 || firstOf.get(port) === nodePort) continue;
    const found = againstNodePort(nodePort, key, own, cluster);
    if (found !== undefined) {
      causes.invalid(`spec.ports[${index}].nodePort`, nodePort, found.why, found.hint);
      break;
    }
    own.add(nodePort);
    if (!firstOf.has(port)) firstOf.set(port, nodePort);
  }
  return own;
}

function validateHealthCheckPort(
  { healthCheckNodePort = 0 }: ServiceSpec,
  key: string,
  own: ReadonlySet<number>,
  cluster: Cluster,
  causes: Causes,
): void {
  const found = againstNodePort(healthCheckNodePort, key, own, cluster);
  if (found === undefined) return;
  const message = `failed to allocate requested HealthCheck NodePort ${healthCheckNodePort}: ${found.why}`;
  causes.list.push({ reason: "InternalError", field: "spec.healthCheckNodePort", message, hint: found.hint });
}

const ADDRESS_TAKEN = "provided IP is already allocated";
const PORT_TAKEN = "provided port is already allocated";

/**
 * 0 is to be chosen by the cluster.
 * @param own what the Service has got so far
 */
function againstNodePort(port: number, key: string, own: ReadonlySet<number>, { settings, taken }: Cluster) {
  if (port === 0) return undefined;
  const { first, last } = settings.nodePorts;
  if (port < first || port > last) {
    const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    return { why, hint: "choose another, or say the cluster's range: --service-node-port-range" };
  }
  if (own.has(port)) return { why: PORT_TAKEN, hint: "another port of this Service has it: choose another" };
  const owner = taken.ofPort(port, key);
  return owner === undefined ? undefined : { why: PORT_TAKEN, hint: takenHint(owner) };
}

function takenHint(owner: Owner): string {
  return `${owner.shown()} has it: choose another`;
}

function rangesHint({ serviceCIDRs = [] }: ClusterSettings): string {
  return `the cluster's ranges are ${serviceCIDRs.join(", ")}`;
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
