// Which entry points of a Service port are the same before and after, and what they are called.
import type { DescribedServicePort, EntryPoint } from "../describe.ts";

export type Traffic = "internal" | "external";

export function trafficOf({ kind }: EntryPoint): Traffic {
  return kind === "ClusterIP" ? "internal" : "external";
}

const names: Record<EntryPoint["kind"], string> = {
  ClusterIP: "cluster IP",
  ExternalIP: "external IP",
  LoadBalancerIP: "load-balancer IP",
  NodePort: "node port",
};

/** `node port 30080`. An assumed address or port is nobody's choice, so it has no number: `node port (assumed)`. */
export function entryPointText({ kind, address, port, assumed = false }: EntryPoint): string {
  if (assumed) return `${names[kind]} (assumed)`;
  return `${names[kind]} ${kind === "NodePort" ? port : address}`;
}

export interface PairedEntryPoints {
  readonly both: readonly (readonly [before: EntryPoint, after: EntryPoint])[];
  readonly added: readonly EntryPoint[];
  readonly removed: readonly EntryPoint[];
}

/** The same are those with the same address or node port. An assumed one is the same as any other of its kind. */
export function pairEntryPoints(before: DescribedServicePort, after: DescribedServicePort): PairedEntryPoints {
  const added = [...after.entryPoints];
  const both: [EntryPoint, EntryPoint][] = [];
  const pair = (isSame: (old: EntryPoint, now: EntryPoint) => boolean, olds: readonly EntryPoint[]) =>
    olds.filter((old) => {
      const index = added.findIndex((now) => old.kind === now.kind && isSame(old, now));
      const [now] = index === -1 ? [] : added.splice(index, 1);
      if (now !== undefined) both.push([old, now]);
      return now === undefined;
    });
  const unpaired = pair(
    (old, now) => old.address === now.address && (old.kind !== "NodePort" || old.port === now.port),
    before.entryPoints,
  );
  const removed = pair((old, now) => (old.assumed ?? false) || (now.assumed ?? false), unpaired);
  return { both, added, removed };
}
