// Logs problems of objects, each once: every re-list brings them again.
import type { Problem } from "../../shared/contract.ts";
import type { Log } from "./log.ts";

/** Enough for any cluster that somebody looks after. Problems beyond it are logged each time rather than kept. */
const MAX_KNOWN = 10_000;

export class ProblemLog {
  readonly #log: Log;
  readonly #known = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param more problems that are not in the list */
  log(problems: readonly Problem[], more = 0): void {
    for (const { severity, code, kind, namespace, name, field, message, hint } of problems) {
      const key = [code, kind, namespace, name, field, message].join("\0");
      if (this.#known.has(key)) continue;
      if (this.#known.size < MAX_KNOWN) this.#known.add(key);
      const object = namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
      const place = field === "" ? object : `${object}: ${field}`;
      const text = `${place}: ${message}${hint === "" ? "" : `; ${hint}`}`;
      this.#log[severity === "error" ? "error" : "warn"]({ code, kind, namespace, name, field }, text);
    }
    if (more > 0) this.#log.warn({ more }, "there are more problems than are listed");
  }
}
