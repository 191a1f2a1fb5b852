// What the objects ask of a node: the rules that the engine writes for them, and what the witness has to know about them.
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
}

/** Undefined: the files can't be read, which is reported. */
export async function rulesOfFiles(options: FileOptions, io: Io, reporter: Reporter): Promise<AskedRules | undefined> {
  const configured = await configOf(options, io, reporter);
  if (configured === undefined) return undefined;
  const loaded = await clusterOfFiles(options, configured, io, reporter);
  if (loaded === undefined) return undefined;
  const { cluster } = loaded;
  const node = cluster.ask((engine) => engine.node());
  const families: Family[] = ["ipv4", "ipv6"];
  const texts = families.map((family) => ({
    name: `what ${configured.mode} mode writes for ${family}`,
    bytes: joinPieces(cluster.ask((engine) => engine.render(family))),
  }));
  const described = joinPieces(cluster.ask((engine) => engine.describe()));
  const description = JSON.parse(new TextDecoder().decode(described)) as Description;
  return {
    mode: configured.mode,
    node: node.name,
    texts,
    local: [node.ipv4, node.ipv6],
    entryPoints: new EntryPoints(description),
  };
}
