// Brings service ports and ownership up to date with the tables. Called before anything is read from routing.
import { Vector } from "../bytes/memory";
import { factsChanged } from "../cluster/nodes";
import { Protocol } from "../cluster/records";
import { Change, changedServices, dropUnusedService, noteChange, Service, sortedServices } from "../cluster/services";
import { countService } from "./counters";
import { computeFacts, routingFactsChanged, routingFactsRead } from "./facts";
import { rememberGone } from "./gone-entry-points";
import { beginHealthCheck, continueHealthCheck, hasHealthCheck, healthCheckWork } from "./health-checks";
import { beginClaims, continueClaims, dropClaims, updateHairpins } from "./ownership";
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
  step = (changes & Change.SERVICE) != 0 ? Step.DROP : Step.CLAIM;
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
  if (own || (changes & endpointsToo) != 0) markStale(port);
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
    step = Step.CLAIM;
    rewind(service);
  }
  if (step == Step.CLAIM) {
    if (!claimSome()) return false;
    countService(service);
    step = Step.HEALTH_CHECK;
    beginHealthCheck(service);
  }
  while (!continueHealthCheck()) if (!spend(healthCheckWork())) return false;
  return true;
}

function finish(service: Service): void {
  current = 0;
  dropGonePorts(service);
  if (service.ports == 0 && service.changes == 0) dropUnusedService(service);
}

/** All claims are made anew: what may be claimed has changed. */
export function claimAnew(): void {
  const all = sortedServices();
  for (let i: u32 = 0; i < all.length; i++) noteChange(changetype<Service>(<usize>all.get(i)), Change.SERVICE);
}

/**
 * Takes changes up, about `work` entry points of them. True: all are. Until then nothing of routing may be read: it is
 * partly old and partly new.
 */
export function refreshSome(work: u32): bool {
  left = max<u32>(work, 1);
  refreshFacts();
  if (routingFactsChanged) {
    markAllStale();
    routingFactsRead();
  }
  while (left != 0) {
    if (current != 0) {
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
      rememberGone();
      return true;
    }
  }
  return current == 0 && changedServices.length == 0;
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

/** Takes all changes up. */
export function refresh(): void {
  while (!refreshSome(u32.MAX_VALUE)) {}
}

/** So many changed Services may wait: after a long list a plan must not begin with all of it. */
const MOST_WAITING: u32 = 32;
/** What of them is taken up with each `apply`: some milliseconds. */
const WORK_AT_ONCE: u32 = 4000;

/** After objects have come: takes some of them up if many wait. */
export function keepUp(): void {
  if (current != 0 || changedServices.length - taken >= MOST_WAITING) refreshSome(WORK_AT_ONCE);
}

/** As `refresh`, and routes what the next plan will have to look at: after it, decisions and counters are up to date. */
export function routeStale(): void {
  refresh();
  for (let i: u32 = 0; i < stalePorts.length; i++) {
    const port = changetype<FamilyPort>(<usize>stalePorts.get(i));
    if (port.present) route(port);
  }
}

/** Forgets what is left of a Service whose last rules are gone from the kernel. */
export function forgetGone(service: Service): void {
  if (changetype<usize>(service) == current) return; // `finish` does it
  dropGonePorts(service);
  if (service.ports == 0 && service.changes == 0) dropUnusedService(service);
}
