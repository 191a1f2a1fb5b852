// What the witness' tests share.

import type { Family, LoadResult, Witness } from "../../hosts/shared/witness.ts";
import { loadWitness } from "../../hosts/shared/witness-node.ts";

const module = await loadWitness();
const encoder = new TextEncoder();

export function newWitness(): Witness {
  return module.create();
}

/** Reads a text into a rule set. */
export function load(witness: Witness, ruleset: number, text: string, assumed: Family = "ipv4"): LoadResult {
  return witness.load(ruleset, encoder.encode(text), assumed);
}

/** What a witness of its own says of a text. */
export function read(text: string, assumed: Family = "ipv4"): LoadResult {
  return load(newWitness(), 0, text, assumed);
}

/** The problems of a text, `line code: message`. */
export function complaints(result: LoadResult): string[] {
  return result.problems.map(({ line, code, message }) => `${line} ${code}: ${message}`);
}
