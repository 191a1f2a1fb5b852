import { type EngineInstance, type EngineModule, EngineTrapError } from "./engine.ts";

/**
 * An engine that survives its instance. When a call traps, a fresh instance is made, the caller's `replay` brings it to
 * where the old one was (configure, apply the inputs), and the call is tried once more there. If it traps again, the
 * fresh instance is dropped too and the `EngineTrapError` is the caller's: leave out what was being applied, and go on
 * with the next call, which starts from a fresh, replayed instance.
 */
export class RestartingEngine {
  readonly #module: EngineModule;
  readonly #replay: (engine: EngineInstance) => void;
  readonly #restarted: (error: EngineTrapError) => void;
  #instance: EngineInstance | undefined;
  #restarts = 0;

  /** `restarted` is called once for each instance lost, before the replay. */
  constructor(
    module: EngineModule,
    replay: (engine: EngineInstance) => void,
    restarted: (error: EngineTrapError) => void,
  ) {
    this.#module = module;
    this.#replay = replay;
    this.#restarted = restarted;
    this.#instance = module.create();
  }

  /** How many instances were lost. */
  get restarts(): number {
    return this.#restarts;
  }

  call<T>(run: (engine: EngineInstance) => T): T {
    try {
      return run(this.#usable());
    } catch (error) {
      this.#lost(error);
    }
    try {
      return run(this.#usable());
    } catch (error) {
      this.#lost(error);
      throw error;
    }
  }

  #usable(): EngineInstance {
    if (this.#instance === undefined) {
      const fresh = this.#module.create();
      this.#replay(fresh);
      this.#instance = fresh;
    }
    return this.#instance;
  }

  #lost(error: unknown): void {
    this.#instance = undefined;
    if (!(error instanceof EngineTrapError)) throw error;
    this.#restarts++;
    this.#restarted(error);
  }
}
