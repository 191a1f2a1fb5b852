// Service ports with affinity that one transaction can't hold: the chains and sets of their endpoints are written first, by
// as many as it takes. Nothing leads to those that are new, and those that are there stay as they are.
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { FamilyPort, MAX_BASE } from "../../routing/service-ports";
import { journal } from "../../transactions/batches";
import { journalKind } from "../../transactions/journal";
import { cutAnywhere, longestTransaction, makeRoom, whenCut } from "../nft/cuts";
import { endpointName, endpointNameLength } from "../nft/names";
import { revive } from "../nft/retiring";
import { mergeEndpointChains } from "../nft/snapshots";
import { writeEndpointChain } from "./service";

/** Bytes that an endpoint's chain and set take at most, with six times their name. */
const ENDPOINT_BYTES: usize = 1200 + 6 * <usize>MAX_BASE;

/** A transaction ends after the first `count` endpoints of the Snapshot `planned`. */
@unmanaged
class PartOfAffinity {
  port: FamilyPort;
  planned: usize;
  count: u32;
}

const part = changetype<PartOfAffinity>(memory.data(offsetof<PartOfAffinity>(), 8));

function commitPart(at: usize, _now: u64): void {
  const part = changetype<PartOfAffinity>(at);
  const port = part.port;
  if (port.planned == part.planned) {
    const merged = mergeEndpointChains(port.committed, part.planned, part.count);
    if (port.committed != 0) heap.free(port.committed);
    port.committed = merged;
  }
  heap.free(at);
}

function failPart(at: usize, _now: u64): void {
  heap.free(at);
}

const PART_OF_AFFINITY = journalKind(commitPart, failPart);

function notePart(): void {
  const copy = heap.alloc(offsetof<PartOfAffinity>());
  memory.copy(copy, changetype<usize>(part), offsetof<PartOfAffinity>());
  journal(PART_OF_AFFINITY, copy);
}

/** Writes the endpoints' chains and sets of a service port that was routed last, and is on its way to that snapshot. */
export function splitAffinity(port: FamilyPort, snapshot: usize): void {
  part.port = port;
  part.planned = snapshot;
  part.count = 0;
  whenCut(notePart);
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) == 0) continue;
    makeRoom(ENDPOINT_BYTES);
    writeEndpointChain(port, endpointAt(i));
    revive(port.family, "endpoint-", endpointName(), endpointNameLength());
    revive(port.family, "affinity-", endpointName(), endpointNameLength());
    part.count++;
  }
  // Chains that go to these are torn apart nowhere, and have a transaction for themselves.
  makeRoom(longestTransaction());
  cutAnywhere();
}
