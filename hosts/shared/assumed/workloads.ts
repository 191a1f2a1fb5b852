// Objects whose controllers make pods, and pods that stand for themselves.
import type { Diagnostic } from "../diagnostics.ts";
import { type Fields, fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";
import { type Labels, matchesLabels, matchesSelector } from "./label-selectors.ts";
import { isNew, labelsOf, namespaceOf, textsOf } from "./objects.ts";

export interface Workload {
  readonly object: ManifestObject;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Labels that all its pods have. */
  readonly labels: Labels;
  /** The pods' spec. */
  readonly pod: Fields;
}

const groups: Readonly<Record<string, string>> = {
  Pod: "",
  ReplicationController: "",
  Deployment: "apps",
  StatefulSet: "apps",
  DaemonSet: "apps",
  ReplicaSet: "apps",
  Job: "batch",
  CronJob: "batch",
};

/** Of a kind that makes pods, or scales what does, in a version that Kubernetes 1.37 has. */
export function isWorkloadKind(apiVersion: string, kind: string): boolean {
  if (kind === "HorizontalPodAutoscaler") return /^autoscaling\/v[12]$/.test(apiVersion);
  const group = Object.hasOwn(groups, kind) ? groups[kind] : undefined;
  return group !== undefined && apiVersion === (group === "" ? "v1" : `${group}/v1`);
}

/** Of such a kind, in a version that Kubernetes had once. */
export function isOutdatedWorkload(apiVersion: string, kind: string): boolean {
  const isKind = kind === "HorizontalPodAutoscaler" || (groups[kind] ?? "") !== "";
  return isKind && /^(extensions|apps|batch|autoscaling)\/v\d+(alpha|beta)\d+$/.test(apiVersion);
}

export interface Workloads {
  readonly workloads: readonly Workload[];
  /** Their pods exist only now and then. */
  readonly cronJobs: readonly Workload[];
  /** What an API server would refuse, as `diagnostics` say of each. */
  readonly refused: readonly Workload[];
  readonly diagnostics: readonly Diagnostic[];
}

/** @param objects of kinds that make pods, in the order of their names */
export function readWorkloads(objects: readonly ManifestObject[]): Workloads {
  const owners = new Set(objects.map((object) => ownerKey(object.kind, object)));
  const realPods = byNamespace(objects.filter((object) => object.kind === "Pod" && !isNew(object)));
  const workloads: Workload[] = [];
  const cronJobs: Workload[] = [];
  const refused: Workload[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const object of objects) {
    if (isGone(object)) continue;
    const workload = workloadOf(object);
    const refusal = isNew(object) ? refusalOf(object, workload) : undefined;
    if (refusal !== undefined) {
      diagnostics.push(refusal);
      refused.push(workload);
    } else if (object.kind === "CronJob") cronJobs.push(workload);
    else if (isNew(object) || isOnItsOwn(object, owners, realPods)) workloads.push(workload);
  }
  return { workloads, cronJobs, refused, diagnostics };
}

/** Of what a cluster has sent: neither another object that was given stands for it, nor do its pods. */
function isOnItsOwn(
  object: ManifestObject,
  owners: ReadonlySet<string>,
  realPods: ReadonlyMap<string, readonly ManifestObject[]>,
): boolean {
  if (object.kind === "Pod") return true;
  const isOwned = listOf(fieldsOf(object.fields.metadata).ownerReferences)
    .map(fieldsOf)
    .some((owner) => owners.has(ownerKey(textOf(owner.kind), { ...object, name: textOf(owner.name) })));
  const { labels } = workloadOf(object);
  const pods = realPods.get(namespaceOf(object)) ?? [];
  return !isOwned && !pods.some((pod) => matchesLabels(labels, labelsOf(pod.fields.metadata)));
}

function byNamespace(objects: readonly ManifestObject[]): Map<string, ManifestObject[]> {
  const found = new Map<string, ManifestObject[]>();
  for (const object of objects) {
    const list = found.get(namespaceOf(object));
    if (list === undefined) found.set(namespaceOf(object), [object]);
    else list.push(object);
  }
  return found;
}

function ownerKey(kind: string, object: Pick<ManifestObject, "namespace" | "name">): string {
  return `${kind} ${namespaceOf(object)}/${object.name}`;
}

/** It is being deleted, or has ended. */
function isGone({ kind, fields }: ManifestObject): boolean {
  const status = fieldsOf(fields.status);
  if (textOf(fieldsOf(fields.metadata).deletionTimestamp) !== "") return true;
  if (kind === "Pod") return status.phase === "Succeeded" || status.phase === "Failed";
  const hasEnded = ({ type, status }: Fields) => (type === "Complete" || type === "Failed") && status === "True";
  return kind === "Job" && listOf(status.conditions).map(fieldsOf).some(hasEnded);
}

function workloadOf(object: ManifestObject): Workload {
  const spec = fieldsOf(object.fields.spec);
  const job = object.kind === "CronJob" ? fieldsOf(fieldsOf(spec.jobTemplate).spec) : spec;
  const template = object.kind === "Pod" ? object.fields : fieldsOf(job.template);
  return {
    object,
    kind: object.kind,
    namespace: namespaceOf(object),
    name: object.name,
    labels: labelsOf(template.metadata),
    pod: fieldsOf(template.spec),
  };
}

const withSelector: ReadonlySet<string> = new Set(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]);

/** Kubernetes refuses a selector that does not select the workload's own pods. */
function refusalOf(object: ManifestObject, { labels }: Workload): Diagnostic | undefined {
  const spec = fieldsOf(object.fields.spec);
  if (object.kind === "ReplicationController") {
    const selector = textsOf(spec.selector);
    if (matchesLabels(selector, labels)) return undefined;
  } else {
    if (!withSelector.has(object.kind)) return undefined;
    const selector = fieldsOf(spec.selector);
    const isEmpty = Object.keys(textsOf(selector.matchLabels)).length + listOf(selector.matchExpressions).length === 0;
    if (isEmpty) {
      const hint = "write matchLabels with labels of spec.template, or build the kustomization that adds them";
      const message = "an API server refuses it without one, so none of its pods is assumed";
      return object.about("warning", "workload-refused", "spec.selector", message, hint);
    }
    if (matchesSelector(selector, labels)) return undefined;
  }
  const hint = "make spec.selector match spec.template.metadata.labels";
  const message = "it does not match the template's labels: an API server refuses that, so none of its pods is assumed";
  return object.about("warning", "workload-refused", "spec.selector", message, hint);
}
