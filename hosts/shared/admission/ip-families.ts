// The IP families and the first cluster IP of a Service, as far as they don't need an allocator (Kubernetes 1.37:
// pkg/registry/core/service/storage/alloc.go).
import type { ClusterSettings } from "./cluster-settings.ts";
import { type IPFamily, isHeadless, type Service } from "./objects.ts";

/** Before anything is validated: who gives one address may give it by either field. */
export function setClusterIPs({ spec }: Service): void {
  if (spec.clusterIP !== undefined && spec.clusterIPs === undefined) spec.clusterIPs = [spec.clusterIP];
}

/** Of a headless Service without selector, whose endpoints somebody writes by hand, nothing says the family. */
export function setIPFamilyPolicy({ spec }: Service): void {
  if (spec.type === "ExternalName") return;
  const isFree = isHeadless(spec) && spec.selector === undefined;
  spec.ipFamilyPolicy ??= isFree ? "RequireDualStack" : "SingleStack";
}

/** After the fields that are there were found to fit each other. */
export function setIPFamilies({ spec }: Service, { families }: ClusterSettings): void {
  if (spec.type === "ExternalName") return;
  const wanted = [...(spec.ipFamilies ?? [])];
  for (const address of (spec.clusterIPs ?? []).slice(wanted.length)) {
    if (address !== "None") wanted.push(familyOf(address));
  }
  if (wanted.length === 0) wanted.push(families[0] ?? "IPv4");
  const isFree = isHeadless(spec) && spec.selector === undefined;
  if (wanted.length === 1 && spec.ipFamilyPolicy !== "SingleStack" && (isFree || families.length > 1)) {
    wanted.push(wanted[0] === "IPv4" ? "IPv6" : "IPv4");
  }
  spec.ipFamilies = wanted;
}

export function familyOf(address: string): IPFamily {
  return address.includes(":") ? "IPv6" : "IPv4";
}
