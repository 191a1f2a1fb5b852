// The routing decisions as JSON. hosts/shared/describe.ts has the type.
import { formatIPv4, formatIPv6 } from "../bytes/address";
import { jsonBoolean, jsonKey, jsonLiteral, jsonString } from "../bytes/json";
import { byte, decimal, lit, outFlush, StreamName } from "../bytes/out";
import { IPV4, Protocol } from "../bytes/protocols";
import { AddressRecord, EndpointFlag, PortRecord, RangeRecord, ServiceType } from "../cluster/records";
import { Service, sortedServices } from "../cluster/services";
import { stringBytes, stringLength } from "../cluster/strings";
import { endpointAt, endpoints, Routed, RoutedEndpoint } from "./endpoints";
import { factsOf, formatCIDR, LocalDetector } from "./family-facts";
import { Claim, EntryPoint } from "./keys";
import { options } from "./options";
import {
  clusterFallback,
  firstAddress,
  firstRange,
  isProgrammed,
  localFallback,
  routeUnsigned,
  Topology,
  topology,
} from "./route";
import {
  Decision,
  externalIsLocal,
  FamilyPort,
  internalIsLocal,
  recordOf,
  ServicePort,
  serviceOf,
} from "./service-ports";
import { primaryFamily, zone, zoneLength } from "./this-node";

const scratch: usize = memory.data(128, 16);

function writeIP(family: u32, ip: usize): void {
  const end = family == IPV4 ? formatIPv4(scratch, ip) : formatIPv6(scratch, ip);
  jsonString(scratch, end - scratch);
}

function writeNode(): void {
  jsonKey("node");
  byte(0x7b);
  jsonKey("name");
  jsonString(options().nodeName, options().nodeNameLength);
  lit(",");
  jsonKey("zone");
  jsonString(zone, zoneLength);
  lit(",");
  jsonKey("ipv4");
  writeIP(0, factsOf(0).nodeIP);
  lit(",");
  jsonKey("ipv6");
  writeIP(1, factsOf(1).nodeIP);
  lit(",");
  jsonKey("primaryFamily");
  jsonLiteral(primaryFamily == IPV4 ? "IPv4" : "IPv6");
  byte(0x7d);
}

function policyName(local: bool): string {
  return local ? "Local" : "Cluster";
}

function typeName(type: u8): string {
  if (type == ServiceType.NODE_PORT) return "NodePort";
  if (type == ServiceType.LOAD_BALANCER) return "LoadBalancer";
  return type == ServiceType.EXTERNAL_NAME ? "ExternalName" : "ClusterIP";
}

function entryPointName(entryPoint: u32): string {
  if (entryPoint == EntryPoint.CLUSTER_IP) return "ClusterIP";
  if (entryPoint == EntryPoint.EXTERNAL_IP) return "ExternalIP";
  return entryPoint == EntryPoint.LOAD_BALANCER_IP ? "LoadBalancerIP" : "NodePort";
}

/** Whose source addresses are replaced by the node's on the way to an endpoint. */
function masquerade(port: FamilyPort, internal: bool): string {
  if (internal) {
    if (options().masqueradeAll) return "always";
    return factsOf(port.family).localDetector == LocalDetector.NONE ? "never" : "from-outside";
  }
  return externalIsLocal(port) ? "local-only" : "always";
}

function writeRanges(port: FamilyPort): void {
  byte(0x5b);
  const record = recordOf(port);
  let first = true;
  let at = firstRange(record);
  for (let i: u32 = 0; i < record.rangeCount; i++, at += offsetof<RangeRecord>()) {
    const range = changetype<RangeRecord>(at);
    if (<u32>range.family != port.family) continue;
    if (!first) lit(",");
    first = false;
    const ip = at + offsetof<RangeRecord>("word0");
    const end = formatCIDR(scratch, port.family, ip, <u32>range.prefix);
    jsonString(scratch, end - scratch);
  }
  byte(0x5d);
}

function writeEntryPoint(claim: Claim): void {
  const port = claim.port;
  const internal = claim.entryPoint == EntryPoint.CLUSTER_IP;
  const local = internal ? internalIsLocal(port) : externalIsLocal(port);
  const served = (port.decision & (internal ? Decision.INTERNAL : Decision.EXTERNAL)) != 0;
  byte(0x7b);
  jsonKey("kind");
  jsonLiteral(entryPointName(claim.entryPoint));
  lit(",");
  jsonKey("address");
  if (claim.entryPoint == EntryPoint.NODE_PORT) lit('""');
  else writeIP(port.family, claim.key.ip());
  lit(",");
  jsonKey("port");
  decimal(claim.key.port);
  lit(",");
  jsonKey("sourceRanges");
  if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP) writeRanges(port);
  else lit("[]");
  lit(",");
  jsonKey("policy");
  jsonLiteral(policyName(local));
  lit(",");
  jsonKey("masquerade");
  jsonLiteral(masquerade(port, internal));
  lit(",");
  jsonKey("action");
  jsonLiteral(served ? "forward" : (port.decision & Decision.HAS_ENDPOINTS) != 0 ? "drop" : "reject");
  lit(",");
  // Two claims of one service port on one address are one claim to everybody else.
  const owner = claim.key.owner().port == port;
  jsonKey("owner");
  jsonBoolean(owner);
  if (!owner) {
    lit(",");
    jsonKey("takenBy");
    const taker = serviceOf(claim.key.owner().port);
    jsonString(taker.key, taker.keyLength);
  } else if (served && isListenedFor(claim)) {
    lit(",");
    jsonKey("listensOnLocalhost");
    jsonBoolean(true);
  }
  byte(0x7d);
}

function isListenedFor(claim: Claim): bool {
  if (claim.entryPoint != EntryPoint.NODE_PORT || claim.port.port.protocol != Protocol.TCP) return false;
  return factsOf(claim.port.family).listensOnLocalhost;
}

/** The addresses that are no entry points, and why; nothing where there are none. */
function writeLeftOut(port: FamilyPort): void {
  const record = recordOf(port);
  let first = true;
  let at = firstAddress(record);
  for (let i: u32 = 0; i < record.addressCount; i++, at += offsetof<AddressRecord>()) {
    const address = changetype<AddressRecord>(at);
    if (<u32>address.family != port.family || isProgrammed(address)) continue;
    lit(first ? ',"leftOut":[{' : ",{");
    first = false;
    jsonKey("kind");
    jsonLiteral(entryPointName(EntryPoint.EXTERNAL_IP));
    lit(",");
    jsonKey("address");
    writeIP(port.family, at + offsetof<AddressRecord>("word0"));
    lit(",");
    jsonKey("why");
    jsonLiteral("the feature gate AllowServiceExternalIPs is false");
    byte(0x7d);
  }
  if (!first) byte(0x5d);
}

// The policies of the service port that was routed last.
let internalLocal: bool = false;
let externalLocal: bool = false;

/** Why an endpoint gets no traffic of one of the policies; empty if it gets it. */
function whyNotCluster(endpoint: RoutedEndpoint): string {
  const flags = endpoint.flags;
  if ((flags & Routed.CLUSTER) != 0) return "";
  const terminating = (flags & EndpointFlag.TERMINATING) != 0;
  const serving = (flags & EndpointFlag.SERVING) != 0;
  if ((flags & EndpointFlag.READY) == 0) {
    if (terminating && !serving) return "terminating and no longer serving";
    if (terminating) return "terminating, and others are ready";
    return "not ready";
  }
  return topology == Topology.SAME_NODE
    ? "hinted for other nodes, and ready endpoints are hinted for this one"
    : "hinted for other zones, and ready endpoints are hinted for this one";
}

function whyNotLocal(endpoint: RoutedEndpoint): string {
  const flags = endpoint.flags;
  if ((flags & Routed.LOCAL_POLICY) != 0) return "";
  if ((flags & Routed.LOCAL) == 0) return "not on this node, and the policy is Local";
  const terminating = (flags & EndpointFlag.TERMINATING) != 0;
  if (terminating && (flags & EndpointFlag.SERVING) == 0) return "terminating and no longer serving";
  if (terminating) return "terminating, and others on this node are ready";
  return "not ready";
}

function writeEndpoint(port: FamilyPort, endpoint: RoutedEndpoint): void {
  const accessible = (port.decision & Decision.EXTERNALLY_ACCESSIBLE) != 0;
  const internalWhy = internalLocal ? whyNotLocal(endpoint) : whyNotCluster(endpoint);
  const externalWhy = externalLocal ? whyNotLocal(endpoint) : whyNotCluster(endpoint);
  const flags = endpoint.flags;
  byte(0x7b);
  jsonKey("address");
  jsonString(endpoint.address(), endpoint.bareLength());
  lit(",");
  jsonKey("port");
  decimal(endpoint.port);
  lit(",");
  jsonKey("local");
  jsonBoolean((flags & Routed.LOCAL) != 0);
  lit(",");
  jsonKey("ready");
  jsonBoolean((flags & EndpointFlag.READY) != 0);
  lit(",");
  jsonKey("serving");
  jsonBoolean((flags & EndpointFlag.SERVING) != 0);
  lit(",");
  jsonKey("terminating");
  jsonBoolean((flags & EndpointFlag.TERMINATING) != 0);
  lit(",");
  jsonKey("zone");
  jsonString(stringBytes(endpoint.record.zone), stringLength(endpoint.record.zone));
  lit(",");
  jsonKey("internal");
  jsonBoolean(internalWhy.length == 0);
  lit(",");
  jsonKey("external");
  jsonBoolean(accessible && externalWhy.length == 0);
  lit(",");
  jsonKey("why");
  byte(0x22);
  if (internalWhy.length != 0) {
    if (accessible && externalWhy != internalWhy) lit("internal traffic: ");
    lit(internalWhy);
  }
  if (accessible && externalWhy.length != 0 && externalWhy != internalWhy) {
    if (internalWhy.length != 0) lit("; ");
    lit("external traffic: ");
    lit(externalWhy);
  }
  byte(0x22);
  byte(0x7d);
}

function writeServicePort(port: FamilyPort): void {
  const service = serviceOf(port);
  const record = recordOf(port);
  routeUnsigned(port);
  internalLocal = internalIsLocal(port);
  externalLocal = externalIsLocal(port);
  byte(0x7b);
  jsonKey("namespace");
  jsonString(service.key, service.namespaceLength);
  lit(",");
  jsonKey("service");
  const skip = service.namespaceLength + 1;
  jsonString(service.key + skip, service.keyLength - skip);
  lit(',"port":{');
  jsonKey("name");
  jsonString(port.port.name(), port.port.nameLength);
  lit(",");
  jsonKey("protocol");
  const protocol = port.port.protocol;
  jsonLiteral(protocol == Protocol.TCP ? "TCP" : protocol == Protocol.UDP ? "UDP" : "SCTP");
  lit(",");
  jsonKey("port");
  decimal(changetype<PortRecord>(port.port.record).port);
  lit("},");
  jsonKey("family");
  jsonLiteral(port.family == IPV4 ? "IPv4" : "IPv6");
  lit(",");
  jsonKey("type");
  jsonLiteral(typeName(record.type));
  lit(",");
  jsonKey("internalTrafficPolicy");
  jsonLiteral(policyName(internalLocal));
  lit(",");
  jsonKey("externalTrafficPolicy");
  jsonLiteral(policyName(externalLocal));
  lit(",");
  jsonKey("topology");
  jsonLiteral(topology == Topology.SAME_NODE ? "same-node" : topology == Topology.SAME_ZONE ? "same-zone" : "none");
  lit(",");
  jsonKey("terminatingFallback");
  jsonBoolean(clusterFallback || localFallback);
  lit(",");
  jsonKey("sessionAffinityTimeoutSeconds");
  decimal(record.affinityTimeout);
  lit(",");
  jsonKey("healthCheckNodePort");
  decimal(record.healthCheckNodePort);
  lit(',"entryPoints":[');
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    if (at != port.claims) lit(",");
    writeEntryPoint(changetype<Claim>(at));
  }
  byte(0x5d);
  writeLeftOut(port);
  lit(',"endpoints":[');
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if (i != 0) lit(",");
    writeEndpoint(port, endpointAt(i));
  }
  lit("]}");
}

/** Writes the decisions of both families, by Service, port and family, into the results. */
export function writeDescription(): void {
  byte(0x7b);
  writeNode();
  lit(',"servicePorts":[');
  const services = sortedServices();
  let first = true;
  for (let i: u32 = 0; i < services.length; i++) {
    let at = changetype<Service>(<usize>services.get(i)).ports;
    for (; at != 0; at = changetype<ServicePort>(at).next) {
      for (let family: u32 = 0; family < 2; family++) {
        const familyPort = changetype<ServicePort>(at).family(family);
        if (familyPort == 0 || !changetype<FamilyPort>(familyPort).present) continue;
        if (!first) lit(",\n");
        first = false;
        writeServicePort(changetype<FamilyPort>(familyPort));
      }
    }
  }
  lit("]}\n");
  outFlush(StreamName.MAIN);
}
