// Which of some names was probably meant.

/** The same in other case, or the nearest with at most `most` letters changed; of equals the first. */
export function nearest(name: string, names: Iterable<string>, most = 2): string | undefined {
  const lower = name.toLowerCase();
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of names) {
    const other = candidate.toLowerCase();
    if (other === lower) return candidate;
    // Longer names are none that somebody has typed.
    if (name.length > 60 || Math.abs(other.length - lower.length) >= least) continue;
    const changes = distance(lower, other);
    if (changes >= least) continue;
    best = candidate;
    least = changes;
  }
  return best;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
