// An input with some of its objects replaced or left out.
import type { Input } from "./input.ts";
import { type Fields, placesIn } from "./objects.ts";
import { endOfValue, fieldAt, pathAt } from "./scan.ts";
import { isBlank, skipBlanks } from "./text.ts";

/** What an object has become. */
export type Change = Fields | "left out";

/** A piece of the new text. */
interface Piece {
  /** Offset in the new text. */
  readonly start: number;
  /** Offset of the same in the old text; of the object that it replaces. */
  readonly origin: number;
  readonly isReplaced: boolean;
}

const COMMA = 0x2c;

/**
 * @param changes by the object's number among those of the input, as `objectsIn` counts them
 * Places in a replaced object lead to the same field of the old one, or to the nearest thing above it that was there.
 */
export function rewritten(input: Input, changes: ReadonlyMap<number, Change>): Input {
  const old = input.json;
  const out = new Output();
  let at = 0;
  let index = 0;
  for (const { start } of placesIn(input)) {
    const change = changes.get(index++);
    if (change === undefined) continue;
    out.keep(old, at, start);
    at = endOfValue(old, start);
    if (change !== "left out") {
      out.replace(start, JSON.stringify(change));
      continue;
    }
    const next = skipBlanks(old, at);
    if (old[next] === COMMA) at = next + 1;
    else out.dropComma();
  }
  out.keep(old, at, old.length);
  const json = out.bytes();
  const { pieces } = out;
  const origin = (offset: number): number => {
    const piece = pieces.findLast(({ start }) => start <= offset);
    if (piece === undefined) return 0;
    if (!piece.isReplaced) return piece.origin + offset - piece.start;
    const path = pathAt(json, piece.start, offset);
    const isKey = offset < fieldAt(json, piece.start, path).value;
    let field = fieldAt(old, piece.origin, path);
    // The first address may have been given by either field.
    if (!field.found && path.join(".").startsWith("spec.clusterIPs")) {
      const other = fieldAt(old, piece.origin, ["spec", "clusterIP"]);
      if (other.found) field = other;
    }
    return field.found && !isKey ? field.value : field.key;
  };
  return {
    file: input.file,
    json,
    position: (offset) => input.position(origin(offset)),
    hint: (offset) => input.hint(origin(offset)),
    written: input,
  };
}

class Output {
  readonly pieces: Piece[] = [];
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  keep(old: Uint8Array, from: number, to: number): void {
    this.#add(old.subarray(from, to), from, false);
  }

  replace(origin: number, json: string): void {
    this.#add(new TextEncoder().encode(json), origin, true);
  }

  /** Takes away what separates the list's last element, which is left out, from the one before it. */
  dropComma(): void {
    for (let index = this.#parts.length - 1; index >= 0; index--) {
      const part = this.#parts[index] as Uint8Array;
      let end = part.length;
      while (end > 0 && isBlank(part[end - 1])) end--;
      if (end === 0) continue;
      if (part[end - 1] !== COMMA) return;
      // Blanks read the same, and no offset moves.
      this.#parts[index] = part.slice().fill(0x20, end - 1, end);
      return;
    }
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #add(part: Uint8Array, origin: number, isReplaced: boolean): void {
    if (part.length === 0) return;
    this.pieces.push({ start: this.#length, origin, isReplaced });
    this.#parts.push(part);
    this.#length += part.length;
  }
}
