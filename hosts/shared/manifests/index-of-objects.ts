// Where each object stands in the files, for blame and for problems that concern several objects.
import type { Diagnostic, Position } from "../diagnostics.ts";
import type { Input } from "./input.ts";
import { fieldAt, objectsIn, parsePath } from "./scan.ts";

export interface Place extends Position {
  file: string;
}

/** Scans the inputs when it is first asked. If an object is given twice, the last one counts, as in the engine. */
export class ObjectIndex {
  readonly #inputs: readonly Input[];
  #places: Map<string, { input: Input; start: number }> | undefined;

  constructor(inputs: readonly Input[]) {
    this.#inputs = inputs;
  }

  /** Place of an object's field, or of the nearest thing above it that is there. */
  place(object: { kind: string; namespace: string; name: string; field: string }): Place | undefined {
    this.#places ??= this.#scan();
    const found = this.#places.get(key(object));
    if (found === undefined) return undefined;
    const { input, start } = found;
    // In no file: it was added to what was read.
    if (input.file === "") return undefined;
    const at = fieldAt(input.json, start, parsePath(object.field));
    return { file: input.file, ...input.position(at.found ? at.key : at.value) };
  }

  /** Adds the place to a diagnostic that has none. */
  locate(diagnostic: Diagnostic): Diagnostic {
    if (diagnostic.file !== "" || diagnostic.name === "") return diagnostic;
    return { ...diagnostic, ...this.place(diagnostic) };
  }

  #scan(): Map<string, { input: Input; start: number }> {
    const places = new Map<string, { input: Input; start: number }>();
    for (const input of this.#inputs) {
      for (const object of objectsIn(input.json)) places.set(key(object), { input, start: object.start });
    }
    return places;
  }
}

function key(object: { kind: string; namespace: string; name: string }): string {
  return `${object.kind}\n${object.namespace}\n${object.name}`;
}
