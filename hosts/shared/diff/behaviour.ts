// What changes for the traffic of one Service port on one node, from what `describe` says of it before and after.
import type { DescribedServicePort, EntryPoint } from "../describe.ts";
import { plural } from "../plural.ts";
import type { Change, Gate } from "./changes.ts";
import { endpointsChange, endpointsText, usedEndpoints } from "./endpoints.ts";
import { entryPointText, pairEntryPoints, type Traffic, trafficOf } from "./entry-points.ts";
import { rangeChange, rangesText } from "./source-ranges.ts";

type Pair = readonly [before: EntryPoint, after: EntryPoint];

export function portText({ port }: DescribedServicePort): string {
  return `${port.port}/${port.protocol}`;
}

/** Both are the same port of the same Service, in the same family. */
export function changesOfPort(before: DescribedServicePort, after: DescribedServicePort): Change[] {
  const of = changeOf(after);
  const { both, added, removed } = pairEntryPoints(before, after);
  const changes: Change[] = [];
  for (const entryPoint of removed)
    changes.push(
      of("entry-point-removed", `${entryPointText(entryPoint)} goes`, {
        entryPoint: entryPointText(entryPoint),
        gates: ["unreachable"],
        field: fieldOf(entryPoint),
      }),
    );
  for (const entryPoint of added) changes.push(...addedEntryPoint(after, entryPoint));
  for (const traffic of ["internal", "external"] as const) {
    const pairs = both.filter(([old]) => trafficOf(old) === traffic);
    if (pairs.length > 0) changes.push(...changesOfTraffic(before, after, pairs, traffic));
  }
  for (const pair of both) changes.push(...changesOfEntryPoint(after, pair));
  return [...merged(changes), ...changesOfPolicies(before, after)];
}

/** An entry point that was not there before. */
function addedEntryPoint(port: DescribedServicePort, entryPoint: EntryPoint): Change[] {
  const name = entryPointText(entryPoint);
  const isOutside = entryPoint.kind !== "ClusterIP";
  const who = entryPoint.sourceRanges.length === 0 ? "" : `, for clients in ${rangesText(entryPoint.sourceRanges)}`;
  const opened = changeOf(port)(
    "entry-point-added",
    `new ${name}${isOutside ? `: reachable from outside${who}` : ""}`,
    {
      entryPoint: name,
      gates: isOutside ? ["new-exposure"] : [],
      field: fieldOf(entryPoint),
    },
  );
  return entryPoint.owner ? [opened] : [conflict(port, entryPoint, false)];
}

/** A port that was not there before. `isNew`: nor was its Service. */
export function changesOfNewPort(port: DescribedServicePort, isNew: boolean): Change[] {
  const of = changeOf(port);
  const changes: Change[] = [];
  if (!isNew) changes.push(of("port-appears", "new port", { field: "spec.ports" }));
  for (const entryPoint of port.entryPoints) {
    if (entryPoint.kind !== "ClusterIP" || !entryPoint.owner) changes.push(...addedEntryPoint(port, entryPoint));
  }
  for (const traffic of ["internal", "external"] as const) {
    const entryPoint = port.entryPoints.find((each) => trafficOf(each) === traffic);
    if (entryPoint === undefined) continue;
    const count = usedEndpoints(port, traffic).length;
    const text =
      count > 0
        ? plural(count, "endpoint")
        : port.endpointsUnknown
          ? "no endpoints are known: neither an EndpointSlice nor a workload of it is there"
          : `no endpoints: ${answerText(entryPoint)}`;
    changes.push(of(count > 0 ? "got-endpoints" : "no-endpoints", text, { traffic, field: "spec.selector" }));
  }
  return merged(changes);
}

/** A port that is not there any more, of a Service that is. */
export function changesOfLostPort(port: DescribedServicePort): Change[] {
  return [changeOf(port)("port-disappears", "the port goes", { gates: ["unreachable"], field: "spec.ports" })];
}

/** What all entry points of one kind of traffic share: endpoints, and what is answered where there are none. */
function changesOfTraffic(
  before: DescribedServicePort,
  after: DescribedServicePort,
  pairs: readonly Pair[],
  traffic: Traffic,
): Change[] {
  const [[old, now]] = pairs as [Pair];
  const of = changeOf(after);
  const changes: Change[] = [];
  const change = endpointsChange(usedEndpoints(before, traffic), usedEndpoints(after, traffic));
  if (change !== undefined) {
    const more = { traffic, field: "spec.selector", endpoints: change };
    if (change.after === 0) {
      const count = change.before === 1 ? "its only endpoint" : `all ${change.before} endpoints`;
      const why = after.endpointsUnknown ? " (no workload of it is there any more)" : "";
      const text = `loses ${count}${why}: ${answerText(now)}`;
      changes.push(of("lost-endpoints", text, { ...more, gates: ["lost-endpoints", "unreachable"] }));
    } else if (change.before === 0) {
      const was = before.endpointsUnknown ? "none were known" : answerText(old, "were");
      const text = `gets ${plural(change.after, "endpoint")}: ${was} before`;
      changes.push(of("got-endpoints", text, more));
    } else changes.push(of("endpoints", endpointsText(change), more));
  } else if (old.action !== now.action) {
    changes.push(of("no-endpoints", `${answerText(now)}, and ${answerText(old, "were")} before`, { traffic }));
  }
  if (old.masquerade !== now.masquerade) {
    const text = `source IP: ${sourceText(now)}, was ${sourceText(old)}`;
    const field = traffic === "external" ? "spec.externalTrafficPolicy" : "";
    changes.push(of("source-ip", text, { traffic, gates: ["source-ip"], field }));
  }
  if (old.policy !== now.policy) {
    const text =
      now.policy === "Local"
        ? "only endpoints on the node where traffic arrives get it (Local, was Cluster)"
        : "endpoints on all nodes get it (Cluster, was Local)";
    changes.push(of("traffic-policy", text, { traffic, field: `spec.${traffic}TrafficPolicy` }));
  }
  return changes;
}

function changesOfEntryPoint(port: DescribedServicePort, [old, now]: Pair): Change[] {
  const of = changeOf(port);
  const entryPoint = entryPointText(now);
  const changes: Change[] = [];
  const ranges = rangeChange(old.sourceRanges, now.sourceRanges);
  if (ranges !== "same") {
    const text = `source ranges ${ranges}: ${rangesText(now.sourceRanges)}, was ${rangesText(old.sourceRanges)}`;
    const gates: Gate[] = ranges === "narrowed" ? [] : ["new-exposure"];
    changes.push(of("source-ranges", text, { entryPoint, gates, field: "spec.loadBalancerSourceRanges" }));
  }
  if (old.owner !== now.owner) {
    if (now.owner) {
      changes.push(of("conflict-solved", `${entryPoint} is its own again`, { entryPoint, field: fieldOf(now) }));
    } else changes.push(conflict(port, now, true));
  }
  if ((old.listensOnLocalhost ?? false) !== (now.listensOnLocalhost ?? false)) {
    const text = now.listensOnLocalhost ? "answers on localhost, too" : "does not answer on localhost any more";
    changes.push(of("localhost-listener", text, { entryPoint }));
  }
  return changes;
}

/** Another Service has the entry point. `isLost`: this one had it before. */
function conflict(port: DescribedServicePort, entryPoint: EntryPoint, isLost: boolean): Change {
  const name = entryPointText(entryPoint);
  const text = `${isLost ? "loses" : "does not get"} ${name}: ${entryPoint.takenBy ?? "another Service"} has it, and comes first`;
  const gates: Gate[] = isLost ? ["conflict", "unreachable"] : ["conflict"];
  return changeOf(port)("conflict", text, { entryPoint: name, gates, field: fieldOf(entryPoint) });
}

function changesOfPolicies(before: DescribedServicePort, after: DescribedServicePort): Change[] {
  const of = changeOf(after);
  const changes: Change[] = [];
  const affinity = after.sessionAffinityTimeoutSeconds;
  if (affinity !== before.sessionAffinityTimeoutSeconds) {
    const text = ({ sessionAffinityTimeoutSeconds: seconds }: DescribedServicePort) =>
      seconds === 0 ? "clients do not stick to an endpoint" : `clients stick to an endpoint for ${seconds} s`;
    const whole = `session affinity: ${text(after)}, before: ${text(before)}`;
    changes.push(of("session-affinity", whole, { field: "spec.sessionAffinity" }));
  }
  const topology = ({ topology = "none" }: DescribedServicePort) =>
    topology === "none" ? "endpoints of all zones" : `endpoints of the ${topology.replace("-", " ")}`;
  if (topology(before) !== topology(after)) {
    const text = `clients get ${topology(after)}, before: ${topology(before)}`;
    changes.push(of("topology", text, { field: "spec.trafficDistribution" }));
  }
  if ((before.terminatingFallback ?? false) !== (after.terminatingFallback ?? false)) {
    const text = after.terminatingFallback
      ? "no endpoint is ready: those that are terminating serve"
      : "terminating endpoints do not serve any more";
    changes.push(of("terminating-endpoints", text, {}));
  }
  const [old, now] = [before.healthCheckNodePort, after.healthCheckNodePort];
  if (old !== now && (old === 0 || now === 0)) {
    const text = now === 0 ? "the health check of load balancers goes" : "load balancers can check the node's health";
    changes.push(of("health-check-node-port", text, { port: "", field: "spec.healthCheckNodePort" }));
  }
  return changes;
}

type More = Partial<Omit<Change, "kind" | "text">>;

function changeOf(port: DescribedServicePort) {
  return (kind: Change["kind"], text: string, more: More): Change => {
    const rest = { port: portText(port), entryPoint: "", traffic: "", gates: [], field: "", ...more } as const;
    return { kind, text, ...rest };
  };
}

/** What is the same for both kinds of traffic is said once. */
function merged(changes: readonly Change[]): Change[] {
  const result: Change[] = [];
  for (const change of changes) {
    const twin = change.traffic === "external" ? result.findIndex((other) => isTwin(other, change)) : -1;
    if (twin === -1) result.push(change);
    else result[twin] = { ...(result[twin] as Change), traffic: "" };
  }
  return result;
}

/** Of all or nothing the numbers may differ: with the Local policy a node has only its own. */
function isTwin(internal: Change, external: Change): boolean {
  if (internal.traffic !== "internal" || internal.kind !== external.kind) return false;
  const answer = ({ text }: Change) => text.slice(text.lastIndexOf(": "));
  const isAll = internal.kind === "lost-endpoints" || internal.kind === "got-endpoints";
  return isAll ? answer(internal) === answer(external) : internal.text === external.text;
}

function answerText({ action }: EntryPoint, verb: "are" | "were" = "are"): string {
  return `connections ${verb} ${action === "drop" ? "dropped" : action === "reject" ? "rejected" : "forwarded"}`;
}

const sources: Record<EntryPoint["masquerade"], string> = {
  never: "kept",
  always: "hidden",
  "from-outside": "hidden for clients outside the cluster",
  "local-only": "kept for clients outside the cluster",
};

function sourceText({ masquerade }: EntryPoint): string {
  return sources[masquerade];
}

const fields: Record<EntryPoint["kind"], string> = {
  ClusterIP: "spec.clusterIP",
  ExternalIP: "spec.externalIPs",
  LoadBalancerIP: "status.loadBalancer",
  NodePort: "spec.type",
};

function fieldOf({ kind }: EntryPoint): string {
  return fields[kind];
}
