// The JSON that the engine's `describe` returns: the routing decisions, independent of mode. Later engines may add
// fields; readers ignore what they don't know. `assumed` and
// `endpointsUnknown` are not the engine's: the command that asked adds them.

export type AddressFamily = "IPv4" | "IPv6";
export type TrafficPolicy = "Cluster" | "Local";

export interface Description {
  node: DescribedNode;
  servicePorts: DescribedServicePort[];
}

export interface DescribedNode {
  name: string;
  zone: string;
  ipv4: string;
  ipv6: string;
  primaryFamily: string;
  /** True where no Node was given, and this one is assumed. */
  assumed?: boolean;
}

/** One port of one Service, in one family. */
export interface DescribedServicePort {
  namespace: string;
  service: string;
  port: { name: string; protocol: string; port: number };
  family: AddressFamily;
  type: string;
  internalTrafficPolicy: TrafficPolicy;
  externalTrafficPolicy: TrafficPolicy;
  /** Whose hints narrow the endpoints down: "none", "same-zone" or "same-node". */
  topology?: string;
  /** No endpoint is ready, and terminating ones that still serve are used. */
  terminatingFallback?: boolean;
  /** 0: no session affinity. */
  sessionAffinityTimeoutSeconds: number;
  /** 0: none. */
  healthCheckNodePort: number;
  entryPoints: EntryPoint[];
  /** Addresses of the Service that are not programmed, and why; absent where there are none. */
  leftOut?: { kind: "ExternalIP"; address: string; why: string }[];
  endpoints: DescribedEndpoint[];
  /** True where files have neither EndpointSlices nor a workload of it, so that nobody can know. */
  endpointsUnknown?: boolean;
}

/** Where traffic for the service port comes in. */
export interface EntryPoint {
  kind: "ClusterIP" | "ExternalIP" | "LoadBalancerIP" | "NodePort";
  /** Empty for node ports. */
  address: string;
  port: number;
  /** Empty: from anywhere. */
  sourceRanges: string[];
  policy: TrafficPolicy;
  masquerade: "never" | "always" | "from-outside" | "local-only";
  action: "forward" | "reject" | "drop";
  /** False: another Service has the same address, protocol and port, and comes first. */
  owner: boolean;
  /** `namespace/name` of that Service. */
  takenBy?: string;
  /**
   * True where the agent listens for the node port on 127.0.0.1 or ::1 and forwards: in modes flat and nftables with the feature
   * gate KubeProxyNFTablesLocalhostNodePorts, if nodePortAddresses names loopback.
   */
  listensOnLocalhost?: boolean;
  /** True where the files left the address or node port open, and this one is assumed. */
  assumed?: boolean;
}

export interface DescribedEndpoint {
  address: string;
  port: number;
  /** On this node. */
  local: boolean;
  ready: boolean;
  serving: boolean;
  terminating: boolean;
  zone: string;
  /** Used for traffic from within the cluster to the cluster IP. */
  internal: boolean;
  /** Used for traffic from outside. */
  external: boolean;
  /** Why it is left out where it is. */
  why: string;
  /** True where it is a pod that a workload's controller would make. */
  assumed?: boolean;
}
