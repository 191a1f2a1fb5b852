// The pods of workloads, with the node and the addresses that a cluster might give them.

import { type Cidr, parseAddress } from "../cidr.ts";
import type { AddressFamily } from "../describe.ts";
import { type Fields, fieldsOf, listOf, textOf } from "../manifests/objects.ts";
import { AddressPool } from "./address-pool.ts";
import type { Labels } from "./label-selectors.ts";
import type { ClusterNode } from "./nodes.ts";
import { isNew, isWholeNumber } from "./objects.ts";
import { hash } from "./pool.ts";
import { type Autoscalers, MOST_PODS, MOST_PODS_IN_ALL, replicasOf } from "./replicas.ts";
import { fits, hostPorts } from "./scheduling.ts";
import type { Workload } from "./workloads.ts";

export interface Pod {
  readonly workload: Workload;
  readonly name: string;
  readonly labels: Labels;
  /** Undefined: on one that is not known. */
  readonly node: ClusterNode | undefined;
  readonly addresses: Readonly<Partial<Record<AddressFamily, string>>>;
  readonly ready: boolean;
}

/** Why a workload has fewer pods than one would think. */
export type Shortage = "none" | "wrong-replicas" | "too-many" | "no-node" | "no-address";

export interface PodsOfWorkload {
  readonly pods: readonly Pod[];
  readonly shortage: Shortage;
}

/** Labels that tell the pods of one workload apart: its template does not have them. */
export function isPodLabel(key: string): boolean {
  return podLabels.has(key);
}

const ZONE = "topology.kubernetes.io/zone";
const POD_NAME = "statefulset.kubernetes.io/pod-name";
const POD_INDEX = "apps.kubernetes.io/pod-index";
const JOB_NAMES = ["batch.kubernetes.io/job-name", "job-name"];
const podLabels: ReadonlySet<string> = new Set([ZONE, POD_NAME, POD_INDEX, ...JOB_NAMES]);

/** Gives pods out. Ask for the workloads in the order of their names, so that all machines give the same. */
export class PodMaker {
  readonly #nodes: readonly ClusterNode[];
  readonly #autoscalers: Autoscalers;
  readonly #shared: Record<AddressFamily, AddressPool>;
  readonly #byName: ReadonlyMap<string, ClusterNode>;
  /** Nodes on which a pod may run, by what it says of them. */
  readonly #fitting = new Map<string, readonly ClusterNode[]>();
  #left = MOST_PODS_IN_ALL;
  readonly #ofNode = new Map<ClusterNode, Partial<Record<AddressFamily, AddressPool>>>();

  /** @param podCidrs where a node has none of its own, or no address is left in it */
  constructor(nodes: readonly ClusterNode[], podCidrs: readonly Cidr[], autoscalers: Autoscalers) {
    this.#nodes = nodes;
    this.#byName = new Map(nodes.map((node) => [node.name, node]));
    this.#autoscalers = autoscalers;
    const of = (family: AddressFamily, from: readonly Cidr[]) => from.filter((cidr) => cidr.family === family);
    this.#shared = {
      IPv4: new AddressPool("IPv4", of("IPv4", podCidrs)),
      IPv6: new AddressPool("IPv6", of("IPv6", podCidrs)),
    };
    for (const node of nodes) {
      const pools: Partial<Record<AddressFamily, AddressPool>> = {};
      for (const family of ["IPv4", "IPv6"] as const) {
        const own = of(family, node.podCidrs);
        if (own.length > 0) pools[family] = new AddressPool(family, own);
      }
      this.#ofNode.set(node, pools);
    }
  }

  podsOf(workload: Workload): PodsOfWorkload {
    if (workload.kind === "Pod" && !isNew(workload.object)) return { pods: [this.#real(workload)], shortage: "none" };
    const isDaemon = workload.kind === "DaemonSet";
    const fitting = this.#fittingNodes(workload.pod, isDaemon);
    const replicas = isDaemon ? fitting.length : replicasOf(workload.object, this.#autoscalers);
    if (replicas === undefined) return { pods: [], shortage: "wrong-replicas" };
    if (fitting.length === 0) return { pods: [], shortage: replicas === 0 && !isDaemon ? "none" : "no-node" };
    const wanted = this.#isOnePerNode(workload) ? Math.min(replicas, fitting.length) : replicas;
    const count = Math.min(wanted, MOST_PODS, this.#left);
    this.#left -= count;
    const first = isDaemon ? 0 : hash(keyOf(workload)) % fitting.length;
    const pods = Array.from({ length: count }, (_, index) =>
      this.#pod(workload, index, fitting[(first + index) % fitting.length] as ClusterNode),
    );
    if (pods.some(({ addresses }) => addresses.IPv4 === undefined && addresses.IPv6 === undefined)) {
      return { pods, shortage: "no-address" };
    }
    return { pods, shortage: count < wanted ? "too-many" : "none" };
  }

  #fittingNodes(pod: Fields, isDaemon: boolean): readonly ClusterNode[] {
    const { nodeName, nodeSelector, affinity, tolerations, hostNetwork } = pod;
    const key = JSON.stringify([isDaemon, nodeName, nodeSelector, affinity, tolerations, hostNetwork]);
    let found = this.#fitting.get(key);
    if (found === undefined) {
      found = this.#nodes.filter((node) => fits(pod, node, isDaemon));
      this.#fitting.set(key, found);
    }
    return found;
  }

  /** Its pods take ports of their node. How many nodes a cluster has is only known where Nodes were given. */
  #isOnePerNode({ pod }: Workload): boolean {
    return this.#nodes.some(({ isAssumed }) => !isAssumed) && hostPorts(pod).length > 0;
  }

  #pod(workload: Workload, index: number, node: ClusterNode): Pod {
    const { ordinal, name } = identity(workload, index);
    const labels: Record<string, string> = { ...workload.labels };
    if (node.zone !== "") labels[ZONE] = node.zone;
    if (workload.kind === "StatefulSet") {
      labels[POD_NAME] = name;
      labels[POD_INDEX] = String(ordinal);
    }
    if (workload.kind === "Job") for (const key of JOB_NAMES) labels[key] = workload.name;
    return { workload, name, labels, node, addresses: this.#addresses(workload, index, node), ready: true };
  }

  #addresses(workload: Workload, index: number, node: ClusterNode): Pod["addresses"] {
    if (workload.pod.hostNetwork === true) return node.addresses;
    const key = `${keyOf(workload)} ${index}`;
    const found: Partial<Record<AddressFamily, string>> = {};
    for (const family of ["IPv4", "IPv6"] as const) {
      const address = this.#ofNode.get(node)?.[family]?.take(key) ?? this.#shared[family].take(key);
      if (address !== undefined) found[family] = address;
    }
    return found;
  }

  /** As a cluster has it. */
  #real(workload: Workload): Pod {
    const status = fieldsOf(workload.object.fields.status);
    const addresses: Partial<Record<AddressFamily, string>> = {};
    for (const text of [...listOf(status.podIPs).map((each) => textOf(fieldsOf(each).ip)), textOf(status.podIP)]) {
      const address = parseAddress(text);
      if (address !== undefined) addresses[address.family] ??= text;
    }
    const isReady = ({ type, status }: Fields) => type === "Ready" && status === "True";
    const ready = listOf(status.conditions).map(fieldsOf).some(isReady);
    const node = this.#byName.get(textOf(workload.pod.nodeName));
    return { workload, name: workload.name, labels: workload.labels, node, addresses, ready };
  }
}

function keyOf({ kind, namespace, name }: Workload): string {
  return `${namespace}/${name} ${kind}`;
}

/** StatefulSets number their pods; the others give them random names, so theirs are numbered too. */
function identity({ kind, name, object }: Workload, index: number): { ordinal: number; name: string } {
  const start = fieldsOf(fieldsOf(object.fields.spec).ordinals).start;
  const ordinal = kind === "StatefulSet" && isWholeNumber(start) ? start + index : index;
  return { ordinal, name: kind === "Pod" ? name : `${name}-${ordinal}` };
}
