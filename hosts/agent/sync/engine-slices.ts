// Long work of an engine in slices of some milliseconds, so that other work runs in between.
import type { EngineInstance } from "../../shared/engine.ts";

/** Endpoints planned or compared, or entry points taken up, in one slice: some milliseconds. */
export const SLICE = 4000;
/** Runs one slice when its turn comes. The engine is as the slice before has left it. */
export type InTurn = <T>(run: (engine: EngineInstance) => T) => Promise<T>;

/** Has the engine take up all that has been applied. `everything`: also what waits for its portion. */
export async function takeUp(inTurn: InTurn, everything = false): Promise<void> {
  do {
    while (!(await inTurn((engine) => engine.takeUp(SLICE)))) {}
  } while (everything && (await inTurn((engine) => engine.beginPortion())));
}
