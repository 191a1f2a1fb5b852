// Long work of an engine in slices of some milliseconds, so that others have the event loop in between.
import type { EngineInstance } from "../../shared/engine.ts";

/** Endpoints that are planned or compared, or entry points that are taken up, before others have a look in: some milliseconds. */
export const SLICE = 4000;
/** Runs one slice: when its turn comes, and with the engine as the slice before has left it. */
export type InTurn = <T>(run: (engine: EngineInstance) => T) => Promise<T>;

/** Has the engine take up all that has been applied. `everything`: also what waits for its portion. */
export async function takeUp(inTurn: InTurn, everything = false): Promise<void> {
  do {
    while (!(await inTurn((engine) => engine.takeUp(SLICE)))) {}
  } while (everything && (await inTurn((engine) => engine.beginPortion())));
}
