// Cluster IPs, node ports and load-balancer IPs of Services that have none yet. What a Service chooses itself stays, and
// nobody else gets it.
import type { PortRange } from "../admission/cluster-settings.ts";
import { type Cidr, cidrText, parseAddress } from "../cidr.ts";
import type { AddressFamily } from "../describe.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { type Fields, fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";
import { AddressPool } from "./address-pool.ts";
import { isNew, isWholeNumber, keyOf } from "./objects.ts";
import { NumberPool } from "./pool.ts";
import { chosenClusterIPs, familiesOf, hasClusterIP } from "./service-families.ts";
import type { ServiceRanges } from "./service-ranges.ts";

/** A Service with what a cluster would have added. */
export interface AddressedService {
  readonly object: ManifestObject;
  /** The whole object, with them. */
  readonly fields: Fields;
  /** What was assumed. */
  readonly clusterIPs: readonly string[];
  readonly nodePorts: readonly number[];
  readonly healthCheckNodePort: boolean;
  readonly loadBalancerIPs: readonly string[];
}

export interface ServiceAddresses {
  readonly services: readonly AddressedService[];
  readonly diagnostics: readonly Diagnostic[];
}

const families: readonly AddressFamily[] = ["IPv4", "IPv6"];

/** Addresses that a cluster gives last (KEP-3070); services/ipallocator: between 16 and 256, a sixteenth of the range. */
export function reservedAddresses(size: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256, size);
}

/** The same for node ports (KEP-3668): between 16 and 128, a thirty-second of the range. */
function reservedNodePorts(size: number): number {
  return Math.min(Math.max(16, Math.floor(size / 32)), 128);
}

/** @param services in the order of their names */
export function serviceAddresses(
  services: readonly ManifestObject[],
  ranges: ServiceRanges,
  loadBalancerCidrs: readonly Cidr[],
  nodePorts: PortRange,
): ServiceAddresses {
  return new Addresses(services, ranges, loadBalancerCidrs, nodePorts).all();
}

class Addresses {
  readonly #services: readonly ManifestObject[];
  readonly #ranges: ServiceRanges;
  readonly #clusterIPs: Record<AddressFamily, AddressPool>;
  readonly #loadBalancerIPs: Record<AddressFamily, AddressPool>;
  readonly #loadBalancerFamilies: ReadonlySet<AddressFamily>;
  readonly #firstNodePort: number;
  readonly #nodePorts: NumberPool;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(
    services: readonly ManifestObject[],
    ranges: ServiceRanges,
    loadBalancerCidrs: readonly Cidr[],
    nodePorts: PortRange,
  ) {
    this.#services = services;
    this.#ranges = ranges;
    this.#firstNodePort = nodePorts.first;
    this.#nodePorts = nodePortPool(nodePorts);
    this.#clusterIPs = {
      IPv4: new AddressPool("IPv4", ranges.cidrs.IPv4, reservedAddresses),
      IPv6: new AddressPool("IPv6", ranges.cidrs.IPv6, reservedAddresses),
    };
    const of = (family: AddressFamily) => loadBalancerCidrs.filter((cidr) => cidr.family === family);
    this.#loadBalancerIPs = { IPv4: new AddressPool("IPv4", of("IPv4")), IPv6: new AddressPool("IPv6", of("IPv6")) };
    this.#loadBalancerFamilies = new Set(loadBalancerCidrs.map(({ family }) => family));
    for (const { fields } of services) this.#keep(fields);
  }

  /** What is chosen is nobody else's. */
  #keep(fields: Fields): void {
    const spec = fieldsOf(fields.spec);
    for (const text of chosenClusterIPs(spec)) {
      for (const family of families) this.#clusterIPs[family].excludeText(text);
    }
    const ports = listOf(spec.ports).map((port) => fieldsOf(port).nodePort);
    for (const port of [...ports, spec.healthCheckNodePort]) {
      if (isWholeNumber(port)) this.#nodePorts.exclude(port - this.#firstNodePort);
    }
    for (const text of [...ingressIPs(fields), textOf(spec.loadBalancerIP)]) {
      for (const family of families) this.#loadBalancerIPs[family].excludeText(text);
    }
  }

  all(): ServiceAddresses {
    const services: AddressedService[] = [];
    for (const object of this.#services) {
      if (!isNew(object) || !hasClusterIP(fieldsOf(object.fields.spec))) continue;
      const addressed = this.#addressed(object);
      if (addressed !== undefined) services.push(addressed);
    }
    return { services, diagnostics: this.#diagnostics };
  }

  /** Undefined: nothing was missing, or nothing could be had. */
  #addressed(object: ManifestObject): AddressedService | undefined {
    const spec = fieldsOf(object.fields.spec);
    const key = keyOf(object);
    const known = familiesOf(spec);
    const families = known.length > 0 ? known : [this.#ranges.primary];
    const chosen = chosenClusterIPs(spec);
    const assumed: string[] = [];
    const clusterIPs = [...chosen];
    for (const family of families.slice(chosen.length)) {
      const address = this.#clusterIPs[family].take(key);
      if (address === undefined) this.#refuse(object, family);
      else {
        assumed.push(address);
        clusterIPs.push(address);
      }
      // Cluster IPs and families stand in the same order.
      if (address === undefined) break;
    }
    if (clusterIPs.length === 0) return undefined;
    const { ports, nodePorts } = this.#ported(key, spec);
    const { healthCheckNodePort } = this.#healthCheck(key, spec);
    const loadBalancerIPs = this.#ingress(key, object.fields, families);
    if (assumed.length + nodePorts.length + loadBalancerIPs.length === 0 && healthCheckNodePort === undefined) {
      return undefined;
    }
    const fields: Fields = {
      ...object.fields,
      spec: {
        ...spec,
        clusterIP: clusterIPs[0],
        clusterIPs,
        ipFamilies: families.slice(0, clusterIPs.length),
        ports,
        ...(healthCheckNodePort === undefined ? {} : { healthCheckNodePort }),
      },
      ...(loadBalancerIPs.length === 0 ? {} : { status: withIngress(object.fields.status, loadBalancerIPs) }),
    };
    const hasHealthCheck = healthCheckNodePort !== undefined;
    return { object, fields, clusterIPs: assumed, nodePorts, healthCheckNodePort: hasHealthCheck, loadBalancerIPs };
  }

  #refuse(object: ManifestObject, family: AddressFamily): void {
    const ranges = this.#ranges.cidrs[family];
    const message =
      ranges.length === 0
        ? `it wants an ${family} address, and no range of Services is ${family}: it gets none`
        : `no address is left in ${ranges.map(cidrText).join(", ")}: it gets none`;
    const hint =
      ranges.length === 0 ? "name one by --service-cidr, or change ipFamilies" : "give a larger --service-cidr";
    this.#diagnostics.push(object.about("warning", "no-service-address", "spec.ipFamilies", message, hint));
  }

  #ported(key: string, spec: Fields): { ports: unknown; nodePorts: number[] } {
    if (!hasNodePorts(spec)) return { ports: spec.ports, nodePorts: [] };
    const nodePorts: number[] = [];
    // Ports of one number and several protocols share a node port.
    const byPort = new Map<unknown, number>();
    const list = listOf(spec.ports).map(fieldsOf);
    for (const { port, nodePort } of list) {
      if (isWholeNumber(nodePort) && nodePort !== 0 && !byPort.has(port)) byPort.set(port, nodePort);
    }
    const ports = list.map((port) => {
      if (isWholeNumber(port.nodePort) && port.nodePort !== 0) return port;
      let nodePort = byPort.get(port.port);
      if (nodePort === undefined) {
        const number = this.#nodePorts.take(`${key} ${String(port.port)}`);
        if (number === undefined) return port;
        nodePort = this.#firstNodePort + number;
        byPort.set(port.port, nodePort);
      }
      nodePorts.push(nodePort);
      return { ...port, nodePort };
    });
    return { ports, nodePorts };
  }

  #healthCheck(key: string, spec: Fields): { healthCheckNodePort: number | undefined } {
    const isWanted = spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
    const isChosen = isWholeNumber(spec.healthCheckNodePort) && spec.healthCheckNodePort !== 0;
    const number = isWanted && !isChosen ? this.#nodePorts.take(`${key} health check`) : undefined;
    return { healthCheckNodePort: number === undefined ? undefined : this.#firstNodePort + number };
  }

  /** Only where it is asked for. `loadBalancerIP` is what most providers then give. */
  #ingress(key: string, fields: Fields, families: readonly AddressFamily[]): string[] {
    const spec = fieldsOf(fields.spec);
    if (spec.type !== "LoadBalancer" || this.#loadBalancerFamilies.size === 0 || ingressOf(fields).length > 0)
      return [];
    const wanted = textOf(spec.loadBalancerIP);
    if (parseAddress(wanted) !== undefined) return [wanted];
    const found = families.filter((family) => this.#loadBalancerFamilies.has(family));
    return found.map((family) => this.#loadBalancerIPs[family].take(key)).filter((address) => address !== undefined);
  }
}

function nodePortPool({ first, last }: PortRange): NumberPool {
  const size = last - first + 1;
  return new NumberPool(size, reservedNodePorts(size));
}

/** allocateLoadBalancerNodePorts: false leaves a LoadBalancer without. */
function hasNodePorts(spec: Fields): boolean {
  return spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
}

function ingressOf(fields: Fields): readonly unknown[] {
  return listOf(fieldsOf(fieldsOf(fields.status).loadBalancer).ingress);
}

function ingressIPs(fields: Fields): string[] {
  return ingressOf(fields).map((each) => textOf(fieldsOf(each).ip));
}

function withIngress(status: unknown, addresses: readonly string[]): Fields {
  const loadBalancer = fieldsOf(fieldsOf(status).loadBalancer);
  return { ...fieldsOf(status), loadBalancer: { ...loadBalancer, ingress: addresses.map((ip) => ({ ip })) } };
}
