// What of the result is assumed, for those who show it.
import { fieldsOf, listOf, type ManifestObject } from "../manifests/objects.ts";
import type { AssumedSlice } from "./endpoint-slices.ts";
import type { ClusterNode } from "./nodes.ts";
import { keyOf } from "./objects.ts";
import type { AddressedService } from "./service-addresses.ts";
import { chosenClusterIPs } from "./service-families.ts";
import type { Workload } from "./workloads.ts";

export interface AssumedCounts {
  /** Cluster IPs and load-balancer IPs. */
  readonly addresses: number;
  readonly nodePorts: number;
  /** A pod counts in each Service and family. */
  readonly endpoints: number;
  readonly workloads: number;
  /** Nodes that the pods were put on. */
  readonly nodes: number;
}

/** As the engine's blame names one. */
export interface RuleOwner {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly field: string;
}

export class Marks {
  readonly counts: AssumedCounts;
  /** The first Node that was assumed; undefined: Nodes were given, or none is needed. */
  readonly firstNode: ClusterNode | undefined;
  readonly #services: ReadonlyMap<string, AddressedService>;
  readonly #slices: ReadonlyMap<string, AssumedSlice>;
  readonly #withEndpoints: ReadonlySet<string>;
  readonly #unknown: ReadonlySet<string>;

  constructor(
    services: readonly AddressedService[],
    slices: readonly { readonly service: ManifestObject; readonly slice: AssumedSlice }[],
    unknown: readonly ManifestObject[],
    nodes: readonly ClusterNode[],
  ) {
    this.#services = new Map(services.map((each) => [keyOf(each.object), each]));
    this.#slices = new Map(slices.map(({ service, slice }) => [keyOf({ ...service, name: slice.name }), slice]));
    this.#withEndpoints = new Set(slices.map(({ service }) => keyOf(service)));
    this.#unknown = new Set(unknown.map(keyOf));
    this.firstNode = nodes[0];
    this.counts = countsOf(services, slices);
  }

  /** @param service namespace and name */
  isAssumedClusterIP(service: string, address: string): boolean {
    return this.#services.get(service)?.clusterIPs.includes(address) ?? false;
  }

  isAssumedNodePort(service: string, port: number): boolean {
    return this.#services.get(service)?.nodePorts.includes(port) ?? false;
  }

  isAssumedLoadBalancerIP(service: string, address: string): boolean {
    return this.#services.get(service)?.loadBalancerIPs.includes(address) ?? false;
  }

  hasAssumedEndpoints(service: string): boolean {
    return this.#withEndpoints.has(service);
  }

  hasUnknownEndpoints(service: string): boolean {
    return this.#unknown.has(service);
  }

  /** Whether the field was assumed. */
  isAssumedField(owner: RuleOwner): boolean {
    if (owner.kind === "EndpointSlice") return this.#slices.has(keyOf(owner));
    const service = owner.kind === "Service" ? this.#services.get(keyOf(owner)) : undefined;
    if (service === undefined) return false;
    const clusterIP = /^spec\.clusterIP(?:s\[(\d+)\])?$/.exec(owner.field);
    // Those that the Service chose come first.
    if (clusterIP !== null) {
      return Number(clusterIP[1] ?? 0) >= chosenClusterIPs(fieldsOf(service.object.fields.spec)).length;
    }
    if (owner.field.startsWith("status.loadBalancer")) return service.loadBalancerIPs.length > 0;
    if (owner.field === "spec.healthCheckNodePort") return service.healthCheckNodePort;
    const port = /^spec\.ports\[(\d+)\]\.nodePort$/.exec(owner.field)?.[1];
    return port !== undefined && this.#isAssumedPort(service, Number(port));
  }

  #isAssumedPort({ object, nodePorts }: AddressedService, index: number): boolean {
    return nodePorts.length > 0 && !fieldsOf(listOf(fieldsOf(object.fields.spec).ports)[index]).nodePort;
  }

  /** Whose pods an assumed slice has, or the one that its field names. Empty: the slice was given. */
  workloadsOf(owner: RuleOwner): Workload[] {
    const slice = owner.kind === "EndpointSlice" ? this.#slices.get(keyOf(owner)) : undefined;
    if (slice === undefined) return [];
    const index = /^endpoints\[(\d+)\]/.exec(owner.field)?.[1];
    const one = index === undefined ? undefined : slice.workloads[Number(index)];
    return one === undefined ? [...new Set(slice.workloads)] : [one];
  }
}

function countsOf(
  services: readonly AddressedService[],
  slices: readonly { readonly slice: AssumedSlice }[],
): AssumedCounts {
  const sum = (count: (service: AddressedService) => number) =>
    services.reduce((total, each) => total + count(each), 0);
  const nodes = new Set<unknown>();
  const workloads = new Set<Workload>();
  let endpoints = 0;
  for (const { slice } of slices) {
    if (listOf(slice.fields.ports).length === 0) continue; // no traffic reaches it: its ports' targets are missing
    endpoints += slice.workloads.length;
    for (const workload of slice.workloads) workloads.add(workload);
    for (const endpoint of listOf(slice.fields.endpoints)) {
      const { nodeName } = fieldsOf(endpoint);
      if (nodeName !== undefined) nodes.add(nodeName);
    }
  }
  return {
    addresses: sum(({ clusterIPs, loadBalancerIPs }) => clusterIPs.length + loadBalancerIPs.length),
    nodePorts: sum(({ nodePorts, healthCheckNodePort }) => nodePorts.length + Number(healthCheckNodePort)),
    endpoints,
    workloads: workloads.size,
    nodes: nodes.size,
  };
}
