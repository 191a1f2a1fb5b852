// What the API server warns of when it takes a Service (Kubernetes 1.37: pkg/api/service/warnings.go), in its order.
import type { KubeVersion } from "../config/kube-version.ts";
import { isAtLeast } from "../config/kube-version.ts";
import { addressWarnings, cidrWarnings } from "./addresses.ts";
import { isHeadless, type Service } from "./objects.ts";
import type { Warning } from "./warning.ts";

const TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE = "service.kubernetes.io/topology-mode";

export function* serviceWarnings({ metadata, spec }: Service, version: KubeVersion): Generator<Warning> {
  const { type, clusterIPs = [], externalIPs = [], loadBalancerIP, loadBalancerSourceRanges = [] } = spec;
  const headless = type === "ClusterIP" && isHeadless(spec);
  if (Object.hasOwn(metadata.annotations ?? {}, TOPOLOGY_HINTS)) {
    const field = `metadata.annotations["${TOPOLOGY_HINTS}"]`;
    yield { field, text: `annotation ${TOPOLOGY_HINTS} is deprecated, please use ${TOPOLOGY_MODE} instead` };
  }
  for (const [index, address] of clusterIPs.entries()) {
    yield* addressWarnings(`spec.clusterIPs[${index}]`, address, version);
  }
  if (headless) {
    const ignored = (field: string, shown = field) => ({ field, text: `${shown} is ignored for headless services` });
    if (loadBalancerIP !== undefined) yield ignored("spec.loadBalancerIP");
    if (externalIPs.length > 0) yield ignored("spec.externalIPs");
    if (spec.sessionAffinity !== "None") yield ignored("spec.sessionAffinity", "spec.SessionAffinity");
  }
  for (const [index, address] of externalIPs.entries()) {
    yield* addressWarnings(`spec.externalIPs[${index}]`, address, version);
  }
  if (externalIPs.length > 0 && !headless && type !== "ExternalName" && isAtLeast(version, 1, 36)) {
    const field = "spec.externalIPs";
    yield { field, text: `${field} is deprecated and may no longer be implemented in some clusters` };
  }
  if (loadBalancerIP !== undefined) yield* addressWarnings("spec.loadBalancerIP", loadBalancerIP, version);
  for (const [index, range] of loadBalancerSourceRanges.entries()) {
    yield* cidrWarnings(`spec.loadBalancerSourceRanges[${index}]`, range, version);
  }
  if (type === "ExternalName" && externalIPs.length > 0) {
    yield { field: "spec.externalIPs", text: 'spec.externalIPs is ignored when spec.type is "ExternalName"' };
  }
  if (type !== "ExternalName" && spec.externalName !== undefined) {
    yield { field: "spec.externalName", text: 'spec.externalName is ignored when spec.type is not "ExternalName"' };
  }
  if (spec.trafficDistribution === "PreferClose" && isAtLeast(version, 1, 34)) {
    const field = "spec.trafficDistribution";
    yield { field, text: `${field}: "PreferClose" is deprecated; use "PreferSameZone"` };
  }
}
