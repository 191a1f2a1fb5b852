// Long batches come from the engine in parts, so that no call has to copy hundreds of megabytes.
import type { Batch, EngineExports, PlanProgress } from "./contract.ts";

/** What the engine's function returns. */
export type GivenProgress = ReturnType<EngineExports["continuePlan"]>;

/** Puts the parts of batches together, as call after call of `continue-plan` hands them out. */
export class BatchParts {
  /** The batch that goes on. */
  #begun: Batch | undefined;

  /** What the call has come to; a batch of which parts are missing is left out until they are there. */
  add(given: GivenProgress): PlanProgress {
    if (given.tag !== "some-batches" && given.tag !== "batches") return { tag: given.tag };
    const complete: Batch[] = [];
    for (const { goesOn, ...part } of given.val) {
      // A plan may have been given up, and another begun.
      const batch = this.#begun?.id === part.id ? this.#begun : part;
      if (batch !== part) batch.data.push(...part.data);
      this.#begun = goesOn ? batch : undefined;
      if (!goesOn) complete.push(batch);
    }
    return { tag: given.tag, val: complete };
  }
}
