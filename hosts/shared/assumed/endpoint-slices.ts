// EndpointSlices of a Service's pods, as the EndpointSlice controller makes them (staging/src/k8s.io/endpointslice).
import type { AddressFamily } from "../describe.ts";
import { type Fields, textOf } from "../manifests/objects.ts";
import { hintsFor } from "./hints.ts";
import type { Pod } from "./pods.ts";
import { type EndpointPort, resolvePorts } from "./target-ports.ts";
import type { Workload } from "./workloads.ts";

export interface AssumedSlice {
  readonly name: string;
  readonly fields: Fields;
  /** Whose pod each endpoint is. */
  readonly workloads: readonly Workload[];
}

/** A Service as it is after its addresses were added. */
export interface SelectingService {
  readonly namespace: string;
  readonly name: string;
  readonly spec: Fields;
  readonly families: readonly AddressFamily[];
}

/** Endpoints of a slice, as the controller's --max-endpoints-per-slice. */
const MOST_ENDPOINTS = 100;

/** @param pods that its selector matches, in order */
export function slicesFor(service: SelectingService, pods: readonly Pod[]): AssumedSlice[] {
  const byPorts = groupByPorts(service, pods);
  const slices: AssumedSlice[] = [];
  for (const family of service.families) {
    for (const { ports, pods: group } of byPorts) {
      const reached = group.filter(({ addresses }) => addresses[family] !== undefined);
      for (let from = 0; from < reached.length; from += MOST_ENDPOINTS) {
        const part = reached.slice(from, from + MOST_ENDPOINTS);
        slices.push(slice(service, family, ports, part, slices.length + 1));
      }
    }
  }
  return slices;
}

interface Group {
  readonly ports: readonly EndpointPort[];
  readonly pods: Pod[];
}

/** Named ports may have another number in each workload; a slice has the same ports for all its endpoints. */
function groupByPorts({ spec }: SelectingService, pods: readonly Pod[]): Group[] {
  const groups = new Map<string, Group>();
  const keys = new Map<Fields, { key: string; ports: readonly EndpointPort[] }>();
  for (const pod of pods) {
    const template = pod.workload.pod;
    let known = keys.get(template);
    if (known === undefined) {
      const { ports } = resolvePorts(spec, template);
      known = { key: JSON.stringify(ports), ports };
      keys.set(template, known);
    }
    const group = groups.get(known.key);
    if (group === undefined) groups.set(known.key, { ports: known.ports, pods: [pod] });
    else group.pods.push(pod);
  }
  return [...groups.values()];
}

function slice(
  service: SelectingService,
  family: AddressFamily,
  ports: readonly EndpointPort[],
  pods: readonly Pod[],
  number: number,
): AssumedSlice {
  const { namespace } = service;
  const name = `${service.name}-assumed-${number}`;
  const fields = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name, labels: { "kubernetes.io/service-name": service.name } },
    addressType: family,
    ports,
    endpoints: pods.map((pod) => endpoint(service, pod, family)),
  };
  return { name, fields, workloads: pods.map(({ workload }) => workload) };
}

function endpoint({ spec }: SelectingService, pod: Pod, family: AddressFamily): Fields {
  const nodeName = pod.node?.name ?? textOf(pod.workload.pod.nodeName);
  const zone = pod.node?.zone ?? "";
  const ready = pod.ready || spec.publishNotReadyAddresses === true;
  const hints = ready ? hintsFor(spec.trafficDistribution, nodeName, zone) : undefined;
  return {
    addresses: [pod.addresses[family]],
    conditions: { ready, serving: pod.ready, terminating: false },
    targetRef: { kind: "Pod", namespace: pod.workload.namespace, name: pod.name },
    ...(nodeName === "" ? {} : { nodeName }),
    ...(zone === "" ? {} : { zone }),
    ...(hints === undefined ? {} : { hints }),
  };
}
