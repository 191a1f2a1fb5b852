// `sluice cleanup` and `--cleanup`: removes all rules that any mode of ours writes, which are kube-proxy's as well, and
// what kube-proxy's own `--cleanup` removes. Nothing else.
import { findLeftovers, type LeftoverOptions, removeLeftovers } from "./leftovers.ts";

export interface CleanupReport {
  /** What is gone, each in one line. */
  readonly removed: readonly string[];
  /** What stays because somebody else's rules use it. */
  readonly kept: readonly string[];
  /** What could not be looked at or removed, and why. Empty: the exit code is 0. */
  readonly problems: readonly string[];
}

/**
 * No agent and no kube-proxy may be running: they would write their rules again. A second call finds nothing. The nfacct
 * objects and sysctls stay, as kube-proxy leaves them.
 */
export async function cleanupAll(options: Pick<LeftoverOptions, "host"> = {}): Promise<CleanupReport> {
  const found = await findLeftovers("none", options);
  const { removed, kept, failed } = await removeLeftovers(found.leftovers, options);
  return { removed, kept, problems: [...found.problems, ...failed.map(({ message }) => message)] };
}
