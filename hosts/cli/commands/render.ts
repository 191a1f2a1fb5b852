// sluice render: objects → rules.
import { readFile } from "node:fs/promises";
import { admitSet } from "../../shared/admission/admit-set.ts";
import { assumeSet } from "../../shared/assumed/assume-set.ts";
import type { Marks } from "../../shared/assumed/marks.ts";
import { parseCidrs } from "../../shared/assumed/options.ts";
import { Cluster } from "../../shared/cluster.ts";
import { type ConfigResult, configFromFlags, readConfig } from "../../shared/config/config.ts";
import {
  decidedLocalhost,
  localhostNodePortsGate,
  looksAfterLocalhost,
  namesLoopback,
} from "../../shared/config/localhost-gate.ts";
import { engineOptions, type ProxyConfig } from "../../shared/config/rules.ts";
import { asStrict } from "../../shared/config/strict.ts";
import type { Mode } from "../../shared/contract.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { fileError } from "../../shared/manifests/files.ts";
import { ManifestSet } from "../../shared/manifests/manifest-set.ts";
import { plural } from "../../shared/plural.ts";
import { printable } from "../../shared/printable.ts";
import { type ExitCode, exitCode, UsageError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { assumedCounts } from "../output/assumed.ts";
import { Reporter } from "../output/diagnostics.ts";
import { skippedText, withoutWorkloads } from "../output/skipped.ts";
import { readManifests } from "./read-manifests.ts";
import { parseRenderOptions, type RenderOptions } from "./render-options.ts";
import { writeRendered } from "./render-output.ts";

export async function render(args: string[], io: Io): Promise<ExitCode> {
  const options = await parseRenderOptions(args);
  const reporter = new Reporter(io, options.verbose);
  try {
    const done = await renderInto(options, io, reporter);
    const errors = options.keepGoing ? reporter.errorsBeyondRefusals : reporter.errors;
    return done && errors === 0 ? exitCode.done : exitCode.failure;
  } finally {
    reporter.finish();
  }
}

/** Returns false if nothing could be written. */
async function renderInto(options: RenderOptions, io: Io, reporter: Reporter): Promise<boolean> {
  const configured = await configOf(options, io, reporter);
  if (configured === undefined) return false;
  const { config, mode, place } = configured;
  checkOutput(options, mode);

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
    return false;
  }

  const node = nodeName(options, config, cluster, marks, reporter);
  const accepted = cluster.configure(
    engineOptions(config, { mode, node, nfacct: options.nfacct, kubeVersion: options.kubeVersion }),
    (problem) => place(problem.field),
  );
  if (!accepted) return false;
  cluster.reportConflicts();
  sayLocalhost(config, mode, options, place, reporter);

  const failure = await writeRendered({ options, mode, config, cluster, marks, origins, io });
  if (failure !== undefined) reporter.report(failure);
  sayCounts(cluster, options, reporter);
  const assumed = marks === undefined ? "" : assumedCounts(marks);
  if (assumed !== "") reporter.say(`sluice: assumed: ${assumed} (--no-assume leaves it out)`);
  return failure === undefined;
}

type Configured = { config: ProxyConfig; mode: Mode; place: (field: string) => Partial<Diagnostic> };

/** The configuration, --mode in its place. Undefined: it is wrong, and that is reported. */
async function configOf(options: RenderOptions, io: Io, reporter: Reporter): Promise<Configured | undefined> {
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

/** Node ports that are asked for on loopback addresses, and are not there. */
function sayLocalhost(
  config: ProxyConfig,
  mode: Mode,
  { kubeVersion }: RenderOptions,
  place: Configured["place"],
  reporter: Reporter,
): void {
  if (mode === "iptables" || !namesLoopback(config.nodePortAddresses)) return;
  if (looksAfterLocalhost(config.localhostGates, kubeVersion)) return;
  const message = `${localhostNodePortsGate} is off, so node ports do not answer on the loopback addresses that are named here`;
  const byGate = `by featureGates.${localhostNodePortsGate}: true`;
  const isOpen = decidedLocalhost(config.localhostGates, mode) === undefined;
  const hint = isOpen ? `it is on with --kube-version 1.38 or newer, or ${byGate}` : `it is on ${byGate}`;
  const field = "nodePortAddresses";
  reporter.report(diagnostic("warning", "localhost-node-ports", message, { field, hint, ...place(field) }));
}

/** Says what is wrong with the combination of mode, family and output before anything is read. */
function checkOutput({ family, output, describe, netlink }: RenderOptions, mode: Mode): void {
  if (mode === "iptables" && netlink) {
    throw new UsageError("iptables mode is not written by netlink", "use --mode flat or nftables");
  }
  if (mode !== "iptables" || family !== "all" || describe) return;
  const hint = "write -o DIR/ to get iptables.rules and ip6tables.rules";
  if (output === undefined) throw new UsageError("iptables rules of both families are two files", hint);
  if (!output.isDirectory) throw new UsageError(`-o ${output.path}: two files need a directory`, hint);
}

/** Undefined: nothing is to be assumed, or nothing is left open. */
function addAssumed(
  set: ManifestSet,
  options: RenderOptions,
  config: ProxyConfig,
  reporter: Reporter,
): Marks | undefined {
  if (options.assume === undefined) return undefined;
  const given = parseCidrs(config.clusterCidr);
  const podCidrs = typeof given === "string" ? options.assume.podCidrs : given;
  const { nodePorts } = options.cluster;
  const assumed = assumeSet(set, { ...options.assume, podCidrs, nodePorts, nodeName: wantedNode(options, config) });
  for (const found of assumed?.diagnostics ?? []) reporter.report(found);
  return assumed?.marks;
}

/** Empty: nobody has said it. */
function wantedNode(options: RenderOptions, config: ProxyConfig): string {
  return options.node ?? config.hostnameOverride;
}

/** Names listed in a message; a cluster may have thousands. */
const namesAtMost = 10;

function nodeName(
  options: RenderOptions,
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

function sayCounts({ counts }: Cluster, options: RenderOptions, reporter: Reporter): void {
  const { verbose } = options;
  const { objects, withoutClusterIp, skipped } = counts;
  if (verbose) {
    const read = [
      plural(objects.service, "Service"),
      plural(objects["endpoint-slice"], "EndpointSlice"),
      plural(objects.node, "Node"),
      plural(objects["service-cidr"], "ServiceCIDR"),
    ];
    reporter.say(`sluice: read ${read.join(", ")}`);
  }
  const { headless, externalName, unassigned } = withoutClusterIp;
  if (unassigned > 0) {
    const remedy = "set spec.clusterIP, or take them from a cluster (kubectl get services -A -o yaml)";
    reporter.say(`sluice: ${plural(unassigned, "Service")} without a cluster IP: no rules; ${remedy}`);
  }
  if (verbose && headless > 0) reporter.say(`sluice: ${plural(headless, "headless Service")}: no rules`);
  if (verbose && externalName > 0) {
    reporter.say(`sluice: ${plural(externalName, "Service")} of type ExternalName: no rules`);
  }
  const others = options.assume === undefined ? skipped : withoutWorkloads(skipped);
  const text = skippedText(others);
  if (text === "") return;
  reporter.say(`sluice: skipped ${text}${verbose ? ":" : " (-v lists them)"}`);
  if (!verbose) return;
  for (const [file, kinds] of others) {
    const list = [...kinds].map(([kind, count]) => `${count} ${kind === "" ? "without kind" : kind}`);
    reporter.say(`  ${printable(file)}: ${printable(list.join(", "), 2000)}`);
  }
}
