// Decides what to remove of one iptables table, whichever way it is then removed: kube-proxy's chains and its jumps to
// them, and nothing that somebody else's rules lead to.

/** A rule outside the chains to be removed. */
export interface OutsideRule<Id> {
  readonly id: Id;
  readonly chain: string;
  readonly targets: readonly string[];
  /** One of kube-proxy's jumps from a built-in chain, which goes with its chains. */
  readonly ours: boolean;
}

export interface Removal<Id> {
  readonly jumps: readonly OutsideRule<Id>[];
  readonly chains: readonly string[];
  /** Chains that stay because foreign rules lead to them, and from where. */
  readonly kept: readonly KeptChain[];
}

export interface KeptChain {
  readonly chain: string;
  readonly usedBy: string;
}

/**
 * @param unwanted names of the chains to be removed
 * @param outside rules of all other chains of the table
 * @param targetsOf chains that the rules of one unwanted chain lead to; asked only for chains that have to stay
 */
export async function planRemoval<Id>(
  unwanted: readonly string[],
  outside: readonly OutsideRule<Id>[],
  targetsOf: (chain: string) => Promise<readonly string[]>,
): Promise<Removal<Id>> {
  const going = new Set(unwanted);
  const kept = new Map<string, string>();
  const keep = async (chain: string, usedBy: string): Promise<void> => {
    if (!going.delete(chain)) return;
    kept.set(chain, usedBy);
    for (const target of await targetsOf(chain)) await keep(target, chain);
  };
  for (const rule of outside) {
    if (!rule.ours) for (const target of rule.targets) await keep(target, rule.chain);
  }
  return {
    jumps: outside.filter((rule) => rule.ours && rule.targets.some((target) => going.has(target))),
    chains: unwanted.filter((chain) => going.has(chain)),
    kept: [...kept].map(([chain, usedBy]) => ({ chain, usedBy })),
  };
}
