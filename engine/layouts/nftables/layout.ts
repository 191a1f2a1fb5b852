// kube-proxy's nftables rules of one family: the whole script, and the transactions of a plan.
import { Vector } from "../../bytes/memory";
import { outFlush, StreamName } from "../../bytes/out";
import { nft } from "../../encodings/nft";
import { changedKeys } from "../../routing/keys";
import { updateHairpins } from "../../routing/ownership";
import { listPresentPorts } from "../../routing/refresh";
import { route, routeSignature, routeUnsigned } from "../../routing/route";
import { FamilyPort, hasAffinity, recordOf } from "../../routing/service-ports";
import { journalPort } from "../../transactions/port-journal";
import { isForgotten } from "../../transactions/stock";
import { allowCutsWithin, cut, hasRoom, longestTransaction, makeRoom, mayCut, whenTransactionEnds } from "../nft/cuts";
import { beginChangedKeys, continueChangedKeys, settleUnclaimed, writeHairpins } from "../nft/elements";
import { beginFullText, endFullText } from "../nft/full-text";
import { beginFamily, beginParts, countEntryPoints, endParts, planAllDeletions, writeParts } from "../nft/parts";
import { holdsRoute, journalOwnChains, keepChains, makeSnapshot, retireChains, reviveChains } from "../nft/snapshots";
import { writeStock } from "../nft/stock";
import { splitAffinity } from "./affinity-parts";
import { closeChains, forgetClosedChains, noteExternalChain, writeClosedChains } from "./closed-chains";
import { chainsOf, writeChainsAndElements, writePortChains, writeRules } from "./service";
import { writeEntryElements } from "./verdicts";

const TABLE: string = "kube-proxy";

const ports = new Vector();

/** The whole script of a family, for an empty table, into the results. */
export function renderNftables(family: u32): void {
  nft.begin(TABLE, family);
  beginFullText();
  writeStock(family, false, true, true);
  listPresentPorts(family, ports);
  for (let i: u32 = 0; i < ports.length; i++) {
    const port = changetype<FamilyPort>(<usize>ports.get(i));
    routeUnsigned(port);
    updateHairpins(port);
    writeChainsAndElements(port, true);
    writeRules(port, chainsOf(port), true);
  }
  endFullText();
  nft.finish();
  outFlush(StreamName.MAIN);
}

// ---- plan

/** Writes what has changed of one service port. */
function planPort(port: FamilyPort): void {
  if (!port.present) {
    updateHairpins(port);
    if (port.committed == 0) return;
    retireChains(port, port.committed, 0);
    journalPort(port, 0);
    return;
  }
  route(port);
  updateHairpins(port);
  if (holdsRoute(port)) {
    writeChainsAndElements(port, false);
    keepChains(port); // what a plan retired that never came to pass
    return;
  }
  const snapshot = makeSnapshot(port, routeSignature(port), chainsOf(port), 0, 0);
  const size = sizeOfPort(port);
  makeRoom(size);
  if (together || (hasRoom(size) && (longestTransaction() == 0 || size < longestTransaction()))) {
    allowCutsWithin(false);
    writeChainsAndElements(port, true);
    writeRules(port, chainsOf(port), true);
    noteExternalChain(port, port.committed);
    allowCutsWithin(!together);
  } else {
    // Endpoints' own chains come first; those that go to them are a transaction that holds together, however long; and
    // elements that lead there come after it.
    writeHairpins(port);
    if (hasAffinity(port)) splitAffinity(port, snapshot);
    allowCutsWithin(false);
    writePortChains(port, chainsOf(port), false);
    writeRules(port, chainsOf(port), false);
    allowCutsWithin(true);
    noteExternalChain(port, port.committed);
    journalOwnChains(port, snapshot);
    cut();
    writeChainsAndElements(port, false);
  }
  reviveChains(port, snapshot);
  retireChains(port, port.committed, snapshot);
  journalPort(port, snapshot);
}

/** At least as many bytes as all of a service port takes that has as many endpoints as it was routed with last. */
function sizeOfPort(port: FamilyPort): usize {
  if (!port.present) return 0;
  const name = <usize>port.port.baseLength;
  const each: usize = 200 + (hasAffinity(port) ? 7 * (200 + name) : 0);
  const ranges = <usize>recordOf(port).rangeCount * 160;
  return (
    <usize>countEntryPoints(port) * (600 + 2 * name) + <usize>port.endpointCount * each + ranges + 16 * (300 + name)
  );
}

/** Begins to add the batches that bring the kernel's table of the family up to date, if there is anything to write. */
export function beginNftablesPlan(family: u32): void {
  const full = beginFamily(TABLE, false, family, ports);
  // Of a table that is replaced no Service may be missing for a moment, so that is one transaction if it can be.
  together = full && isForgotten(family) && !mayCut;
  allowCutsWithin(!together);
  beginParts(ports, full, !together, sizeOfPort);
  hasParts = false;
  forgetClosedChains();
  whenTransactionEnds(closeChains);
}

/** All of the family's plan is one transaction. */
let together: bool = false;
/** All service ports have been written. */
let hasParts: bool = false;

/** Goes on for a slice; true: the plan of the family is complete. */
export function continueNftablesPlan(family: u32, now: u64): bool {
  if (!hasParts) {
    if (!writeParts(family, planPort)) return false;
    beginChangedKeys(changedKeys, family);
    hasParts = true;
  }
  if (!continueChangedKeys(writeEntryElements, settleUnclaimed)) return false;
  writeClosedChains();
  endParts(family);
  planAllDeletions(family, now);
  return true;
}
