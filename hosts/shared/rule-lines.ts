// The lines of the texts that a rule set was read from. The witness numbers them through, so that a number tells the text too.

export interface RuleText {
  /** As messages name it. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface RuleLine {
  readonly file: string;
  /** In that text, counted from 1. */
  readonly line: number;
  readonly text: string;
}

/** Of nft's JSON the witness counts objects. */
function linesOf(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  if (bytes[0] !== 0x7b) return text.split("\n");
  try {
    const { nftables } = JSON.parse(text) as { nftables?: unknown };
    if (Array.isArray(nftables)) return nftables.map((object) => JSON.stringify(object));
  } catch {
    // Broken JSON: the witness says so.
  }
  return text.split("\n");
}

export class RuleLines {
  readonly #texts: { name: string; first: number; lines: string[] }[] = [];
  #next = 1;

  constructor(texts: readonly RuleText[]) {
    for (const { name, bytes } of texts) {
      const lines = linesOf(bytes);
      this.#texts.push({ name, first: this.#next, lines });
      this.#next += lines.length;
    }
  }

  /** Number of the first line of a text, by its place in the list. */
  firstLine(index: number): number {
    return this.#texts[index]?.first ?? 1;
  }

  /** Undefined: there is no such line. */
  at(number: number): RuleLine | undefined {
    const found = this.#texts.findLast(({ first }) => first <= number);
    const text = found?.lines[number - found.first];
    return found === undefined || text === undefined || number < 1
      ? undefined
      : { file: found.name, line: number - found.first + 1, text: text.trim() };
  }
}
