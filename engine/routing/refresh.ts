// Brings service ports and ownership up to date with the tables. Called before anything is read from routing.
import { Vector } from "../bytes/memory";
import { Protocol } from "../bytes/protocols";
import { factsChanged } from "../cluster/nodes";
import {
  Change,
  changedServices,
  dropUnusedService,
  isUnused,
  noteChange,
  Service,
  sortedServices,
} from "../cluster/services";
import { forgetServiceOfTriggers } from "../cluster/trigger-times";
import { countService } from "./counters";
import { computeFacts, routingFactsChanged, routingFactsRead } from "./facts";
import { rememberGone } from "./gone-entry-points";
import { beginHealthCheck, continueHealthCheck, hasHealthCheck, healthCheckWork } from "./health-checks";
import { noteEndpoints } from "./keys";
import { tellListenersAnew } from "./localhost-listeners";
import { beginClaims, continueClaims, dropClaims, updateHairpins } from "./ownership";
import {
  allowEverything,
  endTurn,
  endWaiting,
  isHeavy,
  nextOfPortion,
  nextPending,
  noteWeight,
  postpone,
} from "./portions";
import { route, withdraw } from "./route";
import { beginPorts, continuePorts, dropGonePorts, FamilyPort, ServicePort } from "./service-ports";

/** Service ports (addresses of FamilyPorts) that the next plan has to look at, each once. */
export const stalePorts = new Vector();

export function markStale(port: FamilyPort): void {
  if (port.stale) return;
  port.stale = true;
  stalePorts.push(<u32>changetype<usize>(port));
}

/** Fills `ports` with the service ports of the family that are present, by Service, name and protocol. */
export function listPresentPorts(family: u32, ports: Vector): void {
  ports.clear();
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    let at = changetype<Service>(<usize>services.get(i)).ports;
    for (; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at).family(family);
      if (port != 0 && changetype<FamilyPort>(port).present) ports.push(<u32>port);
    }
  }
}

function markAllStale(): void {
  const all = sortedServices();
  for (let i: u32 = 0; i < all.length; i++) {
    const service = changetype<Service>(<usize>all.get(i));
    for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at);
      if (port.ipv4 != 0) markStale(changetype<FamilyPort>(port.ipv4));
      if (port.ipv6 != 0) markStale(changetype<FamilyPort>(port.ipv6));
    }
    if (hasHealthCheck(service)) noteChange(service, Change.HEALTH_CHECK);
  }
  tellListenersAnew();
}

// ---- one Service after the other, in slices: a Service may have millions of entry points

namespace Step {
  /** Claims are given back, as the ports that made them are known. */
  export const DROP: u32 = 0;
  /** Ports become those of the record. */
  export const PORTS: u32 = 1;
  /** Present ports make their claims. */
  export const CLAIM: u32 = 2;
  export const HEALTH_CHECK: u32 = 3;
  /** It is taken up in portions: the rest waits. */
  export const POSTPONE: u32 = 4;
}

/** How many of `changedServices` have had their turn; the last of them is `current`, unless that is 0. */
let taken: u32 = 0;
let current: usize = 0;
let step: u32 = Step.DROP;
/** The bits of `Change` that are being taken up. */
let changes: u32 = 0;
/** The port and family that the step has come to. */
let portAt: usize = 0;
let family: u32 = 0;
let isClaiming: bool = false;
/** `current` is taken up in portions. */
let isPostponed: bool = false;
/** The FamilyPort that has its turn in a portion, or 0; and how many claims it has given back. */
let turn: usize = 0;
let givenBack: u32 = 0;

/** What of this call's work is left. */
let left: u32 = 0;

/** Counts work that is done. True if the call goes on. */
function spend(work: u32): bool {
  left = left > work ? left - work : 0;
  return left != 0;
}

function begin(service: Service): void {
  current = changetype<usize>(service);
  changes = service.changes;
  service.changes = 0;
  if ((changes & ~Change.HEALTH_CHECK) != 0) {
    service.refused = 0;
    service.refusedAgain = 0;
    service.lacking = 0;
  }
  const own = (changes & Change.SERVICE) != 0;
  isPostponed = (changes & ~Change.HEALTH_CHECK) != 0 && isHeavy(service);
  if (isPostponed) {
    step = own ? Step.PORTS : Step.POSTPONE;
    if (own) beginPorts(service);
  } else {
    step = own ? Step.DROP : Step.CLAIM;
    service.isBegun = service.isBegun || own;
  }
  rewind(service);
}

function rewind(service: Service): void {
  portAt = service.ports;
  family = 0;
  isClaiming = false;
}

/** The next of the Service's ports, family by family; false after the last. */
function advance(): bool {
  if (++family == 2) {
    family = 0;
    portAt = changetype<ServicePort>(portAt).next;
  }
  return portAt != 0;
}

function dropSome(): bool {
  while (portAt != 0) {
    const port = changetype<ServicePort>(portAt).family(family);
    if (port != 0) {
      const count = dropClaims(changetype<FamilyPort>(port), left);
      if (!spend(count)) return false;
    }
    advance();
  }
  return true;
}

/** False: the port has more to claim. */
function refreshPort(port: FamilyPort): bool {
  const own = (changes & Change.SERVICE) != 0;
  if (own && port.present) {
    if (!isClaiming) beginClaims(port);
    isClaiming = true;
    const count = continueClaims(left);
    if (count == left) {
      left = 0;
      return false;
    }
    spend(count);
    isClaiming = false;
  } else if (own) {
    withdraw(port);
    updateHairpins(port); // in iptables mode no plan does it
  }
  const endpointsToo = port.family == 0 ? Change.ENDPOINTS_IPV4 : Change.ENDPOINTS_IPV6;
  if (own || (changes & endpointsToo) != 0) {
    markStale(port);
    if (port.present) noteEndpoints(port);
  }
  const lost = port.family == 0 ? Change.LOST_IPV4 : Change.LOST_IPV6;
  if ((changes & lost) != 0 && port.port.protocol == Protocol.TCP) port.hasLostEndpoints = true;
  return true;
}

function claimSome(): bool {
  while (portAt != 0) {
    const port = changetype<ServicePort>(portAt).family(family);
    if (port != 0 && !refreshPort(changetype<FamilyPort>(port))) return false;
    advance();
    if (port != 0 && !spend(1)) return false;
  }
  return true;
}

/** Goes on with `current` until it is done (true) or the call's work is. */
function goOn(service: Service): bool {
  if (step == Step.DROP) {
    if (!dropSome()) return false;
    step = Step.PORTS;
    beginPorts(service);
  }
  if (step == Step.PORTS) {
    const count = continuePorts(service, left);
    if (count == left) {
      left = 0;
      return false;
    }
    spend(count);
    step = isPostponed ? Step.POSTPONE : Step.CLAIM;
    rewind(service);
  }
  if (step == Step.POSTPONE) {
    postpone(service, changes);
    return true;
  }
  if (step == Step.CLAIM) {
    if (!claimSome()) return false;
    beginLastStep(service);
  }
  while (!continueHealthCheck()) if (!spend(healthCheckWork())) return false;
  if (service.postponed != 0) return true;
  noteWeight(service);
  service.isBegun = false;
  return true;
}

function beginLastStep(service: Service): void {
  countService(service);
  step = Step.HEALTH_CHECK;
  beginHealthCheck(service);
}

function finish(service: Service): void {
  current = 0;
  dropGone(service);
}

/** Not while some of its ports wait for their turn. */
function dropGone(service: Service): void {
  if (service.postponed != 0) return;
  dropGonePorts(service);
  if (service.changes != 0 || !isUnused(service)) return;
  forgetServiceOfTriggers(service);
  dropUnusedService(service);
}

// ---- heavy Services, port by port

/** Begins with the next port of a portion, or with the end of a Service that has no more. False: no portion is allowed. */
function beginTurn(): bool {
  const at = nextOfPortion();
  if (at == 0) return false;
  const service = changetype<Service>(at);
  turn = nextPending(service);
  givenBack = 0;
  isClaiming = false;
  if (turn != 0) return true;
  current = at;
  changes = 0;
  endWaiting();
  beginLastStep(service);
  return true;
}

/**
 * The Service of the port that has its turn has changed since that began: its record is another by now. That is taken up first,
 * then the port gives back all that it claims and begins anew.
 */
function hasChanged(port: usize): bool {
  return changetype<FamilyPort>(port).port.service.changes != 0;
}

/** Goes on with the port that has its turn; false: it is not done. */
function takeTurn(): bool {
  const port = changetype<FamilyPort>(turn);
  changes = port.pending;
  if ((changes & Change.SERVICE) != 0 && !isClaiming) {
    const count = dropClaims(port, left);
    givenBack += count;
    if (!spend(count)) return false;
  }
  if (!refreshPort(port)) return false;
  turn = 0;
  endTurn(port, givenBack);
  return spend(1);
}

/** All claims are made anew: what may be claimed has changed. */
export function claimAnew(): void {
  const all = sortedServices();
  for (let i: u32 = 0; i < all.length; i++) noteChange(changetype<Service>(<usize>all.get(i)), Change.SERVICE);
}

function nothing(_work: u32): bool {
  return true;
}

let prepare: (work: u32) => bool = nothing;

/**
 * What is to be done before changes are taken up: with about so much work, at least; true: all of it is done. Ports and keys that
 * it has to do with stay where they are until then.
 */
export function beforeTakingUp(call: (work: u32) => bool): void {
  prepare = call;
}

/**
 * Takes changes up, about `work` entry points of them, of heavy Services as much as is allowed. True: that is all. Until then
 * nothing of routing may be read: it is partly old and partly new.
 */
export function refreshSome(work: u32): bool {
  left = max<u32>(work, 1);
  if (!prepare(left)) return false;
  refreshFacts();
  if (routingFactsChanged) {
    markAllStale();
    routingFactsRead();
  }
  while (left != 0) {
    if (turn != 0 && current == 0 && !hasChanged(turn)) {
      if (!takeTurn()) return false;
    } else if (current != 0) {
      const service = changetype<Service>(current);
      if (service.changes != 0) {
        // It has changed again and waits once more: then all of it is done anew.
        service.changes |= changes;
        finish(service);
      } else {
        if (!goOn(service)) return false;
        finish(service);
      }
    } else if (taken < changedServices.length) {
      begin(changetype<Service>(<usize>changedServices.get(taken++)));
      spend(1);
    } else {
      changedServices.clear();
      taken = 0;
      if (!beginTurn()) {
        rememberGone();
        return true;
      }
    }
  }
  return false;
}

/** Plans leave the Service out: the kernel has refused it or lacks something for it, and it has not changed since. */
export function isLeftOut(service: Service): bool {
  return (service.refused | service.lacking) != 0 && (service.changes & ~Change.HEALTH_CHECK) == 0;
}

/** Computes facts anew if a Node, ServiceCIDR or option has changed. */
export function refreshFacts(): void {
  if (factsChanged) computeFacts();
}

/** Takes some milliseconds' worth of changes up; true if there are more. */
export function takesLong(): bool {
  return !refreshSome(WORK_AT_ONCE);
}

/** Takes all changes up, of heavy Services what is allowed. */
export function refresh(): void {
  while (!refreshSome(u32.MAX_VALUE)) {}
}

/** The same with all of heavy Services. */
export function refreshAll(): void {
  do {
    refresh();
  } while (allowEverything());
}

/** So many changed Services may wait: after a long list a plan must not begin with all of it. */
const MOST_WAITING: u32 = 32;
/** What of them is taken up with each `apply`: some milliseconds. */
const WORK_AT_ONCE: u32 = 4000;

/** After objects have come: takes some of them up if many wait. */
export function keepUp(): void {
  if ((current | turn) != 0 || changedServices.length - taken >= MOST_WAITING) refreshSome(WORK_AT_ONCE);
}

/** Routes what the next plan will have to look at: after it, decisions and counters are up to date. */
export function routeStale(): void {
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.present) route(port);
  }
}

/** Forgets what is left of a Service whose last rules are gone from the kernel. */
export function forgetGone(service: Service): void {
  if (changetype<usize>(service) != current) dropGone(service); // else `finish` does it
}
