// What all commands that read files have in common: manifests and a configuration → the cluster as one node sees it.
import { readFile } from "node:fs/promises";
import { admitSet } from "../../shared/admission/admit-set.ts";
import type { ClusterSettings } from "../../shared/admission/cluster-settings.ts";
import { assumeSet } from "../../shared/assumed/assume-set.ts";
import type { Marks } from "../../shared/assumed/marks.ts";
import { type AssumeOptions, parseCidrs } from "../../shared/assumed/options.ts";
import { Cluster } from "../../shared/cluster.ts";
import { type ConfigResult, configFromFlags, readConfig } from "../../shared/config/config.ts";
import type { KubeVersion } from "../../shared/config/kube-version.ts";
import { engineOptions, type ProxyConfig } from "../../shared/config/rules.ts";
import { asStrict } from "../../shared/config/strict.ts";
import type { Mode } from "../../shared/contract.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { fileError } from "../../shared/manifests/files.ts";
import type { Input } from "../../shared/manifests/input.ts";
import { ManifestSet } from "../../shared/manifests/manifest-set.ts";
import type { Origins } from "../../shared/manifests/origins.ts";
import { plural } from "../../shared/plural.ts";
import { UsageError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { Reporter } from "../output/diagnostics.ts";
import { readManifests } from "./read-manifests.ts";

/** Which files are read, and how. */
export interface FileOptions {
  files: string[];
  config: string | undefined;
  mode: Mode | undefined;
  /** Trimmed and in lower case, as kube-proxy takes --hostname-override. */
  node: string | undefined;
  nfacct: boolean;
  /** For what the configuration leaves to the version of Kubernetes. */
  kubeVersion: KubeVersion;
  cluster: ClusterSettings;
  /** Where the files leave something open. Undefined: nothing is assumed. */
  assume: Omit<AssumeOptions, "nodeName"> | undefined;
  /** What kube-proxy would only warn of in the configuration is an error. */
  strict: boolean;
}

export type Configured = { config: ProxyConfig; mode: Mode; place: (field: string) => Partial<Diagnostic> };

/** The configuration, --mode in its place. Undefined: it is wrong, and that is reported. */
export async function configOf(options: FileOptions, io: Io, reporter: Reporter): Promise<Configured | undefined> {
  const { config: path, mode } = options;
  const flags = mode === undefined ? [] : [{ field: "mode", value: mode, flag: "--mode" }];
  let result: ConfigResult;
  if (path === undefined) result = configFromFlags(flags);
  else {
    try {
      const bytes = path === "-" ? await io.readStdin() : await readFile(path);
      result = readConfig({ name: path === "-" ? "stdin" : path, bytes }, flags);
    } catch (error) {
      reporter.report(fileError(path, error));
      return undefined;
    }
  }
  const { config, place } = result;
  const diagnostics = options.strict ? asStrict(result.diagnostics) : result.diagnostics;
  for (const found of diagnostics) reporter.report(found);
  if (config === undefined || diagnostics.some(({ severity }) => severity === "error")) return undefined;
  return { config: config.rules, mode: config.mode, place };
}

export interface LoadedCluster {
  readonly cluster: Cluster;
  /** Of what is assumed. Undefined: nothing is. */
  readonly marks: Marks | undefined;
  readonly origins: Origins;
  /** What the engine was given. */
  readonly inputs: readonly Input[];
}

/** Reads the files and configures the engine for the node. Undefined: nothing could be read, or the options are refused. */
export async function clusterOfFiles(
  options: FileOptions,
  { config, mode, place }: Configured,
  io: Io,
  reporter: Reporter,
): Promise<LoadedCluster | undefined> {
  const cluster = new Cluster(await io.loadEngine(), reporter.report);
  const { inputs, origins } = await readManifests(options.files, io, reporter);
  const set = new ManifestSet(inputs);
  for (const found of admitSet(set, options.cluster)) reporter.report(found);
  const marks = addAssumed(set, options, config, reporter);
  const taken = set.inputs().filter((input) => cluster.apply(input));
  cluster.finish();
  if (taken.length === 0) {
    if (reporter.errors === 0) reporter.report(diagnostic("error", "no-objects", "the input holds no objects"));
    reporter.say("sluice: nothing could be read, so nothing is written");
    return undefined;
  }
  const node = nodeName(options, config, cluster, marks, reporter);
  const accepted = cluster.configure(
    engineOptions(config, { mode, node, nfacct: options.nfacct, kubeVersion: options.kubeVersion }),
    (problem) => place(problem.field),
  );
  if (!accepted) return undefined;
  cluster.reportConflicts();
  return { cluster, marks, origins, inputs: taken };
}

/** Undefined: nothing is to be assumed, or nothing is left open. */
function addAssumed(
  set: ManifestSet,
  options: FileOptions,
  config: ProxyConfig,
  reporter: Reporter,
): Marks | undefined {
  const assumptions = assumptionsOf(options, config);
  const assumed = assumptions === undefined ? undefined : assumeSet(set, assumptions);
  for (const found of assumed?.diagnostics ?? []) reporter.report(found);
  return assumed?.marks;
}

/** Undefined: nothing is to be assumed. */
export function assumptionsOf(options: FileOptions, config: ProxyConfig): AssumeOptions | undefined {
  if (options.assume === undefined) return undefined;
  const given = parseCidrs(config.clusterCidr);
  const podCidrs = typeof given === "string" ? options.assume.podCidrs : given;
  const { nodePorts } = options.cluster;
  return { ...options.assume, podCidrs, nodePorts, nodeName: wantedNode(options, config) };
}

/** Empty: nobody has said it. */
function wantedNode(options: FileOptions, config: ProxyConfig): string {
  return options.node ?? config.hostnameOverride;
}

/** Names listed in a message; a cluster may have thousands. */
const namesAtMost = 10;

function nodeName(
  options: FileOptions,
  config: ProxyConfig,
  cluster: Cluster,
  marks: Marks | undefined,
  reporter: Reporter,
): string {
  const nodes = cluster.ask((engine) => engine.nodes());
  const list = nodes.slice(0, namesAtMost).join(", ") + (nodes.length > namesAtMost ? ", …" : "");
  const wanted = wantedNode(options, config);
  if (marks?.firstNode !== undefined) {
    const name = wanted === "" ? marks.firstNode.name : wanted;
    const message = `no Node object was given: ${plural(nodes.length, "Node")} assumed, and these are the rules of ${name}`;
    const hint = "give the Nodes too, or say --nodes N, --zones a,b and --node NAME";
    reporter.report(diagnostic("note", "no-node", message, { hint }));
    return name;
  }
  if (wanted === "") {
    if (nodes.length > 1) {
      throw new UsageError(`the input has ${nodes.length} Nodes: ${list}`, "say whose rules to render: --node NAME");
    }
    if (nodes[0] !== undefined) return nodes[0];
    const message = "no Node object was given: a node without addresses, zone and podCIDRs is assumed";
    reporter.report(diagnostic("note", "no-node", message));
    return "";
  }
  if (nodes.includes(wanted)) return wanted;
  const assumed = `node ${wanted} is assumed to have no addresses, zone and podCIDRs`;
  const found =
    nodes.length === 0
      ? diagnostic("note", "no-node", `no Node object was given: ${assumed}`)
      : diagnostic("warning", "unknown-node", `none of the Nodes is ${wanted}: ${assumed}`, {
          hint: `there is ${list}`,
        });
  reporter.report(found);
  return wanted;
}
