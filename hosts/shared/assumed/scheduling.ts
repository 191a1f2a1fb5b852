// Which nodes a pod may run on: nodeName, nodeSelector, required node affinity and taints, as the scheduler's filters read them.
import { type Fields, fieldsOf, listOf, textOf } from "../manifests/objects.ts";
import { type Labels, matchesExpression } from "./label-selectors.ts";
import type { ClusterNode } from "./nodes.ts";
import { textsOf } from "./objects.ts";

/**
 * @param spec a pod's
 * @param isDaemon a DaemonSet's pod, which tolerates what is wrong with a node as such
 */
export function fits(spec: Fields, node: ClusterNode, isDaemon: boolean): boolean {
  const nodeName = textOf(spec.nodeName);
  if (nodeName !== "") return nodeName === node.name;
  if (node.unschedulable && !isDaemon) return false;
  return selects(spec, node) && toleratesAll(spec, node, isDaemon);
}

function selects(spec: Fields, node: ClusterNode): boolean {
  const wanted = Object.entries(textsOf(spec.nodeSelector)).map(([key, value]) => ({
    key,
    operator: "In",
    values: [value],
  }));
  if (!wanted.every((each) => holds(each, node))) return false;
  const required = fieldsOf(fieldsOf(spec.affinity).nodeAffinity).requiredDuringSchedulingIgnoredDuringExecution;
  const terms = listOf(fieldsOf(required).nodeSelectorTerms).map(fieldsOf);
  // Terms are alternatives, and one that is empty fits no node.
  return terms.length === 0 || terms.some((term) => fitsTerm(term, node));
}

function fitsTerm(term: Fields, node: ClusterNode): boolean {
  const expressions = listOf(term.matchExpressions).map(fieldsOf);
  const names = listOf(term.matchFields).map(fieldsOf);
  if (expressions.length + names.length === 0) return false;
  const nameLabels: Labels = { "metadata.name": node.name };
  return expressions.every((each) => holds(each, node)) && names.every((each) => matchesExpression(each, nameLabels));
}

/** What nobody has said of an assumed node, it has if a pod asks for it. */
function holds(expression: Fields, node: ClusterNode): boolean {
  if (node.isAssumed && !Object.hasOwn(node.labels, textOf(expression.key))) {
    return expression.operator !== "DoesNotExist" || !textOf(expression.key).startsWith("kubernetes.io/");
  }
  return matchesExpression(expression, node.labels);
}

/** What the DaemonSet controller adds to each of its pods. */
const daemonTolerations: readonly Fields[] = [
  "node.kubernetes.io/not-ready",
  "node.kubernetes.io/unreachable",
  "node.kubernetes.io/disk-pressure",
  "node.kubernetes.io/memory-pressure",
  "node.kubernetes.io/pid-pressure",
  "node.kubernetes.io/unschedulable",
].map((key) => ({ key, operator: "Exists" }));
const hostNetworkToleration: Fields = { key: "node.kubernetes.io/network-unavailable", operator: "Exists" };

function toleratesAll(spec: Fields, node: ClusterNode, isDaemon: boolean): boolean {
  const tolerations = listOf(spec.tolerations).map(fieldsOf);
  if (isDaemon) tolerations.push(...daemonTolerations);
  if (isDaemon && spec.hostNetwork === true) tolerations.push(hostNetworkToleration);
  return node.taints
    .filter(({ effect }) => effect === "NoSchedule" || effect === "NoExecute")
    .every((taint) => tolerations.some((toleration) => tolerates(toleration, taint)));
}

function tolerates(toleration: Fields, taint: Fields): boolean {
  const { key, operator, value, effect } = toleration;
  if (textOf(effect) !== "" && effect !== taint.effect) return false;
  if (textOf(key) !== "" && key !== taint.key) return false;
  if (operator === "Exists") return true;
  return textOf(key) !== "" && textOf(value) === textOf(taint.value);
}

/** Ports that a pod takes on its node, as `8080/TCP`: no two pods of a node have the same. */
export function hostPorts(spec: Fields): string[] {
  const containers = [...listOf(spec.containers), ...listOf(spec.initContainers)].map(fieldsOf);
  return containers
    .flatMap((container) => listOf(container.ports).map(fieldsOf))
    .map(({ hostPort, containerPort, protocol }) => [hostPort ?? (spec.hostNetwork ? containerPort : 0), protocol])
    .filter(([port]) => typeof port === "number" && port > 0)
    .map(([port, protocol]) => `${port}/${textOf(protocol) || "TCP"}`);
}
