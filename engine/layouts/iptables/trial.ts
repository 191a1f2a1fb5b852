// Whose line was it? Legacy iptables-restore names only the COMMIT line for whatever the kernel refuses in a table. So the
// rules of some of a batch's Services are given to it once more, in chains of other names that nothing leads to: no
// packet meets them, and what the kernel holds stays as it is meanwhile.
import { Vector } from "../../bytes/memory";
import { outSelect, StreamName } from "../../bytes/out";
import { Service } from "../../cluster/services";
import {
  commit,
  declareChain,
  deleteChain,
  renameChains,
  table,
  writeComments,
} from "../../encodings/iptables-restore";
import { ownedByNobody } from "../../encodings/owners";
import { endpointAt, endpoints, Routed } from "../../routing/endpoints";
import { Mode, options } from "../../routing/options";
import { routeUnsigned } from "../../routing/route";
import { FamilyPort, ServicePort } from "../../routing/service-ports";
import { familyOfBatch, isPlanned } from "../../transactions/batches";
import { listSuspects } from "../../transactions/iptables-lines";
import { canComment } from "./extensions";
import { flushStreams, isLargeCluster, writeDispatch, writeLosers } from "./layout";
import {
  CLUSTER_PREFIX,
  chainHash,
  chainsOf,
  ENDPOINT_PREFIX,
  EXTERNAL_PREFIX,
  endpointHash,
  FIREWALL_PREFIX,
  LOCAL_PREFIX,
  nameEndpoints,
  PortChain,
} from "./names";
import { writeHeldDispatch } from "./plan";
import { declarePortChains, writeChains } from "./service";
import { heldChains } from "./snapshots";

const suspects = new Vector();

function findSuspects(id: u32): void {
  if (options().mode == Mode.IPTABLES && isPlanned(id)) listSuspects(familyOfBatch(id), suspects);
  else suspects.clear();
}

/** Services that have lines in the batch. */
export function suspectCount(id: u32): u32 {
  findSuspects(id);
  return suspects.length;
}

/** Declares a chain of nat, and empties it; and deletes it. */
function remove(prefix: string, hash: usize): void {
  outSelect(StreamName.NAT_CHAINS);
  declareChain(prefix, hash);
  outSelect(StreamName.NAT_RULES);
  deleteChain(prefix, hash);
}

function removeChains(port: FamilyPort, chains: u32): void {
  const hash = chainHash(port.port);
  if ((chains & PortChain.EXTERNAL) != 0) remove(EXTERNAL_PREFIX, hash);
  if ((chains & PortChain.FIREWALL) != 0) remove(FIREWALL_PREFIX, hash);
  if ((chains & PortChain.CLUSTER) != 0) remove(CLUSTER_PREFIX, hash);
  if ((chains & PortChain.LOCAL) != 0) remove(LOCAL_PREFIX, hash);
}

/** Of a Service that is left out only what leads to its old chains is in the batch; these are empty here. */
function writeHeld(port: FamilyPort, removing: bool): void {
  if (removing) {
    removeChains(port, heldChains(port));
    return;
  }
  outSelect(StreamName.NAT_CHAINS);
  declarePortChains(port, heldChains(port));
  writeHeldDispatch(port);
}

function removeChainsOf(port: FamilyPort): void {
  removeChains(port, chainsOf(port));
  for (let i: u32 = 0; i < endpoints.length; i++) {
    if ((endpointAt(i).flags & Routed.REACHABLE) != 0) remove(ENDPOINT_PREFIX, endpointHash(i));
  }
}

/** Writes the rules of some suspects; or (`removing`) removes their chains. */
function writeSuspects(family: u32, first: u32, end: u32, removing: bool): void {
  const large = isLargeCluster(family);
  for (let i = first; i < end; i++) {
    const service = changetype<Service>(<usize>suspects.get(i));
    for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
      const familyPort = changetype<ServicePort>(at).family(family);
      if (familyPort == 0 || !changetype<FamilyPort>(familyPort).present) continue;
      const port = changetype<FamilyPort>(familyPort);
      if (service.isLeftOut(family)) {
        writeHeld(port, removing);
        continue;
      }
      routeUnsigned(port);
      nameEndpoints(port);
      if (removing) {
        removeChainsOf(port);
      } else {
        writeDispatch(port);
        writeChains(port, large);
      }
    }
  }
  if (!removing) writeLosers();
}

function declareFilterChains(): void {
  table("filter");
  declareChain("KUBE-SERVICES", 0);
  declareChain("KUBE-NODEPORTS", 0);
  declareChain("KUBE-EXTERNAL-SERVICES", 0);
  declareChain("KUBE-PROXY-FIREWALL", 0);
}

/** All of a table's chains are emptied before the first is deleted, so that nothing leads to any. */
function removeFilterChains(): void {
  declareFilterChains();
  deleteChain("KUBE-SERVICES", 0);
  deleteChain("KUBE-NODEPORTS", 0);
  deleteChain("KUBE-EXTERNAL-SERVICES", 0);
  deleteChain("KUBE-PROXY-FIREWALL", 0);
  commit();
}

/**
 * Writes iptables-restore's input for `count` of the batch's suspects into the results. What is made in filter is removed
 * before nat is tried, which commits by itself: whichever is refused, nothing stays.
 */
export function writeTrial(id: u32, first: u32, count: u32): void {
  findSuspects(id);
  const family = familyOfBatch(id);
  const begin = min(first, suspects.length);
  const end = begin + min(count, suspects.length - begin);
  ownedByNobody();
  renameChains(true);
  writeComments(canComment(family));
  outSelect(StreamName.MAIN);
  declareFilterChains();
  outSelect(StreamName.NAT_CHAINS);
  table("nat");
  declareChain("KUBE-SERVICES", 0);
  declareChain("KUBE-NODEPORTS", 0);
  declareChain("KUBE-MARK-MASQ", 0);
  writeSuspects(family, begin, end, false);
  outSelect(StreamName.MAIN);
  commit();
  removeFilterChains();
  outSelect(StreamName.NAT_RULES);
  commit();
  flushStreams();

  outSelect(StreamName.NAT_CHAINS);
  table("nat");
  remove("KUBE-SERVICES", 0);
  remove("KUBE-NODEPORTS", 0);
  remove("KUBE-MARK-MASQ", 0);
  writeSuspects(family, begin, end, true);
  outSelect(StreamName.NAT_RULES);
  commit();
  flushStreams();
  renameChains(false);
}
