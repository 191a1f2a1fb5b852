// What the objects ask of a node: the rules that the engine writes for them, and what the witness has to know about them.
import type { Cluster } from "../../shared/cluster.ts";
import { engineOptions } from "../../shared/config/rules.ts";
import type { Family, Mode } from "../../shared/contract.ts";
import type { Description } from "../../shared/describe.ts";
import { joinPieces } from "../../shared/engine.ts";
import { EntryPoints } from "../../shared/entry-points.ts";
import type { RuleText } from "../../shared/rule-lines.ts";
import type { Io } from "../io.ts";
import type { Reporter } from "../output/diagnostics.ts";
import { clusterOfFiles, configOf, type FileOptions } from "./cluster-of-files.ts";

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
}

/** Undefined: the files can't be read, which is reported. */
export async function rulesOfFiles(options: FileOptions, io: Io, reporter: Reporter): Promise<AskedRules | undefined> {
  const configured = await configOf(options, io, reporter);
  if (configured === undefined) return undefined;
  const loaded = await clusterOfFiles(options, configured, io, reporter);
  return loaded === undefined ? undefined : rulesOfCluster(loaded.cluster, configured.mode);
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
  const rulesBefore = rulesOfCluster(cluster, first.mode);
  // The configuration's problems have been told; a file that was read once is read the same again.
  const second = await configOf({ ...options, mode: after }, io, reporter);
  if (second === undefined) return undefined;
  const { nfacct, kubeVersion } = options;
  const node = rulesBefore.node;
  const engine = engineOptions(second.config, { mode: second.mode, node, nfacct, kubeVersion });
  if (!cluster.configure(engine, (problem) => second.place(problem.field))) return undefined;
  return [rulesBefore, rulesOfCluster(cluster, second.mode)];
}

function rulesOfCluster(cluster: Cluster, mode: Mode): AskedRules {
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
  };
}
