// Notices when the content of the configuration file changes: if it is written in place, if another file is renamed over it, or if
// kubelet updates a mounted ConfigMap. For that it swaps a symlink two directories up, which inotify on the path does not report.
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
  /** A new content has errors, or can't be read. Called once; the former configuration stays in force. */
  broken(diagnostics: readonly Diagnostic[]): void;
}

const defaultInterval = 2000;

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** The content that was reported last, or was there at the start. */
  #known: Uint8Array | undefined;
  /** Seen once. It is reported if it is still the same at the next check: the file may be in the middle of being written. */
  #candidate: Uint8Array | undefined;
  #failures = 0;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  /** Checks every `intervalMs` (2 s). Does not keep the process alive. */
  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#known = options.content;
    this.#timer = setInterval(() => void this.check(), options.intervalMs ?? defaultInterval);
    this.#timer.unref();
  }

  /** Checks now. */
  check(): Promise<void> {
    this.#last = this.#last.then(() => this.#check());
    return this.#last;
  }

  /** Nothing is reported afterwards. */
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
      // A file that is missing for a moment is being replaced. One that stays missing is reported once.
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
