// Which Services' rules the kernel refuses, where it does not say: found by trials of ever fewer of them.

/** What became of a trial; "unclear": it says nothing about the rules. */
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

/**
 * So many trials a search may take, beyond one for each group that it begins with. What it has not found by then is left to
 * the next one, without those it has found.
 */
export const MOST_TRIALS = 100;
/** The engine makes the rules of so many within some milliseconds. */
export const LARGEST_GROUP = 1000;

/**
 * Looks for those of `count` suspects whose rules are refused without those of others as well. None: it is not the fault
 * of a single one, or nothing could be found out.
 */
export async function findCulprits(count: number, attempt: Attempt): Promise<readonly Culprit[]> {
  const culprits: Culprit[] = [];
  let left = MOST_TRIALS + Math.ceil(count / LARGEST_GROUP);
  let isOver = false;

  /** True if there is a culprit among them. `isBad`: there is for certain, as far as one alone can be. */
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

  // Where a trial without any Service is not taken, no Service is to blame: neither before the search nor after it.
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
