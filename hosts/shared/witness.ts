// The witness as hosts use it: the second component, which reads rule text back. Runs in Node and in browsers alike;
// witness-node.ts reads the files for Node.

import type { InstantiateCore } from "./contract.ts";
import { EngineTrapError, joinPieces } from "./engine.ts";
import type { Comparison, RuleDifferences, Survey, Trace } from "./witness-answers.ts";

export type {
  Family,
  Format,
  LoadResult,
  Packet,
  Problem as TextProblem,
} from "../../build/witness/interfaces/sluice-witness-witness.js";

import type { Family, LoadResult, Packet, SurveyOf } from "../../build/witness/interfaces/sluice-witness-witness.js";

/** Of which packets a survey tells. What is left out is not asked for. */
export interface SurveyQuestion extends Partial<Omit<SurveyOf, "ruleset" | "limit" | "about">> {
  readonly about: SurveyOf["about"];
}

/** The functions of one instance. */
export type WitnessExports = typeof import("../../build/witness/interfaces/sluice-witness-witness.js");

/** What the generated build/witness/witness.js exports. */
export type InstantiateWitness = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: Record<string, never>,
  instantiateCore?: InstantiateCore,
) => { witness: WitnessExports };

/** The compiled witness. Instances share the code, and nothing else. */
export class WitnessModule {
  readonly #instantiate: InstantiateWitness;
  readonly #getCoreModule: (name: string) => WebAssembly.Module;

  constructor(instantiate: InstantiateWitness, getCoreModule: (name: string) => WebAssembly.Module) {
    this.#instantiate = instantiate;
    this.#getCoreModule = getCoreModule;
  }

  create(): Witness {
    let memory: WebAssembly.Memory | undefined;
    try {
      const { witness } = this.#instantiate(this.#getCoreModule, {}, (module, imports) => {
        const instance = new WebAssembly.Instance(module, imports);
        if (instance.exports.memory instanceof WebAssembly.Memory) memory ??= instance.exports.memory;
        return instance;
      });
      return new Witness(witness, () => memory?.buffer.byteLength ?? 0);
    } catch (error) {
      throw new EngineTrapError("instantiate the witness", error);
    }
  }
}

/** Rule sets that were read, by small numbers. The functions are those of engine/witness/witness.wit. */
export class Witness {
  #exports: WitnessExports | undefined;
  readonly #memoryBytes: () => number;

  constructor(exports: WitnessExports, memoryBytes: () => number = () => 0) {
    this.#exports = exports;
    this.#memoryBytes = memoryBytes;
  }

  /** Size of the linear memory: it never shrinks. */
  get memoryBytes(): number {
    return this.#memoryBytes();
  }

  /** `firstLine`: the number of the text's first line. */
  load(ruleset: number, text: Uint8Array, assumed: Family = "ipv4", firstLine = 1): LoadResult {
    return this.#call("load", (witness) => witness.load(ruleset, text, assumed, firstLine));
  }

  /** Addresses, CIDRs and ranges; returns how many are none. */
  setFacts(local: readonly string[], absent: readonly string[] = []): number {
    const encoder = new TextEncoder();
    return this.#call("set-facts", (witness) =>
      witness.setFacts(encoder.encode(local.join(" ")), encoder.encode(absent.join(" "))),
    );
  }

  /** Undefined: the packet's addresses are none, or of two families. */
  trace(ruleset: number, packet: Packet): Trace | undefined {
    const pieces = this.#call("trace", (witness) => witness.trace(ruleset, packet));
    return pieces.length === 0 ? undefined : (JSON.parse(new TextDecoder().decode(joinPieces(pieces))) as Trace);
  }

  /** What two rule sets do with every packet. `limit`: it gives up after so many classes of packets. */
  compare(a: number, b: number, { limit = 50_000_000, flows = true, check = false } = {}): Comparison {
    const what = { a, b, limit: BigInt(limit), flows, check };
    const pieces = this.#call("compare", (witness) => witness.compare(what));
    return JSON.parse(new TextDecoder().decode(joinPieces(pieces))) as Comparison;
  }

  /** What of the rules themselves is not the same. */
  ruleDifferences(a: number, b: number): RuleDifferences {
    const pieces = this.#call("rule-differences", (witness) => witness.ruleDifferences(a, b));
    return JSON.parse(new TextDecoder().decode(joinPieces(pieces))) as RuleDifferences;
  }

  /** What becomes of the new connections that a question is about, in one rule set. */
  survey(ruleset: number, question: SurveyQuestion, limit = 50_000_000): Survey {
    const { about, destination = "", protocol = 0, port = 0, endpoint = "", endpointPort = 0 } = question;
    const what = { ruleset, about, destination, protocol, port, endpoint, endpointPort, limit: BigInt(limit) };
    const pieces = this.#call("survey", (witness) => witness.survey(what));
    return JSON.parse(new TextDecoder().decode(joinPieces(pieces))) as Survey;
  }

  #call<T>(operation: string, run: (witness: WitnessExports) => T): T {
    if (this.#exports === undefined) {
      throw new EngineTrapError(operation, new Error("this instance has trapped before and must not be used again"));
    }
    try {
      return run(this.#exports);
    } catch (error) {
      // The contract has no `result` types, so whatever is thrown is a trap.
      this.#exports = undefined;
      throw new EngineTrapError(operation, error);
    }
  }
}
