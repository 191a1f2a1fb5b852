// Services with so many entry points and endpoints that all others would wait for them are taken up in portions: some of
// their ports, then a plan, then the next ports. A port that waits for its turn claims what it claimed before, and plans
// leave it as it is, so between two portions each port is either old or new.
import { Vector } from "../bytes/memory";
import { IPV4 } from "../bytes/protocols";
import { ServiceRecord, SliceRecord } from "../cluster/records";
import { Change, Service } from "../cluster/services";
import { Slice } from "../cluster/slices";
import { Mode, options } from "./options";
import { FamilyPort, recordOf, ServicePort } from "./service-ports";

/** How much the smallest portion is, in entry points, source ranges and endpoints; 0: Services are taken up as a whole. */
let portion: u32 = 0;
/**
 * The kernel walks over all verdicts for each transaction, so the largest Services are taken up in larger portions: in so many,
 * until these are so many times the smallest.
 */
const PORTIONS: u64 = 16;
const LARGEST: u64 = 4;
/** What is left of the portion that is being taken up. */
let allowance: u32 = 0;
/** Services that wait for the next portion, each once: whose turn it is comes first. */
const waiting = new Vector();

/** With affinity the kernel has a chain of three rules and a set for each endpoint. */
const AFFINITY_WEIGHT: u64 = 8;

/** The contract's `set-portion`. */
export function setPortion(work: u32): void {
  portion = work;
}

export function hasPortions(): bool {
  return portion != 0;
}

/** Endpoints of all slices of the Service in a family. */
function countEndpoints(service: Service, family: u32): u64 {
  let count: u64 = 0;
  let at = family == IPV4 ? service.slicesIPv4 : service.slicesIPv6;
  for (; at != 0; at = changetype<Slice>(at).nextOfService) {
    count += changetype<SliceRecord>(changetype<Slice>(at).record).endpointCount;
  }
  return count;
}

/** What a port of the Service costs at most, its old claims left out. */
function weightOfPort(record: ServiceRecord, endpoints: u64): u64 {
  const each = record.affinityTimeout == 0 ? 1 : AFFINITY_WEIGHT;
  return 2 + <u64>record.addressCount + record.rangeCount + each * endpoints;
}

function weigh(service: Service): u64 {
  if (service.record == 0) return 0;
  const record = changetype<ServiceRecord>(service.record);
  return record.portCount * weightOfPort(record, countEndpoints(service, 0) + countEndpoints(service, 1));
}

/** All of the Service is taken up as it is now. */
export function noteWeight(service: Service): void {
  service.weight = weigh(service);
}

/** The Service is taken up in portions: for what it is, was, or has been in part. */
export function isHeavy(service: Service): bool {
  if (service.postponed != 0) return true;
  if (service.isBegun || portion == 0 || options().mode == Mode.IPTABLES) return false;
  return max(service.weight, weigh(service)) > portion;
}

function wait(at: usize, changes: u32): void {
  if (at == 0) return;
  const port = changetype<FamilyPort>(at);
  const own = port.family == IPV4 ? Change.ENDPOINTS_IPV4 | Change.LOST_IPV4 : Change.ENDPOINTS_IPV6 | Change.LOST_IPV6;
  port.pending |= changes & (Change.SERVICE | own);
}

/** The Service's ports are those of its record: what of them has changed (bits of `Change`) waits. */
export function postpone(service: Service, changes: u32): void {
  if (service.postponed == 0) waiting.push(<u32>changetype<usize>(service));
  service.postponed |= changes;
  service.nextPort = service.ports;
  service.isAtGone = false;
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    wait(changetype<ServicePort>(at).ipv4, changes);
    wait(changetype<ServicePort>(at).ipv6, changes);
  }
}

/** Allows one more portion. False: nothing waits. */
export function allowPortion(): bool {
  if (waiting.length == 0) return false;
  const service = changetype<Service>(<usize>waiting.get(0));
  const part = max(service.weight, weigh(service)) / PORTIONS;
  allowance = <u32>max(<u64>portion, min(part, LARGEST * <u64>portion));
  return true;
}

/** Allows all that waits. False: nothing does. */
export function allowEverything(): bool {
  if (waiting.length == 0) return false;
  allowance = u32.MAX_VALUE;
  return true;
}

/** The Service that is next, if a portion is allowed, or 0. */
export function nextOfPortion(): usize {
  if (waiting.length == 0) allowance = 0;
  return allowance == 0 ? 0 : <usize>waiting.get(0);
}

function pendingOf(port: ServicePort): usize {
  if (port.ipv4 != 0 && changetype<FamilyPort>(port.ipv4).pending != 0) return port.ipv4;
  if (port.ipv6 != 0 && changetype<FamilyPort>(port.ipv6).pending != 0) return port.ipv6;
  return 0;
}

/** The next of the Service's ports that waits, of those that are gone or of the others; 0: none does. */
function pendingOfKind(service: Service): usize {
  for (; service.nextPort != 0; service.nextPort = changetype<ServicePort>(service.nextPort).next) {
    const port = changetype<ServicePort>(service.nextPort);
    const at = (port.record == 0) == service.isAtGone ? pendingOf(port) : 0;
    if (at != 0) return at;
  }
  return 0;
}

/** The next of the Service's ports that waits, or 0. Those that are gone come last: others may claim what they give back. */
export function nextPending(service: Service): usize {
  const at = pendingOfKind(service);
  if (at != 0 || service.isAtGone) return at;
  service.isAtGone = true;
  service.nextPort = service.ports;
  return pendingOfKind(service);
}

/** The port has had its turn, and given so many claims back. The portion may be over: then it is another Service's turn. */
export function endTurn(port: FamilyPort, givenBack: u32): void {
  port.pending = 0;
  let weight: u64 = 0;
  if (port.present) weight = weightOfPort(recordOf(port), countEndpoints(port.port.service, port.family));
  const work = 1 + <u64>givenBack + max(weight, port.weight);
  port.weight = <u32>min(weight, u32.MAX_VALUE);
  if (work < allowance) {
    allowance -= <u32>work;
    return;
  }
  allowance = 0;
  const first = waiting.get(0);
  for (let i: u32 = 1; i < waiting.length; i++) waiting.set(i - 1, waiting.get(i));
  waiting.set(waiting.length - 1, first);
}

/** All ports of the Service whose turn it is have had theirs. */
export function endWaiting(): void {
  const service = changetype<Service>(<usize>waiting.get(0));
  for (let i: u32 = 1; i < waiting.length; i++) waiting.set(i - 1, waiting.get(i));
  waiting.length--;
  service.postponed = 0;
  noteWeight(service);
}
