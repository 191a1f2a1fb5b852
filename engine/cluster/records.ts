// What the engine keeps of an object: one flat record each, without pointers, so that two records are equal exactly
// when their bytes are (padding is zero). `engine/json` writes them, `engine/cluster` keeps them, `engine/routing`
// reads them. Offsets are bytes from the start of the record; addresses are in network order, IPv4 in the first four
// of sixteen bytes.

export namespace ServiceType {
  export const CLUSTER_IP: u8 = 0;
  export const NODE_PORT: u8 = 1;
  export const LOAD_BALANCER: u8 = 2;
  export const EXTERNAL_NAME: u8 = 3;
}

export namespace ServiceFlag {
  /** externalTrafficPolicy: Local, on a Service of a kind that can be reached from outside. */
  export const EXTERNAL_LOCAL: u8 = 1;
  /** internalTrafficPolicy: Local */
  export const INTERNAL_LOCAL: u8 = 2;
  /** sessionAffinity: ClientIP */
  export const CLIENT_IP: u8 = 4;
  /** `clusterIPv4` is set: this family has service ports. */
  export const HAS_IPV4: u8 = 8;
  /** `clusterIPv6` is set. */
  export const HAS_IPV6: u8 = 16;
  /** Label k8s-app: kube-dns. */
  export const DNS: u8 = 32;
}

/** A Service. After it: ports, addresses, ranges, then the bytes of the port names. */
@unmanaged
export class ServiceRecord {
  /** Size of the whole record in bytes. */
  size: u32;
  type: u8;
  flags: u8;
  /** 0: none */
  healthCheckNodePort: u16;
  /** Seconds; 0 without ClientIP affinity. */
  affinityTimeout: u32;
  portCount: u32;
  addressCount: u32;
  rangeCount: u32;
  /** Which of `spec.clusterIPs` is the IPv4 one, which the IPv6 one; 0xff: it came from `spec.clusterIP`. */
  clusterIPv4Index: u8;
  clusterIPv6Index: u8;
  padding: u16;
  clusterIPv4: u32;
  /** metadata.creationTimestamp in seconds since 1970; all ones if absent (younger than all others). */
  creationTimestamp: u64;
  clusterIPv6Word0: u32;
  clusterIPv6Word1: u32;
  clusterIPv6Word2: u32;
  clusterIPv6Word3: u32;
}

/** One of `spec.ports`, by name, then protocol. A later port of the same name and protocol has replaced an earlier one. */
@unmanaged
export class PortRecord {
  port: u16;
  /** 0: none */
  nodePort: u16;
  protocol: u8;
  nameLength: u8;
  padding: u16;
  /** Where in the record the name is. */
  nameOffset: u32;
  /** Index in `spec.ports`. */
  index: u32;
}

export namespace AddressKind {
  /** One of `spec.externalIPs`. */
  export const EXTERNAL: u8 = 0;
  /** One of `status.loadBalancer.ingress`, with ipMode VIP. */
  export const LOAD_BALANCER: u8 = 1;
}

/** An external or load-balancer IP, in listed order, external ones first; duplicates are kept. */
@unmanaged
export class AddressRecord {
  kind: u8;
  family: u8;
  padding: u16;
  /** Index in the list that it comes from. */
  index: u32;
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
}

/**
 * One of `spec.loadBalancerSourceRanges`, host bits cleared, in listed order. A family that lists a range of prefix
 * length 0 has none here (every source is allowed).
 */
@unmanaged
export class RangeRecord {
  family: u8;
  prefix: u8;
  padding: u16;
  index: u32;
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
}

/** An EndpointSlice of addressType IPv4 or IPv6. After it: ports, endpoints, then service name and port names. */
@unmanaged
export class SliceRecord {
  size: u32;
  family: u32;
  portCount: u32;
  endpointCount: u32;
  serviceNameOffset: u32;
  serviceNameLength: u32;
}

/** One of `ports`, by name, then protocol: those without name or with port nil or 0 are left out. */
@unmanaged
export class SlicePortRecord {
  port: u16;
  protocol: u8;
  nameLength: u8;
  /** Where in the record the name is. */
  nameOffset: u32;
  /** Index in `ports`. */
  index: u32;
}

export namespace EndpointFlag {
  /** conditions.ready is nil or true */
  export const READY: u32 = 1;
  /** conditions.serving is nil or true */
  export const SERVING: u32 = 2;
  /** conditions.terminating is true */
  export const TERMINATING: u32 = 4;
}

/** Ready or serving, as EndpointSlices say it: rules may send to either. */
export const SERVES: u32 = EndpointFlag.READY | EndpointFlag.SERVING;

/** One of `endpoints`, with its first address; those without address are left out. */
@unmanaged
export class EndpointRecord {
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
  flags: u32;
  /** Index in `endpoints`. */
  index: u32;
  /** Ids of cluster/strings; 0: absent. A hint list is the sorted distinct names, each followed by a 0 byte. */
  nodeName: u32;
  zone: u32;
  zoneHints: u32;
  nodeHints: u32;
}

/** The first EndpointRecord of a slice. */
export function firstEndpoint(record: SliceRecord): usize {
  return changetype<usize>(record) + offsetof<SliceRecord>() + <usize>record.portCount * offsetof<SlicePortRecord>();
}

export namespace NodeFlag {
  /** metadata.deletionTimestamp is set. */
  export const DELETING: u32 = 1;
  /** It has the taint with which the cluster autoscaler marks nodes that it is about to remove. */
  export const TO_BE_DELETED: u32 = 2;
}

/** A Node. After it: pod CIDRs as RangeRecords (index in `spec.podCIDRs`), addresses, then the bytes of the zone. */
@unmanaged
export class NodeRecord {
  size: u32;
  podCIDRCount: u32;
  addressCount: u32;
  /** Label topology.kubernetes.io/zone; length 0 if absent. */
  zoneOffset: u32;
  zoneLength: u32;
  /** Bits of NodeFlag. */
  flags: u32;
}

export namespace NodeAddressKind {
  export const INTERNAL_IP: u8 = 0;
  export const EXTERNAL_IP: u8 = 1;
}

/** One of `status.addresses` of type InternalIP or ExternalIP, in listed order. */
@unmanaged
export class NodeAddressRecord {
  kind: u8;
  family: u8;
  padding: u16;
  index: u32;
  word0: u32;
  word1: u32;
  word2: u32;
  word3: u32;
}

/** A ServiceCIDR: `spec.cidrs` as RangeRecords after the header. */
@unmanaged
export class ServiceCIDRRecord {
  size: u32;
  rangeCount: u32;
}
