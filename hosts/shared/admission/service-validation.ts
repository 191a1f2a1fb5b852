// What is wrong with a Service (Kubernetes 1.37: ValidateService in pkg/apis/core/validation), in the server's order.
import { isAtLeast, type KubeVersion } from "../config/kube-version.ts";
import { againstAddress, againstCIDR, againstSpecialAddress } from "./addresses.ts";
import type { Causes } from "./causes.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { validateLabels, validateMetadata } from "./metadata-validation.ts";
import { againstLabel, againstPortNumber, againstQualifiedName, againstSubdomain } from "./names.ts";
import { isExternallyAccessible, isHeadless, needsHealthCheck, type Service, type ServiceSpec } from "./objects.ts";
import { validateServicePorts, validateUniquePorts } from "./service-ports-validation.ts";

const FOR_LOAD_BALANCERS = "may only be used when `type` is 'LoadBalancer'";
const SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";
const TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE = "service.kubernetes.io/topology-mode";
/** A day. */
const MOST_AFFINITY_SECONDS = 86_400;

export function validateService(service: Service, { kubeVersion }: ClusterSettings, causes: Causes): void {
  const { metadata, spec } = service;
  const { ports = [], selector = {}, externalIPs = [] } = spec;
  validateMetadata(metadata, againstLabel, causes);
  validateTopologyAnnotations(service, causes);
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== "ExternalName") causes.required("spec.ports");
  validateByType(spec, causes);
  validateServicePorts(ports, causes);
  validateLabels("spec.selector", selector, causes);
  validateAffinity(spec, causes);
  for (const [index, address] of externalIPs.entries()) {
    const field = `spec.externalIPs[${index}]`;
    const why = againstAddress(address, kubeVersion);
    if (why !== undefined) causes.invalid(field, address, why);
    else causes.allInvalid(field, address, againstSpecialAddress(address));
  }
  supported("spec.type", spec.type, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], causes);
  if (spec.type === "ClusterIP") {
    for (const [index, { nodePort = 0 }] of ports.entries()) {
      if (nodePort === 0) continue;
      causes.forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'");
    }
  }
  validateUniquePorts(ports, causes);
  validateSourceRanges(service, kubeVersion, causes);
  validateLoadBalancer(spec, causes);
  validateExternalTraffic(spec, causes);
  supported("spec.internalTrafficPolicy", spec.internalTrafficPolicy, ["Cluster", "Local"], causes);
  const distributions = isAtLeast(kubeVersion, 1, 34)
    ? ["PreferClose", "PreferSameZone", "PreferSameNode"]
    : ["PreferClose"];
  supported("spec.trafficDistribution", spec.trafficDistribution, distributions, causes);
}

function supported(field: string, value: string | undefined, values: readonly string[], causes: Causes): void {
  if (value !== undefined && !values.includes(value)) causes.notSupported(field, value, values);
}

function validateTopologyAnnotations({ metadata: { annotations = {} } }: Service, causes: Causes): void {
  const [hints, mode] = [TOPOLOGY_HINTS, TOPOLOGY_MODE].map((name) =>
    Object.hasOwn(annotations, name) ? annotations[name] : undefined,
  );
  if (hints === undefined || mode === undefined || hints === mode) return;
  const why = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`;
  causes.invalid(`metadata.annotations[${TOPOLOGY_MODE}]`, mode, why);
}

function validateByType(spec: ServiceSpec, causes: Causes): void {
  const { type, clusterIPs = [], ipFamilies = [], externalName = "" } = spec;
  if ((type === "LoadBalancer" || type === "NodePort") && isHeadless(spec)) {
    causes.invalid("spec.clusterIPs[0]", clusterIPs[0], `may not be set to 'None' for ${type} services`);
  }
  if (type !== "ExternalName") return;
  const why = "may not be set for ExternalName services";
  if (clusterIPs.length > 0) causes.forbidden("spec.clusterIPs", why);
  if (ipFamilies.length > 0) causes.forbidden("spec.ipFamilies", why);
  if (spec.ipFamilyPolicy !== undefined) causes.forbidden("spec.ipFamilyPolicy", why);
  const name = externalName.endsWith(".") ? externalName.slice(0, -1) : externalName;
  if (name === "") causes.required("spec.externalName");
  else causes.allInvalid("spec.externalName", name, againstSubdomain(name));
}

function validateAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec, causes: Causes): void {
  supported("spec.sessionAffinity", sessionAffinity, ["ClientIP", "None"], causes);
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (sessionAffinity !== "ClientIP" || seconds === undefined) return;
  if (seconds > 0 && seconds <= MOST_AFFINITY_SECONDS) return;
  const why = `must be greater than 0 and less than ${MOST_AFFINITY_SECONDS}`;
  causes.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, why);
}

/** By the field, or by the annotation that came before it. Blanks around a range are no mistake. */
function validateSourceRanges({ metadata, spec }: Service, version: KubeVersion, causes: Causes): void {
  const { type, loadBalancerSourceRanges: ranges = [] } = spec;
  const { annotations = {} } = metadata;
  const validate = (field: string, text: string) => {
    const why = againstCIDR(text, version);
    if (why !== undefined) causes.invalid(field, text, why);
  };
  if (ranges.length > 0) {
    // The server writes the field so.
    const field = "spec.LoadBalancerSourceRanges";
    if (type !== "LoadBalancer") causes.forbidden(field, FOR_LOAD_BALANCERS);
    for (const [index, text] of ranges.entries()) validate(`${field}[${index}]`, text.trim());
  } else if (Object.hasOwn(annotations, SOURCE_RANGES)) {
    const field = `metadata.annotations[${SOURCE_RANGES}]`;
    if (type !== "LoadBalancer") causes.forbidden(field, FOR_LOAD_BALANCERS);
    const list = annotations[SOURCE_RANGES]?.trim() ?? "";
    if (list !== "") for (const text of list.split(",")) validate(field, text.trim());
  }
}

function validateLoadBalancer(spec: ServiceSpec, causes: Causes): void {
  const { type, allocateLoadBalancerNodePorts, loadBalancerClass } = spec;
  if (allocateLoadBalancerNodePorts !== undefined && type !== "LoadBalancer") {
    causes.forbidden("spec.allocateLoadBalancerNodePorts", FOR_LOAD_BALANCERS);
  }
  if (loadBalancerClass === undefined) return;
  if (type !== "LoadBalancer") causes.forbidden("spec.loadBalancerClass", FOR_LOAD_BALANCERS);
  else causes.allInvalid("spec.loadBalancerClass", loadBalancerClass, againstQualifiedName(loadBalancerClass));
}

function validateExternalTraffic(spec: ServiceSpec, causes: Causes): void {
  const { externalTrafficPolicy, healthCheckNodePort = 0 } = spec;
  if (isExternallyAccessible(spec)) {
    supported("spec.externalTrafficPolicy", externalTrafficPolicy, ["Cluster", "Local"], causes);
  } else if (externalTrafficPolicy !== undefined) {
    const why = "may only be set for externally-accessible services";
    causes.invalid("spec.externalTrafficPolicy", externalTrafficPolicy, why);
  }
  if (healthCheckNodePort === 0) return;
  if (needsHealthCheck(spec)) {
    causes.allInvalid("spec.healthCheckNodePort", healthCheckNodePort, againstPortNumber(healthCheckNodePort));
  } else {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    causes.invalid("spec.healthCheckNodePort", healthCheckNodePort, why);
  }
}
