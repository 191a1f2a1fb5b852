// Tells whether commits between two moments have touched one table. So a long dump need not start anew while somebody else
// changes tables of their own.
import { type MonitorOptions, RulesetMonitor, type TableName } from "./monitor.ts";

/** Within which a commit's notification follows its generation number, in milliseconds. */
const NOTIFICATION = 1000;

export class TableWatch {
  readonly #table: TableName;
  readonly #monitor: RulesetMonitor;
  #notified: number | undefined;
  #touched = false;

  constructor(table: TableName, options: MonitorOptions = {}) {
    this.#table = table;
    this.#monitor = RulesetMonitor.open(options);
  }

  /** As far as notifications have come in; true as well when some were lost. */
  get touched(): boolean {
    for (const change of this.#monitor.take()) {
      if (change.generation !== undefined) this.#notified = change.generation;
      if (change.overrun || change.tables.some((table) => this.#isOurs(table))) this.#touched = true;
    }
    return this.#touched;
  }

  /** Waits for the notifications up to that generation: a commit has its number before they are sent. */
  async touchedUntil(generation: number): Promise<boolean> {
    const deadline = performance.now() + NOTIFICATION;
    for (;;) {
      if (this.touched) return true;
      // Generations go up by one and wrap.
      if (this.#notified !== undefined && ((this.#notified - generation) | 0) >= 0) return false;
      const left = deadline - performance.now();
      if (left <= 0 || !(await this.#monitor.waitForChange(left))) return true;
    }
  }

  close(): Promise<void> {
    return this.#monitor.close();
  }

  #isOurs({ family, table }: TableName): boolean {
    return family === this.#table.family && table === this.#table.table;
  }
}
