// What the kernel holds is forgotten, in slices: there may be millions of keys.
import { Vector } from "../bytes/memory";
import { isSpent } from "../bytes/slices";
import { Service, sortedServices } from "../cluster/services";
import { forgetHeldNeeds } from "../layouts/flat/needs";
import { forgetFlatChains } from "../layouts/flat/shared-chains";
import { beginVisit, Key, noteKeyChange, visitSomeKeys } from "../routing/keys";
import { markStale } from "../routing/refresh";
import { FamilyPort, ServicePort } from "../routing/service-ports";
import { freeSnapshot } from "../transactions/port-journal";
import { forgetStock } from "../transactions/stock";

/** Families of which service ports and keys are still to be forgotten (a bit for each), and whether it has begun with the first. */
let pending: u32 = 0;
let hasBegun: bool = false;
let family: u32 = 0;
/** Its service ports, and how many of them are forgotten. */
const ports = new Vector();
let forgottenPorts: u32 = 0;

/**
 * Forgets what the kernel holds of one family, but for what is due to go: at once what belongs to no Service, the rest with
 * `forgetSome`. Nobody may plan before that is done.
 */
export function beginForgetting(forgotten: u32): void {
  forgetStock(forgotten);
  forgetFlatChains(forgotten);
  pending |= 1 << forgotten;
}

/** Something is left to forget. */
export function isForgetting(): bool {
  return pending != 0;
}

/** Forgets service ports and keys for a slice; true: all that there were. */
export function forgetSome(): bool {
  while (pending != 0) {
    if (!hasBegun) begin();
    while (forgottenPorts < ports.length) {
      forgetPort(changetype<FamilyPort>(<usize>ports.get(forgottenPorts++)));
      if (isSpent(1)) return false;
    }
    if (!visitSomeKeys(forgetKey)) return false;
    pending &= ~(1 << family);
    hasBegun = false;
  }
  return true;
}

function begin(): void {
  hasBegun = true;
  family = (pending & 1) != 0 ? 0 : 1;
  listPorts();
  forgottenPorts = 0;
  beginVisit();
}

/** Ports that are gone, but of which the kernel holds something, included. */
function listPorts(): void {
  ports.clear();
  const services = sortedServices();
  for (let i: u32 = 0; i < services.length; i++) {
    for (let at = changetype<Service>(<usize>services.get(i)).ports; at != 0; at = changetype<ServicePort>(at).next) {
      const port = changetype<ServicePort>(at).family(family);
      if (port != 0) ports.push(<u32>port);
    }
  }
}

function forgetPort(port: FamilyPort): void {
  freeSnapshot(port, port.committed);
  port.committed = 0;
  forgetHeldNeeds(port);
  markStale(port);
}

function forgetKey(key: Key): void {
  if (<u32>key.family != family) return;
  key.committedChain = 0;
  key.committedFirewall = 0;
  key.committedNoEndpoints = 0;
  key.committedLocalhost = false;
  key.committedOwner = 0;
  key.committedSlots = 0;
  key.committedLocalSlots = 0;
  noteKeyChange(key);
}
