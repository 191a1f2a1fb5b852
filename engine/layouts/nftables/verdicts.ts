// Where kube-proxy's nftables layout leads each entry point: chains of the service port's own.
import { Claim, EntryPoint } from "../../routing/keys";
import { Decision, externalIsLocal, FamilyPort, internalIsLocal } from "../../routing/service-ports";
import { wantedChain, wantedFirewall, wantNothing, writeKeyElements } from "../nft/elements";
import { ChainPrefix, prefixText } from "../nft/names";

function internalChain(port: FamilyPort): u32 {
  return internalIsLocal(port) ? ChainPrefix.LOCAL : ChainPrefix.CLUSTER;
}

export function externalPolicyChain(port: FamilyPort): u32 {
  return externalIsLocal(port) ? ChainPrefix.LOCAL : ChainPrefix.CLUSTER;
}

/** A number that no other chain has: neither one of any other service port nor one that Services share (flat-chains.ts). */
function chainNumber(port: FamilyPort, prefix: u32): u64 {
  return (port.port.number << 4) | <u64>prefix;
}

/** The key should lead to a chain of the service port. */
export function wantOwnChain(port: FamilyPort, prefix: u32): void {
  const owner = port.port;
  wantedChain.set(prefixText(prefix), owner.base, owner.baseLength, chainNumber(port, prefix));
}

/** The chain of the service port that an entry point leads to; 0: it is not served here at all. */
export function entryChain(claim: Claim): u32 {
  const decision = claim.port.decision;
  if (claim.entryPoint == EntryPoint.CLUSTER_IP) {
    return (decision & Decision.INTERNAL) != 0 ? internalChain(claim.port) : 0;
  }
  return (decision & Decision.HAS_ENDPOINTS) != 0 ? ChainPrefix.EXTERNAL : 0;
}

/** True if the entry point has source ranges. */
export function hasFirewall(claim: Claim): bool {
  return claim.entryPoint == EntryPoint.LOAD_BALANCER_IP && (claim.port.decision & Decision.SOURCE_RANGES) != 0;
}

/** Writes what is to be added or replaced under the claim's key. The claim must own it. */
export function writeEntryElements(claim: Claim): void {
  const owner = claim.port.port;
  wantNothing();
  const chain = entryChain(claim);
  if (chain != 0) wantOwnChain(claim.port, chain);
  if (hasFirewall(claim)) {
    const number = chainNumber(claim.port, ChainPrefix.FIREWALL);
    wantedFirewall.set(prefixText(ChainPrefix.FIREWALL), owner.base, owner.baseLength, number);
  }
  writeKeyElements(claim);
}
