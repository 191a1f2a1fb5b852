// Which workloads a Service's selector matches. There may be thousands of each, so they are found by their labels.
import { type Labels, matchesLabels } from "./label-selectors.ts";
import { isPodLabel } from "./pods.ts";
import type { Workload } from "./workloads.ts";

export class WorkloadIndex {
  readonly #all = new Map<string, Workload[]>();
  /** By namespace and one label. */
  readonly #byLabel = new Map<string, Workload[]>();

  /** @param workloads in the order in which they are to be found */
  constructor(workloads: readonly Workload[]) {
    for (const workload of workloads) {
      add(this.#all, workload.namespace, workload);
      for (const [key, value] of Object.entries(workload.labels)) {
        add(this.#byLabel, labelKey(workload.namespace, key, value), workload);
      }
    }
  }

  /** Those whose pods it may match: labels that only single pods have are not looked at. */
  matching(namespace: string, selector: Labels): Workload[] {
    const common = Object.entries(selector).filter(([key]) => !isPodLabel(key));
    const lists = common.map(([key, value]) => this.#byLabel.get(labelKey(namespace, key, value)) ?? []);
    const shortest = lists.reduce((a, b) => (b.length < a.length ? b : a), this.#all.get(namespace) ?? []);
    const wanted = Object.fromEntries(common);
    return shortest.filter(({ labels }) => matchesLabels(wanted, labels));
  }
}

function add(map: Map<string, Workload[]>, key: string, workload: Workload): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [workload]);
  else list.push(workload);
}

function labelKey(namespace: string, key: string, value: string): string {
  return `${namespace} ${key}=${value}`;
}
