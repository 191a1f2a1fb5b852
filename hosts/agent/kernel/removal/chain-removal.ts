// Decides what to remove of one iptables table: kube-proxy's chains and its jumps to them, but nothing that somebody else's rules
// lead to. How it is removed is decided elsewhere.

/** A rule outside the chains to be removed. */
export interface OutsideRule<Id> {
  readonly id: Id;
  readonly chain: string;
  readonly targets: readonly string[];
  /** One of kube-proxy's jumps from a built-in chain, which goes with its chains. */
  readonly ours: boolean;
  /** In a built-in chain, without a comment that says whose it is: what it looks like, as `bareJumps` has it. */
  readonly bare?: string | undefined;
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
 * @param bareJumps kube-proxy's jumps of this table on a node without the comment match. They count as kube-proxy's only if all
 *   of them are there: a single one may be anybody's.
 */
export async function planRemoval<Id>(
  unwanted: readonly string[],
  outside: readonly OutsideRule<Id>[],
  targetsOf: (chain: string) => Promise<readonly string[]>,
  bareJumps: readonly string[],
): Promise<Removal<Id>> {
  const bare = new Set(outside.flatMap((rule) => rule.bare ?? []));
  const areBare = bareJumps.length > 0 && bareJumps.every((jump) => bare.has(jump));
  const isOurs = (rule: OutsideRule<Id>): boolean =>
    rule.ours || (areBare && rule.bare !== undefined && bareJumps.includes(rule.bare));
  const going = new Set(unwanted);
  const kept = new Map<string, string>();
  const keep = async (chain: string, usedBy: string): Promise<void> => {
    if (!going.delete(chain)) return;
    kept.set(chain, usedBy);
    for (const target of await targetsOf(chain)) await keep(target, chain);
  };
  for (const rule of outside) {
    if (!isOurs(rule)) for (const target of rule.targets) await keep(target, rule.chain);
  }
  return {
    jumps: outside.filter((rule) => isOurs(rule) && rule.targets.some((target) => going.has(target))),
    chains: unwanted.filter((chain) => going.has(chain)),
    kept: [...kept].map(([chain, usedBy]) => ({ chain, usedBy })),
  };
}
