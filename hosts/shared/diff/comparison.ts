// Compares two clusters node by node, and puts together what several nodes and families see alike.
import type { AddressFamily, DescribedServicePort } from "../describe.ts";
import { changesOfLostPort, changesOfNewPort, changesOfPort, portText } from "./behaviour.ts";
import type { Change } from "./changes.ts";
import type { DescribedPorts } from "./described-ports.ts";
import { entryPointText } from "./entry-points.ts";

/** One cluster as one node sees it. `mark` says what of a port is assumed, in place. */
export interface NodeView {
  readonly ports: DescribedPorts;
  mark(port: DescribedServicePort): void;
}

/** A change of one Service, and who sees it. */
export interface SeenChange {
  readonly change: Change;
  readonly families: readonly AddressFamily[];
  /** Sorted. */
  readonly nodes: readonly string[];
}

export class Comparison {
  /** Base's name → head's, of Services that are the same under another name. */
  readonly #renamed: ReadonlyMap<string, string>;
  /** Service, as head names it → change → who sees it in which family. */
  readonly #seen = new Map<string, Map<string, Sighting>>();

  constructor(renamed: ReadonlyMap<string, string> = new Map()) {
    this.#renamed = renamed;
  }

  addNode(node: string, base: NodeView, head: NodeView): void {
    const before = new Map<string, DescribedServicePort>();
    for (const port of base.ports.notIn(head.ports)) {
      base.mark(port);
      const [namespace = port.namespace, service = port.service] = this.#renamed.get(serviceOf(port))?.split("/") ?? [];
      before.set(keyOf({ ...port, namespace, service }), { ...port, namespace, service });
    }
    const olds = base.ports.services();
    const names = head.ports.services();
    for (const [old, now] of this.#renamed) {
      olds.delete(old);
      olds.add(now);
    }
    const appearing = new Map<string, DescribedServicePort[]>();
    for (const after of head.ports.notIn(base.ports)) {
      head.mark(after);
      const old = before.get(keyOf(after));
      before.delete(keyOf(after));
      const service = serviceOf(after);
      const isNew = !olds.has(service);
      if (isNew) appearing.set(service, [...(appearing.get(service) ?? []), after]);
      const changes = old === undefined ? changesOfNewPort(after, isNew) : changesOfPort(old, after);
      for (const change of changes) this.#add(service, change, after.family, node);
    }
    for (const [service, ports] of appearing) {
      const change = { kind: "service-appears", text: `appears: ${listOfEntryPoints(ports)}`, gates: [] } as const;
      this.#addWhole(service, change, ports, node);
    }
    const going = new Map<string, DescribedServicePort[]>();
    for (const old of before.values()) {
      const service = serviceOf(old);
      if (!names.has(service)) going.set(service, [...(going.get(service) ?? []), old]);
      else for (const change of changesOfLostPort(old)) this.#add(service, change, old.family, node);
    }
    for (const [service, ports] of going) {
      const text = `disappears: ${listOfEntryPoints(ports)}`;
      this.#addWhole(service, { kind: "service-disappears", text, gates: ["unreachable"] }, ports, node);
    }
  }

  /** By Service, sorted; changes as they were found. */
  result(): Map<string, SeenChange[]> {
    const sorted = [...this.#seen].sort(([a], [b]) => (a < b ? -1 : 1));
    return new Map(sorted.map(([service, sightings]) => [service, seenBy([...sightings.values()])]));
  }

  #addWhole(
    service: string,
    change: Pick<Change, "kind" | "text" | "gates">,
    ports: readonly DescribedServicePort[],
    node: string,
  ): void {
    const whole = { ...change, port: "", entryPoint: "", traffic: "", field: "" } as const;
    for (const family of new Set(ports.map((port) => port.family))) this.#add(service, whole, family, node);
  }

  #add(service: string, change: Change, family: AddressFamily, node: string): void {
    let sightings = this.#seen.get(service);
    if (sightings === undefined) {
      sightings = new Map();
      this.#seen.set(service, sightings);
    }
    const key = JSON.stringify(change);
    let sighting = sightings.get(key);
    if (sighting === undefined) {
      sighting = { change, nodes: new Map() };
      sightings.set(key, sighting);
    }
    const nodes = sighting.nodes.get(family);
    if (nodes === undefined) sighting.nodes.set(family, new Set([node]));
    else nodes.add(node);
  }
}

interface Sighting {
  readonly change: Change;
  readonly nodes: Map<AddressFamily, Set<string>>;
}

/** Of a change that both families have, one that says so, where the same nodes see it. */
function seenBy(sightings: readonly Sighting[]): SeenChange[] {
  const result: SeenChange[] = [];
  for (const { change, nodes } of sightings) {
    const byNodes = new Map<string, { families: AddressFamily[]; nodes: string[] }>();
    for (const [family, names] of [...nodes].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const sorted = [...names].sort();
      const known = byNodes.get(sorted.join(","));
      if (known === undefined) byNodes.set(sorted.join(","), { families: [family], nodes: sorted });
      else known.families.push(family);
    }
    for (const seen of byNodes.values()) result.push({ change, ...seen });
  }
  return result;
}

function serviceOf({ namespace, service }: DescribedServicePort): string {
  return `${namespace}/${service}`;
}

/** A port is the same by what packets have: its name is nothing to them. */
function keyOf(port: DescribedServicePort): string {
  return `${serviceOf(port)} ${portText(port)} ${port.family}`;
}

function listOfEntryPoints(ports: readonly DescribedServicePort[]): string {
  const texts = ports.flatMap((port) =>
    port.entryPoints.map((entryPoint) => {
      const isNodePort = entryPoint.kind === "NodePort";
      return isNodePort ? entryPointText(entryPoint) : `${entryPointText(entryPoint)} port ${portText(port)}`;
    }),
  );
  return [...new Set(texts)].join(", ");
}
