import type { Cluster } from "../../shared/cluster.ts";
import {
  decidedLocalhost,
  localhostNodePortsGate,
  looksAfterLocalhost,
  namesLoopback,
} from "../../shared/config/localhost-gate.ts";
import type { ProxyConfig } from "../../shared/config/rules.ts";
import type { Mode } from "../../shared/contract.ts";
import { diagnostic } from "../../shared/diagnostics.ts";
import { plural } from "../../shared/plural.ts";
import { printable } from "../../shared/printable.ts";
import { type ExitCode, exitCode, UsageError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { assumedCounts } from "../output/assumed.ts";
import { Reporter } from "../output/diagnostics.ts";
import { skippedText, withoutWorkloads } from "../output/skipped.ts";
import { type Configured, clusterOfFiles, configOf } from "./cluster-of-files.ts";
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

  const loaded = await clusterOfFiles(options, configured, io, reporter);
  if (loaded === undefined) return false;
  const { cluster, marks, origins } = loaded;
  sayLocalhost(config, mode, options, place, reporter);

  const failure = await writeRendered({ options, mode, config, cluster, marks, origins, io });
  if (failure !== undefined) reporter.report(failure);
  sayCounts(cluster, options, reporter);
  const assumed = marks === undefined ? "" : assumedCounts(marks);
  if (assumed !== "") reporter.say(`sluice: assumed: ${assumed} (--no-assume leaves it out)`);
  return failure === undefined;
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
