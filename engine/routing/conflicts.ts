// Standing problems: entry points that several Services claim.
import { addProblem, beginText, Severity, textBytes, textDecimal, textLiteral } from "../abi/problems";
import { formatIPv4, formatIPv6 } from "../bytes/address";
import { Vector } from "../bytes/memory";
import { protocolName } from "../bytes/protocols";
import { sortVector } from "../bytes/sort";
import { compareServices } from "../cluster/services";
import { claimAfter } from "./claim-heap";
import { Claim, EntryPoint, eachKey, Key, KeyKind } from "./keys";
import { serviceOf } from "./service-ports";

/** Claims that do not own their key. */
const losers = new Vector();

function collect(key: Key): void {
  if (key.kind > <u8>KeyKind.NODE_PORT || key.claims == 0) return;
  const owner = key.owner();
  for (let at = claimAfter(owner); at != 0; at = claimAfter(changetype<Claim>(at))) {
    const claim = changetype<Claim>(at);
    // An address may be listed twice in one Service; that hurts nobody.
    if (claim.port.port == owner.port.port) continue;
    // A node port stands for both families: it is reported once.
    if (key.kind == <u8>KeyKind.NODE_PORT && key.family == 1 && claim.port.port.ipv4 != 0) continue;
    losers.push(<u32>at);
  }
}

function compareLosers(a: u32, b: u32): i32 {
  const left = changetype<Claim>(<usize>a);
  const right = changetype<Claim>(<usize>b);
  const order = compareServices(
    <u32>changetype<usize>(serviceOf(left.port)),
    <u32>changetype<usize>(serviceOf(right.port)),
  );
  if (order != 0) return order;
  if (left.port.family != right.port.family) return left.port.family < right.port.family ? -1 : 1;
  if (left.entryPoint != right.entryPoint) return left.entryPoint < right.entryPoint ? -1 : 1;
  if (left.index != right.index) return left.index < right.index ? -1 : 1;
  if (left.key.port != right.key.port) return left.key.port < right.key.port ? -1 : 1;
  return <i32>left.key.protocol - <i32>right.key.protocol;
}

function entryPointField(claim: Claim): void {
  beginText();
  if (claim.entryPoint == EntryPoint.CLUSTER_IP) {
    if (claim.index == 0xff) {
      textLiteral("spec.clusterIP");
      return;
    }
    textLiteral("spec.clusterIPs[");
  } else if (claim.entryPoint == EntryPoint.EXTERNAL_IP) textLiteral("spec.externalIPs[");
  else if (claim.entryPoint == EntryPoint.LOAD_BALANCER_IP) textLiteral("status.loadBalancer.ingress[");
  else textLiteral("spec.ports[");
  textDecimal(claim.index);
  textLiteral(claim.entryPoint == EntryPoint.NODE_PORT ? "].nodePort" : "]");
}

const scratch: usize = memory.data(64, 16);

function report(loser: Claim): void {
  const key = loser.key;
  const service = serviceOf(loser.port);
  const owner = serviceOf(key.owner().port);
  const problem = addProblem(
    Severity.ERROR,
    key.kind == <u8>KeyKind.NODE_PORT ? "node-port-taken" : "address-taken",
    0,
  );
  problem.setObject(
    "Service",
    service.key,
    service.namespaceLength,
    service.key + service.namespaceLength + 1,
    service.keyLength - service.namespaceLength - 1,
  );
  entryPointField(loser);
  problem.setBuiltField();
  beginText();
  if (key.kind == <u8>KeyKind.NODE_PORT) {
    textLiteral("node port ");
  } else {
    const end = key.family == 0 ? formatIPv4(scratch, key.ip()) : formatIPv6(scratch, key.ip());
    textBytes(scratch, end - scratch);
    textLiteral(" port ");
  }
  textDecimal(key.port);
  textLiteral("/");
  textLiteral(protocolName(<u32>key.protocol));
  textLiteral(" belongs to Service ");
  textBytes(owner.key, owner.keyLength);
  textLiteral(
    key.owner().entryPoint < loser.entryPoint
      ? ", whose claim is stronger (cluster IP before load-balancer IP before external IP)"
      : ", which is older or comes first by name",
  );
  problem.setMessage();
  problem.setHint("remove it from one of the two Services; the other entry points of this Service keep working");
}

/** Reports every entry point that its Service claims in vain, sorted by Service. */
export function reportConflicts(): void {
  losers.clear();
  eachKey(collect);
  sortVector(losers, 0, losers.length, compareLosers);
  for (let i: u32 = 0; i < losers.length; i++) report(changetype<Claim>(<usize>losers.get(i)));
}
