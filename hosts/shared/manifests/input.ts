// A piece of input as the engine gets it, with the way back to the file.
import type { Position } from "../diagnostics.ts";
import { bytePosition, type Lines } from "./text.ts";
import type { MappedJson } from "./yaml-json.ts";

/** A file as it was read. */
export interface Source {
  /** As the user named it; `stdin` for `-`. */
  name: string;
  bytes: Uint8Array;
  /** It was found in a directory; nobody has named it. */
  isWalked?: boolean;
}

/** JSON for `apply`. Problems and owners lead back to the file by offsets in `json`. */
export interface Input {
  file: string;
  json: Uint8Array;
  position(offset: number): Position;
  /** What to say about the value at that offset, beyond what the engine says; usually nothing. */
  hint(offset: number): string;
  /** What people have written where this has been made from it; null: nobody has. Absent: it is what they have written. */
  readonly written?: Input | null;
}

/** A JSON file, as it is. */
export function jsonInput(file: string, json: Uint8Array): Input {
  return { file, json, position: (offset) => bytePosition(json, offset), hint: () => "" };
}

/** Collects the YAML documents of a file as JSON, one after the other. */
export class YamlInputBuilder {
  readonly #file: string;
  #texts: string[] = [];
  #size = 0;
  #parts: { start: number; mapped: MappedJson; lines: Lines }[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  get size(): number {
    return this.#size;
  }

  add(mapped: MappedJson, lines: Lines): void {
    this.#parts.push({ start: this.#size, mapped, lines });
    this.#texts.push(mapped.text);
    this.#size += mapped.text.length + 1;
  }

  take(): Input {
    const parts = this.#parts;
    const json = new TextEncoder().encode(`${this.#texts.join("\n")}\n`);
    this.#texts = [];
    this.#parts = [];
    this.#size = 0;
    const at = (offset: number) => {
      const part = parts[lastAtOrBefore(parts.length, (index) => parts[index]?.start ?? 0, offset)];
      if (part === undefined) return undefined;
      const { jsonOffsets, sourceOffsets } = part.mapped;
      const index = lastAtOrBefore(jsonOffsets.length, (i) => jsonOffsets[i] ?? 0, offset - part.start);
      return { part, json: jsonOffsets[index] ?? 0, source: sourceOffsets[index] ?? 0 };
    };
    return {
      file: this.#file,
      json,
      position(offset) {
        const found = at(offset);
        return found === undefined ? { line: 0, column: 0 } : found.part.lines.position(found.source);
      },
      hint(offset) {
        const found = at(offset);
        const word = found?.part.mapped.booleanWords.get(found.json);
        return word === undefined ? "" : `Kubernetes reads an unquoted \`${word}\` as a boolean: write "${word}"`;
      },
    };
  }
}

/** Index of the last of `count` rising values that is not above `wanted`; 0 if all are. */
function lastAtOrBefore(count: number, value: (index: number) => number, wanted: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (value(middle) <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}
