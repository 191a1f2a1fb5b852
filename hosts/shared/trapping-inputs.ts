// Objects in files that the engine can't stand: found by trying parts of the files, each with a fresh engine, and left out.
import { type Diagnostic, diagnostic } from "./diagnostics.ts";
import type { Input } from "./manifests/input.ts";
import { rewritten } from "./manifests/rewritten-input.ts";
import { type ObjectAt, objectsIn } from "./manifests/scan.ts";
import { searchTrapping } from "./trapping.ts";

interface Placed {
  readonly input: Input;
  /** Which of its input's objects it is. */
  readonly index: number;
  readonly object: ObjectAt;
}

/** What is to be said of an object that is left out. */
function saidOf({ input, object }: Placed): Diagnostic {
  const { kind, namespace, name, start } = object;
  const message = "the engine cannot stand this object, twice in a row, and it was left out";
  const hint = "please report this as a defect of sluice, with the object";
  const place = { file: input.file, ...input.position(start) };
  return diagnostic("error", "engine-trap", message, { ...place, kind, namespace, name, hint });
}

/** An input without some of its objects. */
function withoutObjects(input: Input, left: ReadonlySet<number>): Input {
  if (left.size === 0) return input;
  const changed = rewritten(input, new Map([...left].map((index) => [index, "left out"])));
  return input.written === undefined ? changed : { ...changed, written: input.written };
}

/**
 * Looks for the objects of the inputs from number `first` on that an engine traps at.
 *
 * @param traps whether a fresh engine that is given these inputs traps
 * @returns the inputs without them, and what is to be said; undefined if it is due to no object
 */
export function withoutTrapping(
  inputs: readonly Input[],
  first: number,
  traps: (inputs: readonly Input[]) => boolean,
): { inputs: Input[]; said: Diagnostic[] } | undefined {
  const objects = inputs
    .slice(first)
    .flatMap((input) => [...objectsIn(input.json)].map((object, index): Placed => ({ input, index, object })));
  const without = (gone: readonly Placed[]): Input[] => {
    const left = new Map<Input, Set<number>>();
    for (const { input, index } of gone) left.set(input, (left.get(input) ?? new Set()).add(index));
    return inputs.map((input) => withoutObjects(input, left.get(input) ?? new Set()));
  };
  const search = searchTrapping(objects);
  let step = search.next();
  while (step.done !== true) {
    const tried = new Set(step.value);
    step = search.next(traps(without(objects.filter((object) => !tried.has(object)))));
  }
  const found = step.value;
  return found.length === 0 ? undefined : { inputs: without(found), said: found.map(saidOf) };
}
