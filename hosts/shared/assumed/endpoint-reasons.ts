// Why Services have no endpoints, or fewer than one would think. What many Services have in common is said once.
import { type Diagnostic, diagnostic, objectName } from "../diagnostics.ts";
import { type Fields, fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";
import { plural } from "../plural.ts";
import { keyOf } from "./objects.ts";
import type { Shortage } from "./pods.ts";
import { MOST_ENDPOINTS_IN_ALL, MOST_PODS, MOST_PODS_IN_ALL } from "./replicas.ts";
import { portNames, resolvePorts } from "./target-ports.ts";
import type { Workload } from "./workloads.ts";

/** Names in one message; there may be thousands. */
const NAMES = 10;

type Reason =
  | "unknown"
  | "refused"
  | "cron-job"
  | "no-selector"
  | "no-pods"
  | "too-many"
  | "topology-mode"
  | "no-zones";

interface Text {
  readonly code: string;
  readonly message: (services: string) => string;
  readonly hint: string;
}

const texts: Readonly<Record<Reason, Text>> = {
  unknown: {
    code: "endpoints-unknown",
    message: (services) =>
      `no workload among the files matches the selector of ${services}: what serves them is unknown, and the rules are those without endpoints`,
    hint: "give the files of their workloads too (Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, Pod), or EndpointSlices",
  },
  refused: {
    code: "endpoints-of-refused",
    message: (services) =>
      `only workloads that an API server refuses match the selector of ${services}: the rules are those without endpoints`,
    hint: "",
  },
  "cron-job": {
    code: "endpoints-of-cron-jobs",
    message: (services) =>
      `only CronJobs match the selector of ${services}, and their pods exist only while they run: none is assumed`,
    hint: "",
  },
  "no-selector": {
    code: "no-selector",
    message: (services) => `${services} without a selector and without EndpointSlices: no endpoints, as in a cluster`,
    hint: "give the EndpointSlices too, if somebody writes them",
  },
  "no-pods": {
    code: "no-pods",
    message: (services) => `the workloads of ${services} have no pods (replicas are 0, or no Node fits): no endpoints`,
    hint: "",
  },
  "too-many": {
    code: "many-endpoints",
    message: (services) =>
      `no endpoints are assumed of ${services}: with theirs there would be more than ${MOST_ENDPOINTS_IN_ALL}`,
    hint: "render fewer files at a time, or give EndpointSlices",
  },
  "topology-mode": {
    code: "no-assumed-hints",
    message: (services) =>
      `the annotation topology-mode of ${services} makes hints by the CPUs of Nodes: none are assumed`,
    hint: "spec.trafficDistribution makes hints that are known beforehand",
  },
  "no-zones": {
    code: "no-zones",
    message: (services) => `the Nodes have no zones, so trafficDistribution of ${services} gives no zone hints`,
    hint: "name zones by --zones a,b, or give Nodes with the label topology.kubernetes.io/zone",
  },
};

export class EndpointReasons {
  readonly #services = new Map<Reason, ManifestObject[]>();
  readonly #diagnostics: Diagnostic[];
  readonly #nowhere: Workload[] = [];
  readonly #withoutAddress: Workload[] = [];

  /**
   * @param diagnostics found before
   * @param outdated workloads in versions that Kubernetes does not have any more
   */
  constructor(diagnostics: readonly Diagnostic[], outdated: readonly ManifestObject[]) {
    this.#diagnostics = [...diagnostics];
    const [first] = outdated;
    if (first === undefined) return;
    const more = outdated.length === 1 ? "" : `, and so for ${plural(outdated.length - 1, "object")} more`;
    const message = `Kubernetes 1.37 does not have ${first.apiVersion}, so none of its pods is assumed${more}`;
    const hint = "write apps/v1, batch/v1 or autoscaling/v2 (`kubectl convert` does)";
    this.#diagnostics.push(first.about("warning", "outdated-version", "apiVersion", message, hint));
  }

  add(reason: Reason, service: ManifestObject): void {
    const list = this.#services.get(reason);
    if (list === undefined) this.#services.set(reason, [service]);
    else list.push(service);
  }

  /** @param pods that were found for the Service */
  look(service: ManifestObject, spec: Fields, workloads: readonly Workload[], pods: number): void {
    if (pods === 0) this.add("no-pods", service);
    this.#missingPorts(service, spec, workloads);
    const annotations = fieldsOf(fieldsOf(service.fields.metadata).annotations);
    const mode = textOf(annotations["service.kubernetes.io/topology-mode"]);
    if (/^auto$/i.test(mode)) this.add("topology-mode", service);
    const distribution = textOf(spec.trafficDistribution);
    if (distribution === "PreferClose" || distribution === "PreferSameZone") this.add("no-zones", service);
  }

  #missingPorts(service: ManifestObject, spec: Fields, workloads: readonly Workload[]): void {
    const missing = workloads.map(({ pod }) => new Set(resolvePorts(spec, pod).missing));
    for (const index of missing[0] ?? []) {
      if (!missing.every((each) => each.has(index))) continue;
      const port = fieldsOf(listOf(spec.ports)[index]);
      const named = [...new Set(workloads.flatMap(({ pod }) => portNames(pod)))].slice(0, NAMES);
      const whose = workloads.length === 1 ? objectName(workloads[0]?.object ?? service) : "the workloads it selects";
      const wanted = `${textOf(port.targetPort)}/${textOf(port.protocol) || "TCP"}`;
      const message = `no container of ${whose} has a port named ${wanted}, so this port has no endpoints`;
      const hint =
        named.length === 0 ? "name it in containers[].ports, or write its number" : `there is ${named.join(", ")}`;
      const field = `spec.ports[${index}].targetPort`;
      this.#diagnostics.push(service.about("warning", "no-such-target-port", field, message, hint));
    }
  }

  shortage(workload: Workload, shortage: Shortage): void {
    const about = workload.object;
    if (shortage === "no-node") this.#nowhere.push(workload);
    else if (shortage === "no-address") this.#withoutAddress.push(workload);
    else if (shortage === "wrong-replicas") {
      const message = "this is no number of pods, so none is assumed";
      this.#diagnostics.push(about.about("warning", "wrong-replicas", "spec.replicas", message, "use 0, 1, 2, …"));
    } else if (shortage === "too-many") {
      const message = `not all of its pods are assumed: at most ${MOST_PODS} of a workload, and ${MOST_PODS_IN_ALL} in all`;
      this.#diagnostics.push(about.about("note", "many-replicas", "spec.replicas", message, ""));
    }
  }

  /** @param hasZones Nodes have zones */
  diagnostics(hasZones: boolean): Diagnostic[] {
    const found = this.#diagnostics.toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
    if (this.#nowhere.length > 0) {
      const names = namesOf(this.#nowhere.map(({ object }) => objectName(object)));
      const message = `no Node among the files fits the pods of ${names}`;
      const hint = "their nodeSelector, affinity and tolerations say why";
      found.push(diagnostic("note", "no-fitting-node", message, { hint }));
    }
    if (this.#withoutAddress.length > 0) {
      const names = namesOf(this.#withoutAddress.map(({ object }) => objectName(object)));
      const message = `no address is left for pods of ${names}: without one they are nobody's endpoints`;
      const hint = "give Nodes with larger podCIDRs and addresses, or a configuration with a larger clusterCIDR";
      found.push(diagnostic("warning", "no-pod-address", message, { hint }));
    }
    for (const [reason, services] of this.#services) {
      if (reason === "no-zones" && hasZones) continue;
      const { code, message, hint } = texts[reason];
      const names = `${plural(services.length, "Service")} (${namesOf(services.map(keyOf))})`;
      found.push(diagnostic("note", code, message(names), { hint }));
    }
    return found;
  }
}

function namesOf(names: readonly string[]): string {
  const more = names.length > NAMES ? `, and ${names.length - NAMES} more` : "";
  return `${names.slice(0, NAMES).join(", ")}${more}`;
}
