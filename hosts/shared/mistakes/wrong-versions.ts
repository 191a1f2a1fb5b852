// Objects that rules come from, in a version or spelling that no API server has: they would be passed over as of some other kind.
import { isOutdatedWorkload, isWorkloadKind } from "../assumed/workloads.ts";
import type { Diagnostic } from "../diagnostics.ts";
import { isFromCluster, type ManifestObject } from "../manifests/objects.ts";

/** Their current versions. */
const versions: Readonly<Record<string, string>> = {
  Service: "v1",
  EndpointSlice: "discovery.k8s.io/v1",
  Endpoints: "v1",
  Node: "v1",
  ServiceCIDR: "networking.k8s.io/v1",
  Pod: "v1",
  ReplicationController: "v1",
  Deployment: "apps/v1",
  StatefulSet: "apps/v1",
  DaemonSet: "apps/v1",
  ReplicaSet: "apps/v1",
  Job: "batch/v1",
  CronJob: "batch/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
};

const kinds: ReadonlyMap<string, string> = new Map(Object.keys(versions).map((kind) => [kind.toLowerCase(), kind]));

/** Others have kinds of these names too, as Knative its Service. */
const ownGroup = /^((core|apps|batch|autoscaling|extensions|discovery\.k8s\.io|networking\.k8s\.io)\/|[^/]+$)/;

export function* wrongVersion(object: ManifestObject): Generator<Diagnostic> {
  const { apiVersion, kind } = object;
  const known = kinds.get(kind.toLowerCase());
  if (known === undefined || !ownGroup.test(apiVersion) || isFromCluster(object)) return;
  const version = versions[known] ?? "";
  const isServed =
    apiVersion === version ||
    isWorkloadKind(apiVersion, kind) ||
    (known === "ServiceCIDR" && apiVersion.startsWith("networking.k8s.io/"));
  // Said where endpoints are assumed.
  if ((kind === known && isServed) || isOutdatedWorkload(apiVersion, kind)) return;
  const message = `Kubernetes has no ${kind} in ${apiVersion}: an API server refuses it`;
  const hint = `write \`apiVersion: ${version}\` and \`kind: ${known}\``;
  yield object.about("warning", "no-such-kind", kind === known ? "apiVersion" : "kind", message, hint);
}
