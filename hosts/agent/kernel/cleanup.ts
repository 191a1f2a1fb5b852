// `sluice cleanup` and `--cleanup`: removes all rules that any mode of ours writes, which are kube-proxy's as well, and
// what kube-proxy's own `--cleanup` removes. Nothing else.
import { findLeftovers, isOursAlone, type Leftover, type LeftoverOptions, removeLeftovers } from "./leftovers.ts";

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
   * Signs of a kube-proxy that is alive on this node (`findLiveKubeProxy`). Then only what is ours alone goes, the tables of
   * mode flat: all else is what Services work by, and kube-proxy may not notice for an hour that it is gone.
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
