// Which shared chains a service port needs in our own layout, and to which of them each of its entry points leads.
import { Vector } from "../../bytes/memory";
import { Routed } from "../../routing/endpoints";
import { Claim, EntryPoint } from "../../routing/keys";
import { Decision, externalIsLocal, FamilyPort, internalIsLocal } from "../../routing/service-ports";
import { findSources } from "../nftables/service";
import { hasFirewall } from "../nftables/verdicts";
import { hasOwnChains } from "./own-maps";
import { countChain, FlatChain, FlatKind, firewallChain, needChain, releaseChain } from "./shared-chains";
import { countEndpoints } from "./slots";

/** How many endpoints serve the service port that was routed last, under each policy. */
export let clusterCount: u32 = 0;
export let localCount: u32 = 0;

export function countPolicies(port: FamilyPort): void {
  clusterCount = countEndpoints(Routed.CLUSTER);
  localCount = countEndpoints(Routed.LOCAL_POLICY);
}

/** The shared chain that an entry point of a service port without chains of its own leads to, with these counts; 0: none. */
export function entryPointChain(claim: Claim, cluster: u32, local: u32): usize {
  const port = claim.port;
  const decision = port.decision;
  if (claim.entryPoint == EntryPoint.CLUSTER_IP) {
    if ((decision & Decision.INTERNAL) == 0) return 0;
    return changetype<usize>(countChain(port.family, FlatKind.BALANCE, internalIsLocal(port) ? local : cluster, 0));
  }
  if ((decision & Decision.HAS_ENDPOINTS) == 0) return 0;
  const nodePort = claim.entryPoint == EntryPoint.NODE_PORT;
  if (externalIsLocal(port)) {
    const kind = nodePort ? FlatKind.NODE_PORT_LOCAL : FlatKind.LOCAL;
    return changetype<usize>(countChain(port.family, kind, cluster, local));
  }
  const kind = nodePort ? FlatKind.NODE_PORT_MASQUERADE : FlatKind.MASQUERADE;
  return changetype<usize>(countChain(port.family, kind, cluster, 0));
}

/** The chain that checks sources for the service port, which was routed last; 0: none of its entry points has one. */
export function firewallOf(port: FamilyPort): usize {
  for (let at = port.claims; at != 0; at = changetype<Claim>(at).nextOfPort) {
    if (hasFirewall(changetype<Claim>(at))) return changetype<usize>(firewallChain(port.family, findSources(port)));
  }
  return 0;
}

const needs = new Vector();

function need(at: usize): void {
  if (at == 0) return;
  for (let i: u32 = 0; i < needs.length; i++) if (needs.get(i) == <u32>at) return;
  needs.push(<u32>at);
}

function needWithPlain(at: usize): void {
  if (at == 0) return;
  need(at);
  const chain = changetype<FlatChain>(at);
  if (chain.kind == FlatKind.MASQUERADE || chain.kind == FlatKind.LOCAL) {
    need(changetype<usize>(countChain(chain.family, FlatKind.BALANCE, chain.count, 0)));
  } else if (chain.kind == FlatKind.NODE_PORT_MASQUERADE || chain.kind == FlatKind.NODE_PORT_LOCAL) {
    need(changetype<usize>(countChain(chain.family, FlatKind.NODE_PORT_BALANCE, chain.count, 0)));
  }
}

/** Makes the shared chains of a service port those that it needs as it has just been routed, or none. */
export function updateNeeds(port: FamilyPort): void {
  needs.clear();
  if (port.present) {
    countPolicies(port);
    const own = hasOwnChains(port);
    for (let at = port.claims; at != 0 && !own; at = changetype<Claim>(at).nextOfPort) {
      needWithPlain(entryPointChain(changetype<Claim>(at), clusterCount, localCount));
    }
    need(firewallOf(port));
  }
  takeNeeds(port);
}

function takeNeeds(port: FamilyPort): void {
  for (let i: u32 = 0; i < needs.length; i++) needChain(changetype<FlatChain>(<usize>needs.get(i)));
  const old = port.sharedChains;
  if (old != 0) {
    for (let i: usize = 1; i <= <usize>load<u32>(old); i++)
      releaseChain(changetype<FlatChain>(<usize>load<u32>(old + (i << 2))));
    heap.free(old);
  }
  port.sharedChains = blockOfNeeds();
}

/** The service port needs that shared chain. */
export function needsChain(port: FamilyPort, chain: usize): bool {
  const block = port.sharedChains;
  for (let i: usize = 1; block != 0 && i <= <usize>load<u32>(block); i++) {
    if (<usize>load<u32>(block + (i << 2)) == chain) return true;
  }
  return false;
}

/** Their number, then their addresses; 0 if there are none. */
function blockOfNeeds(): usize {
  if (needs.length == 0) return 0;
  const block = heap.alloc(((<usize>needs.length) << 2) + 4);
  store<u32>(block, needs.length);
  memory.copy(block + 4, needs.data, (<usize>needs.length) << 2);
  return block;
}

/** The kernel holds the service port as it was planned: what it needs is what the kernel needs of it. */
export function holdNeeds(port: FamilyPort): void {
  if (port.heldChains != 0) heap.free(port.heldChains);
  port.heldChains = 0;
  const wanted = port.sharedChains;
  if (wanted == 0) return;
  const size = ((<usize>load<u32>(wanted)) << 2) + 4;
  port.heldChains = heap.alloc(size);
  memory.copy(port.heldChains, wanted, size);
}

/** The kernel may hold the service port partly as it was and partly as it was planned. */
export function holdMoreNeeds(port: FamilyPort): void {
  needs.clear();
  addNeeds(port.heldChains);
  addNeeds(port.sharedChains);
  if (port.heldChains != 0) heap.free(port.heldChains);
  port.heldChains = blockOfNeeds();
}

function addNeeds(block: usize): void {
  for (let i: usize = 1; block != 0 && i <= <usize>load<u32>(block); i++) need(<usize>load<u32>(block + (i << 2)));
}

/** The kernel holds nothing of the service port any more, as far as is known. */
export function forgetHeldNeeds(port: FamilyPort): void {
  if (port.heldChains != 0) heap.free(port.heldChains);
  port.heldChains = 0;
}

/** A service port that plans leave out needs what the kernel holds of it. */
export function restoreNeeds(port: FamilyPort): void {
  needs.clear();
  const held = port.heldChains;
  for (let i: usize = 1; held != 0 && i <= <usize>load<u32>(held); i++) needs.push(load<u32>(held + (i << 2)));
  takeNeeds(port);
}
