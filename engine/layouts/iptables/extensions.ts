// What a node lacks of iptables: Services that need it are left out of plans, or are served without it.
import { Vector } from "../../bytes/memory";
import { Protocol } from "../../bytes/protocols";
import { Service, services } from "../../cluster/services";
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { stalePorts } from "../../routing/refresh";
import { route } from "../../routing/route";
import { Decision, FamilyPort, hasAffinity } from "../../routing/service-ports";

/** `enum extension` of the contract. */
namespace Extension {
  export const RECENT: u32 = 0;
  export const STATISTIC: u32 = 1;
  export const SCTP: u32 = 2;
  export const REJECT: u32 = 3;
  export const COMMENT: u32 = 4;
}

const NONE: u32 = 5;
/** Those without which a Service can't be served at all. */
const NEEDED: u32 = (1 << Extension.RECENT) | (1 << Extension.STATISTIC) | (1 << Extension.SCTP);

/** Bits `1 << Extension`. */
let missingIPv4: u32 = 0;
let missingIPv6: u32 = 0;

function missing(family: u32): u32 {
  return family == 0 ? missingIPv4 : missingIPv6;
}

/** Rules that refuse connections can be had. */
export function canReject(family: u32): bool {
  return (missing(family) & (1 << Extension.REJECT)) == 0;
}

/** Rules can have comments. */
export function canComment(family: u32): bool {
  return (missing(family) & (1 << Extension.COMMENT)) == 0;
}

/** `count` bytes of `Extension` at `extensions`: what the node lacks from now on. All Services of the family are looked at anew. */
export function setMissingExtensions(family: u32, extensions: usize, count: u32): void {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < count; i++) bits |= 1 << (<u32>load<u8>(extensions + i));
  if (family == 0) missingIPv4 = bits;
  else missingIPv6 = bits;
  for (let at = services.following(0); at != 0; at = services.following(at)) {
    changetype<Service>(at).lacking &= ~(1 << family);
  }
}

/** Pairs of Service and extension, as the last plan has found them. */
const foundIPv4 = new Vector();
const foundIPv6 = new Vector();

export function lackingServices(family: u32): Vector {
  return family == 0 ? foundIPv4 : foundIPv6;
}

export function forgetLacking(): void {
  foundIPv4.clear();
  foundIPv6.clear();
}

/** More than one endpoint of the service port that has just been routed has the flag. */
function hasSeveral(flag: u32): bool {
  let count: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length && count < 2; i++) if ((endpointAt(i).flags & flag) != 0) count++;
  return count == 2;
}

/** What a service port needs that is among `absent`; NONE if it can be served. */
function needs(port: FamilyPort, absent: u32): u32 {
  if ((absent & (1 << Extension.SCTP)) != 0 && port.port.protocol == Protocol.SCTP) return Extension.SCTP;
  if (absent == 1 << Extension.SCTP) return NONE;
  route(port);
  if ((port.decision & Decision.HAS_ENDPOINTS) == 0) return NONE;
  if ((absent & (1 << Extension.RECENT)) != 0 && hasAffinity(port)) return Extension.RECENT;
  if ((absent & (1 << Extension.STATISTIC)) == 0) return NONE;
  return hasSeveral(Routed.CLUSTER) || hasSeveral(Routed.LOCAL_POLICY) ? Extension.STATISTIC : NONE;
}

/** Looks for Services that have to be left out, among the stale ones. True: there are some, which the kernel may have rules of. */
export function findLacking(family: u32): bool {
  const absent = missing(family) & NEEDED;
  if (absent == 0) return false;
  const found = lackingServices(family);
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    const service = port.port.service;
    if (port.family != family || !port.present || service.isLeftOut(family)) continue;
    const extension = needs(port, absent);
    if (extension == NONE) continue;
    service.lacking |= 1 << family;
    found.push(<u32>changetype<usize>(service));
    found.push(extension);
  }
  return found.length != 0;
}
