// What a cluster would have added to the objects of files: addresses of Services, and EndpointSlices of their workloads' pods.
// Nothing here asks for rules; the engine gets the result like other objects, and `Marks` tells what of it is assumed.
import type { Diagnostic } from "../diagnostics.ts";
import { type Fields, fieldsOf, type ManifestObject, textOf } from "../manifests/objects.ts";
import type { AssumeInput } from "./assume-input.ts";
import { EndpointReasons } from "./endpoint-reasons.ts";
import { type AssumedSlice, slicesFor } from "./endpoint-slices.ts";
import { matchesLabels } from "./label-selectors.ts";
import { Marks } from "./marks.ts";
import { WorkloadIndex } from "./matching.ts";
import { isMirrored, mirroredSlices } from "./mirrored-endpoints.ts";
import { assumedNodes, type ClusterNode, knownNodes, nodeObject } from "./nodes.ts";
import { isNew, keyOf, namespaceOf, sorted, textsOf } from "./objects.ts";
import type { AssumeOptions } from "./options.ts";
import { type Pod, PodMaker } from "./pods.ts";
import { Autoscalers, MOST_ENDPOINTS_IN_ALL } from "./replicas.ts";
import { type AddressedService, serviceAddresses } from "./service-addresses.ts";
import { chosenClusterIPs, familiesOf, hasClusterIP } from "./service-families.ts";
import { serviceRanges } from "./service-ranges.ts";
import { readWorkloads, type Workload } from "./workloads.ts";

export interface Assumed {
  /** Services with their addresses, whole, in place of those that were given. */
  readonly services: readonly AddressedService[];
  readonly slices: readonly SliceOfService[];
  /** Slices of Endpoints that somebody has written. */
  readonly mirrored: readonly { readonly endpoints: ManifestObject; readonly fields: Fields }[];
  /** Nodes that pods were put on although none was given. */
  readonly nodes: readonly Fields[];
  readonly diagnostics: readonly Diagnostic[];
  readonly marks: Marks;
}

/** @param input Services as admission leaves them: with ipFamilies */
export function assume(input: AssumeInput, options: AssumeOptions): Assumed {
  const services = sorted(input.services);
  const ranges = serviceRanges(input.serviceCIDRs, options.serviceCidrs);
  const addressed = serviceAddresses(services, ranges, options.loadBalancerCidrs, options.nodePorts);
  const endpoints = new Endpoints(input, options);
  const bySource = new Map(addressed.services.map((each) => [each.object, each]));
  for (const service of services) endpoints.add(service, bySource.get(service));
  const marks = new Marks(addressed.services, endpoints.slices, endpoints.unknown, endpoints.assumedNodes);
  return {
    services: addressed.services,
    slices: endpoints.slices,
    mirrored: endpoints.mirrored.flatMap((each) => mirroredSlices(each).map((fields) => ({ endpoints: each, fields }))),
    nodes: endpoints.assumedNodes.map(nodeObject),
    diagnostics: [...addressed.diagnostics, ...endpoints.diagnostics()],
    marks,
  };
}

/** A slice, and whose it is. */
export interface SliceOfService {
  readonly service: ManifestObject;
  readonly slice: AssumedSlice;
}

/** Goes through the Services and finds their pods. */
class Endpoints {
  readonly slices: SliceOfService[] = [];
  /** Services whose endpoints nothing in the files tells. */
  readonly unknown: ManifestObject[] = [];
  /** Endpoints of Services that have neither a selector nor slices. */
  readonly mirrored: ManifestObject[] = [];
  readonly #written: ReadonlyMap<string, ManifestObject>;
  #count = 0;
  readonly #options: AssumeOptions;
  readonly #nodes: readonly ClusterNode[];
  readonly #index: WorkloadIndex;
  readonly #cronJobs: WorkloadIndex;
  readonly #refused: WorkloadIndex;
  readonly #withSlices: ReadonlySet<string>;
  readonly #pods: PodMaker;
  readonly #podsOf = new Map<Workload, readonly Pod[]>();
  readonly #reasons: EndpointReasons;

  constructor(input: AssumeInput, options: AssumeOptions) {
    const known = knownNodes(sorted(input.nodes));
    const { workloads, cronJobs, refused, diagnostics } = readWorkloads(sortedByKind(input.workloads));
    this.#nodes = known.length > 0 ? known : assumedNodes(options);
    this.#index = new WorkloadIndex(workloads);
    this.#cronJobs = new WorkloadIndex(cronJobs);
    this.#refused = new WorkloadIndex(refused);
    this.#withSlices = new Set(input.slices.map(serviceOfSlice));
    this.#written = new Map(input.endpoints.filter(isMirrored).map((each) => [keyOf(each), each]));
    this.#pods = new PodMaker(this.#nodes, options.podCidrs, new Autoscalers(input.autoscalers));
    this.#options = options;
    this.#reasons = new EndpointReasons(diagnostics, input.outdated);
  }

  /** Nodes that pods were put on although none was given. */
  get assumedNodes(): readonly ClusterNode[] {
    return this.slices.length === 0 ? [] : this.#nodes.filter(({ isAssumed }) => isAssumed);
  }

  diagnostics(): Diagnostic[] {
    const hasZones = this.#nodes.some(({ zone }) => zone !== "");
    return this.#reasons.diagnostics(hasZones || this.#options.zones.length > 0);
  }

  add(service: ManifestObject, addressed: AddressedService | undefined): void {
    const spec = fieldsOf((addressed?.fields ?? service.fields).spec);
    // A Service without an address has no rules, whatever its endpoints are.
    if (!isNew(service) || !hasClusterIP(spec) || chosenClusterIPs(spec).length === 0) return;
    if (this.#withSlices.has(keyOf(service))) return;
    const selector = textsOf(spec.selector);
    if (Object.keys(selector).length === 0) {
      const written = this.#written.get(keyOf(service));
      if (written === undefined) this.#reasons.add("no-selector", service);
      else this.mirrored.push(written);
      return;
    }
    const namespace = namespaceOf(service);
    const workloads = this.#index.matching(namespace, selector);
    if (workloads.length === 0) {
      const matches = (index: WorkloadIndex) => index.matching(namespace, selector).length > 0;
      this.#unknown(service, matches(this.#refused) ? "refused" : matches(this.#cronJobs) ? "cron-job" : "unknown");
      return;
    }
    const pods = workloads.flatMap((workload) => this.#podsOfWorkload(workload));
    const matching = pods.filter(({ labels }) => matchesLabels(selector, labels));
    const families = familiesOf(spec);
    this.#count += matching.length * families.length;
    if (this.#count > MOST_ENDPOINTS_IN_ALL) {
      this.#count -= matching.length * families.length;
      this.#unknown(service, "too-many");
      return;
    }
    const slices = slicesFor({ namespace, name: service.name, spec, families }, matching);
    for (const slice of slices) this.slices.push({ service, slice });
    this.#reasons.look(service, spec, workloads, matching.length);
  }

  #unknown(service: ManifestObject, reason: "cron-job" | "refused" | "too-many" | "unknown"): void {
    this.unknown.push(service);
    this.#reasons.add(reason, service);
  }

  #podsOfWorkload(workload: Workload): readonly Pod[] {
    let pods = this.#podsOf.get(workload);
    if (pods === undefined) {
      const made = this.#pods.podsOf(workload);
      pods = made.pods;
      this.#podsOf.set(workload, pods);
      this.#reasons.shortage(workload, made.shortage);
    }
    return pods;
  }
}

/** Kinds may share a name. */
function sortedByKind(objects: readonly ManifestObject[]): ManifestObject[] {
  const kinds = [...new Set(objects.map(({ kind }) => kind))].sort();
  return kinds.flatMap((kind) => sorted(objects.filter((object) => object.kind === kind)));
}

function serviceOfSlice(slice: ManifestObject): string {
  const labels = fieldsOf(fieldsOf(slice.fields.metadata).labels);
  return keyOf({ namespace: slice.namespace, name: textOf(labels["kubernetes.io/service-name"]) });
}
