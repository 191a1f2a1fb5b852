// What to assume, as a command's options say it.
import { defaultSettings, type PortRange } from "../admission/cluster-settings.ts";
import { type Cidr, parseCidr } from "../cidr.ts";

export interface AssumeOptions {
  /** Cluster IPs come from here; the first one's family is the primary one. ServiceCIDRs among the objects go before it. */
  readonly serviceCidrs: readonly Cidr[];
  /** Services of type LoadBalancer get an address from here; empty: they get none. */
  readonly loadBalancerCidrs: readonly Cidr[];
  /** Node ports come from here. */
  readonly nodePorts: PortRange;
  /** Pods get addresses from here where their Node has no podCIDRs. */
  readonly podCidrs: readonly Cidr[];
  /** Number of Nodes that are assumed where none is among the objects. */
  readonly nodes: number;
  /** Zones of those Nodes, in turns; empty: they are in none. */
  readonly zones: readonly string[];
  /** Name of the node whose rules are wanted; empty: nobody has said it. */
  readonly nodeName: string;
}

/** `kubeadm`'s default as newer clusters are told it, and what the recordings of real clusters have. */
export const defaultServiceCidrs = "10.96.0.0/16,fd00:10:96::/112";
/** TEST-NET-1 (RFC 5737): nobody takes it for an address that exists. */
export const defaultLoadBalancerCidrs = "192.0.2.0/24";
export const defaultPodCidrs = "10.244.0.0/16,fd00:10:244::/112";
export const defaultNodes = 3;
/** As many as TEST-NET-2 has addresses for. */
export const mostNodes = 250;

export function defaultAssumeOptions(): AssumeOptions {
  return {
    serviceCidrs: cidrs(defaultServiceCidrs),
    loadBalancerCidrs: [],
    nodePorts: defaultSettings.nodePorts,
    podCidrs: cidrs(defaultPodCidrs),
    nodes: defaultNodes,
    zones: [],
    nodeName: "",
  };
}

function cidrs(text: string): Cidr[] {
  const parsed = parseCidrs(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

/** CIDRs that commas separate. A text says what is wrong. */
export function parseCidrs(text: string): Cidr[] | string {
  const found: Cidr[] = [];
  for (const part of text.split(",").map((each) => each.trim())) {
    const cidr = parseCidr(part);
    if (cidr === undefined) return `${JSON.stringify(part)} is no CIDR`;
    found.push(cidr);
  }
  return found;
}
