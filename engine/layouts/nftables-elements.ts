// The elements of kube-proxy's named sets and maps (reference: nftables.md §6): for each key what should be in the
// kernel, what is, and the commands between the two.
import { mix } from "../bytes/compare";
import { Vector } from "../bytes/memory";
import { sortVector } from "../bytes/sort";
import { ServiceFlag } from "../cluster/records";
import { nft } from "../encodings/nft";
import { Verb } from "../encodings/nft-encoding";
import { Field, ownedBy, OwnerKind } from "../encodings/owners";
import { Claim, EntryPoint, Key, KeyKind } from "../routing/ownership";
import { Decision, FamilyPort, recordOf } from "../routing/service-ports";
import { journalKey } from "./batches";

/** What a key of the no-endpoint maps says. */
namespace Verdict {
  export const REJECT: u64 = 1;
  export const DROP: u64 = 2;
}

/** Prefixes of per-service chains; the number makes the hash of the chain that an element leads to. */
export namespace ChainPrefix {
  export const CLUSTER: u32 = 1;
  export const LOCAL: u32 = 2;
  export const EXTERNAL: u32 = 4;
  export const FIREWALL: u32 = 8;
}

export function prefixText(prefix: u32): string {
  if (prefix == ChainPrefix.CLUSTER) return "service-";
  if (prefix == ChainPrefix.LOCAL) return "local-";
  return prefix == ChainPrefix.EXTERNAL ? "external-" : "firewall-";
}

/** The full text is being written: what the kernel holds does not matter, and each key is written once. */
let fullText: bool = false;
let textNumber: u32 = 0;

export function beginFullText(): void {
  fullText = true;
  textNumber++;
}

export function endFullText(): void {
  fullText = false;
}

export function internalChain(port: FamilyPort): u32 {
  return (recordOf(port).flags & ServiceFlag.INTERNAL_LOCAL) != 0 ? ChainPrefix.LOCAL : ChainPrefix.CLUSTER;
}

export function externalPolicyChain(port: FamilyPort): u32 {
  return (recordOf(port).flags & ServiceFlag.EXTERNAL_LOCAL) != 0 ? ChainPrefix.LOCAL : ChainPrefix.CLUSTER;
}

// What the key that is being looked at should map to: chain prefixes (0: none) and verdict.
let wantedChain: u32 = 0;
let wantedFirewall: bool = false;
let wantedVerdict: u64 = 0;

function findWanted(claim: Claim): void {
  const port = claim.port;
  const decision = port.decision;
  const has = (decision & Decision.HAS_ENDPOINTS) != 0;
  const clusterIP = claim.entryPoint == EntryPoint.CLUSTER_IP;
  const served = (decision & (clusterIP ? Decision.INTERNAL : Decision.EXTERNAL)) != 0;
  wantedChain = clusterIP ? (served ? internalChain(port) : 0) : has ? ChainPrefix.EXTERNAL : 0;
  wantedFirewall = claim.entryPoint == EntryPoint.LOAD_BALANCER_IP && (decision & Decision.SOURCE_RANGES) != 0;
  wantedVerdict = served ? 0 : has ? Verdict.DROP : Verdict.REJECT;
}

function chainHash(port: FamilyPort, prefix: u32): u64 {
  if (prefix == 0) return 0;
  const hash = mix(port.port.baseHash, <u64>prefix);
  return hash == 0 ? 1 : hash;
}

function services(key: Key): string {
  return key.kind == KeyKind.NODE_PORT ? "service-nodeports" : "service-ips";
}

function noEndpoints(key: Key): string {
  return key.kind == KeyKind.NODE_PORT ? "no-endpoint-nodeports" : "no-endpoint-services";
}

function writeKey(key: Key): void {
  if (key.kind == KeyKind.NODE_PORT) nft.portKey(<u32>key.protocol, key.port);
  else nft.addressPortKey(key.ip(), <u32>key.protocol, key.port);
}

/** Adds the element, or replaces it where the kernel has another value under the key. */
function begin(container: string, key: Key, committed: u64): void {
  if (committed != 0) remove(container, key);
  nft.element(Verb.ADD, container, 0, 0);
  writeKey(key);
}

function remove(container: string, key: Key): void {
  nft.element(Verb.DELETE, container, 0, 0);
  writeKey(key);
  nft.endElement();
}

function goto(port: FamilyPort, prefix: u32): void {
  nft.gotoData(prefixText(prefix), port.port.base, port.port.baseLength);
  nft.endElement();
}

function ownClaim(claim: Claim): void {
  const entryPoint = claim.entryPoint;
  const field =
    entryPoint == EntryPoint.CLUSTER_IP
      ? Field.CLUSTER_IP
      : entryPoint == EntryPoint.EXTERNAL_IP
        ? Field.EXTERNAL_IP
        : entryPoint == EntryPoint.LOAD_BALANCER_IP
          ? Field.INGRESS
          : Field.NODE_PORT;
  ownedBy(OwnerKind.SERVICE, changetype<usize>(claim.port.port.service), field, claim.index);
}

/** Elements that a key had and does not need any more are deleted at the end of the transaction. */
const leftovers = new Vector();

/** Writes what is to be added or replaced under the claim's key. The claim must own it. */
export function writeEntryElements(claim: Claim): void {
  const key = claim.key;
  const port = claim.port;
  findWanted(claim);
  const chain = chainHash(port, wantedChain);
  const firewall = wantedFirewall ? chainHash(port, ChainPrefix.FIREWALL) : 0;
  const hadChain = fullText ? 0 : key.committedChain;
  const hadFirewall = fullText ? 0 : key.committedFirewall;
  const hadVerdict = fullText ? 0 : key.committedNoEndpoints;
  ownClaim(claim);
  if (chain != 0 && chain != hadChain) {
    begin(services(key), key, hadChain);
    goto(port, wantedChain);
  }
  if (firewall != 0 && firewall != hadFirewall) {
    begin("firewall-ips", key, hadFirewall);
    goto(port, ChainPrefix.FIREWALL);
  }
  if (wantedVerdict != 0 && wantedVerdict != hadVerdict) {
    begin(noEndpoints(key), key, hadVerdict);
    nft.elementComment(port.port.printable, port.port.printableLength);
    if (wantedVerdict == Verdict.REJECT) nft.gotoData("reject-chain", 0, 0);
    else nft.dropData();
    nft.endElement();
  }
  if (!fullText) settle(key, chain, firewall, wantedVerdict);
}

/** Notes what the batch makes of the key, and what is left to delete. */
function settle(key: Key, chain: u64, firewall: u64, verdict: u64): void {
  key.plannedChain = chain;
  key.plannedFirewall = firewall;
  key.plannedNoEndpoints = verdict;
  if (chain != key.committedChain || firewall != key.committedFirewall || verdict != key.committedNoEndpoints) {
    journalKey(key);
  }
  if (
    (chain == 0 && key.committedChain != 0) ||
    (firewall == 0 && key.committedFirewall != 0) ||
    (verdict == 0 && key.committedNoEndpoints != 0)
  ) {
    leftovers.push(<u32>changetype<usize>(key));
  }
}

function setName(key: Key): string {
  return key.kind == KeyKind.CLUSTER_IP ? "cluster-ips" : "hairpin-connections";
}

function writeSetKey(key: Key): void {
  if (key.kind == KeyKind.CLUSTER_IP) nft.addressKey(key.ip());
  else nft.hairpinKey(key.ip(), <u32>key.protocol, key.port);
}

/** Adds a set's element if it is wanted and not there. */
export function writeSetElement(key: Key): void {
  if (key.wanted != 0) {
    if (fullText ? key.written == textNumber : key.committedChain != 0 || key.open) return;
    key.written = fullText ? textNumber : key.written;
    nft.element(Verb.ADD, setName(key), 0, 0);
    writeSetKey(key);
    nft.endElement();
  }
  if (fullText || key.open) return;
  settle(key, key.wanted != 0 ? 1 : 0, 0, 0);
}

/** The cluster IP of a service port, and the elements under its key. */
export function writeClusterIP(claim: Claim, clusterIP: Key): void {
  ownClaim(claim);
  writeSetElement(clusterIP);
}

/** Brings a key up to date that none of the service ports written in this plan has. */
export function writeChangedKey(key: Key): void {
  if (key.kind == KeyKind.CLUSTER_IP || key.kind == KeyKind.HAIRPIN) writeSetElement(key);
  else if (key.open) return;
  else if (key.claims != 0) writeEntryElements(key.owner());
  else settle(key, 0, 0, 0);
}

function compareKeys(a: u32, b: u32): i32 {
  const left = changetype<Key>(<usize>a);
  const right = changetype<Key>(<usize>b);
  if (left.kind != right.kind) return left.kind < right.kind ? -1 : 1;
  const order = memory.compare(left.ip(), right.ip(), 16);
  if (order != 0) return order;
  if (left.protocol != right.protocol) return left.protocol < right.protocol ? -1 : 1;
  return left.port < right.port ? -1 : left.port == right.port ? 0 : 1;
}

export function sortKeys(keys: Vector): void {
  sortVector(keys, 0, keys.length, compareKeys);
}

/** Deletes all elements that are left over, container by container in kube-proxy's order. */
export function writeLeftovers(): void {
  sortKeys(leftovers);
  for (let pass: u32 = 0; pass < 7; pass++) {
    for (let i: u32 = 0; i < leftovers.length; i++) writeLeftover(changetype<Key>(<usize>leftovers.get(i)), pass);
  }
  leftovers.clear();
}

function writeLeftover(key: Key, pass: u32): void {
  if (key.kind == KeyKind.CLUSTER_IP || key.kind == KeyKind.HAIRPIN) {
    if (pass == (key.kind == KeyKind.CLUSTER_IP ? 0 : 6)) removeFromSet(key);
    return;
  }
  const nodePort = key.kind == KeyKind.NODE_PORT;
  const chain = key.plannedChain == 0 && key.committedChain != 0;
  const firewall = key.plannedFirewall == 0 && key.committedFirewall != 0;
  const verdict = key.plannedNoEndpoints == 0 && key.committedNoEndpoints != 0;
  if (chain && pass == (nodePort ? 5 : 1)) remove(services(key), key);
  if (firewall && pass == 2) remove("firewall-ips", key);
  if (verdict && pass == (nodePort ? 4 : 3)) remove(noEndpoints(key), key);
}

function removeFromSet(key: Key): void {
  nft.element(Verb.DELETE, setName(key), 0, 0);
  writeSetKey(key);
  nft.endElement();
}
