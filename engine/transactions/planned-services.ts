// The names of the first Services that a plan writes or removes, for the host's log.
import { Service } from "../cluster/services";

const MOST: u32 = 5;
/** A namespace has at most 63 bytes, a name 253. */
const ROOM: usize = 320;

@unmanaged
class Planned {
  /** Its key's length, and its namespace's. */
  keyLength: u32;
  namespaceLength: u32;
}

// Names are copied: a Service may be freed before the host asks.
const HEAD: usize = offsetof<Planned>();
const rows: usize = memory.data(2 * 5 * (8 + 320), 16);
let countIPv4: u32 = 0;
let countIPv6: u32 = 0;

function rowOf(family: u32, index: u32): usize {
  return rows + <usize>(family * MOST + index) * (HEAD + ROOM);
}

export function forgetPlannedServices(): void {
  countIPv4 = 0;
  countIPv6 = 0;
}

export function plannedServiceCount(family: u32): u32 {
  return family == 0 ? countIPv4 : countIPv6;
}

export function plannedKey(family: u32, index: u32): usize {
  return rowOf(family, index) + HEAD;
}

export function plannedKeyLength(family: u32, index: u32): u32 {
  return changetype<Planned>(rowOf(family, index)).keyLength;
}

export function plannedNamespaceLength(family: u32, index: u32): u32 {
  return changetype<Planned>(rowOf(family, index)).namespaceLength;
}

/** Ports of one Service come one after the other. */
export function notePlannedService(service: Service, family: u32): void {
  const count = plannedServiceCount(family);
  if (count == MOST) return;
  if (count > 0) {
    const last = count - 1;
    const same =
      plannedKeyLength(family, last) == service.keyLength &&
      memory.compare(plannedKey(family, last), service.key, service.keyLength) == 0;
    if (same) return;
  }
  const row = changetype<Planned>(rowOf(family, count));
  row.keyLength = service.keyLength;
  row.namespaceLength = <u32>service.namespaceLength;
  memory.copy(plannedKey(family, count), service.key, service.keyLength);
  if (family == 0) countIPv4++;
  else countIPv6++;
}
