// The exports of the component, and nothing else: each lifts its arguments, calls, and lowers the result. What they
// mean is said in engine.wit.
import { finish, holdMemory, listResult, outResult, problemsResult, RESULT, setString } from "./abi/lists";
import { moreProblems, problemCount, problemTable } from "./abi/problems";
import { formatIPv4, formatIPv6 } from "./bytes/address";
import { mix, setBucketSeed } from "./bytes/compare";
import { arenaAlloc, Vector } from "./bytes/memory";
import { outLines, outReset, outSelect, StreamName } from "./bytes/out";
import { IPV4, IPV6 } from "./bytes/protocols";
import { beginSlice } from "./bytes/slices";
import { sortVector } from "./bytes/sort";
import { nodes } from "./cluster/nodes";
import { NodeFlag, NodeRecord } from "./cluster/records";
import { Service, services, sortedServices } from "./cluster/services";
import { slices } from "./cluster/slices";
import { beginList, endList } from "./cluster/store";
import { compareEntries, Entry } from "./cluster/table";
import { doneCount, doneTimes, forgetDone, measureChanges } from "./cluster/trigger-times";
import { findStaleFlows, staleFlowCount, staleFlowTable } from "./conntrack/stale-flows";
import { encodeAsNetlink } from "./encodings/nft";
import { recordOwners } from "./encodings/owners";
import { readDocuments } from "./json/documents";
import * as results from "./json/results";
import { writeBlame } from "./layouts/blame";
import { renderFlat } from "./layouts/flat/layout";
import { keepFlatChains } from "./layouts/flat/shared-chains";
import { loseChainUses } from "./layouts/iptables/chain-uses";
import { lackingServices, setMissingExtensions } from "./layouts/iptables/extensions";
import { renderIptables } from "./layouts/iptables/layout";
import { tellChainsInUse } from "./layouts/iptables/plan";
import { suspectCount, writeTrial } from "./layouts/iptables/trial";
import { setBatchLimits } from "./layouts/nft/cuts";
import { renderNftables } from "./layouts/nftables/layout";
import { drift } from "./planning/drift";
import {
  close,
  closeRefused,
  closeRefusedSuspects,
  continuePlan,
  forgetKernel,
  isPlanning,
  isReconciling,
  Progress,
  retryRefused,
  settleAll,
  startFirstWave,
  startPlan,
  startReconciliation,
  takeDump,
} from "./planning/plan";
import { checkOptions } from "./routing/configure";
import { reportConflicts } from "./routing/conflicts";
import { FamilySums, portsHash, serviceCount, sumsOf } from "./routing/counters";
import { writeDescription } from "./routing/describe";
import { computeFacts, stock } from "./routing/facts";
import { factsOf, localhostHandling } from "./routing/family-facts";
import { beginCheck, checkIsDue, endCheck, interruptChecks } from "./routing/flow-checks";
import { healthChecksRevision, listHealthChecks } from "./routing/health-checks";
import { tellListeners } from "./routing/localhost-listeners";
import { Mode, Options, options, takeOptions } from "./routing/options";
import { allowPortion, setPortion } from "./routing/portions";
import {
  claimAnew,
  isLeftOut,
  keepUp,
  refresh,
  refreshAll,
  refreshFacts,
  refreshSome,
  routeStale,
  takesLong,
} from "./routing/refresh";
import { keepLastNode, nodeRecord, podCIDRRecord, primaryFamily, zone, zoneLength } from "./routing/this-node";
import { handedCount, handedTable, hasMadeBatches } from "./transactions/batches";
import {
  plannedKey,
  plannedKeyLength,
  plannedNamespaceLength,
  plannedServiceCount,
} from "./transactions/planned-services";
import { findCauses, refused } from "./transactions/refusals";

export { cabi_realloc } from "./abi/lists";

// Until `configure`: kube-proxy's defaults in nftables mode, for a node without a name.
const defaults = changetype<Options>(memory.data(offsetof<Options>(), 16));
defaults.mode = Mode.NFTABLES;
defaults.masqueradeBit = 14;
defaults.localhostNodePorts = true;
defaults.allowServiceExternalIPs = true;
defaults.nfacctInvalidDropped = true;
defaults.nfacctLocalhostAccepted = true;
defaults.randomFully = true;
takeOptions(changetype<usize>(defaults));

export function engine__configure(at: usize): usize {
  abandon();
  if (checkOptions(changetype<Options>(at))) {
    const mode = options().mode;
    const externalIPs = options().allowServiceExternalIPs;
    const localhost = localhostHandling();
    takeOptions(at);
    computeFacts();
    if (options().allowServiceExternalIPs != externalIPs) claimAnew();
    if (options().mode != mode && hasMadeBatches()) loseChainUses();
    if (options().mode != mode || localhostHandling() != localhost) {
      refreshAll();
      retryRefused();
      // What the other layout has written is not ours to compare with, and chains and counters come and go as stock rules do.
      forgetKernel();
    }
  }
  return problemsResult();
}
export function cabi_post_engine__configure(result: usize): void {
  finish();
}

export function engine__apply(data: usize, length: usize): usize {
  abandon();
  readDocuments(data, length);
  keepUp();
  store<u32>(RESULT, results.services, 0);
  store<u32>(RESULT, results.endpointSlices, 4);
  store<u32>(RESULT, results.nodes, 8);
  store<u32>(RESULT, results.serviceCIDRs, 12);
  store<u32>(RESULT, results.changed, 16);
  store<u32>(RESULT, results.headless, 20);
  store<u32>(RESULT, results.externalName, 24);
  store<u32>(RESULT, results.unassigned, 28);
  setString(RESULT + 32, results.skippedTable(), <usize>results.skippedCount);
  setString(RESULT + 40, results.resourceVersion.bytes, results.resourceVersion.length);
  setString(RESULT + 48, results.continueToken.bytes, results.continueToken.length);
  store<u8>(RESULT, <u8>results.bookmark, 56);
  store<u8>(RESULT, <u8>results.initialEventsEnd, 57);
  store<u8>(RESULT, <u8>results.hasStatus, 60);
  store<u32>(RESULT, results.statusCode, 64);
  setString(RESULT + 68, results.statusReason.bytes, results.statusReason.length);
  setString(RESULT + 76, results.statusMessage.bytes, results.statusMessage.length);
  store<u32>(RESULT, results.statusRetryAfter, 84);
  setString(RESULT + 88, problemTable(), <usize>problemCount());
  store<u32>(RESULT, moreProblems(), 96);
  return RESULT;
}
export function cabi_post_engine__apply(result: usize): void {
  finish();
}

export function engine__begin_list(kind: u32): void {
  abandon();
  beginList(kind);
}

export function engine__end_list(kind: u32): u32 {
  abandon();
  return endList(kind);
}

const nodeList = new Vector();

export function engine__nodes(): usize {
  nodeList.clear();
  for (let at = nodes.following(0); at != 0; at = nodes.following(at)) nodeList.push(<u32>at);
  sortVector(nodeList, 0, nodeList.length, compareEntries);
  const names = arenaAlloc((<usize>nodeList.length) << 3);
  for (let i: u32 = 0; i < nodeList.length; i++) {
    const entry = changetype<Entry>(<usize>nodeList.get(i));
    setString(names + ((<usize>i) << 3), entry.key, entry.keyLength);
  }
  return listResult(names, nodeList.length);
}
export function cabi_post_engine__nodes(result: usize): void {
  finish();
}

export function engine__node(): usize {
  refreshFacts();
  setString(RESULT, options().nodeName, options().nodeNameLength);
  const flags: u32 = nodeRecord == 0 ? 0 : changetype<NodeRecord>(nodeRecord).flags;
  store<u8>(RESULT, <u8>(nodeRecord != 0), 8);
  store<u8>(RESULT, <u8>((flags & NodeFlag.DELETING) != 0), 9);
  store<u8>(RESULT, <u8>((flags & NodeFlag.TO_BE_DELETED) != 0), 10);
  store<u8>(RESULT, <u8>(podCIDRRecord != 0 && changetype<NodeRecord>(podCIDRRecord).podCIDRCount != 0), 11);
  setString(RESULT + 12, zone, zoneLength);
  store<u8>(RESULT, <u8>primaryFamily, 20);
  const ipv4 = arenaAlloc(64);
  setString(RESULT + 24, ipv4, formatIPv4(ipv4, factsOf(IPV4).nodeIP) - ipv4);
  const ipv6 = arenaAlloc(64);
  setString(RESULT + 32, ipv6, formatIPv6(ipv6, factsOf(IPV6).nodeIP) - ipv6);
  return RESULT;
}
export function cabi_post_engine__node(result: usize): void {
  finish();
}

export function engine__node_port_ips(family: u32): usize {
  refreshFacts();
  const facts = factsOf(family);
  const ips = facts.nodePortIPs;
  const texts = arenaAlloc((<usize>ips.length) << 3);
  for (let i: u32 = 0; i < ips.length; i++) {
    const text = arenaAlloc(64);
    const ip = <usize>ips.get(i);
    const end = family == IPV4 ? formatIPv4(text, ip) : formatIPv6(text, ip);
    setString(texts + ((<usize>i) << 3), text, end - text);
  }
  store<u8>(RESULT, <u8>!facts.nodePortsEverywhere);
  setString(RESULT + 4, texts, <usize>ips.length);
  return RESULT;
}
export function cabi_post_engine__node_port_ips(result: usize): void {
  finish();
}

export function engine__take_up(work: u32): bool {
  const isDone = refreshSome(work);
  finish();
  return isDone;
}

export function engine__health_checks_revision(): u32 {
  refresh();
  finish();
  return healthChecksRevision;
}

export function engine__health_checks(): usize {
  refresh();
  return listHealthChecks();
}
export function cabi_post_engine__health_checks(result: usize): void {
  finish();
}

/** Before what is asked about everything. Under a plan that is not complete nothing may change. */
function takeAllUp(): void {
  if (isPlanning()) refresh();
  else refreshAll();
}

export function engine__localhost_listeners(work: u32): usize {
  refresh();
  tellListeners(RESULT, work);
  return RESULT;
}
export function cabi_post_engine__localhost_listeners(result: usize): void {
  finish();
}

export function engine__count(): usize {
  takeAllUp();
  routeStale();
  return totals();
}
export function cabi_post_engine__count(result: usize): void {
  finish();
}

export function engine__counted(): usize {
  return totals();
}
export function cabi_post_engine__counted(result: usize): void {
  finish();
}

function totals(): usize {
  store<u32>(RESULT, serviceCount, 0);
  store<u32>(RESULT, slices.count, 4);
  memory.copy(RESULT + 8, changetype<usize>(sumsOf(IPV4)), offsetof<FamilySums>());
  memory.copy(RESULT + 8 + offsetof<FamilySums>(), changetype<usize>(sumsOf(IPV6)), offsetof<FamilySums>());
  store<u64>(RESULT, mix(stock.hash(), portsHash), 56);
  return RESULT;
}

export function engine__measure_changes(since: u64): void {
  measureChanges(since);
}

export function engine__programmed(family: u32): usize {
  const count = doneCount(family);
  const times = arenaAlloc((<usize>count) << 3, 8);
  memory.copy(times, doneTimes(family), (<usize>count) << 3);
  forgetDone(family);
  return listResult(times, count);
}
export function cabi_post_engine__programmed(result: usize): void {
  finish();
}

export function engine__problems(): usize {
  takeAllUp();
  reportConflicts();
  return problemsResult();
}
export function cabi_post_engine__problems(result: usize): void {
  finish();
}

function render(family: u32): void {
  refreshAll();
  if (options().mode == Mode.IPTABLES) renderIptables(family);
  else if (options().mode == Mode.NFTABLES) renderNftables(family);
  else renderFlat(family);
}

export function engine__render(family: u32): usize {
  abandon();
  render(family);
  return outResult();
}
export function cabi_post_engine__render(result: usize): void {
  finish();
}

export function engine__blame(family: u32): usize {
  abandon();
  recordOwners(true);
  render(family);
  const lines = outLines();
  outSelect(StreamName.NAT_CHAINS);
  const chainLines = outLines();
  outReset();
  writeBlame(lines, chainLines);
  recordOwners(false);
  return outResult();
}
export function cabi_post_engine__blame(result: usize): void {
  finish();
}

export function engine__describe(): usize {
  abandon();
  refreshAll();
  writeDescription();
  return outResult();
}
export function cabi_post_engine__describe(result: usize): void {
  finish();
}

let planAsNetlink: bool = false;

export function engine__set_bucket_seed(seed: u64): bool {
  return setBucketSeed(seed);
}

export function engine__set_encoding(encoding: u32): void {
  planAsNetlink = encoding != 0;
}

export function engine__set_batch_limits(preferred: u32, largest: u32): void {
  setBatchLimits(preferred, largest);
}

export function engine__keep_last_node(): void {
  keepLastNode();
}

export function engine__keep_chains(count: u32): void {
  keepFlatChains(count);
}

export function engine__set_portion(work: u32): void {
  setPortion(work);
}

export function engine__begin_portion(): bool {
  abandon();
  return allowPortion();
}

export function engine__begin_plan(now: u64): void {
  abandon();
  holdMemory(true);
  encodeAsNetlink(planAsNetlink);
  startPlan(now);
  encodeAsNetlink(false);
}

export function engine__begin_first_wave(now: u64): void {
  abandon();
  holdMemory(true);
  encodeAsNetlink(planAsNetlink);
  startFirstWave(now);
  encodeAsNetlink(false);
}

export function engine__begin_reconcile(family: u32, size: u32, now: u64): void {
  abandon();
  holdMemory(true);
  startReconciliation(family, <usize>size, now);
}

export function engine__read_dump(data: usize, length: usize): void {
  takeDump(data, length);
}

export function engine__continue_plan(work: u32): usize {
  beginSlice(work);
  const progress = resume();
  store<u8>(RESULT, <u8>progress);
  if (progress >= Progress.BATCHES) setString(RESULT + 4, handedTable(), <usize>handedCount());
  return RESULT;
}
export function cabi_post_engine__continue_plan(result: usize): void {
  finish();
}

/** One more slice of the plan that has begun. */
function resume(): u32 {
  encodeAsNetlink(planAsNetlink || isReconciling());
  const progress = continuePlan();
  encodeAsNetlink(false);
  if (progress == Progress.COMPLETE) holdMemory(false);
  return progress;
}

/** Nothing may change under a plan that is not complete, nor write where it writes: it is made, and counts as never sent. */
function abandon(): void {
  if (!isPlanning()) return;
  beginSlice(u32.MAX_VALUE);
  while (isPlanning()) resume();
  outReset();
}

export function engine__drift(): usize {
  store<u32>(RESULT, drift.missing, 0);
  store<u32>(RESULT, drift.changed, 4);
  store<u32>(RESULT, drift.extra, 8);
  setString(RESULT + 12, drift.names.data, <usize>(drift.names.length >> 1));
  store<u8>(RESULT, <u8>drift.rebuilt, 20);
  return RESULT;
}
export function cabi_post_engine__drift(result: usize): void {
  finish();
}

export function engine__flow_check_due(family: u32, flows: u32): bool {
  return checkIsDue(family, flows);
}

export function engine__begin_flow_check(family: u32, flows: u32): void {
  beginCheck(family, flows);
  finish();
}

export function engine__stale_flows(family: u32, dump: usize, length: usize): usize {
  // The rest would take long, and until then nobody knows what is stale: there will be another run.
  if (takesLong()) interruptChecks(family);
  else findStaleFlows(family, dump, length);
  return listResult(staleFlowTable(), staleFlowCount());
}
export function cabi_post_engine__stale_flows(result: usize): void {
  finish();
}

export function engine__end_flow_check(family: u32, flows: u32, complete: u32): void {
  endCheck(family, flows, complete != 0);
}

export function engine__committed(id: u32, now: u64): void {
  abandon();
  close(id, true, now);
}

export function engine__failed(id: u32, now: u64): void {
  abandon();
  close(id, false, now);
}

function serviceList(list: Vector): usize {
  const names = arenaAlloc((<usize>list.length) << 4);
  for (let i: u32 = 0; i < list.length; i++) {
    const at = names + ((<usize>i) << 4);
    if (list.get(i) == 0) {
      memory.fill(at, 0, 16);
      continue;
    }
    setServiceName(at, changetype<Service>(<usize>list.get(i)));
  }
  return listResult(names, list.length);
}

function setServiceName(at: usize, service: Service): void {
  const name = <usize>service.namespaceLength + 1;
  setString(at, service.key, service.namespaceLength);
  setString(at + 8, service.key + name, <usize>service.keyLength - name);
}

export function engine__planned_services(family: u32): usize {
  const count = plannedServiceCount(family);
  const names = arenaAlloc((<usize>count) << 4);
  for (let i: u32 = 0; i < count; i++) {
    const at = names + ((<usize>i) << 4);
    const namespaceLength = <usize>plannedNamespaceLength(family, i);
    const name = namespaceLength + 1;
    setString(at, plannedKey(family, i), namespaceLength);
    setString(at + 8, plannedKey(family, i) + name, <usize>plannedKeyLength(family, i) - name);
  }
  return listResult(names, count);
}
export function cabi_post_engine__planned_services(result: usize): void {
  finish();
}

export function engine__refused(id: u32, sequences: usize, count: u32, now: u64): usize {
  abandon();
  closeRefused(id, sequences, count, now);
  return serviceList(refused);
}
export function cabi_post_engine__refused(result: usize): void {
  finish();
}

export function engine__causes(sequences: usize, count: u32): usize {
  findCauses(sequences, count);
  return listResult(sequences, count);
}
export function cabi_post_engine__causes(result: usize): void {
  finish();
}

export function engine__chains_in_use(family: u32, names: usize, count: u32): usize {
  abandon();
  const answers = arenaAlloc(<usize>count);
  settleAll();
  tellChainsInUse(family, names, count, answers);
  return listResult(answers, count);
}
export function cabi_post_engine__chains_in_use(result: usize): void {
  finish();
}

export function engine__suspects(id: u32): u32 {
  return suspectCount(id);
}

export function engine__trial(id: u32, first: u32, count: u32): usize {
  abandon();
  refreshAll();
  writeTrial(id, first, count);
  return outResult();
}
export function cabi_post_engine__trial(result: usize): void {
  finish();
}

export function engine__refused_suspects(id: u32, numbers: usize, count: u32, now: u64): usize {
  abandon();
  closeRefusedSuspects(id, numbers, count, now);
  return serviceList(refused);
}
export function cabi_post_engine__refused_suspects(result: usize): void {
  finish();
}

export function engine__set_missing_extensions(family: u32, extensions: usize, count: u32): void {
  setMissingExtensions(family, extensions, count);
}

export function engine__lacking(family: u32): usize {
  const rows = lackingServices(family);
  const count = rows.length >> 1;
  const table = arenaAlloc(<usize>count * 20);
  for (let i: u32 = 0; i < count; i++) {
    const at = table + <usize>i * 20;
    const service = changetype<Service>(<usize>rows.get(i << 1));
    setServiceName(at, service);
    store<u8>(at, <u8>rows.get((i << 1) + 1), 16);
  }
  return listResult(table, count);
}
export function cabi_post_engine__lacking(result: usize): void {
  finish();
}

export function engine__left_out(): usize {
  const list = sortedServices();
  refused.clear();
  for (let i: u32 = 0; i < list.length; i++) {
    if (isLeftOut(changetype<Service>(<usize>list.get(i)))) refused.push(list.get(i));
  }
  return serviceList(refused);
}
export function cabi_post_engine__left_out(result: usize): void {
  finish();
}

export function engine__left_out_count(family: u32): u32 {
  let count: u32 = 0;
  for (let at = services.following(0); at != 0; at = services.following(at)) {
    if (isLeftOut(changetype<Service>(at)) && changetype<Service>(at).isLeftOut(family)) count++;
  }
  return count;
}

export function engine__retry(): void {
  abandon();
  retryRefused();
  finish();
}

export function engine__forget(): void {
  abandon();
  refreshAll();
  forgetKernel();
  finish();
}
