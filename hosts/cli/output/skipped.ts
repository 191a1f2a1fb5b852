// Objects that make no rules, told apart.
import { plural } from "../../shared/plural.ts";

/** API groups of Kubernetes 1.37 and earlier; "" is the core's, `sluice` that of our own snapshots. */
const builtInGroups: ReadonlySet<string> = new Set([
  "",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "apps",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "events.k8s.io",
  "extensions",
  "flowcontrol.apiserver.k8s.io",
  "networking.k8s.io",
  "node.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "resource.k8s.io",
  "scheduling.k8s.io",
  "sluice",
  "storage.k8s.io",
  "storagemigration.k8s.io",
]);

/** Kinds from which endpoints are assumed, as the engine names them. */
const workloads =
  /^((Pod|ReplicationController|Endpoints)|(Deployment|StatefulSet|DaemonSet|ReplicaSet)\.apps|(Job|CronJob)\.batch|HorizontalPodAutoscaler\.autoscaling)$/;

/** Of a snapshot: what a kernel held makes no rules. */
const NODE_RULES = "NodeRules.sluice";

const DEFINITION = "CustomResourceDefinition.apiextensions.k8s.io";

/** @param kinds as the engine names them: `Secret`, `Ingress.networking.k8s.io` */
export function withoutWorkloads(
  skipped: ReadonlyMap<string, ReadonlyMap<string, number>>,
): Map<string, Map<string, number>> {
  const rest = new Map<string, Map<string, number>>();
  for (const [file, kinds] of skipped) {
    const others = new Map([...kinds].filter(([kind]) => !workloads.test(kind)));
    if (others.size > 0) rest.set(file, others);
  }
  return rest;
}

/** `3 objects of other kinds`, and which sort they are if they are not all Kubernetes' own; empty: there are none. */
export function skippedText(skipped: ReadonlyMap<string, ReadonlyMap<string, number>>): string {
  const sorts = { builtIn: 0, definitions: 0, custom: 0 };
  for (const kinds of skipped.values()) {
    for (const [kind, count] of kinds) if (kind !== NODE_RULES) sorts[sortOf(kind)] += count;
  }
  const { builtIn, definitions, custom } = sorts;
  const total = builtIn + definitions + custom;
  if (total === 0) return "";
  const text = `${plural(total, "object")} of other kinds`;
  if (definitions + custom === 0) return text;
  const parts: string[] = [];
  if (builtIn > 0) parts.push(`${builtIn} of Kubernetes' own`);
  if (definitions > 0) parts.push(plural(definitions, "CustomResourceDefinition"));
  if (custom > 0)
    parts.push(`${plural(custom, "custom resource")}, whose controllers may make Services and pods unknown here`);
  return `${text}: ${parts.join(", ")}`;
}

function sortOf(kind: string): "builtIn" | "definitions" | "custom" {
  if (kind === DEFINITION) return "definitions";
  const dot = kind.indexOf(".");
  return builtInGroups.has(dot === -1 ? "" : kind.slice(dot + 1)) ? "builtIn" : "custom";
}
