// Where rendered rules and descriptions go.
import { join } from "node:path";
import type { Marks } from "../../shared/assumed/marks.ts";
import type { Cluster } from "../../shared/cluster.ts";
import type { ProxyConfig } from "../../shared/config/rules.ts";
import type { Batch, Family, Mode } from "../../shared/contract.ts";
import type { Description } from "../../shared/describe.ts";
import type { Diagnostic } from "../../shared/diagnostics.ts";
import { joinPieces } from "../../shared/engine.ts";
import type { Origins } from "../../shared/manifests/origins.ts";
import { type Io, write } from "../io.ts";
import { assumedCounts, markDescription } from "../output/assumed.ts";
import { type BlamedLine, withBlame } from "../output/blame.ts";
import { isDirectory, makeDirectory, unwritable, writeFileAtomically } from "../output/files.ts";
import { header } from "../output/header.ts";
import { netlinkHexdump } from "../output/netlink-hexdump.ts";
import type { RenderOptions } from "./render-options.ts";

export interface Rendering {
  options: RenderOptions;
  mode: Mode;
  config: ProxyConfig;
  cluster: Cluster;
  /** Of what is assumed. Undefined: nothing is. */
  marks: Marks | undefined;
  origins: Origins;
  io: Io;
}

/** More endpoints than a cluster has. */
const ALL = 0xffff_ffff;

/** One file to write. */
interface Result {
  /** Its name in a directory. */
  name: string;
  pieces: Iterable<Uint8Array>;
}

/** Writes what was asked for; returns what went wrong. */
export async function writeRendered(rendering: Rendering): Promise<Diagnostic | undefined> {
  const { options, io } = rendering;
  const results = options.describe ? [describe(rendering)] : rules(rendering);
  const { output } = options;
  if (output === undefined) {
    for (const { pieces } of results) for (const piece of pieces) await write(io.stdout, piece);
    return undefined;
  }
  for (const { name, pieces } of results) {
    const path = output.isDirectory ? join(output.path, name) : output.path;
    try {
      if (output.isDirectory && !(await isDirectory(path))) await makeDirectory(output.path);
      await writeFileAtomically(path, pieces);
    } catch (error) {
      return unwritable(path, error);
    }
  }
  return undefined;
}

function rules(rendering: Rendering): Result[] {
  const { mode, cluster, options } = rendering;
  if (mode !== "iptables") {
    const families: Family[] =
      options.family === undefined || options.family === "all" ? ["ipv4", "ipv6"] : [options.family];
    if (options.netlink) return [{ name: "rules.netlink", pieces: netlinkHexdump(batches(cluster, families)) }];
    return [{ name: "rules.nft", pieces: text(rendering, families) }];
  }
  const primary = () => cluster.ask((engine) => engine.node()).primaryFamily;
  const families: Family[] = options.family === "all" ? ["ipv4", "ipv6"] : [options.family ?? primary()];
  return families.map((family) => ({
    name: family === "ipv4" ? "iptables.rules" : "ip6tables.rules",
    pieces: text(rendering, [family]),
  }));
}

/** What an agent would send to an empty kernel. */
function batches(cluster: Cluster, families: Family[]): Batch[] {
  return cluster.ask((engine) => {
    engine.setEncoding("netlink");
    for (const family of families) engine.reconcile(family, [], 0);
    return engine.plan(0).filter(({ family }) => families.includes(family));
  });
}

function text({ mode, config, cluster, marks, origins, options }: Rendering, families: Family[]): Uint8Array[] {
  const node = cluster.ask((engine) => engine.node());
  const rendered = families.map((family) => cluster.ask((engine) => engine.render(family)));
  const facts = {
    mode,
    families,
    node: node.name,
    nodeKnown: node.known,
    assumed: marks === undefined ? "" : assumedCounts(marks),
    conntrackTcpBeLiberal: config.conntrackTcpBeLiberal,
    kubeVersion: options.kubeVersion,
    listeners: cluster.ask((engine) => engine.localhostListeners(ALL).listeners),
  };
  const pieces: Uint8Array[] = [new TextEncoder().encode(header(facts, rendered.flat()))];
  for (const [index, family] of families.entries()) {
    const piecesOfFamily = rendered[index] ?? [];
    if (!options.blame) pieces.push(...piecesOfFamily);
    else {
      const blamed = parseJson<BlamedLine[]>(cluster.ask((engine) => engine.blame(family)));
      pieces.push(...withBlame(joinPieces(piecesOfFamily), blamed, { index: cluster.index, marks, origins }));
    }
  }
  return pieces;
}

function describe({ options: { family }, cluster, marks }: Rendering): Result {
  const description = parseJson<Description>(cluster.ask((engine) => engine.describe()));
  const wanted = family === "ipv4" ? "IPv4" : family === "ipv6" ? "IPv6" : undefined;
  if (wanted !== undefined) {
    description.servicePorts = description.servicePorts.filter((port) => port.family === wanted);
  }
  if (marks !== undefined) markDescription(description, marks);
  return { name: "describe.json", pieces: [new TextEncoder().encode(`${JSON.stringify(description, null, 2)}\n`)] };
}

function parseJson<T>(pieces: Uint8Array[]): T {
  return JSON.parse(new TextDecoder().decode(joinPieces(pieces))) as T;
}
