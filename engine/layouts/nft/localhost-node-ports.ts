// Node ports on loopback addresses (kube-proxy's feature gate KubeProxyNFTablesLocalhostNodePorts). No rule can lead packets
// for 127.0.0.1 or ::1 to another machine. So the host listens there for TCP and forwards, where nodePortAddresses asks for
// it (routing/localhost-listeners.ts); what nobody listens for is refused, and counted by protocol.
import { Protocol } from "../../bytes/protocols";
import { nft } from "../../encodings/nft";
import { DataType, KeyType, Verb } from "../../encodings/nft-encoding";
import { Field, ownedByNobody } from "../../encodings/owners";
import { factsOf } from "../../routing/family-facts";
import { ownOption } from "../owning";

/** The map from the node ports that are refused on loopback addresses to the chain of their protocol. */
export const LOCALHOST_REJECTS: string = "localhost-nodeport-reject-ports";

/** The chain that refuses a protocol's packets. */
export function localhostRejectChain(protocol: u32): string {
  if (protocol == Protocol.TCP) return "localhost-nodeport-reject-tcp";
  return protocol == Protocol.UDP ? "localhost-nodeport-reject-udp" : "localhost-nodeport-reject-sctp";
}

function counterName(protocol: u32): string {
  if (protocol == Protocol.TCP) return "localhost-nodeport-rejected-tcp";
  return protocol == Protocol.UDP ? "localhost-nodeport-rejected-udp" : "localhost-nodeport-rejected-sctp";
}

/** Node ports of the protocol are refused on loopback addresses. */
export function isRejectedOnLocalhost(family: u32, protocol: u32): bool {
  const facts = factsOf(family);
  return facts.rejectsLocalhost && (protocol != Protocol.TCP || !facts.listensOnLocalhost);
}

function addMap(): void {
  nft.addSet(LOCALHOST_REJECTS, KeyType.PORT, DataType.VERDICT, "localhost NodePorts rejected by kube-proxy");
}

function writeRejectChain(protocol: u32, flat: bool): void {
  const chain = localhostRejectChain(protocol);
  nft.counter(Verb.ADD, counterName(protocol));
  nft.chain(Verb.ADD, chain, 0, 0);
  nft.chain(Verb.FLUSH, chain, 0, 0);
  nft.rule(chain, 0, 0);
  // As in flat's other chain that refuses: of ICMP errors the kernel sends a client one a second.
  const resets = flat && protocol == Protocol.TCP;
  if (resets) nft.protocolIs(protocol);
  nft.countIn(counterName(protocol));
  if (resets) nft.rejectTCP();
  else nft.reject();
  nft.endRule();
}

/** Counters, chains and map, and the rule that looks the map up, behind the other one for node ports. */
export function writeLocalhostRejects(family: u32, flat: bool): void {
  if (!factsOf(family).rejectsLocalhost) return;
  ownOption(Field.NODE_PORT_ADDRESSES);
  for (let protocol: u32 = Protocol.SCTP; protocol <= Protocol.UDP; protocol++) {
    if (isRejectedOnLocalhost(family, protocol)) writeRejectChain(protocol, flat);
  }
  addMap();
  nft.rule("nodeport-endpoints-check", 0, 0);
  nft.matchLoopback(false);
  nft.portVerdict(LOCALHOST_REJECTS);
  nft.endRule();
  ownedByNobody();
}

/** The gate is off: what a kube-proxy has left that had it on must go. */
export function dropLocalhostRejects(): void {
  addMap();
  nft.set(Verb.DELETE, DataType.VERDICT, LOCALHOST_REJECTS, 0, 0);
  for (let protocol: u32 = Protocol.SCTP; protocol <= Protocol.UDP; protocol++) {
    const chain = localhostRejectChain(protocol);
    nft.chain(Verb.ADD, chain, 0, 0);
    nft.chain(Verb.DELETE, chain, 0, 0);
    nft.counter(Verb.ADD, counterName(protocol));
    nft.counter(Verb.DELETE, counterName(protocol));
  }
}
