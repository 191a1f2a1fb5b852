// Names of the chains that kube-proxy's iptables layout has for a service port and for its endpoints.
import { Vector } from "../../bytes/memory";
import { writeLiteral } from "../../bytes/out";
import { protocolName } from "../../bytes/protocols";
import { hashText } from "../../bytes/sha256";
import { isSpent } from "../../bytes/slices";
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { Decision, FamilyPort, ServicePort } from "../../routing/service-ports";

/** Chains of a service port that exist, as bits. */
export namespace PortChain {
  export const EXTERNAL: u32 = 1;
  export const FIREWALL: u32 = 2;
  export const CLUSTER: u32 = 4;
  export const LOCAL: u32 = 8;
}

export const CLUSTER_PREFIX: string = "KUBE-SVC-";
export const LOCAL_PREFIX: string = "KUBE-SVL-";
export const EXTERNAL_PREFIX: string = "KUBE-EXT-";
export const FIREWALL_PREFIX: string = "KUBE-FW-";
export const ENDPOINT_PREFIX: string = "KUBE-SEP-";
export const MARK_CHAIN: string = "KUBE-MARK-MASQ";

/** The chains that a routed service port needs. */
export function chainsOf(port: FamilyPort): u32 {
  const decision = port.decision;
  const has = (decision & Decision.HAS_ENDPOINTS) != 0;
  let chains: u32 = 0;
  if (has && (decision & Decision.EXTERNALLY_ACCESSIBLE) != 0) chains |= PortChain.EXTERNAL;
  if (has && (decision & Decision.SOURCE_RANGES) != 0) chains |= PortChain.FIREWALL;
  if ((decision & Decision.CLUSTER_ENDPOINTS) != 0) chains |= PortChain.CLUSTER;
  if ((decision & Decision.LOCAL_ENDPOINTS) != 0) chains |= PortChain.LOCAL;
  return chains;
}

/** Where the sixteen characters of a service port's chain names are. */
export function chainHash(port: ServicePort): usize {
  return changetype<usize>(port) + offsetof<ServicePort>("chainHash0");
}

/** Hashes of the endpoint chains' names, sixteen characters each, by position in `endpoints`. */
const endpointHashes = new Vector();

export function endpointHash(index: u32): usize {
  return endpointHashes.data + ((<usize>index) << 4);
}

/** Room for the longest printable name, protocol and endpoint. */
const nameBuffer: usize = memory.data(576, 16);

/** Names the chains of all reachable endpoints: hash of printable name, protocol and `ip:port`. */
export function nameEndpoints(port: FamilyPort): void {
  beginNames();
  while (!nameSomeEndpoints(port)) {}
}

/** The endpoints of a service port are going to be named. */
export function beginNames(): void {
  named = 0;
}

/** How many endpoints are named. */
let named: u32 = 0;
/** Endpoints that are named, or written, between two places where a slice may end. */
export const ENDPOINTS_AT_ONCE: u32 = 1024;

/** Names a slice of them; true: all are named. */
export function nameSomeEndpoints(port: FamilyPort): bool {
  endpointHashes.reserve((endpoints.length << 2) + 4);
  const owner = port.port;
  memory.copy(nameBuffer, owner.printable, owner.printableLength);
  const prefix = writeLiteral(nameBuffer + owner.printableLength, protocolName(owner.protocol));
  while (named < endpoints.length) {
    const end = min(named + ENDPOINTS_AT_ONCE, endpoints.length);
    for (; named < end; named++) {
      const endpoint = endpointAt(named);
      if ((endpoint.flags & Routed.REACHABLE) == 0) continue;
      memory.copy(prefix, endpoint.text(), 48);
      hashText(nameBuffer, prefix + endpoint.textLength - nameBuffer, endpointHash(named), 16);
    }
    if (isSpent(ENDPOINTS_AT_ONCE / 2) && named < endpoints.length) return false;
  }
  return true;
}
