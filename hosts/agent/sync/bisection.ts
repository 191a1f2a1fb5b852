// Which Services' rules does the kernel refuse? Where it does not say, bisection finds them: ever smaller parts are tried.

/** The result of a trial; "unclear": it says nothing about the rules. */
export type TrialResult =
  | { readonly outcome: "taken" | "unclear" }
  | { readonly outcome: "refused"; readonly reason: string };

/** Tries the rules of `count` suspects from number `first` on; of none if `count` is 0. */
export type Attempt = (first: number, count: number) => Promise<TrialResult>;

export interface Culprit {
  /** Among the suspects, from 0. */
  readonly number: number;
  /** What was said of its rules alone. */
  readonly reason: string;
}

/** Trials of one search, besides one for each group that it begins with. The next search finds the rest. */
export const MOST_TRIALS = 100;
/** The engine makes the rules of so many within some milliseconds. */
export const LARGEST_GROUP = 1000;

/**
 * Finds those of `count` suspects whose rules are refused by themselves. None: no single one is to blame, or nothing could
 * be found out.
 */
export async function findCulprits(count: number, attempt: Attempt): Promise<readonly Culprit[]> {
  const culprits: Culprit[] = [];
  let left = MOST_TRIALS + Math.ceil(count / LARGEST_GROUP);
  let isOver = false;

  /** True if there is a culprit among them. `isBad`: that is known already. */
  const search = async (first: number, size: number, isBad: boolean): Promise<boolean> => {
    if (size === 0 || isOver) return false;
    if (size === 1 || !isBad) {
      const result = await attempt(first, size);
      left--;
      isOver = result.outcome === "unclear" || left === 0;
      if (result.outcome !== "refused") return false;
      if (size === 1) culprits.push({ number: first, reason: result.reason });
      if (size === 1 || isOver) return true;
    }
    const half = size >> 1;
    const isFirst = await search(first, half, false);
    const isSecond = await search(first + half, size - half, !isFirst);
    return isFirst || isSecond;
  };

  // If the kernel refuses even a trial without any Service, before the search or after it, no Service is to blame.
  const isTaken = async () => (await attempt(0, 0)).outcome === "taken";
  if (!(await isTaken())) return [];
  if (count <= LARGEST_GROUP) await search(0, count, true);
  else {
    for (let first = 0; first < count; first += LARGEST_GROUP) {
      await search(first, Math.min(LARGEST_GROUP, count - first), false);
    }
  }
  return culprits.length > 0 && (await isTaken()) ? culprits : [];
}
