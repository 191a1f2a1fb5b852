// kube-proxy's layout: chains `external-X` that do not lead on any more to what serves packets from outside (the Local
// policy, and no endpoint on this node). Elements with the verdict `drop` take over, for the entry points of the service
// port. If a transaction ends before all elements of the plan are written, some that lead there may not have theirs, or
// belong to another Service by now: the chain ends with `drop` itself until they are. (In our layout it always does.)
import { Vector } from "../../bytes/memory";
import { markStale } from "../../routing/refresh";
import { Decision, FamilyPort } from "../../routing/service-ports";
import { journal } from "../../transactions/batches";
import { doNothing, journalKind } from "../../transactions/journal";
import { writeFor, writtenFor } from "../../transactions/refusals";
import { makeRoom, releaseReserved, reserve } from "../nft/cuts";
import { RULE_BYTES } from "../nft/elements";
import { ChainPrefix } from "../nft/names";
import { forgetSignatures, Snapshot } from "../nft/snapshots";
import { chainsOf, closeExternalChain, writeExternalChain } from "./service";

/** Service ports whose `external-X` the open transaction writes so. */
const written = new Vector();
/** Those that an earlier transaction of the plan has written, with a `drop` at the end. */
const closed = new Vector();

export function forgetClosedChains(): void {
  written.clear();
  closed.clear();
}

/** Bytes of a rule that drops. */
const DROP_BYTES: usize = 512;

/** The chains of the service port have been written; the kernel has had them by the snapshot `old` (or 0). */
export function noteExternalChain(port: FamilyPort, old: usize): void {
  if ((port.decision & Decision.EXTERNAL) != 0 || old == 0) return;
  if ((chainsOf(port) & changetype<Snapshot>(old).chains & ChainPrefix.EXTERNAL) == 0) return;
  written.push(<u32>changetype<usize>(port));
  reserve(DROP_BYTES);
}

/** The transaction ends, and others follow. */
export function closeChains(): void {
  if (written.length == 0) return;
  const service = writtenFor();
  for (let i: u32 = 0; i < written.length; i++) {
    const port = changetype<FamilyPort>(<usize>written.get(i));
    writeFor(changetype<usize>(port.port.service));
    closeExternalChain(port);
    closed.push(written.get(i));
  }
  written.clear();
  writeFor(service);
}

function failClosed(at: usize, _now: u64): void {
  const port = changetype<FamilyPort>(at);
  forgetSignatures(port.committed);
  markStale(port);
}

/** A FamilyPort's `external-X` is as it should be again; its snapshot says so already. */
const CLOSED_CHAIN = journalKind(doNothing, failClosed);

/** All elements are written: chains are as kube-proxy has them. */
export function writeClosedChains(): void {
  written.clear();
  releaseReserved();
  for (let i: u32 = 0; i < closed.length; i++) {
    const port = changetype<FamilyPort>(<usize>closed.get(i));
    writeFor(changetype<usize>(port.port.service));
    makeRoom(RULE_BYTES);
    writeExternalChain(port);
    journal(CLOSED_CHAIN, changetype<usize>(port));
  }
  writeFor(0);
  closed.clear();
}
