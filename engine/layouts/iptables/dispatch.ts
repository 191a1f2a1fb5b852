// kube-proxy's iptables rules that lead from an entry point to a service port's chains, or turn packets away.
import { outSelect, StreamName } from "../../bytes/out";
import { Protocol } from "../../bytes/protocols";
import {
  append,
  comment,
  commentOfTwo,
  destination,
  destinationPort,
  jump,
  nameComment,
  protocol,
  words,
} from "../../encodings/iptables-restore";
import { Field } from "../../encodings/owners";
import { localhostNodePorts } from "../../routing/family-facts";
import { Claim, EntryPoint } from "../../routing/keys";
import { options } from "../../routing/options";
import {
  Decision,
  externalIsLocal,
  FamilyPort,
  internalIsLocal,
  recordOf,
  ServicePort,
} from "../../routing/service-ports";
import { ownClaim, ownField } from "../owning";
import { canReject } from "./extensions";
import { CLUSTER_PREFIX, chainHash, EXTERNAL_PREFIX, FIREWALL_PREFIX, LOCAL_PREFIX } from "./names";

export function internalPrefix(port: FamilyPort): string {
  return internalIsLocal(port) ? LOCAL_PREFIX : CLUSTER_PREFIX;
}

export function externalPrefix(port: FamilyPort): string {
  return externalIsLocal(port) ? LOCAL_PREFIX : CLUSTER_PREFIX;
}

/** `-m comment --comment "NAME after"` */
export function serviceComment(port: ServicePort, after: string): void {
  comment("", port.printable, port.printableLength, after);
}

/** `-m tcp -p tcp -d IP --dport PORT` */
export function matchEntry(claim: Claim): void {
  const key = claim.key;
  protocol(<u32>key.protocol);
  destination(<u32>key.family, key.ip());
  destinationPort(key.port);
}

/** A filter rule that turns away what has no endpoints, or none that the policy allows here. */
function turnAway(claim: Claim, chain: string): void {
  const port = claim.port;
  const has = (port.decision & Decision.HAS_ENDPOINTS) != 0;
  if (!has && !canReject(port.family)) return;
  outSelect(StreamName.MAIN);
  append(chain, 0);
  serviceComment(port.port, has ? " has no local endpoints" : " has no endpoints");
  if (claim.entryPoint == EntryPoint.NODE_PORT) {
    words("-m addrtype --dst-type LOCAL");
    protocol(<u32>claim.key.protocol);
    destinationPort(claim.key.port);
  } else {
    matchEntry(claim);
  }
  jump(has ? "DROP" : "REJECT", 0);
}

/** A nat rule that sends traffic for the address to a chain of the service port. */
function dispatch(claim: Claim, after: string, prefix: string): void {
  outSelect(StreamName.NAT_RULES);
  append("KUBE-SERVICES", 0);
  serviceComment(claim.port.port, after);
  matchEntry(claim);
  jump(prefix, chainHash(claim.port.port));
}

/**
 * A nat rule sends everything that comes to the entry point somewhere: with the external policy Local there are local
 * endpoints, and no source range stops anybody.
 */
export function servesAll(claim: Claim): bool {
  const decision = claim.port.decision;
  if (claim.entryPoint == EntryPoint.CLUSTER_IP) return (decision & Decision.INTERNAL) != 0;
  if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP && (decision & Decision.SOURCE_RANGES) != 0) return false;
  return (decision & Decision.EXTERNAL) != 0;
}

function dispatchClusterIP(claim: Claim): void {
  if ((claim.port.decision & Decision.INTERNAL) != 0) dispatch(claim, " cluster IP", internalPrefix(claim.port));
  else turnAway(claim, "KUBE-SERVICES");
}

function dispatchExternalIP(claim: Claim): void {
  const decision = claim.port.decision;
  if ((decision & Decision.HAS_ENDPOINTS) != 0) dispatch(claim, " external IP", EXTERNAL_PREFIX);
  if ((decision & Decision.EXTERNAL) == 0) turnAway(claim, "KUBE-EXTERNAL-SERVICES");
}

function dispatchLoadBalancerIP(claim: Claim): void {
  const port = claim.port;
  if ((port.decision & Decision.HAS_ENDPOINTS) == 0) return;
  const firewall = (port.decision & Decision.SOURCE_RANGES) != 0;
  dispatch(claim, " loadbalancer IP", firewall ? FIREWALL_PREFIX : EXTERNAL_PREFIX);
  if (!firewall) return;
  outSelect(StreamName.MAIN);
  append("KUBE-PROXY-FIREWALL", 0);
  const name = port.port;
  commentOfTwo(name.printable, name.printableLength, " traffic not accepted by KUBE-FW-", chainHash(name), 16);
  matchEntry(claim);
  jump("DROP", 0);
}

function dispatchNodePort(claim: Claim): void {
  const port = claim.port;
  if ((port.decision & Decision.HAS_ENDPOINTS) != 0) {
    outSelect(StreamName.NAT_RULES);
    if (localhostNodePorts(port.family) && options().nfacctLocalhostAccepted) {
      nodePortRule(claim, true);
    }
    nodePortRule(claim, false);
  }
  if ((port.decision & Decision.EXTERNAL) == 0) turnAway(claim, "KUBE-EXTERNAL-SERVICES");
}

/** Localhost node ports have a rule of their own, so that a counter shows whether anybody uses them. */
function nodePortRule(claim: Claim, localhost: bool): void {
  const port = claim.port.port;
  append("KUBE-NODEPORTS", 0);
  nameComment(port.printable, port.printableLength);
  protocol(<u32>claim.key.protocol);
  if (localhost) words("-d 127.0.0.0/8");
  destinationPort(claim.key.port);
  if (localhost) words("-m nfacct --nfacct-name localhost_nps_accepted_pkts");
  jump(EXTERNAL_PREFIX, chainHash(port));
}

/** The rules that lead traffic for one entry point to the service port's chains, or turn it away. */
export function writeEntryPoint(claim: Claim): void {
  ownClaim(claim);
  if (claim.entryPoint == EntryPoint.CLUSTER_IP) dispatchClusterIP(claim);
  else if (claim.entryPoint == EntryPoint.EXTERNAL_IP) dispatchExternalIP(claim);
  else if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP) dispatchLoadBalancerIP(claim);
  else dispatchNodePort(claim);
}

/** After all load-balancer IPs: turns away what cannot be served there. */
export function writeUnservedLoadBalancerIP(claim: Claim): void {
  if ((claim.port.decision & Decision.EXTERNAL) != 0) return;
  ownClaim(claim);
  turnAway(claim, "KUBE-EXTERNAL-SERVICES");
}

/** Lets health checks of a load balancer in, whatever other rules say. */
export function writeHealthCheckNodePort(port: FamilyPort): void {
  const record = recordOf(port);
  if (record.healthCheckNodePort == 0) return;
  ownField(port, Field.HEALTH_CHECK_NODE_PORT);
  outSelect(StreamName.MAIN);
  append("KUBE-NODEPORTS", 0);
  serviceComment(port.port, " health check node port");
  protocol(Protocol.TCP);
  destinationPort(<u32>record.healthCheckNodePort);
  jump("ACCEPT", 0);
}
