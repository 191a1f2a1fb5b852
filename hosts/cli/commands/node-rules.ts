// What the objects ask of a node: the rules that the engine writes for them, and what the witness has to know about them.
import { engineOptions } from "../../shared/config/rules.ts";
import type { Family, Mode } from "../../shared/contract.ts";
import type { Description } from "../../shared/describe.ts";
import { joinPieces } from "../../shared/engine.ts";
import { EntryPoints } from "../../shared/entry-points.ts";
import type { Input } from "../../shared/manifests/input.ts";
import { fieldsOf, isEndpointSlice, listOf, objectsOf, textOf } from "../../shared/manifests/objects.ts";
import type { RuleText } from "../../shared/rule-lines.ts";
import type { Io } from "../io.ts";
import { type BlamedLine, ownerText } from "../output/blame.ts";
import type { Reporter } from "../output/diagnostics.ts";
import { clusterOfFiles, configOf, type FileOptions, type LoadedCluster } from "./cluster-of-files.ts";

export interface AskedRules {
  readonly mode: Mode;
  readonly node: string;
  /** Both families'. */
  readonly texts: readonly RuleText[];
  /** The node's own addresses, by its Node. */
  readonly local: readonly string[];
  readonly entryPoints: EntryPoints;
  /** Endpoints that are not on this node. */
  readonly elsewhere: readonly string[];
  /** By place in `texts` and line: the objects and fields that a rule comes from. Asks the engine anew each time. */
  readonly owners: (text: number) => ReadonlyMap<number, readonly string[]>;
  /** Addresses of a pod `namespace/name`, by the EndpointSlices that have it, and Pods. */
  readonly podAddresses: (name: string) => string[];
}

/** Undefined: the files can't be read, which is reported. */
export async function rulesOfFiles(options: FileOptions, io: Io, reporter: Reporter): Promise<AskedRules | undefined> {
  const configured = await configOf(options, io, reporter);
  if (configured === undefined) return undefined;
  const loaded = await clusterOfFiles(options, configured, io, reporter);
  return loaded === undefined ? undefined : rulesOfCluster(loaded, configured.mode);
}

/** As `rulesOfFiles`, in two modes. */
export async function rulesInModes(
  options: FileOptions,
  modes: readonly [Mode, Mode],
  io: Io,
  reporter: Reporter,
): Promise<readonly [AskedRules, AskedRules] | undefined> {
  const [before, after] = modes;
  const first = await configOf({ ...options, mode: before }, io, reporter);
  if (first === undefined) return undefined;
  const loaded = await clusterOfFiles(options, first, io, reporter);
  if (loaded === undefined) return undefined;
  const { cluster } = loaded;
  const rulesBefore = rulesOfCluster(loaded, first.mode);
  // The configuration's problems have been told; a file that was read once is read the same again.
  const second = await configOf({ ...options, mode: after }, io, reporter);
  if (second === undefined) return undefined;
  const { nfacct, kubeVersion } = options;
  const node = rulesBefore.node;
  const engine = engineOptions(second.config, { mode: second.mode, node, nfacct, kubeVersion });
  if (!cluster.configure(engine, (problem) => second.place(problem.field))) return undefined;
  return [rulesBefore, rulesOfCluster(loaded, second.mode)];
}

function rulesOfCluster({ cluster, marks, origins, inputs }: LoadedCluster, mode: Mode): AskedRules {
  const node = cluster.ask((engine) => engine.node());
  const families: Family[] = ["ipv4", "ipv6"];
  const texts = families.map((family) => ({
    name: `what ${mode} mode writes for ${family}`,
    bytes: joinPieces(cluster.ask((engine) => engine.render(family))),
  }));
  const described = joinPieces(cluster.ask((engine) => engine.describe()));
  const description = JSON.parse(new TextDecoder().decode(described)) as Description;
  const endpoints = description.servicePorts.flatMap((port) => port.endpoints);
  return {
    mode,
    node: node.name,
    texts,
    local: [node.ipv4, node.ipv6],
    entryPoints: new EntryPoints(description),
    elsewhere: [...new Set(endpoints.filter(({ local }) => !local).map(({ address }) => address))],
    owners: (text) => {
      const pieces = cluster.ask((engine) => engine.blame(families[text] ?? "ipv4"));
      const blamed = JSON.parse(new TextDecoder().decode(joinPieces(pieces))) as BlamedLine[];
      const context = { index: cluster.index, marks, origins };
      return new Map(blamed.map(({ line, owners }) => [line, owners.map((owner) => ownerText(owner, context))]));
    },
    podAddresses: (name) => podAddresses(inputs, name),
  };
}

function podAddresses(inputs: readonly Input[], name: string): string[] {
  const found = new Set<string>();
  for (const object of inputs.flatMap((input) => [...objectsOf(input)])) {
    const { kind, namespace, fields } = object;
    if (kind === "Pod" && `${namespace}/${object.name}` === name) {
      for (const ip of listOf(fieldsOf(fields.status).podIPs)) found.add(textOf(fieldsOf(ip).ip));
    }
    if (!isEndpointSlice(object)) continue;
    for (const endpoint of listOf(fields.endpoints).map(fieldsOf)) {
      const target = fieldsOf(endpoint.targetRef);
      if (target.kind !== "Pod" || `${textOf(target.namespace) || namespace}/${textOf(target.name)}` !== name) continue;
      for (const address of listOf(endpoint.addresses)) found.add(textOf(address));
    }
  }
  found.delete("");
  return [...found];
}
