// Asks the kernel at the start whether it has what our rules need. Each feature is tried in a batch that is never committed:
// the kernel checks the whole batch, answers for each message, and takes everything back.

import { type BatchError, sendBatch } from "../batches/batch.ts";
import { BatchWriter } from "../messages/batch-writer.ts";
import { EPERM } from "../messages/errno.ts";
import { NLM_F_ACK, NLM_F_CREATE } from "../messages/uapi.ts";
import type { NetlinkSocket } from "../sockets/socket.ts";
import { type Family, FEATURES, type Feature, IPV4, IPV6, TABLE } from "./probe-features.ts";

export interface MissingFeature {
  /** "ip" or "ip6" */
  readonly family: "ip" | "ip6";
  readonly feature: Feature;
  /** What the kernel answered. */
  readonly error: BatchError;
}

export type ProbeResult =
  | { readonly outcome: "supported" }
  | { readonly outcome: "missing"; readonly missing: readonly MissingFeature[]; readonly message: string }
  /** No CAP_NET_ADMIN. */
  | { readonly outcome: "not-permitted"; readonly message: string }
  /** The kernel did not answer as it should: try again. */
  | { readonly outcome: "unknown"; readonly message: string };

const FAMILIES = { ip: IPV4, ip6: IPV6 } as const;
type FamilyName = keyof typeof FAMILIES;

export interface ProbeOptions {
  readonly families?: readonly FamilyName[];
  readonly features?: readonly Feature[];
}

/** @throws {NetlinkError} the socket is closed or broken */
export async function probeKernel(socket: NetlinkSocket, options: ProbeOptions = {}): Promise<ProbeResult> {
  const missing: MissingFeature[] = [];
  for (const name of options.families ?? (["ip", "ip6"] as const)) {
    const { bytes, features } = write(FAMILIES[name], options.features ?? FEATURES);
    const result = await sendBatch(socket, bytes, { dryRun: true });
    if (result.outcome === "acknowledged") continue;
    if (result.outcome !== "refused") {
      return { outcome: "unknown", message: "the kernel did not answer the feature probe; try again" };
    }
    const whole = result.errors.find((error) => error.subject.kind === "batch");
    if (whole !== undefined) {
      if (whole.errno !== EPERM) return { outcome: "unknown", message: whole.message };
      return {
        outcome: "not-permitted",
        message: "needs CAP_NET_ADMIN in the network namespace whose rules it writes (securityContext.capabilities)",
      };
    }
    missing.push(...blame(name, features, result.errors));
  }
  return missing.length === 0 ? { outcome: "supported" } : { outcome: "missing", missing, message: describe(missing) };
}

interface TriedFeature {
  readonly feature: Feature;
  /** Sequence numbers of its messages, the last excluded. */
  readonly first: number;
  readonly end: number;
}

function write(family: Family, features: readonly Feature[]): { bytes: Uint8Array; features: TriedFeature[] } {
  const batch = new BatchWriter(family.family, "sluice-probe");
  const tried = [TABLE, ...features].map((feature) => {
    const first = batch.nextSequence;
    feature.write(batch, family);
    return { feature, first, end: batch.nextSequence };
  });
  // So that there is one answer when nothing is refused.
  batch.addChain("last", undefined, NLM_F_CREATE | NLM_F_ACK);
  return { bytes: batch.endDryRun(), features: tried };
}

/** The first error of each feature. Without a table, nothing else is worth telling. */
function blame(family: FamilyName, features: readonly TriedFeature[], errors: readonly BatchError[]): MissingFeature[] {
  const missing = features.flatMap(({ feature, first, end }) => {
    const error = errors.find(({ sequence }) => sequence >= first && sequence < end);
    return error === undefined ? [] : [{ family, feature, error }];
  });
  const table = missing.find(({ feature }) => feature === TABLE);
  return table === undefined ? missing : [table];
}

function describe(missing: readonly MissingFeature[]): string {
  const groups = [...group(missing).values()];
  const lines = groups.map((sharing) => {
    const [first] = sharing;
    if (first === undefined) return "";
    const { feature, error } = first;
    const families = sharing.map(({ family }) => family).join(" and ");
    const since = feature.since === undefined ? "" : `, since Linux ${feature.since}`;
    const at = error.attributePath === undefined ? "" : ` at ${error.attributePath}`;
    return (
      `${feature.what} (${families}: ${error.name}${at}): ` +
      `load ${feature.modules.join(", ")}, or build the kernel with ${feature.config.join(", ")}${since}`
    );
  });
  return `the kernel lacks ${groups.length === 1 ? "a feature" : "features"} that the rules need: ${lines.join("; ")}`;
}

function group(missing: readonly MissingFeature[]): Map<string, MissingFeature[]> {
  const groups = new Map<string, MissingFeature[]>();
  for (const entry of missing) {
    const sharing = groups.get(entry.feature.id);
    if (sharing === undefined) groups.set(entry.feature.id, [entry]);
    else sharing.push(entry);
  }
  return groups;
}
