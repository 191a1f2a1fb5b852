// Which objects make an engine trap? Found by halves; who searches knows how to try.

/** So many are looked for in one search: an engine that traps at more has another problem. */
const MOST = 100;

/**
 * The objects that have to go for the rest not to trap: the last one of the shortest beginning of the list that traps,
 * and so on without it. Yields what is to be tried, and is told whether it traps. Empty if all of them together do not trap, or
 * if that is due to no object.
 */
export function* searchTrapping<T>(objects: readonly T[]): Generator<readonly T[], T[], boolean> {
  const found: T[] = [];
  let rest = [...objects];
  while (found.length < MOST && (yield rest)) {
    let passing = 0; // so many at the beginning do not trap
    let trapping = rest.length;
    if (yield []) return [];
    while (trapping - passing > 1) {
      const middle = (passing + trapping) >> 1;
      if (yield rest.slice(0, middle)) trapping = middle;
      else passing = middle;
    }
    const culprit = rest[passing];
    if (culprit === undefined) break;
    found.push(culprit);
    rest = rest.filter((object) => object !== culprit);
  }
  return found;
}
