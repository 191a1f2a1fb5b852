// Says what was assumed: in descriptions, before rules, and on stderr.
import type { Marks, RuleOwner } from "../../shared/assumed/marks.ts";
import type { DescribedServicePort, Description, EntryPoint } from "../../shared/describe.ts";
import { objectName } from "../../shared/diagnostics.ts";
import type { Origins } from "../../shared/manifests/origins.ts";
import { plural } from "../../shared/plural.ts";
import { printable } from "../../shared/printable.ts";

/** Adds `"assumed": true` where it is, in place. */
export function markDescription(description: Description, marks: Marks): void {
  if (marks.firstNode !== undefined) description.node.assumed = true;
  for (const port of description.servicePorts) markPort(port, marks);
}

export function markPort(port: DescribedServicePort, marks: Marks): void {
  const service = `${port.namespace}/${port.service}`;
  for (const entryPoint of port.entryPoints) if (isAssumed(entryPoint, service, marks)) entryPoint.assumed = true;
  if (marks.hasAssumedEndpoints(service)) markEndpoints(port);
  if (marks.hasUnknownEndpoints(service)) port.endpointsUnknown = true;
}

function markEndpoints(port: DescribedServicePort): void {
  for (const endpoint of port.endpoints) endpoint.assumed = true;
}

function isAssumed({ kind, address, port }: EntryPoint, service: string, marks: Marks): boolean {
  switch (kind) {
    case "ClusterIP":
      return marks.isAssumedClusterIP(service, address);
    case "LoadBalancerIP":
      return marks.isAssumedLoadBalancerIP(service, address);
    case "NodePort":
      return marks.isAssumedNodePort(service, port);
    case "ExternalIP":
      return false;
  }
}

/** `(web.yaml:20)`, or `(stdin:20, chart/templates/web.yaml)` if that was made from another file. */
export function placeText({ file, line }: { file: string; line: number }, origins: Origins): string {
  const origin = origins.of(file, line);
  return origin === "" ? `(${file}:${line})` : `(${file}:${line}, ${origin})`;
}

/** `Deployment shop/web (web.yaml:20): a pod, assumed`, of a rule's owner. Undefined: nothing of it is assumed. */
export function assumedOwner(owner: RuleOwner, place: string, marks: Marks, origins: Origins): string | undefined {
  const workloads = marks.workloadsOf(owner);
  if (workloads.length > 0) {
    const named = workloads.slice(0, 3).map(({ object }) => {
      return `${objectName(object)} ${placeText(object.about("note", "", "spec", "", ""), origins)}`;
    });
    const more = workloads.length > 3 ? ` and ${workloads.length - 3} more` : "";
    return `${printable(named.join(", "), 2000)}${more}: a pod, assumed`;
  }
  if (!marks.isAssumedField(owner)) return undefined;
  return `${[objectName(owner), owner.field, place]
    .filter((part) => part !== "")
    .map((part) => printable(part))
    .join(" ")}, assumed`;
}

/** `14 addresses, 37 endpoints of 9 workloads on 3 nodes`; empty: nothing was. */
export function assumedCounts({ counts }: Marks): string {
  const { addresses, nodePorts, endpoints, workloads, nodes } = counts;
  const parts: string[] = [];
  if (addresses > 0) parts.push(`${addresses} address${addresses === 1 ? "" : "es"}`);
  if (nodePorts > 0) parts.push(plural(nodePorts, "node port"));
  if (endpoints > 0) {
    parts.push(`${plural(endpoints, "endpoint")} of ${plural(workloads, "workload")} on ${plural(nodes, "node")}`);
  }
  return parts.join(", ");
}
