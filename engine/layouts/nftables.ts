// kube-proxy's nftables rules of one family: the whole script, and the transactions of a plan.
import { Vector } from "../bytes/memory";
import { outFlush, StreamName } from "../bytes/out";
import { nft } from "../encodings/nft";
import { changedKeys, updateHairpins } from "../routing/ownership";
import { listPresentPorts } from "../routing/refresh";
import { route, routeSignature } from "../routing/route";
import { FamilyPort } from "../routing/service-ports";
import { journalPort } from "./batches";
import { beginFullText, endFullText, settleUnclaimed, writeChangedKeys } from "./nft-elements";
import { writeEntryElements } from "./nftables-elements";
import { keepChains, makeSnapshot, retireChains, reviveChains, Snapshot } from "./nft-snapshots";
import { chainsOf, writeChainsAndElements, writeRules } from "./nftables-service";
import { writeStock } from "./nftables-stock";
import { beginFamily, beginParts, endParts, planAllDeletions, writeParts } from "./nft-parts";

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
    route(port);
    updateHairpins(port);
    writeChainsAndElements(port, true);
    writeRules(port, chainsOf(port));
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
  const signature = routeSignature(port);
  const write = port.committed == 0 || changetype<Snapshot>(port.committed).signature != signature;
  writeChainsAndElements(port, write);
  if (!write) {
    keepChains(port); // what a plan retired that never came to pass
    return;
  }
  writeRules(port, chainsOf(port));
  const snapshot = makeSnapshot(port, signature, chainsOf(port), 0, 0);
  reviveChains(port, snapshot);
  retireChains(port, port.committed, snapshot);
  journalPort(port, snapshot);
}

/** Begins to add the batches that bring the kernel's table of the family up to date, if there is anything to write. */
export function beginNftablesPlan(family: u32): void {
  const full = beginFamily(TABLE, false, family, ports);
  beginParts(ports, full, true);
}

/** Goes on for a slice; true: the plan of the family is complete. */
export function continueNftablesPlan(family: u32, now: u64): bool {
  if (!writeParts(family, planPort)) return false;
  writeChangedKeys(changedKeys, family, writeEntryElements, settleUnclaimed);
  endParts(family);
  planAllDeletions(family, now);
  return true;
}
