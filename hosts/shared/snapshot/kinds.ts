// The kinds of objects that a snapshot holds, and where an API server lists them.
import {
  cronJob,
  endpointSlice,
  horizontalPodAutoscaler,
  job,
  node,
  pod,
  type Shape,
  service,
  serviceCIDR,
  workload,
} from "./fields.ts";

export interface SnapshotKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** Plural, as in paths: `endpointslices`. */
  readonly resource: string;
  readonly namespaced: boolean;
  readonly shape: Shape;
  /** Not every API server has it: ServiceCIDRs are there from Kubernetes 1.33 on. */
  readonly optional: boolean;
}

function kind(
  apiVersion: string,
  name: string,
  shape: Shape,
  more: { resource?: string; namespaced?: boolean; optional?: boolean } = {},
): SnapshotKind {
  const { resource = `${name.toLowerCase()}s`, namespaced = true, optional = false } = more;
  return { apiVersion, kind: name, resource, namespaced, shape, optional };
}

/** What the rules of nodes are made of. Services come before their slices, so that no slice's Service is missing. */
export const networkKinds: readonly SnapshotKind[] = [
  kind("v1", "Node", node, { namespaced: false }),
  kind("networking.k8s.io/v1", "ServiceCIDR", serviceCIDR, { namespaced: false, optional: true }),
  kind("v1", "Service", service),
  kind("discovery.k8s.io/v1", "EndpointSlice", endpointSlice),
];

/** What endpoints are made of. */
export const workloadKinds: readonly SnapshotKind[] = [
  kind("apps/v1", "Deployment", workload),
  kind("apps/v1", "StatefulSet", workload),
  kind("apps/v1", "DaemonSet", workload),
  kind("apps/v1", "ReplicaSet", workload),
  kind("batch/v1", "Job", job),
  kind("batch/v1", "CronJob", cronJob),
  kind("autoscaling/v2", "HorizontalPodAutoscaler", horizontalPodAutoscaler),
  kind("v1", "Pod", pod),
];

const all = new Map([...networkKinds, ...workloadKinds].map((each) => [`${each.apiVersion} ${each.kind}`, each]));

/** Undefined: a snapshot holds no such objects. */
export function kindOf(object: { readonly apiVersion?: unknown; readonly kind?: unknown }): SnapshotKind | undefined {
  return all.get(`${object.apiVersion} ${object.kind}`);
}

/** Where all objects of the kind are listed: `/apis/discovery.k8s.io/v1/endpointslices`. */
export function pathOf({ apiVersion, resource }: SnapshotKind): string {
  return `${apiVersion.includes("/") ? "/apis" : "/api"}/${apiVersion}/${resource}`;
}
