// Brings service ports and ownership up to date with the tables. Called before anything is read from routing.
import { Vector } from "../bytes/memory";
import { factsChanged } from "../cluster/nodes";
import { Change, changedServices, dropUnusedService, Service, sortedServices } from "../cluster/services";
import { countService } from "./counters";
import { computeFacts, routingFactsChanged, routingFactsRead } from "./facts";
import { rememberGone } from "./gone-entry-points";
import { noteAllHealthChecks, noteHealthCheck } from "./health-checks";
import { dropClaims, makeClaims, updateHairpins } from "./ownership";
import { route, withdraw } from "./route";
import { dropGonePorts, FamilyPort, ServicePort, updatePorts } from "./service-ports";

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

function refreshFamily(at: usize, own: bool, endpointsToo: bool): void {
  if (at == 0) return;
  const port = changetype<FamilyPort>(at);
  if (own) {
    if (port.present) {
      makeClaims(port);
    } else {
      withdraw(port);
      updateHairpins(port); // in iptables mode no plan does it
    }
  }
  if (own || endpointsToo) markStale(port);
}

/** All claims of changed Services go before any is made: claims are ranked by what their Services say now. */
function dropOldClaims(service: Service): void {
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    const port = changetype<ServicePort>(at);
    if (port.ipv4 != 0) dropClaims(changetype<FamilyPort>(port.ipv4));
    if (port.ipv6 != 0) dropClaims(changetype<FamilyPort>(port.ipv6));
  }
}

function refreshService(service: Service): void {
  const changes = service.changes;
  service.changes = 0;
  service.refused = 0;
  service.lacking = 0;
  const own = (changes & Change.SERVICE) != 0;
  if (own) updatePorts(service);
  for (let at = service.ports; at != 0; at = changetype<ServicePort>(at).next) {
    const port = changetype<ServicePort>(at);
    refreshFamily(port.ipv4, own, (changes & Change.ENDPOINTS_IPV4) != 0);
    refreshFamily(port.ipv6, own, (changes & Change.ENDPOINTS_IPV6) != 0);
  }
}

function markAllStale(): void {
  const all = sortedServices();
  for (let i: u32 = 0; i < all.length; i++) {
    for (let at = changetype<Service>(<usize>all.get(i)).ports; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at);
      if (port.ipv4 != 0) markStale(changetype<FamilyPort>(port.ipv4));
      if (port.ipv6 != 0) markStale(changetype<FamilyPort>(port.ipv6));
    }
  }
}

export function refresh(): void {
  if (factsChanged) computeFacts();
  for (let i: u32 = 0; i < changedServices.length; i++) {
    const service = changetype<Service>(<usize>changedServices.get(i));
    if ((service.changes & Change.SERVICE) != 0) dropOldClaims(service);
  }
  for (let i: u32 = 0; i < changedServices.length; i++) {
    const service = changetype<Service>(<usize>changedServices.get(i));
    refreshService(service);
    countService(service);
    noteHealthCheck(service);
    if (service.ports == 0) dropUnusedService(service);
  }
  changedServices.clear();
  rememberGone();
  if (routingFactsChanged) {
    markAllStale();
    noteAllHealthChecks();
    routingFactsRead();
  }
}

/** So many changed Services may wait: after a long list a plan must not begin with all of it. */
const MOST_WAITING: u32 = 32;

/** After objects have come: takes them up if many wait. */
export function keepUp(): void {
  if (changedServices.length >= MOST_WAITING) refresh();
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
  dropGonePorts(service);
  if (service.ports == 0 && service.changes == 0) dropUnusedService(service);
}
