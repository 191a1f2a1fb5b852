// One side of a comparison: files → a cluster that can be seen from any node, and what is wrong with it.

import { hasBeenSeen } from "../../shared/admission/admit.ts";
import { admitSet } from "../../shared/admission/admit-set.ts";
import { assumeSet } from "../../shared/assumed/assume-set.ts";
import type { Marks } from "../../shared/assumed/marks.ts";
import { Cluster } from "../../shared/cluster.ts";
import { engineOptions } from "../../shared/config/rules.ts";
import type { Options } from "../../shared/contract.ts";
import type { DescribedServicePort } from "../../shared/describe.ts";
import { type Diagnostic, diagnostic, isRefusal } from "../../shared/diagnostics.ts";
import type { NodeView } from "../../shared/diff/comparison.ts";
import { DescribedPorts } from "../../shared/diff/described-ports.ts";
import type { ServiceContent } from "../../shared/diff/renames.ts";
import { type EngineModule, joinPieces } from "../../shared/engine.ts";
import { type Found, readSources } from "../../shared/manifests/files.ts";
import { jsonInput } from "../../shared/manifests/input.ts";
import { ManifestSet } from "../../shared/manifests/manifest-set.ts";
import {
  type Fields,
  fieldsOf,
  listOf,
  type ManifestObject,
  objectsOf,
  textOf,
} from "../../shared/manifests/objects.ts";
import type { Origins } from "../../shared/manifests/origins.ts";
import type { Io } from "../io.ts";
import { assumedCounts, markPort } from "../output/assumed.ts";
import { assumptionsOf, type Configured, type FileOptions } from "./cluster-of-files.ts";
import { type Content, contentOf, serviceOfObject } from "./diff-content.ts";
import { filesOfCommit } from "./git-files.ts";
import { readFound } from "./read-manifests.ts";

/** Where a side comes from. */
export type Location =
  | { readonly kind: "files"; readonly name: string; readonly paths: readonly string[] }
  | { readonly kind: "commit"; readonly name: string; readonly ref: string; readonly paths: readonly string[] };

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly origin: string;
}

/** A cluster that can be looked at from any node. */
export interface SeenFromNodes {
  /** Looks from the node. False: the options are refused. */
  configure(node: string): boolean;
  /** As the node sees it for which it was configured last. */
  view(): NodeView;
}

export class DiffSide implements SeenFromNodes {
  readonly name: string;
  readonly diagnostics: readonly Diagnostic[];
  /** False: part of it could not be read. */
  readonly complete: boolean;
  readonly assumed: string;
  readonly #module: EngineModule;
  readonly #cluster: Cluster;
  readonly #marks: Marks | undefined;
  readonly #origins: Origins;
  readonly #set: ManifestSet;
  readonly #configured: Configured;
  readonly #options: FileOptions;
  readonly #collected: Collected;
  readonly #conflicts = new Set<Diagnostic>();
  #parsed: readonly ManifestObject[] = [];

  private constructor(
    name: string,
    parts: {
      module: EngineModule;
      cluster: Cluster;
      marks: Marks | undefined;
      origins: Origins;
      set: ManifestSet;
      collected: Collected;
    },
    configured: Configured,
    options: FileOptions,
  ) {
    const { module, cluster, marks, origins, set, collected } = parts;
    this.name = name;
    this.#module = module;
    this.#cluster = cluster;
    this.#marks = marks;
    this.#origins = origins;
    this.#set = set;
    this.#collected = collected;
    this.#configured = configured;
    this.#options = options;
    this.diagnostics = collected.diagnostics;
    const isLost = (found: Diagnostic) => found.severity === "error" && !isRefusal(found);
    this.complete = !collected.diagnostics.some(isLost);
    this.assumed = marks === undefined ? "" : assumedCounts(marks);
  }

  static async read(location: Location, options: FileOptions, configured: Configured, io: Io): Promise<DiffSide> {
    const collected = new Collected(location.kind === "commit" ? `${location.ref}:` : "");
    const module = await io.loadEngine();
    const cluster = new Cluster(module, collected.report);
    const { inputs, origins } = await readFound(await foundIn(location, io), io, collected);
    const set = new ManifestSet(inputs);
    for (const found of admitSet(set, options.cluster)) collected.report(found);
    const assumptions = assumptionsOf(options, configured.config);
    const assumed = assumptions === undefined ? undefined : assumeSet(set, assumptions);
    for (const found of assumed?.diagnostics ?? []) collected.report(found);
    for (const input of set.inputs()) cluster.apply(input);
    cluster.finish();
    return new DiffSide(
      location.name,
      { module, cluster, marks: assumed?.marks, origins, set, collected },
      configured,
      options,
    );
  }

  /** Names of its Nodes, sorted. */
  nodes(): string[] {
    return this.#cluster.ask((engine) => engine.nodes()).sort();
  }

  get services(): number {
    return this.#cluster.counts.objects.service;
  }

  /** Looks from the node. False: the options are refused, which is in `diagnostics`. */
  configure(node: string): boolean {
    const { place } = this.#configured;
    return this.#cluster.configure(this.#engineOptions(node), (problem) => place(problem.field));
  }

  /** What its Services and Nodes are made of. Parses all objects, which then wait for `only`. */
  content(): Content {
    this.#parsed = this.#set.inputs().flatMap((input) => [...objectsOf(input)]);
    return contentOf(this.#parsed);
  }

  /**
   * After `content`: the same with these Services alone, and all Nodes. What is wrong with it is known already.
   *
   * @param services `namespace/name`
   */
  only(services: ReadonlySet<string>): SeenFromNodes {
    const items: Fields[] = [];
    for (const object of this.#parsed) {
      const service = serviceOfObject(object);
      const isWanted = service === undefined ? isOfAll(object) : services.has(service);
      if (isWanted) items.push({ ...object.fields, kind: object.kind, apiVersion: object.apiVersion });
    }
    this.#parsed = [];
    const cluster = new Cluster(this.#module, () => {});
    cluster.apply(jsonInput("", new TextEncoder().encode(JSON.stringify({ apiVersion: "v1", kind: "List", items }))));
    cluster.finish();
    return {
      configure: (node) => cluster.configure(this.#engineOptions(node), () => ({})),
      view: () => this.#viewOf(cluster),
    };
  }

  #engineOptions(node: string): Options {
    const { config, mode } = this.#configured;
    const { nfacct, kubeVersion } = this.#options;
    return engineOptions(config, { mode, node, nfacct, kubeVersion });
  }

  /** As the node sees it for which it was configured last. */
  view(): NodeView {
    return this.#viewOf(this.#cluster);
  }

  #viewOf(cluster: Cluster): NodeView {
    const pieces = cluster.ask((engine) => engine.describe());
    const marks = this.#marks;
    return {
      ports: new DescribedPorts(new TextDecoder().decode(joinPieces(pieces))),
      mark: (port: DescribedServicePort) => {
        if (marks !== undefined) markPort(port, marks);
      },
    };
  }

  /** Two Services that claim one address are no bad input: a gate judges them. */
  reportConflicts(): void {
    const before = this.diagnostics.length;
    this.#cluster.reportConflicts();
    for (const found of this.diagnostics.slice(before)) this.#conflicts.add(found);
  }

  /** What makes it bad input. */
  errors(): Diagnostic[] {
    return this.diagnostics.filter((found) => found.severity === "error" && !this.#conflicts.has(found));
  }

  /** Rule text of both families. */
  rules(): string {
    const families = ["ipv4", "ipv6"] as const;
    const pieces = families.map((family) => joinPieces(this.#cluster.ask((engine) => engine.render(family))));
    return pieces.map((piece) => new TextDecoder().decode(piece)).join("");
  }

  /** Where the Service's field stands. Undefined: no file has it. */
  place(service: string, field: string): Place | undefined {
    const [namespace = "", name = ""] = service.split("/");
    const find = (where: string) => this.#cluster.index.place({ kind: "Service", namespace: where, name, field });
    const found = find(namespace) ?? (namespace === "default" ? find("") : undefined);
    if (found === undefined) return undefined;
    const { file, line } = found;
    return { file: this.#collected.fileName(file), line, origin: this.#origins.of(file, line) };
  }

  /** What these Services are by, but for their names. */
  contents(services: ReadonlySet<string>): ServiceContent[] {
    if (services.size === 0) return [];
    const found: ServiceContent[] = [];
    for (const { kind, namespace, name, fields } of this.#set.objects()) {
      const service = `${namespace || "default"}/${name}`;
      if (kind !== "Service" || !services.has(service)) continue;
      const spec = fieldsOf(fields.spec);
      const ports = listOf(spec.ports).map((port) => {
        const { port: number, protocol = "TCP", targetPort = number } = fieldsOf(port);
        return `${number}/${protocol} ${targetPort}`;
      });
      const selector = Object.entries(fieldsOf(spec.selector)).sort(([a], [b]) => (a < b ? -1 : 1));
      // Addresses that a cluster chose tell as much as a selector.
      const addresses = hasBeenSeen(fieldsOf(fields.metadata)) ? listOf(spec.clusterIPs) : [];
      const isTellable = selector.length > 0 || addresses.length > 0;
      const content = JSON.stringify([ports.sort(), selector, textOf(spec.type) || "ClusterIP", addresses]);
      found.push({ service, content: isTellable ? content : "" });
    }
    return found;
  }

  /** Why the Service was left out; undefined: it was not. */
  refusal(service: string): Diagnostic | undefined {
    return this.diagnostics.find(
      ({ severity, kind, namespace, name }) =>
        severity === "error" && kind === "Service" && `${namespace || "default"}/${name}` === service,
    );
  }
}

/** Nodes and what no Service has. */
function isOfAll({ kind }: ManifestObject): boolean {
  return kind === "Node" || kind === "ServiceCIDR";
}

/** What is said of a side, each thing once however many nodes it is asked for. */
class Collected {
  readonly diagnostics: Diagnostic[] = [];
  beforePrint: () => void = () => {};
  originOf: (file: string, line: number) => string = () => "";
  readonly #prefix: string;
  readonly #known = new Set<string>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  readonly report = (found: Diagnostic): void => {
    const origin = found.origin ?? this.originOf(found.file, found.line);
    const whole = { ...found, file: this.fileName(found.file), origin };
    const key = JSON.stringify(whole);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.diagnostics.push(whole);
  };

  /** As git names files of commits: `main:web.yaml`. */
  fileName(file: string): string {
    return file === "" ? "" : `${this.#prefix}${file}`;
  }
}

async function foundIn(location: Location, io: Io): Promise<AsyncIterable<Found> | Found[]> {
  if (location.kind === "commit") return filesOfCommit(location.ref, location.paths, process.cwd());
  return withoutEmpty(readSources(location.paths, () => io.readStdin()));
}

/** A side without a single manifest is a cluster without Services: all of them appear, or are gone. */
async function* withoutEmpty(found: AsyncIterable<Found>): AsyncGenerator<Found> {
  for await (const each of found) {
    if ("diagnostic" in each && each.diagnostic.code === "no-manifests") {
      const { message, file } = each.diagnostic;
      yield { diagnostic: diagnostic("warning", "no-manifests", message, { file }) };
    } else yield each;
  }
}
