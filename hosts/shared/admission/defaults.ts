// What the API server writes where a field is absent (Kubernetes 1.37: pkg/apis/core/v1/defaults.go,
// pkg/apis/discovery/v1/defaults.go). IP families depend on the cluster: ip-families.ts.
import { type EndpointSlice, isExternallyAccessible, type Service } from "./objects.ts";

/** Three hours. */
const AFFINITY_TIMEOUT_SECONDS = 10_800;

export function setServiceDefaults({ spec, status }: Service): void {
  spec.sessionAffinity ??= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP" && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: AFFINITY_TIMEOUT_SECONDS } };
  }
  spec.type ??= "ClusterIP";
  for (const port of spec.ports ?? []) {
    port.protocol ??= "TCP";
    port.port ??= 0;
    // A number or a name; 0 and "" say neither.
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") port.targetPort = port.port;
  }
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ??= "Cluster";
  const hasRules = spec.type === "NodePort" || spec.type === "LoadBalancer" || spec.type === "ClusterIP";
  if (hasRules) spec.internalTrafficPolicy ??= "Cluster";
  if (spec.type !== "LoadBalancer") return;
  spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of status.loadBalancer.ingress ?? []) if (ingress.ip !== undefined) ingress.ipMode ??= "VIP";
}

export function setEndpointSliceDefaults(slice: EndpointSlice): void {
  // Of discovery.k8s.io/v1beta1; v1 has no way to write it.
  for (const endpoint of slice.endpoints ?? []) delete endpoint.deprecatedTopology;
  slice.addressType ??= "";
  for (const port of slice.ports ?? []) {
    port.name ??= "";
    port.protocol ??= "TCP";
  }
}
