// Chains `external-X` that do not lead on any more to what serves packets from outside: the Local policy, and no endpoint
// on this node. Entry points that lead there get the verdict `drop`, or lead elsewhere, first; else packets would be
// neither translated nor dropped, and reach the node itself.
import { Vector } from "../bytes/memory";
import { Decision, FamilyPort } from "../routing/service-ports";
import { currentBatch, JournalKind, journal } from "./batches";
import { RULE_BYTES } from "./nft-elements";
import { makeRoom } from "./nft-parts";
import { Snapshot } from "./nft-snapshots";
import { ChainPrefix } from "./nftables-elements";
import { chainsOf, writeExternalChain } from "./nftables-service";
import { writeFor } from "./refusals";

/** True if the kernel has `external-X` by the snapshot `old` (or 0), and it is to be written after all elements. */
export function losesExternal(port: FamilyPort, old: usize): bool {
  if ((port.decision & Decision.EXTERNAL) != 0 || old == 0) return false;
  return (chainsOf(port) & changetype<Snapshot>(old).chains & ChainPrefix.EXTERNAL) != 0;
}

/** Service ports of the plan that is being made whose `external-X` is still to be written. */
const late = new Vector();

export function forgetLateChains(): void {
  late.clear();
}

export function writeLater(port: FamilyPort): void {
  late.push(<u32>changetype<usize>(port));
}

/** Writes them; what only they led to may be emptied afterwards. */
export function writeLateChains(): void {
  for (let i: u32 = 0; i < late.length; i++) {
    const port = changetype<FamilyPort>(<usize>late.get(i));
    writeFor(changetype<usize>(port.port.service));
    makeRoom(RULE_BYTES);
    writeExternalChain(port);
    journal(currentBatch(), JournalKind.LATE_CHAIN, changetype<usize>(port));
  }
  writeFor(0);
  late.clear();
}
