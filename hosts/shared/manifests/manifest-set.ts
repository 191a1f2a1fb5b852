// What was read, with changes: objects that stand as a cluster would have them, objects that are left out, and objects
// that nobody has written. Every place still leads back to the files.
import type { Position } from "../diagnostics.ts";
import { type Input, jsonInput } from "./input.ts";
import { type Fields, type ManifestObject, objectsOf } from "./objects.ts";
import { type Change, rewritten } from "./rewritten-input.ts";

/** Steps change it one after the other, each sees what those before it have made of the objects. */
export class ManifestSet {
  readonly #inputs: readonly Input[];
  readonly #changes = new Map<Input, Map<number, Change>>();
  readonly #added: Input[] = [];

  constructor(inputs: readonly Input[]) {
    this.#inputs = inputs;
  }

  get written(): readonly Input[] {
    return this.#inputs;
  }

  /** The objects as they are by now, without those that are left out or added. Each call parses the inputs anew. */
  *objects(isWanted: (input: Input) => boolean = () => true): Generator<SetObject> {
    for (const input of this.#inputs) {
      if (!isWanted(input)) continue;
      const changes = this.#changes.get(input);
      for (const object of objectsOf(input)) {
        const change = changes?.get(object.index);
        if (change === undefined) yield { ...object, input };
        else if (change !== "left out") yield { ...object, input, fields: change };
      }
    }
  }

  /** The object counts as `fields` from now on. */
  replace({ input, index }: SetObject, fields: Fields): void {
    this.#change(input, index, fields);
  }

  leaveOut({ input, index }: SetObject): void {
    this.#change(input, index, "left out");
  }

  /** An object that no file has. What is said of it leads to `place`. */
  add(fields: Fields, place: { file: string } & Position): void {
    const { file, line, column } = place;
    const json = new TextEncoder().encode(JSON.stringify(fields));
    this.#added.push({ ...jsonInput(file, json), position: () => ({ line, column }), written: null });
  }

  /** For the engine: the inputs, in their order, then what was added. What nobody has changed is the input as it was. */
  inputs(): Input[] {
    const changed = this.#inputs.map((input) => {
      const changes = this.#changes.get(input);
      return changes === undefined ? input : rewritten(input, changes);
    });
    return [...changed, ...this.#added];
  }

  #change(input: Input, index: number, change: Change): void {
    let changes = this.#changes.get(input);
    if (changes === undefined) {
      changes = new Map();
      this.#changes.set(input, changes);
    }
    changes.set(index, change);
  }
}

/** An object of a set. Its place is that in the file, whatever has been made of its fields. */
export interface SetObject extends ManifestObject {
  readonly input: Input;
}
