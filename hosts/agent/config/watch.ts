// Notices that the content of the configuration file changed, however: written in place, renamed over, or by the swap of
// a symlink two directories up, as kubelet updates a mounted ConfigMap (which inotify on the path does not tell).
import { readFile } from "node:fs/promises";
import type { FlagField } from "../../shared/config/config.ts";
import { type Diagnostic, diagnostic } from "../../shared/diagnostics.ts";
import { fileError } from "../../shared/manifests/files.ts";
import { type AgentConfig, type AgentConfigResult, parseAgentConfig } from "./agent-config.ts";

export interface ConfigWatchOptions {
  readonly path: string;
  /** `flagsBesideFile` of the command: they win over each new file too. */
  readonly flags: readonly FlagField[];
  /** The content that is in force; undefined: what is read first. */
  readonly content?: Uint8Array;
  readonly intervalMs?: number;
  /** Another content that is valid; the diagnostics are warnings and notes. */
  changed(config: AgentConfig, result: AgentConfigResult, content: Uint8Array): void;
  /** Another content with errors, or it can't be read. Told once; what was in force stays in force. */
  broken(diagnostics: readonly Diagnostic[]): void;
}

const defaultInterval = 2000;

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** What was last told, or was there at the start. */
  #known: Uint8Array | undefined;
  /** Seen once; told when it is still the same at the next look, because a file may be in the middle of being written. */
  #candidate: Uint8Array | undefined;
  #failures = 0;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  /** Looks every `intervalMs` (2 s). Does not keep the process alive. */
  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#known = options.content;
    this.#timer = setInterval(() => void this.check(), options.intervalMs ?? defaultInterval);
    this.#timer.unref();
  }

  /** Looks now. */
  check(): Promise<void> {
    this.#last = this.#last.then(() => this.#check());
    return this.#last;
  }

  /** Nothing is told afterwards. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    if (this.#closed) return;
    const { path, flags, changed, broken } = this.#options;
    let content: Uint8Array;
    try {
      content = await readFile(path);
    } catch (error) {
      this.#candidate = undefined;
      // A file that is missing for a moment is being replaced; one that stays away is told once.
      if (++this.#failures === 2 && !this.#closed) broken([fileError(path, error)]);
      return;
    }
    this.#failures = 0;
    this.#known ??= content;
    if (same(content, this.#known)) {
      this.#candidate = undefined;
      return;
    }
    if (this.#candidate === undefined || !same(content, this.#candidate)) {
      this.#candidate = content;
      return;
    }
    this.#known = content;
    this.#candidate = undefined;
    if (this.#closed) return;
    const result = parseAgentConfig({ name: path, bytes: content }, flags);
    if (result.config === undefined) return broken(result.diagnostics);
    try {
      changed(result.config, result, content);
    } catch (error) {
      const message = `the new configuration could not be put in force: ${error instanceof Error ? error.message : error}`;
      broken([diagnostic("error", "config-apply", message, { file: path })]);
    }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
