// `sluice cleanup` and `--cleanup`: removes all rules that any mode of ours writes, which are kube-proxy's as well, and
// what kube-proxy's own `--cleanup` removes. Nothing else.

import { waitForHandOver } from "./hand-over.ts";
import {
  findLeftovers,
  isOursAlone,
  type Leftover,
  type LeftoverOptions,
  removeLeftovers,
  thisIpvsHost,
} from "./leftovers.ts";
import { findLiveKubeProxy, type LiveKubeProxyOptions } from "./live-kube-proxy.ts";

export interface CleanupReport {
  /** What is gone, each in one line. */
  readonly removed: readonly string[];
  /** What stays, and why: somebody else's rules use it, or a kube-proxy does. */
  readonly kept: readonly string[];
  /** What could not be looked at or removed, and why. Empty: the exit code is 0. */
  readonly problems: readonly string[];
}

export interface CleanupOptions extends Pick<LeftoverOptions, "host"> {
  /**
   * Signs of a kube-proxy that is alive on this node (`findLiveKubeProxy`). Then only mode flat's tables are removed, because
   * they are ours alone. Services work by everything else, and kube-proxy may not notice for an hour that it is gone.
   */
  readonly live?: readonly string[];
}

/**
 * No agent may be running: it would write its rules again. A second call finds nothing. The nfacct objects and sysctls stay,
 * as kube-proxy leaves them.
 */
export async function cleanupAll(options: CleanupOptions = {}): Promise<CleanupReport> {
  const { live = [] } = options;
  const found = await findLeftovers("none", options);
  const isSpared = (leftover: Leftover): boolean => live.length > 0 && !isOursAlone(leftover);
  const spared = found.leftovers.filter(isSpared);
  const { removed, kept, failed } = await removeLeftovers(
    found.leftovers.filter((leftover) => !isSpared(leftover)),
    options,
  );
  return {
    removed,
    kept: [...spared.map(({ text }) => `${text}: a kube-proxy is running (${live.join("; ")})`), ...kept],
    problems: [...found.problems, ...failed.map(({ message }) => message)],
  };
}

export interface LastRulesOptions
  extends Pick<LeftoverOptions, "host">,
    Pick<LiveKubeProxyOptions, "metrics" | "health"> {
  /** How long to wait for a kube-proxy that takes over. */
  readonly timeoutMs: number;
  /** Nobody is waited for: this node's last rules may go. */
  readonly evenIfNothingTakesOver: boolean;
  /** Is told what is waited for, whenever that changes. */
  readonly say: (text: string) => Promise<void>;
}

export type CleanupOutcome =
  | ({ readonly outcome: "done" } & CleanupReport)
  /** Nothing was removed: they are the node's last rules, and nobody has taken over in time. Why, in words. */
  | { readonly outcome: "nothing-takes-over"; readonly missing: string };

/** Removes what `cleanupAll` does, once a kube-proxy answers that it is healthy and has written its rules. */
export async function cleanupAfterHandOver(options: LastRulesOptions): Promise<CleanupOutcome> {
  const { host = thisIpvsHost(), evenIfNothingTakesOver } = options;
  let live = await findLiveKubeProxy(options);
  const { leftovers } = await findLeftovers("none", { host });
  const removable = leftovers.filter((leftover) => live.length === 0 || isOursAlone(leftover));
  if (!evenIfNothingTakesOver && removable.length > 0) {
    const handOver = await waitForHandOver({ ...options, host });
    if (handOver.outcome === "not-yet") return { outcome: "nothing-takes-over", missing: handOver.missing };
    live = [handOver.evidence];
  }
  return { outcome: "done", ...(await cleanupAll({ host, live })) };
}
