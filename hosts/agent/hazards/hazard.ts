// Hazards: things on this node that make Services fail although our rules are right, and that nothing else reports. Examples:
// other programs' rules, names that don't fit, objects that are gone. The agent logs each one once, and shows it in /readyz for as
// long as it lasts. `--check` reports them as well.
import type { HealthState } from "../http/health-state.ts";
import type { Log } from "../log/log.ts";

export interface Hazard {
  /** What it is about, for a table: a field, a chain, an object. */
  readonly subject: string;
  /** One line. */
  readonly message: string;
  /** What to do. */
  readonly hint: string;
}

/** Where hazards are found. Each source reports everything that it finds now. */
export type HazardSource = "clusterCIDR" | "node" | "forwarding" | "marks" | "affinity";

export class HazardReport {
  readonly #log: Pick<Log, "warn" | "info">;
  readonly #health: Pick<HealthState, "warn">;
  readonly #current = new Map<HazardSource, readonly Hazard[]>();

  constructor(log: Pick<Log, "warn" | "info">, health: Pick<HealthState, "warn">) {
    this.#log = log;
    this.#health = health;
  }

  /** `found`: everything that the source finds now. Hazards that are missing in it are over. */
  update(source: HazardSource, found: readonly Hazard[]): void {
    const before = this.#current.get(source) ?? [];
    const isKnown = (hazard: Hazard, among: readonly Hazard[]) =>
      among.some(({ subject, message }) => subject === hazard.subject && message === hazard.message);
    for (const hazard of found) {
      if (!isKnown(hazard, before)) this.#log.warn({ subject: hazard.subject, hint: hazard.hint }, hazard.message);
    }
    for (const hazard of before) {
      if (!isKnown(hazard, found)) this.#log.info({ subject: hazard.subject }, `no more: ${hazard.message}`);
    }
    this.#current.set(source, found);
    this.#health.warn(source, found.map(({ message, hint }) => `${message}; ${hint}`).join("; ") || undefined);
  }
}
