// What happens to a packet on the way, noted for whoever asks; nothing is noted while rule sets are compared.
import { Vector } from "../../bytes/memory";
import { ABSENT } from "../model/pairs";
import { state } from "./state";

export namespace StepKind {
  /** A rule whose matches hold: rule, and the set and row that a look-up has found. */
  export const RULE: u32 = 0;
  /** The policy of a base chain: chain. */
  export const POLICY: u32 = 1;
  /** A hook begins: stage. */
  export const STAGE: u32 = 2;
  /** A rule that would match by chance and does not: rule. */
  export const NOT_CHOSEN: u32 = 3;
}

/** Kind, chain, what, set (ABSENT: none), row. */
export const STEP: u32 = 5;
export const steps = new Vector();
export let noting: bool = false;
/** Steps of all paths that have ended, one after the other; and where each path's end. */
export const paths = new Vector();
export const pathEnds = new Vector();

export function noteSteps(on: bool): void {
  noting = on;
  steps.clear();
  paths.clear();
  pathEnds.clear();
}

/** What happens next on the path that the state stands for: what other paths have noted beyond it is gone. */
export function step(kind: u32, chain: u32, what: u32, set: u32 = ABSENT, row: u32 = 0): void {
  if (!noting) return;
  steps.length = state.steps * STEP;
  steps.push(kind);
  steps.push(chain);
  steps.push(what);
  steps.push(set);
  steps.push(row);
  state.steps++;
}

/** Keeps the steps of the path that ends here. */
export function keepPath(): void {
  for (let i: u32 = 0; i < state.steps * STEP; i++) paths.push(steps.get(i));
  pathEnds.push(paths.length);
}
