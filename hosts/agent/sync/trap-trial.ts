// Tries objects in an engine instance that is made for it: does it trap before it comes to a plan?
import { type EngineInstance, EngineTrapError } from "../../shared/engine.ts";
import { step, yieldIfDue } from "../time/yield.ts";
import { type InTurn, SLICE, takeUp } from "./engine-slices.ts";
import type { RecordedObject } from "./object-record.ts";

/** True if the instance that `start` makes traps once it has been given the objects. */
export async function traps(start: () => EngineInstance, objects: readonly RecordedObject[]): Promise<boolean> {
  try {
    const engine = start();
    for (const { list } of objects) {
      await yieldIfDue();
      step(() => engine.apply(list));
    }
    const inTurn: InTurn = async (run) => {
      await yieldIfDue();
      return step(() => run(engine));
    };
    await takeUp(inTurn, true);
    await inTurn((each) => each.beginPlan(0));
    while ((await inTurn((each) => each.continuePlan(SLICE))).tag !== "batches") {}
    await inTurn((each) => each.healthChecks());
    return false;
  } catch (error) {
    if (error instanceof EngineTrapError) return true;
    throw error;
  }
}
