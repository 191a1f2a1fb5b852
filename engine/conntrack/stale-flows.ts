// Flows that contradict the rules: conntrack repeats for every packet what was decided for the first one, so a client that
// keeps sending is never sent anywhere else. For TCP that is what a client wants, once somebody has answered.
import { formatHost } from "../bytes/address";
import { arenaAlloc, Vector } from "../bytes/memory";
import { writeDecimal } from "../bytes/out";
import { IPV4, Protocol } from "../bytes/protocols";
import { claimAfter } from "../routing/claim-heap";
import { CheckedFlows, interruptCheck } from "../routing/flow-checks";
import { GoneEntryPoint } from "../routing/gone-entry-points";
import { Claim, findKey, Key, KeyKind } from "../routing/keys";
import { answersNodePorts } from "../routing/node-port-addresses";
import { Mode, options } from "../routing/options";
import { original, protocol, readFlow, reply } from "./flow";
import { beginServing, hasServing, isServing } from "./serving-endpoints";

/** In the order of the contract's `enum stale-reason`. */
export namespace StaleReason {
  export const ENDPOINT_GONE: u32 = 0;
  export const NO_ENDPOINTS: u32 = 1;
  export const NEVER_TRANSLATED: u32 = 2;
  export const SERVICE_GONE: u32 = 3;
}

/** `record stale-flow` as the canonical ABI lays it out; texts are address and length. */
@unmanaged
export class StaleFlow {
  offset: u32;
  reason: u8;
  entryPoint: u8;
  namespace: usize;
  namespaceLength: usize;
  service: usize;
  serviceLength: usize;
  port: usize;
  portLength: usize;
  client: usize;
  clientLength: usize;
  destination: usize;
  destinationLength: usize;
  answers: usize;
  answersLength: usize;
}

/** Rows of StaleFlow. */
const found = new Vector();
const FLOW_WORDS: u32 = <u32>(offsetof<StaleFlow>() >> 2);

export function staleFlowCount(): u32 {
  return found.length / FLOW_WORDS;
}

/** The flows in the canonical form of `list<stale-flow>`. */
export function staleFlowTable(): usize {
  return found.data;
}

/** The kernel holds what it should under the key and for that claim's service port. */
function isProgrammed(key: Key, claim: Claim): bool {
  return !key.changed && !key.open && !claim.port.stale && !claim.port.open && claim.port.pending == 0;
}

let reason: u32 = 0;

/** The key that decides about the flow's destination, or 0. */
function decidingKey(family: u32): usize {
  const to = original.destination();
  const address = findKey(KeyKind.ADDRESS, family, protocol, original.destinationPort, to);
  if (isClaimed(address)) return address;
  let nodePort = findKey(KeyKind.NODE_PORT, family, protocol, original.destinationPort, 0);
  if (nodePort != 0 && !answersNodePorts(family, to)) nodePort = 0;
  if (isClaimed(nodePort)) return nodePort;
  return isRemembered(address) ? address : isRemembered(nodePort) ? nodePort : 0;
}

function isClaimed(key: usize): bool {
  return key != 0 && changetype<Key>(key).claims != 0;
}

function isRemembered(key: usize): bool {
  return key != 0 && changetype<Key>(key).gone != 0;
}

/** The flow goes where no rule would send it. Only for whoever owns the entry point; iptables mode knows no owners. */
function isStale(key: Key): bool {
  const untranslated =
    original.destination0 == reply.source0 &&
    original.destination1 == reply.source1 &&
    original.destinationPort == reply.sourcePort;
  if (key.claims == 0) {
    // Packets that nobody translated go where they should; and the kernel may still hold the rules.
    reason = StaleReason.SERVICE_GONE;
    return !untranslated && !key.changed && !key.open;
  }
  // What nobody has translated and answered may be about to be answered by whoever has the address outside of the cluster.
  if (untranslated && protocol == Protocol.TCP) return false;
  const all = options().mode == Mode.IPTABLES;
  let programmed = true;
  reason = StaleReason.NO_ENDPOINTS;
  for (let at = key.claims; at != 0; at = claimAfter(changetype<Claim>(at))) {
    const claim = changetype<Claim>(at);
    if (!isProgrammed(key, claim)) {
      if (protocol == Protocol.UDP) return false; // the check is due again once it is
      programmed = false;
    }
    if (isServing(claim.port, reply.source(), reply.sourcePort)) return false;
    if (hasServing(claim.port)) reason = StaleReason.ENDPOINT_GONE;
    if (!all) break;
  }
  if (untranslated) reason = StaleReason.NEVER_TRANSLATED;
  if (!programmed) interruptCheck(<u32>key.family, CheckedFlows.UNANSWERED_TCP);
  return programmed;
}

let textLength: usize = 0;

/** `ip:port` or `[ip]:port` in the arena. */
function socketText(family: u32, ip: usize, port: u32): usize {
  const text = arenaAlloc(64, 1);
  const at = formatHost(text, ip, family != IPV4);
  store<u8>(at, 0x3a);
  textLength = writeDecimal(at + 1, port) - text;
  return text;
}

function add(family: u32, key: Key, offset: u32): void {
  const row = found.length;
  for (let i: u32 = 0; i < FLOW_WORDS; i++) found.push(0);
  const flow = changetype<StaleFlow>(found.data + ((<usize>row) << 2));
  flow.offset = offset;
  flow.reason = <u8>reason;
  if (key.claims == 0) {
    const gone = changetype<GoneEntryPoint>(key.gone);
    flow.entryPoint = <u8>gone.entryPoint;
    setService(flow, gone.namespace(), gone.namespaceLength, gone.keyLength);
    flow.port = gone.portName();
    flow.portLength = <usize>gone.portNameLength;
  } else {
    const owner = key.owner();
    const port = owner.port.port;
    flow.entryPoint = <u8>owner.entryPoint;
    setService(flow, port.service.key, port.service.namespaceLength, port.service.keyLength);
    flow.port = port.name();
    flow.portLength = <usize>port.nameLength;
  }
  flow.client = socketText(family, original.source(), original.sourcePort);
  flow.clientLength = textLength;
  flow.destination = socketText(family, original.destination(), original.destinationPort);
  flow.destinationLength = textLength;
  flow.answers = socketText(family, reply.source(), reply.sourcePort);
  flow.answersLength = textLength;
}

function setService(flow: StaleFlow, key: usize, namespaceLength: u32, keyLength: u32): void {
  flow.namespace = key;
  flow.namespaceLength = <usize>namespaceLength;
  if (keyLength == 0) return;
  flow.service = key + namespaceLength + 1;
  flow.serviceLength = <usize>(keyLength - namespaceLength - 1);
}

/** Finds the stale flows among messages one after the other; what cannot be read is left out. */
export function findStaleFlows(family: u32, dump: usize, length: usize): void {
  found.clear();
  beginServing();
  const end = dump + length;
  for (let at = dump; at + 16 <= end; ) {
    const size = <usize>load<u32>(at);
    if (size < 16 || size > end - at) return;
    if (readFlow(family, at, size)) {
      const key = decidingKey(family);
      if (key != 0 && isStale(changetype<Key>(key))) add(family, changetype<Key>(key), <u32>(at - dump));
    }
    at += (size + 3) & ~3;
  }
}
