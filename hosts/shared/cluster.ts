// Loads inputs into an engine: what was read, what was wrong with it and where.
import type { ApplyResult, Kind, Options, Problem } from "./contract.ts";
import { type Diagnostic, diagnostic, fromProblem } from "./diagnostics.ts";
import { type EngineInstance, type EngineModule, EngineTrapError } from "./engine.ts";
import { ObjectIndex } from "./manifests/index-of-objects.ts";
import type { Input } from "./manifests/input.ts";
import { findMistakes } from "./mistakes/mistakes.ts";
import { RestartingEngine } from "./restarting-engine.ts";
import { withoutTrapping } from "./trapping-inputs.ts";

export interface Counts {
  /** Objects accepted, by kind. */
  objects: Record<Kind, number>;
  /** Services that get no rules, by why they have no cluster IP. */
  withoutClusterIp: { headless: number; externalName: number; unassigned: number };
  /** Objects of kinds that say nothing about the rules: file → kind (with its API group: `Deployment.apps`) → count. */
  skipped: Map<string, Map<string, number>>;
}

/** An engine with inputs applied, the way back from its problems to the files, and a second life after a trap. */
export class Cluster {
  readonly counts: Counts = {
    objects: { service: 0, "endpoint-slice": 0, node: 0, "service-cidr": 0 },
    withoutClusterIp: { headless: 0, externalName: 0, unassigned: 0 },
    skipped: new Map(),
  };
  readonly #module: EngineModule;
  readonly #engine: RestartingEngine;
  readonly #report: (diagnostic: Diagnostic) => void;
  readonly #inputs: Input[] = [];
  /** The engine has given them up halfway. */
  readonly #tooDeep = new Set<Input>();
  #options: Options | undefined;
  #unfinishedList = "";

  readonly index = new ObjectIndex(this.#inputs);

  /** Everything wrong with the input goes to `report`, in the order in which it is found. */
  constructor(module: EngineModule, report: (diagnostic: Diagnostic) => void) {
    this.#module = module;
    this.#report = report;
    this.#engine = new RestartingEngine(
      module,
      (engine) => this.#replay(engine, this.#inputs),
      (error) => {
        const message = `${error.message}; a fresh engine was started and given the input again`;
        report(diagnostic("warning", "engine-restarted", message));
      },
    );
  }

  /**
   * Applies an input. Objects that the engine can't stand are left out and reported; the whole input (false), if it is due to
   * none of them. All others stay.
   */
  apply(given: Input): boolean {
    const apply = (input: Input) => this.#engine.call((engine) => engine.apply(input.json));
    let input = given;
    let result: ApplyResult;
    try {
      result = this.#orElse(
        () => apply(input),
        () => {
          const rest = this.#withoutTrapping([...this.#inputs, given], this.#inputs.length, () => {});
          input = rest?.at(-1) ?? given;
          return apply(input);
        },
      );
    } catch (error) {
      if (!(error instanceof EngineTrapError)) throw error;
      const hint = "split the file; if it is small, please report this as a defect of sluice, with the file";
      const message = "the engine cannot read this file, twice in a row, and it was left out";
      this.#report(diagnostic("error", "engine-trap", message, { file: given.file, hint }));
      return false;
    }
    this.#inputs.push(input);
    this.#count(input, result);
    for (const problem of result.problems) {
      if (problem.code === "json-too-deep") this.#tooDeep.add(input);
      this.#report(this.#located(input, problem));
    }
    if (result.moreProblems > 0) {
      const message = `${result.moreProblems} more problems in this file are not shown`;
      const severity = result.problems.some((problem) => problem.severity === "error") ? "error" : "warning";
      this.#report(diagnostic(severity, "more-problems", message, { file: input.file }));
    }
    if (result.status !== undefined) {
      const { code, reason, message } = result.status;
      const hint = "repeat the request that wrote this file, with more rights or later";
      const text = `an API server's error stands here instead of objects: ${code} ${reason}: ${message}`;
      this.#report(diagnostic("error", "api-status", text, { file: input.file, hint }));
    }
    this.#unfinishedList = result.continueToken === "" ? "" : input.file;
    return true;
  }

  /** Reports what can only be said when all inputs are in. */
  finish(): void {
    for (const found of findMistakes(this.#inputs, this.#tooDeep)) this.#report(found);
    if (this.#unfinishedList === "") return;
    const hint = "give the pages that follow, too (`kubectl get` without --limit writes all)";
    const message = "this is one page of a list, and the list goes on";
    this.#report(diagnostic("warning", "unfinished-list", message, { file: this.#unfinishedList, hint }));
  }

  /** Returns false if the options are refused. `place` finds the option in its file. */
  configure(options: Options, place: (problem: Problem) => Partial<Diagnostic>): boolean {
    const problems = this.ask((engine) => engine.configure(options));
    for (const problem of problems) this.#report({ ...fromProblem(problem), ...place(problem) });
    if (problems.some((problem) => problem.severity === "error")) return false;
    this.#options = options;
    return true;
  }

  /** Reports standing problems, such as two Services that claim one address. */
  reportConflicts(): void {
    for (const problem of this.ask((engine) => engine.problems()))
      this.#report(this.index.locate(fromProblem(problem)));
  }

  /**
   * Asks the engine for something that depends on all inputs. Objects that it can't stand then are left out and reported.
   *
   * @throws {EngineTrapError} it fails twice, and that is due to no object
   */
  ask<T>(question: (engine: EngineInstance) => T): T {
    return this.#orElse(
      () => this.#engine.call(question),
      () => {
        const rest = this.#withoutTrapping(this.#inputs, 0, question);
        this.#inputs.splice(0, this.#inputs.length, ...(rest ?? this.#inputs));
        return this.#engine.call(question);
      },
    );
  }

  /** `again`, where an engine has trapped twice. */
  #orElse<T>(run: () => T, again: () => T): T {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof EngineTrapError)) throw error;
      return again();
    }
  }

  /** The inputs without the objects at which an engine that is given them and is asked something traps; undefined: there are none. */
  #withoutTrapping(
    inputs: readonly Input[],
    first: number,
    ask: (engine: EngineInstance) => void,
  ): Input[] | undefined {
    const traps = (tried: readonly Input[]): boolean => {
      try {
        const engine = this.#module.create();
        this.#replay(engine, tried);
        ask(engine);
        return false;
      } catch (error) {
        if (error instanceof EngineTrapError) return true;
        throw error;
      }
    };
    const found = withoutTrapping(inputs, first, traps);
    for (const said of found?.said ?? []) this.#report(said);
    return found?.inputs;
  }

  #replay(engine: EngineInstance, inputs: readonly Input[]): void {
    for (const { json } of inputs) engine.apply(json);
    if (this.#options !== undefined) engine.configure(this.#options);
  }

  #located(input: Input, problem: Problem): Diagnostic {
    const located = fromProblem(problem, input.file, input.position(problem.offset));
    const hint = input.hint(problem.offset);
    return hint === "" ? located : { ...located, hint };
  }

  #count(input: Input, result: ApplyResult): void {
    const { objects, skipped, withoutClusterIp } = this.counts;
    // Read are those that somebody has written.
    if (input.written === null) return;
    objects.service += result.services;
    objects["endpoint-slice"] += result.endpointSlices;
    objects.node += result.nodes;
    objects["service-cidr"] += result.serviceCidrs;
    withoutClusterIp.headless += result.headless;
    withoutClusterIp.externalName += result.externalName;
    withoutClusterIp.unassigned += result.unassigned;
    for (const { kind, count } of result.skipped) {
      let kinds = skipped.get(input.file);
      if (kinds === undefined) {
        kinds = new Map();
        skipped.set(input.file, kinds);
      }
      kinds.set(kind, (kinds.get(kind) ?? 0) + count);
    }
  }
}
