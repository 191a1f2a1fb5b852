// How many pods a workload has once everything is quiet.
import { type Fields, fieldsOf, type ManifestObject, textOf } from "../manifests/objects.ts";
import { isWholeNumber, namespaceOf } from "./objects.ts";

/** A Service of more pods of one workload is nobody's; an API server takes 2³¹ − 1 without a word. */
export const MOST_PODS = 5_000;
/** As many as the default range of pod addresses has, about. */
export const MOST_PODS_IN_ALL = 60_000;
/** Of all Services: many may select the same pods. */
export const MOST_ENDPOINTS_IN_ALL = 200_000;

/** HorizontalPodAutoscalers by the workload that they scale. */
export class Autoscalers {
  readonly #byTarget = new Map<string, Fields>();

  constructor(objects: readonly ManifestObject[]) {
    for (const object of objects) {
      const spec = fieldsOf(object.fields.spec);
      const { kind, name } = fieldsOf(spec.scaleTargetRef);
      this.#byTarget.set(`${textOf(kind)} ${namespaceOf(object)}/${textOf(name)}`, spec);
    }
  }

  of(workload: ManifestObject): Fields | undefined {
    return this.#byTarget.get(`${workload.kind} ${namespaceOf(workload)}/${workload.name}`);
  }
}

/** Of a Deployment, StatefulSet, ReplicaSet, ReplicationController, Job or Pod. Undefined: the number is none. */
export function replicasOf(workload: ManifestObject, autoscalers: Autoscalers): number | undefined {
  const spec = fieldsOf(workload.fields.spec);
  if (workload.kind === "Pod") return 1;
  if (workload.kind === "Job") return jobPods(spec);
  const replicas = spec.replicas ?? 1;
  const autoscaler = autoscalers.of(workload);
  // With 0 replicas autoscaling is off.
  const wanted = autoscaler === undefined || replicas === 0 ? replicas : (autoscaler.minReplicas ?? 1);
  return isWholeNumber(wanted) && wanted >= 0 ? wanted : undefined;
}

/** All that run at once, as long as it has not ended. */
function jobPods({ parallelism = 1, completions, suspend }: Fields): number | undefined {
  if (suspend === true) return 0;
  const most = completions ?? parallelism;
  if (!isWholeNumber(parallelism) || !isWholeNumber(most) || parallelism < 0 || most < 0) return undefined;
  return Math.min(parallelism, most);
}
