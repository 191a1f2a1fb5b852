// Which objects say what a cluster would have added.
import type { ManifestObject } from "../manifests/objects.ts";
import { isOutdatedWorkload, isWorkloadKind } from "./workloads.ts";

/** Objects of the files, by kind; in any order. */
export interface AssumeInput {
  readonly services: readonly ManifestObject[];
  readonly slices: readonly ManifestObject[];
  /** Endpoints (v1), as they were written before there were slices. */
  readonly endpoints: readonly ManifestObject[];
  readonly nodes: readonly ManifestObject[];
  readonly serviceCIDRs: readonly ManifestObject[];
  readonly autoscalers: readonly ManifestObject[];
  /** What makes pods, and Pods. */
  readonly workloads: readonly ManifestObject[];
  /** The same in versions that no API server has any more. */
  readonly outdated: readonly ManifestObject[];
}

type Part = keyof AssumeInput;

/** Other kinds are left out. Events of a watch too: they come from a cluster. */
export function sortByKind(objects: Iterable<ManifestObject>): AssumeInput {
  const parts: Record<Part, ManifestObject[]> = {
    services: [],
    slices: [],
    endpoints: [],
    nodes: [],
    serviceCIDRs: [],
    autoscalers: [],
    workloads: [],
    outdated: [],
  };
  for (const object of objects) {
    const part = object.isEvent ? undefined : partOf(object.apiVersion, object.kind);
    if (part !== undefined) parts[part].push(object);
  }
  return parts;
}

function partOf(apiVersion: string, kind: string): Part | undefined {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  if (kind === "Service" && group === "") return "services";
  if (kind === "EndpointSlice" && (group === "discovery.k8s.io" || group === "")) return "slices";
  if (kind === "Endpoints" && group === "") return "endpoints";
  if (kind === "Node" && group === "") return "nodes";
  if (kind === "ServiceCIDR") return "serviceCIDRs";
  if (isOutdatedWorkload(apiVersion, kind)) return "outdated";
  if (!isWorkloadKind(apiVersion, kind)) return undefined;
  return kind === "HorizontalPodAutoscaler" ? "autoscalers" : "workloads";
}
