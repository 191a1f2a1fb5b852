// The first wave of a cold start: what a cluster can't start without is written ahead of everything else.
import { equalBytes } from "../bytes/compare";
import { SLACK } from "../bytes/memory";
import { writeLiteral } from "../bytes/out";
import { ServiceFlag, ServiceRecord } from "../cluster/records";
import { Service } from "../cluster/services";
import { Key } from "../routing/keys";
import { FamilyPort } from "../routing/service-ports";

let isFirstWave: bool = false;

/** Until `endFirstWave`, plans leave out whatever can wait: it stays stale. */
export function beginFirstWave(): void {
  isFirstWave = true;
}

export function endFirstWave(): void {
  isFirstWave = false;
}

/** Whatever nothing needs yet can wait: chains that are only kept ready, for one. */
export function leavesOutSpares(): bool {
  return isFirstWave;
}

const literal: usize = memory.data(32 + <i32>SLACK, 16);

function isNamed(service: Service, key: string, from: usize): bool {
  return equalBytes(service.key + from, service.keyLength - <u32>from, literal, writeLiteral(literal, key) - literal);
}

/** `default/kubernetes`, and DNS: label k8s-app=kube-dns, or a name that it has in most clusters. */
function isUrgent(service: Service): bool {
  if (isNamed(service, "default/kubernetes", 0)) return true;
  const name = <usize>service.namespaceLength + 1;
  if (isNamed(service, "kube-dns", name) || isNamed(service, "coredns", name)) return true;
  return service.record != 0 && (changetype<ServiceRecord>(service.record).flags & ServiceFlag.DNS) != 0;
}

/** The plan leaves the service port out; it stays stale. */
export function isWaiting(port: FamilyPort): bool {
  if (port.pending != 0 || port.port.service.isLeftOut(port.family)) return true;
  return isFirstWave && !isUrgent(port.port.service);
}

/** Keys that nobody claims wait in the first wave too: whatever is to be deleted can. */
export function isKeyWaiting(key: Key): bool {
  return key.claims == 0 ? isFirstWave : isWaiting(key.owner().port);
}
