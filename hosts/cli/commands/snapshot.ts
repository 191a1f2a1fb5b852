// sluice snapshot: a cluster → one file that every command reads.
import { hostname } from "node:os";
import { kubeVersionText } from "../../shared/config/kube-version.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { plural } from "../../shared/plural.ts";
import { nodeRulesObject, type Snapshot, snapshotPieces } from "../../shared/snapshot/document.ts";
import { networkKinds, workloadKinds } from "../../shared/snapshot/kinds.ts";
import { redact } from "../../shared/snapshot/redact.ts";
import { type ExitCode, exitCode } from "../exit-codes.ts";
import { type Io, write } from "../io.ts";
import { Reporter } from "../output/diagnostics.ts";
import { unwritable, writeFileAtomically } from "../output/files.ts";
import { kubeconfigPath } from "../snapshot/kubeconfig-path.ts";
import { version } from "../version.ts";
import { parseSnapshotOptions, type SnapshotOptions } from "./snapshot-options.ts";

/** Names, addresses and rules of a cluster are for whoever took them. */
const MODE = 0o600;
const VERSION_MS = 10_000;

export async function snapshot(args: string[], io: Io): Promise<ExitCode> {
  const options = await parseSnapshotOptions(args);
  const kubeconfig = kubeconfigPath(options.kubeconfig, io.env);
  const reporter = new Reporter(io, true);
  const taken = await take(options, kubeconfig, io, reporter);
  if (taken === undefined) {
    reporter.say("sluice: no snapshot is written");
    return exitCode.failure;
  }
  const pieces = snapshotPieces(options.redact ? redact(taken).snapshot : taken);
  if (options.output === undefined) {
    for (const piece of pieces) await write(io.stdout, piece);
    return exitCode.done;
  }
  try {
    await writeFileAtomically(options.output, pieces, MODE);
  } catch (error) {
    reporter.report(unwritable(options.output, error));
    return exitCode.failure;
  }
  return exitCode.done;
}

/** Undefined: something is missing, which is reported. */
async function take(
  options: SnapshotOptions,
  kubeconfig: string,
  io: Io,
  reporter: Reporter,
): Promise<Snapshot | undefined> {
  const takenAt = new Date().toISOString();
  const rules = options.nodeRules ? await nodeRules(io, reporter) : [];
  const cluster = rules === undefined ? undefined : await fromCluster(options, kubeconfig, io, reporter);
  if (rules === undefined || cluster === undefined) return undefined;
  const { kubeVersion, objects } = cluster;
  return {
    header: { writtenBy: `sluice ${version}`, takenAt, kubeVersion, redacted: false },
    objects: [...objects, ...rules],
  };
}

async function nodeRules({ env }: Io, reporter: Reporter) {
  const [{ commandRunner }, { listNodeRules, NodeRulesError }] = await Promise.all([
    import("../../agent/kernel/commands/run-command.ts"),
    import("../snapshot/node-rules.ts"),
  ]);
  try {
    const { listings, missing } = await listNodeRules(commandRunner(env.PATH));
    for (const tool of missing)
      reporter.say(`sluice: this host has no ${tool}: what it would list is not in the snapshot`);
    return [nodeRulesObject({ node: hostname().trim().toLowerCase(), listings })];
  } catch (error) {
    if (!(error instanceof NodeRulesError)) throw error;
    reporter.report(diagnostic("error", "node-rules", error.message, { hint: error.hint }));
    return undefined;
  }
}

async function fromCluster(
  { context, workloads, timeoutMs }: SnapshotOptions,
  kubeconfig: string,
  io: Io,
  reporter: Reporter,
) {
  // Loaded when it runs: commands that read files must not pay for it.
  const [{ findCluster }, { ApiClient }, { readServerVersion }, { userAgent }, { collectObjects }, { clusterError }] =
    await Promise.all([
      import("../../agent/kube/credentials/find-cluster.ts"),
      import("../../agent/kube/client/api-client.ts"),
      import("../../agent/kube/client/server-version.ts"),
      import("../../agent/kube/client/user-agent.ts"),
      import("../snapshot/collect.ts"),
      import("../snapshot/cluster-error.ts"),
    ]);
  const signal = AbortSignal.timeout(timeoutMs);
  let client: InstanceType<typeof ApiClient> | undefined;
  let lastFailure: unknown;
  const retrying = (failure: unknown) => {
    lastFailure = failure;
  };
  try {
    const access = await findCluster({ kubeconfig, ...(context === undefined ? {} : { context }) }, io.env);
    client = new ApiClient(access, { userAgent: userAgent(version) });
    const kinds = workloads ? [...networkKinds, ...workloadKinds] : networkKinds;
    const { objects, counts, absent } = await collectObjects(client, kinds, { signal, retrying });
    // For readers alone: a server that does not tell it must not cost the snapshot.
    const kubeVersion = await readServerVersion(client, AbortSignal.timeout(VERSION_MS)).catch(() => undefined);
    const read = [...counts].map(([kind, count]) => plural(count, kind));
    reporter.say(`sluice: ${read.join(", ")} from ${client.host}`);
    for (const kind of absent) reporter.say(`sluice: this API server has no ${kind}s`);
    return { objects, kubeVersion: kubeVersion === undefined ? "" : kubeVersionText(kubeVersion) };
  } catch (error) {
    reporter.report(signal.aborted ? tooSlow(timeoutMs, lastFailure) : clusterError(error));
    return undefined;
  } finally {
    await client?.close();
  }
}

/** @param lastFailure after which it was tried again; undefined: nothing failed, it only took long */
function tooSlow(timeoutMs: number, lastFailure: unknown): Diagnostic {
  const why = lastFailure instanceof Error ? `; what failed last: ${lastFailure.message}` : "";
  const message = `not all of the cluster could be read within ${timeoutMs / 1000} s${why}`;
  return diagnostic("error", "timeout", message, { hint: "try again, or give it more time: --timeout 15m" });
}
