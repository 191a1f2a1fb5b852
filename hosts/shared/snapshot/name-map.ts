// Other names for all that a cluster has. A text gets the same new one wherever it stands, so that what refers to each other still
// does: a Service's name and the label of its slices, a selector and the labels of pods. The new ones sort as the old ones do:
// where two Services claim one address, the order of their names may decide.

/** Names of objects, ports and label values may all have this form. A port's name has 15 characters at most. */
const PREFIXES = ["n", "name", "x", "word", "nn", "xx", "xn", "nx"];

const halves = /[\ud800-\udfff]/;

export class NameMap {
  readonly #renamed = new Map<string, string>();

  /** @param texts all names that there are; empty ones stay empty */
  constructor(texts: Iterable<string>) {
    const sorted = [...new Set(texts)].filter((text) => text !== "").sort(byBytes);
    const digits = String(sorted.length).length;
    // No new name may be an old one, or a reader could not tell them apart.
    const own = new RegExp(`^(${PREFIXES.join("|")})\\d{${digits}}$`);
    const used = new Set(sorted.map((text) => own.exec(text)?.[1]));
    const prefix = PREFIXES.find((each) => !used.has(each)) ?? "renamed";
    for (const [index, text] of sorted.entries()) {
      this.#renamed.set(text, `${prefix}${String(index + 1).padStart(digits, "0")}`);
    }
  }

  /** Undefined: it is none of those that were given. */
  get(text: string): string | undefined {
    return text === "" ? "" : this.#renamed.get(text);
  }
}

/** As Go and the engine compare: by their UTF-8. Code points sort alike; UTF-16 units do where none of them is half of one. */
function byBytes(a: string, b: string): number {
  if (a === b) return 0;
  if (!halves.test(a) && !halves.test(b)) return a < b ? -1 : 1;
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
