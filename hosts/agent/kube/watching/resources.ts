// What is watched, with the paths and selectors that kube-proxy 1.36 uses.
import type { Kind } from "../../../shared/contract.ts";
import type { ListForm } from "../decoding/list-splitter.ts";

export interface Resource {
  readonly kind: Kind;
  /** Plural, as in paths, for logs and metrics. */
  readonly name: string;
  readonly path: string;
  readonly list: ListForm;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Old servers refuse the field selector (400). It is then left out, and the engine ignores the additional objects. */
  readonly fieldSelectorOptional?: boolean;
  /** A server without the resource (404, or 403 and not in discovery) counts as one that has no such objects. */
  readonly optional?: boolean;
}

/** Servers before 1.31 can't select Services by `spec.clusterIP` (kubernetes#123905). */
export const services: Resource = {
  kind: "service",
  name: "services",
  path: "/api/v1/services",
  list: { kind: "ServiceList", apiVersion: "v1" },
  labelSelector: "!service.kubernetes.io/service-proxy-name",
  fieldSelector: "spec.clusterIP!=None",
  fieldSelectorOptional: true,
};

export const endpointSlices: Resource = {
  kind: "endpoint-slice",
  name: "endpointslices",
  path: "/apis/discovery.k8s.io/v1/endpointslices",
  list: { kind: "EndpointSliceList", apiVersion: "discovery.k8s.io/v1" },
  labelSelector: "!service.kubernetes.io/headless",
};

/** GA since 1.33; older servers have no such resource. */
export const serviceCIDRs: Resource = {
  kind: "service-cidr",
  name: "servicecidrs",
  path: "/apis/networking.k8s.io/v1/servicecidrs",
  list: { kind: "ServiceCIDRList", apiVersion: "networking.k8s.io/v1" },
  optional: true,
};

/** The one Node of that name. */
export function nodeNamed(name: string): Resource {
  const list = { kind: "NodeList", apiVersion: "v1" };
  return { kind: "node", name: "nodes", path: "/api/v1/nodes", list, fieldSelector: `metadata.name=${name}` };
}
