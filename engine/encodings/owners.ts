// Who causes which line: the object and its field. Recorded only while `blame` makes the text; else every call returns
// at once.
import { Vector } from "../bytes/memory";
import { outLines, outSelected } from "../bytes/out";

export namespace OwnerKind {
  export const SERVICE: u32 = 0;
  export const ENDPOINT_SLICE: u32 = 1;
  export const NODE: u32 = 2;
  export const SERVICE_CIDR: u32 = 3;
  /** KubeProxyConfiguration */
  export const OPTION: u32 = 4;
}

/** Fields; `[*]` in a path stands for the index that goes with it. */
export namespace Field {
  export const PORT: u32 = 1;
  export const NODE_PORT: u32 = 2;
  export const CLUSTER_IP: u32 = 3;
  export const EXTERNAL_IP: u32 = 4;
  export const INGRESS: u32 = 5;
  export const SOURCE_RANGE: u32 = 6;
  export const HEALTH_CHECK_NODE_PORT: u32 = 7;
  export const SESSION_AFFINITY: u32 = 8;
  export const EXTERNAL_TRAFFIC_POLICY: u32 = 9;
  export const ENDPOINT: u32 = 10;
  export const CIDR: u32 = 11;
  export const NODE_ADDRESSES: u32 = 12;
  export const MASQUERADE_ALL: u32 = 13;
  export const MASQUERADE_BIT: u32 = 14;
  export const DETECT_LOCAL: u32 = 15;
  export const NODE_PORT_ADDRESSES: u32 = 16;
  export const LOCALHOST_NODE_PORTS: u32 = 17;
}

export function fieldPath(field: u32): string {
  switch (field) {
    case Field.PORT:
      return "spec.ports[*]";
    case Field.NODE_PORT:
      return "spec.ports[*].nodePort";
    case Field.CLUSTER_IP:
      return "spec.clusterIPs[*]";
    case Field.EXTERNAL_IP:
      return "spec.externalIPs[*]";
    case Field.INGRESS:
      return "status.loadBalancer.ingress[*]";
    case Field.SOURCE_RANGE:
      return "spec.loadBalancerSourceRanges[*]";
    case Field.HEALTH_CHECK_NODE_PORT:
      return "spec.healthCheckNodePort";
    case Field.SESSION_AFFINITY:
      return "spec.sessionAffinity";
    case Field.EXTERNAL_TRAFFIC_POLICY:
      return "spec.externalTrafficPolicy";
    case Field.ENDPOINT:
      return "endpoints[*]";
    case Field.CIDR:
      return "spec.cidrs[*]";
    case Field.NODE_ADDRESSES:
      return "status.addresses";
    case Field.MASQUERADE_ALL:
      return "masqueradeAll";
    case Field.MASQUERADE_BIT:
      return "masqueradeBit";
    case Field.DETECT_LOCAL:
      return "detectLocalMode";
    case Field.NODE_PORT_ADDRESSES:
      return "nodePortAddresses";
    case Field.LOCALHOST_NODE_PORTS:
      return "localhostNodePorts";
    default:
      return "";
  }
}

/** One owner of one line. */
@unmanaged
export class LineOwner {
  stream: u32;
  line: u32;
  kind: u32;
  /** Service, Slice or Entry; 0 for options. */
  object: usize;
  field: u32;
  index: u32;
}

/** LineOwners, one after the other, six words each. */
export const lineOwners = new Vector();
let recording: bool = false;

/** Somebody wants to know who causes what is written. */
export function isRecording(): bool {
  return recording;
}

const current = new Vector(); // kind, object, field, index of each owner of the lines to come

export function recordOwners(on: bool): void {
  recording = on;
  current.clear();
  lineOwners.clear();
}

/** The lines to come have one more owner. */
export function alsoOwnedBy(kind: u32, object: usize, field: u32, index: u32): void {
  if (!recording) return;
  current.push(kind);
  current.push(<u32>object);
  current.push(field);
  current.push(index);
}

/** The lines to come are caused by this object and field. */
export function ownedBy(kind: u32, object: usize, field: u32, index: u32): void {
  if (!recording) return;
  current.clear();
  alsoOwnedBy(kind, object, field, index);
}

/** The lines to come are there whatever objects say. */
export function ownedByNobody(): void {
  current.clear();
}

/** To be called as a line is ended. */
export function lineEnds(): void {
  if (!recording) return;
  for (let i: u32 = 0; i < current.length; i += 4) {
    lineOwners.push(outSelected());
    lineOwners.push(outLines());
    for (let j: u32 = 0; j < 4; j++) lineOwners.push(current.get(i + j));
  }
}
